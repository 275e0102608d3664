"""Tables and queries of services, private to it."""
