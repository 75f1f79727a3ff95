"""One run's folder: its options, its training, its page."""
