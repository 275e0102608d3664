"""The schema's history: one linear line of steps, each frozen when it is made."""
