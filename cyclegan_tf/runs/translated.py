"""What a model makes of held-back images: what its measures look at."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from cyclegan_tf import metrics
from cyclegan_tf.directions import direction_among, from_domain, to_domain
from cyclegan_tf.pixels import to_float, to_uint8
from cyclegan_tf.runs.held_out import HeldOut
from cyclegan_tf.runs.segmenter import Segmenter

_AT_ONCE = 8  # images, as `translate` computes together by itself


def directions_of(model):
    """The directions of a `System`, or of a `Translator`."""
    return getattr(model, "directions", None) or tuple(model.generators)


@dataclasses.dataclass(frozen=True, eq=False)
class Translated:
    """What one direction of a model makes of held-back images, computed when it is asked for.

    All images are uint8 `(count, height, width, channels)`.

    Attributes:
        model: a `System` or a `Translator`.
        held_out: the real images, `HeldOut`.
        direction: `"ab"` or `"ba"`.
        extractor: of `cyclegan_tf.extractor`, or `None`.
        segmenter: of photographs, of `cyclegan_tf.segmenter`, or `None`.
        seed: of what measures draw.
        progress: called with a direction, the images translated so far, and their number.
        given: uint8 outputs that no model makes; `None` if the model is to make them.
        instead_of: what these translations are a baseline of; see `cyclegan_tf.runs.baselines`.
    """

    model: object
    held_out: HeldOut
    direction: str
    extractor: object = None
    segmenter: Segmenter | None = None
    seed: int = 0
    progress: Callable | None = None
    given: np.ndarray | None = None
    instead_of: "Translated | None" = None

    @property
    def inputs(self):
        """Real images of the domain that is translated from."""
        return self.held_out.images[from_domain(self.direction)]

    @property
    def reals(self):
        """Real images of the domain that is translated to."""
        return self.held_out.images[to_domain(self.direction)]

    @functools.cached_property
    def floats(self):
        """The translations as the network makes them: floats that may hold NaN."""
        if self.given is not None:
            return to_float(self.given)
        return self._translate(to_float(self.inputs), self.direction)

    @functools.cached_property
    def outputs(self):
        """The translations; NaN is black."""
        return to_uint8(np.nan_to_num(self.floats, nan=-1.0, posinf=1.0, neginf=-1.0))

    @property
    def returns(self):
        """Whether the model translates back."""
        return self.given is None and self.direction[::-1] in directions_of(self.model)

    @functools.cached_property
    def back(self):
        """The translations translated back."""
        return self._translate(self.outputs, self.direction[::-1])

    def _translate(self, images, direction):
        """By a few at a time, so that a slow model says how far it is."""
        parts = []
        for start in range(0, len(images), _AT_ONCE):
            some = images[start : start + _AT_ONCE]
            parts.append(self.model.translate(some, direction))
            if self.progress is not None:
                self.progress(direction, start + len(some), len(images))
        return np.concatenate(parts)

    @property
    def truth(self):
        """For each input the image that its translation should be; `None` if unknown."""
        return self.reals if self.held_out.paired else None

    @property
    def classes(self):
        """`Classes` if the outputs should be label maps of known truth, else `None`."""
        known = self.held_out.classes
        of_outputs = known and known.domain == to_domain(self.direction)
        return known if of_outputs and self.held_out.paired else None

    @property
    def depicted(self):
        """`Classes` if the inputs are label maps of known truth, which outputs show; or `None`."""
        known = self.held_out.classes
        return known if known and known.domain == from_domain(self.direction) else None

    # Measures share what takes long.

    @functools.cached_property
    def predicted(self):
        """The class of each pixel of the outputs."""
        return metrics.nearest_class(self.outputs, self.classes.colors)

    @functools.cached_property
    def label_scores(self):
        classes = self.classes
        return metrics.segmentation_scores(classes.truth, self.predicted, len(classes.colors))

    @functools.cached_property
    def segmented(self):
        """The class that the segmenter finds in each pixel of the outputs."""
        return self.segmenter.classes_of(self.outputs)

    @functools.cached_property
    def segmented_scores(self):
        classes = self.depicted
        return metrics.segmentation_scores(classes.truth, self.segmented, len(classes.colors))

    @functools.cached_property
    def features(self):
        """Of the outputs and of the real images."""
        return self._features_of(self.outputs), self._real_features

    @functools.cached_property
    def _real_features(self):
        if self.instead_of is not None:
            return self.instead_of._real_features
        return self._features_of(self.reals)

    def _features_of(self, images):
        return self.extractor.features(without_alpha(images))


def translated_by(model, held_out, direction, **others):
    """`Translated` by direction, for the directions that are asked for."""
    directions = directions_of(model)
    if direction is not None:
        directions = (direction_among(directions, direction),)
    return {each: Translated(model, held_out, each, **others) for each in directions}


def without_alpha(images):
    """RGB of RGBA, which no extractor of features takes; others as they are."""
    return images[..., :3] if images.shape[-1] == 4 else images
