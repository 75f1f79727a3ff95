"""Training: optimizers, schedules, the replay pool, checkpoints, strategies."""
