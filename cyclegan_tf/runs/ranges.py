"""The ranges of values that `translate` uses: those of a run, or those that are asked for."""

import numpy as np

from cyclegan_tf import intensity_range
from cyclegan_tf.directions import direction_of, from_domain, number_of, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.intensity_range import ValueRange, parsed
from cyclegan_tf.runs.folder import run_of
from cyclegan_tf.runs.pretrained import model_path
from cyclegan_tf.translation.deep_translation import Ranges


def ranges_for(path, model, direction=None, value_range=None, output_range=None):
    """The `Ranges` to translate deep images with.

    Args:
        path: of a model, as `cyclegan_tf.load` takes it. The run that it is of, if any, says the
            ranges and the dtype of both domains.
        model: what was loaded.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        value_range: of inputs, and of results too unless `output_range` is given: the text of a
            rule (`cyclegan_tf.intensity_range.parsed`), in place of the run's ranges.
        output_range: of results, `"LOW:HIGH"`.

    Raises:
        InputError: a text is no rule, or `output_range` one of percentiles.
    """
    given = None if output_range is None else parsed(output_range)
    if given is not None and not isinstance(given, ValueRange):
        raise InputError(
            "Results have no percentiles before they are made; give --output-range LOW:HIGH. "
            f"Received: {output_range!r}"
        )
    asked = (value_range, output_range) != (None, None)
    run = run_of(model_path(path))
    data = run and run.options().data
    if not (data and data.measured_ranges):
        return Ranges(parsed(value_range), given, given=asked)
    direction = direction_of(model, direction)
    record = data.measured_ranges[to_domain(direction)]
    dtype = np.dtype(record["dtype"])
    if value_range is not None:
        return Ranges(parsed(value_range), given, dtype, asked)
    rule = data.value_ranges[number_of(from_domain(direction))]
    return Ranges(rule, given or intensity_range.recorded(record), dtype, asked)
