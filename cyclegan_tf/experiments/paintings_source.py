"""Photographs and paintings: domains whose images have no counterparts, nor labels."""

import dataclasses
import pathlib

from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.data import image_files
from cyclegan_tf.data.folders import domain_folders, images_below
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.experiments.labeled_source import CLASSES_FILE
from cyclegan_tf.runs.options import resolve

_TO_PHOTOGRAPHS = "2photo"  # how names of published data sets end whose domain B is photographs


@dataclasses.dataclass(frozen=True)
class PaintingsSource:
    """A folder of photographs and paintings. Made by `paintings_source`.

    Attributes:
        source: the absolute path of the folder.
        image_size: the shorter side of the images, in pixels.
        to_paintings: the direction, `"ab"` or `"ba"`.
    """

    source: str
    image_size: int
    to_paintings: str

    def photographs(self):
        """Paths of the photographs in the order of their names, held-back ones first."""
        domain = from_domain(self.to_paintings).upper()
        test = pathlib.Path(self.source, f"test{domain}")
        held_back = images_below(test)[0] if test.is_dir() else []
        return [*held_back, *self._of_training(domain)]

    def paintings(self):
        """Paths of the training paintings, in the order of their names."""
        return self._of_training(to_domain(self.to_paintings).upper())

    def _of_training(self, domain):
        return images_below(pathlib.Path(self.source, f"train{domain}"))[0]

    def read(self, path):
        """An image whose shorter side is `image_size`; both sides are multiples of 4."""
        pixels = image_files.read(path)
        factor = self.image_size / min(pixels.shape[:2])
        height, width = (max(4, round(side * factor / 4) * 4) for side in pixels.shape[:2])
        return image_files.resize(pixels, height, width)


def paintings_source(source, image_size):
    """A `PaintingsSource`.

    Domain B is the paintings; if the folder's name ends with `2photo`, as `monet2photo`, domain A.

    Args:
        source: a folder with trainA and trainB, and perhaps testA and testB.
        image_size: the shorter side of the images, in pixels, a multiple of 4.

    Raises:
        InputError: built-in images or label maps, or there is no such folder.
    """
    if source in BUILT_IN or pathlib.Path(source, CLASSES_FILE).exists():
        raise InputError(
            f"The study style needs photographs and paintings, and one domain of {source} is maps, "
            "in whose style no photograph can be painted: give --data a folder with trainA and "
            "trainB, such as photo2vangogh."
        )
    if image_size % 4:
        raise InputError(f"image_size must be a multiple of 4 for style. Received: {image_size}")
    folder = pathlib.Path(resolve(source).data.source)
    domain_folders(folder)  # which says what is missing
    to_paintings = "ba" if folder.name.endswith(_TO_PHOTOGRAPHS) else "ab"
    return PaintingsSource(str(folder), image_size, to_paintings)
