"""How they meet: the doors, checkout, fulfilment and the wiring."""
