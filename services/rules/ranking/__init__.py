"""What dated expansions say about the next ones: who moves, where from, where to."""
