"""What the scores of a model are compared with: translations that need no model."""

import dataclasses

import numpy as np

from cyclegan_tf.runs.measures import scores_of

# In tables.
MEANINGS = {
    "copy": "the input itself",
    "constant": "the mean color of the real images",
    "truth": "the true image, a bound for measures of classes",
}


def baselines(translated, wanted):
    """Scores of a copy, of one color and of the truth, by the measures of a model.

    Args:
        translated: `Translated`, of a model's direction; its model is not called.
        wanted: `Measure`s.

    Returns:
        `{name: {measure: Score}}`, of these names, as far as there is a measure for them:

        - `"copy"`: the input itself, where images of both domains have one shape.
        - `"constant"`: the mean color of the real images, where it is known what the output
          should be.
        - `"truth"`: the true images, by the measures that find classes in an image: a bound.

        The last two too are left out if images of the two domains have different sizes.
    """
    classifying = [measure for measure in wanted if measure.finds_classes]
    inputs, reals, truth = translated.inputs, translated.reals, translated.truth
    candidates = {}
    of_one_size = inputs.shape[1:3] == reals.shape[1:3]
    if of_one_size and inputs.shape[-1] == reals.shape[-1]:
        candidates["copy"] = (inputs, wanted)
    if of_one_size and truth is not None:
        mean = np.uint8(reals.mean((0, 1, 2)).round())
        candidates["constant"] = (np.broadcast_to(mean, reals.shape), wanted)
        candidates["truth"] = (truth, classifying)
    scores = {
        name: scores_of(
            measures, dataclasses.replace(translated, given=images, instead_of=translated)
        )
        for name, (images, measures) in candidates.items()
    }
    return {name: found for name, found in scores.items() if found}
