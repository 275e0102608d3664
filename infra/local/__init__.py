"""Runs everything on one machine: the database, the web processes and a worker."""
