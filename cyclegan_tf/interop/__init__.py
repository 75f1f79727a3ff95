"""Other people's files: PyTorch checkpoints, Keras 2 weights."""
