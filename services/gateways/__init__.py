"""The outside world of the services: solvers, weather, files, documents."""
