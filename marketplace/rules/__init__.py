"""Pure decisions about orders."""
