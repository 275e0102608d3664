"""Checkout and fulfilment: where tenants, services and billing meet."""
