"""Pure decisions of the catalogue, the slots and the engines."""
