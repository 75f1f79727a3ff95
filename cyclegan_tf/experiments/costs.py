"""What a training took: the columns of costs in a table."""

import resource
import sys

import numpy as np

from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.machine import read_machine


def cost_of(run, model, batch_size):
    """The cost of a training in this process, as JSON values.

    Args:
        run: the `RunFolder` of the training, with its `machine.json`.
        model: the trained system.
        batch_size: elements of a step.

    Returns:
        A dictionary: `steps`, `images` of each domain, `seconds`, trained `parameters`, and
        `peak_memory_gib` of this process so far.

    Raises:
        InputError: `machine.json` is missing or damaged.
    """
    machine = read_machine(run.machine)
    if machine is None:
        raise InputError(f"{run.machine} is missing or damaged; remove {run.path.parent} to retry.")
    return {
        "steps": machine["steps"],
        "images": machine["steps"] * batch_size,
        "seconds": machine["seconds"],
        "parameters": _parameters(model),
        "peak_memory_gib": _peak_memory(),
    }


def _parameters(model):
    """How many numbers are trained; those that networks share count once."""
    weights = {
        id(weight): weight
        for network in model.networks.values()
        for weight in network.trainable_variables
    }
    return int(sum(np.prod(weight.shape) for weight in weights.values()))


def _peak_memory():
    """Of this process so far, in GiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(size / (2**30 if sys.platform == "darwin" else 2**20), 2)
