"""Help for tests: databases, clocks, actors and small worlds."""
