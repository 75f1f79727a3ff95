"""The systems: Keras models with a `train_step` of their own, one a file."""
