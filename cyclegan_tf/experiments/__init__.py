"""Studies over runs."""
