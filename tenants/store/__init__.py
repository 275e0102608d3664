"""Tables and queries of tenants, private to it."""
