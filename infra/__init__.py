"""What surrounds the program on a machine: its database server, its launcher, its web server's settings."""
