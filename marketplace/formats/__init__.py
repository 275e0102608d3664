"""Documents that the marketplace writes itself."""
