"""What people do with parks, members, subscriptions and keys: one verb each."""
