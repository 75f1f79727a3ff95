"""How an image becomes a training image; without TensorFlow, because options use it."""

import dataclasses

from cyclegan_tf.choices import PREPROCESS, check
from cyclegan_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a training image; the names are those of the reference implementation.

    Attributes:
        mode: `resize_and_crop` to a square of `load_size`, then a crop of `crop_size`;
            `crop` from the image as it is; `scale_width` to a width of `load_size`, the
            height in proportion but at least `crop_size`; `scale_width_and_crop` the same, then
            a crop; `none`. Without a crop, both sides are rounded to multiples of 4.
        load_size, crop_size: in pixels.
        flip: mirror half of the images, left to right.
        channels: 1 (gray), 3 (RGB) or as many as the source has; two numbers if those of the
            domains differ, `(of A, of B)`.
    """

    mode: str = "resize_and_crop"
    load_size: int = 286
    crop_size: int = 256
    flip: bool = True
    channels: int | tuple[int, int] = 3

    def __post_init__(self):
        check("preprocess", self.mode, PREPROCESS)
        if min(self.load_size, self.crop_size, *by_domain(self.channels)) < 1:
            raise InputError(
                "load_size, crop_size and channels must be at least 1. Received: "
                f"{self.load_size}, {self.crop_size} and {self.channels}"
            )
        if self.mode.endswith("_and_crop") and self.crop_size > self.load_size:
            raise InputError(
                f"A crop of {self.crop_size} pixels does not fit into images resized to "
                f"{self.load_size}; make crop_size smaller or load_size larger."
            )

    @property
    def crops(self):
        return self.mode.endswith("crop")

    def resized(self, size):
        """The size before the crop of an image of `size`; both are `(height, width)`."""
        height, width = size
        if self.mode == "resize_and_crop":
            return self.load_size, self.load_size
        if self.mode.startswith("scale_width"):
            in_proportion = int(self.load_size * height / width)
            height, width = max(in_proportion, self.crop_size), self.load_size
        if not self.crops:
            height, width = (max(4, round(side / 4) * 4) for side in (height, width))
        return height, width

    def final(self, size):
        """The final size of an image of `size`."""
        return (self.crop_size, self.crop_size) if self.crops else self.resized(size)

    def without_augmentation(self):
        """The deterministic variant: direct resize, center crop, no flip."""
        load_size = self.crop_size if self.mode == "resize_and_crop" else self.load_size
        return dataclasses.replace(self, load_size=load_size, flip=False)


def by_domain(value, name="channels", kind="number"):
    """What holds for A and for B, from one value for both or from two.

    Args:
        value: one value, or a tuple or list of two.
        name, kind: of the argument and of a value, for the message.

    Raises:
        InputError: there are other than two.
    """
    if not isinstance(value, (tuple, list)):
        return value, value
    if len(value) != 2:
        raise InputError(
            f"{name} must be one {kind}, or two: those of domains A and B. Received: {tuple(value)}"
        )
    return tuple(value)


def sizes_from(image_size, load_size, crop_size, mode):
    """`load_size` and `crop_size`; `image_size` sets both, as 256 sets 286 and 256."""
    if image_size is not None and (load_size is not None or crop_size is not None):
        raise InputError("Give either image_size or load_size and crop_size, not both.")
    if crop_size is None:
        crop_size = 256 if image_size is None else image_size
    if load_size is None:
        load_size = round(crop_size * 286 / 256) if mode.endswith("and_crop") else crop_size
    return load_size, crop_size
