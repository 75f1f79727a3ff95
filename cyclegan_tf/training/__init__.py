"""How it learns: optimizers, schedules, the replay pool, checkpoints, strategies."""
