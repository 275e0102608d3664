"""The outside world of tenants behind small functions: password hashing."""
