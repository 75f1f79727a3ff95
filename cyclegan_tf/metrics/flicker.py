"""Flicker: how much a translated film changes where the film itself does not."""

import numpy as np

from cyclegan_tf.metrics import checks

# In 8-bit values. The noise of a lossy codec in still parts is mostly below it.
THRESHOLD = 2


class Flicker:
    """Adds up the flicker of a film, frame by frame.

    A pixel is still from one frame to the next if no channel of the input changes by more than
    `threshold`. Flicker is the mean absolute difference of the output's channels between these
    two frames, over all still pixels of all pairs of frames. The same number of the input itself,
    at the same pixels, is what flickers already: noise, and what a codec adds.

    A network looks at a neighborhood, so that its output may rightly change at a still pixel near
    a moving one. That adds the same to each method that is compared on one film.

    Args:
        threshold: in 8-bit values; 0 or more.

    Attributes:
        still: pixels counted so far.

    Raises:
        ValueError: a threshold below 0.
    """

    def __init__(self, threshold=THRESHOLD):
        if not threshold >= 0:
            raise ValueError(f"threshold must be at least 0. Received: {threshold}")
        self.threshold = threshold
        self.still = 0
        self._sums = np.zeros(2)  # of input and output
        self._before = None

    def add(self, input, output, after_cut=False):
        """Adds one frame.

        Args:
            input, output: the frame before and after translation, uint8 `(height, width,
                channels)`; their numbers of channels may differ.
            after_cut: whether another scene begins, which is not compared with the frame before.

        Raises:
            ValueError: other shapes or types, or another size than the frame before.
        """
        frames = [np.asarray(frame) for frame in (input, output)]
        _check(frames, self._before)
        before, self._before = self._before, frames
        if before is None or after_cut:
            return
        # Wide enough for negative differences.
        changes = [np.abs(np.subtract(*pair, dtype=np.int16)) for pair in zip(frames, before)]
        still = (changes[0] <= self.threshold).all(-1)
        self.still += int(still.sum())
        self._sums += [change.mean(-1)[still].sum() for change in changes]

    @property
    def of_input(self):
        """The flicker of the input itself, in 8-bit values; `nan` if no pixel was still."""
        return self._mean(0)

    @property
    def of_output(self):
        """The flicker of the output, in 8-bit values; `nan` if no pixel was still."""
        return self._mean(1)

    def _mean(self, which):
        return float(self._sums[which] / self.still) if self.still else float("nan")

    def state(self):
        """Arrays by name, from which `restore` resumes."""
        frames = dict(zip(("input", "output"), self._before or ()))
        return {"still": np.array(self.still), "sums": self._sums.copy(), **frames}

    def restore(self, state):
        """Resumes from what `state` returned."""
        self.still, self._sums = int(state["still"]), np.array(state["sums"])
        self._before = [state["input"], state["output"]] if "input" in state else None


def flicker(inputs, outputs, threshold=THRESHOLD):
    """The flicker of a translated film; see `Flicker`.

    Args:
        inputs, outputs: the frames before and after translation in their order, uint8 `(count,
            height, width, channels)`; their numbers of channels may differ.
        threshold: the largest change of a still pixel, in 8-bit values.

    Returns:
        A float in 8-bit values: 0 if no still pixel changes; `nan` if no pixel is still, as with
        a single frame.

    Raises:
        ValueError: other shapes or types, or a threshold below 0.
    """
    for frames in (inputs, outputs):
        checks.image_batches(frames)
    if len(inputs) != len(outputs):
        raise ValueError(
            f"Expected as many frames in both. Received: {len(inputs)} and {len(outputs)}"
        )
    measured = Flicker(threshold)
    for pair in zip(inputs, outputs):
        measured.add(*pair)
    return measured.of_output


def _check(frames, before):
    sizes = {frame.shape[:2] for frame in (*frames, *(before or ()))}
    if any(f.ndim != 3 or f.dtype != np.uint8 or not f.size for f in frames) or len(sizes) > 1:
        raise ValueError(
            "Expected uint8 frames (height, width, channels), all of one size. Received: "
            + " and ".join(f"{frame.dtype.name} {frame.shape}" for frame in frames)
        )
