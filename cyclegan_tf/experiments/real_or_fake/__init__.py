"""The study "real or fake": a page that asks people which image is real, and its score."""
