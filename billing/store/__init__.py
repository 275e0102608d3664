"""Tables and queries of billing, private to it."""
