"""Files of other software: PyTorch checkpoints, Keras 2 weights."""
