"""Which two or three industries suit a park, why, and whether the answer stands when the weights move: pure."""
