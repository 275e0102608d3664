"""Tables and queries of orders, private to the marketplace."""
