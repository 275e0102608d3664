"""The outside world of the marketplace: the job queue."""
