"""What computes: layers, generators, discriminators."""
