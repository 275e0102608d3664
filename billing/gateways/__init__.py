"""The outside world of billing: banks, payment services, documents."""
