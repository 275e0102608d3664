"""What people do with money: one verb each."""
