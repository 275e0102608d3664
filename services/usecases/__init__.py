"""What people do with the catalogue, bookings, runs and artefacts: one verb each."""
