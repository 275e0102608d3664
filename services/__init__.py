"""What can be rented, how it is booked and run, and what it delivers. It knows no price."""
