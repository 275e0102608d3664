"""The demo: a believable province, its history, the main job told as a story, and load for measuring."""
