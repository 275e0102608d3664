"""Jobs: what follows from events, and what the clock starts."""
