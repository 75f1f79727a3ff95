"""The folder of a run: its options, its training, its page."""
