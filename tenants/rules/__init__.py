"""Pure decisions about organisations, parks, people and subscriptions."""
