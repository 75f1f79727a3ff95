"""Whether training has diverged."""

import numpy as np

from cyclegan_tf.errors import TrainingDiverged


def check_finite(losses, epoch, kept):
    """Raises `TrainingDiverged` if training has diverged.

    Args:
        losses: numbers by name.
        epoch: 0-based.
        kept: what is left of the training before, a sentence.
    """
    lost = [name for name, value in losses.items() if not np.isfinite(value).all()]
    if lost:
        raise TrainingDiverged(
            f"{', '.join(lost)} is not finite in epoch {epoch + 1}: training has diverged. {kept} "
            "Lower the learning rate and begin again, in a new folder or with --restart."
        )
