"""The networks: layers, generators, discriminators."""
