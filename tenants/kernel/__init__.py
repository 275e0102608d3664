"""The foot of the house: clock, identifiers, vocabulary, errors, context, database and the unit of work."""
