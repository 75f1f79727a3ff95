"""The street scenes in a second style: flat computer graphics instead of photographs.

A scene of one number has the same geometry and the same classes in both styles.
"""

import numpy as np

from cyclegan_tf.data.scenes import CLASSES, Scene

# What has a texture or a shade in a photograph has one of these colors here. In [0, 1].
PALETTE = dict(
    zip(
        CLASSES,
        (
            ((0.4, 0.9, 0.95), (1.0, 0.75, 0.6), (0.75, 0.65, 1.0)),
            ((0.95, 0.9, 0.6), (0.65, 0.85, 0.75), (0.95, 0.65, 0.75), (0.55, 0.6, 0.85)),
            ((0.3, 0.85, 0.3), (0.15, 0.65, 0.5), (0.7, 0.85, 0.2)),
            ((0.3, 0.25, 0.45), (0.25, 0.35, 0.4)),
            ((0.95, 0.8, 0.55), (0.85, 0.6, 0.4)),
            ((0.95, 0.3, 0.6), (0.1, 0.75, 0.75), (0.45, 0.2, 0.75), (1.0, 0.55, 0.1)),
        ),
    )
)


class DrawnScene(Scene):
    """A `Scene` in plain colors, without texture, haze, light and noise.

    Windows, trunks and tires, which are plain in photographs too, stay as they are.
    """

    def __init__(self, rng, size):
        super().__init__(rng, size)
        # Its own numbers: those of the geometry must not depend on the style.
        (self._colors,) = rng.spawn(1)

    def _paint(self, where, what, color, depth):
        if np.ndim(color) > 1:
            color = self._colors.choice(PALETTE[CLASSES[what]])
        super()._paint(where, what, color, depth)

    def _exposed(self):
        return np.uint8(self.color * 255)
