"""In which phases a network is computed whose normalizations need statistics of the whole image.

The input of a normalization can be computed where the statistics of all earlier ones are known. So
each normalization ends a phase, in which its statistics are taken over all parts of the image. Its
input is kept, with what later layers need beside it, unless it is so large that it is better
computed again: ResNet generators have 16 values a pixel inside, and 64 at the full size.
"""

import dataclasses
import math

from cyclegan_tf.errors import InputError
from cyclegan_tf.networks.given_statistics import NORMALIZATIONS
from cyclegan_tf.networks.layer_graph import layer_graph
from cyclegan_tf.networks.parts import is_local, needed_part, output_lengths

_KEPT = 2  # times as many values as the smallest of what could be kept
_LARGE = 2**14  # pixels; more than any layer sees
_PERIOD = 8  # of places that see alike, at least


@dataclasses.dataclass(frozen=True)
class Phase:
    """What is computed between two normalizations. Tensors have the numbers of `layer_graph`.

    Attributes:
        target: the tensor whose statistics are taken; the output in the last phase.
        normalization: the number of the step that needs these statistics; `None` at the end.
        sources: the tensors, of earlier phases, that this one starts from; 0 is the image.
        kept: the tensors that it leaves for later ones.
    """

    target: int
    normalization: int | None
    sources: frozenset
    kept: frozenset


class Phases:
    """The phases of a network for images of one size.

    Args:
        network: a functional `keras.Model` of one image.
        lengths: rows and columns of the image, which the network takes as they are.

    Attributes:
        steps: of `layer_graph`.
        lengths, channels: of each tensor, in a list.
        phases: a list of `Phase`.

    Raises:
        InputError: a layer sees more than a part of its input.
    """

    def __init__(self, network, lengths):
        self.steps = local_steps(network)
        self.lengths, self.channels = [tuple(lengths)], [network.input_shape[-1]]
        for step in self.steps:
            of_input = step.inputs[0]
            self.lengths.append(output_lengths(step.layer, self.lengths[of_input]))
            self.channels.append(getattr(step.layer, "filters", self.channels[of_input]))
        self.phases = self._phases()

    def step_of(self, tensor):
        """The step that gives a tensor."""
        return self.steps[tensor - 1]

    def values(self, tensors):
        """How many values tensors have, per pixel of the image."""
        total = sum(self.channels[each] * math.prod(self.lengths[each]) for each in tensors)
        return total / math.prod(self.lengths[0])

    def most_kept(self):
        """The values per pixel of the image that are kept at a time, at most."""
        return max(self.values((each.sources | each.kept) - {0}) for each in self.phases)

    def _phases(self):
        cuts = [(number, self.steps[number - 1].inputs[0]) for number in self._normalizations()]
        live, done = [], {0}
        for _, target in cuts:
            done |= self._ancestors(target)
            live.append(self._live(done))
        least = min(map(self.values, live), default=0)
        phases, sources = [], frozenset({0})
        for (number, target), alive in zip(cuts, live):
            keeps = self.values(alive) <= _KEPT * least
            kept = alive if keeps else sources
            phases.append(Phase(target, number, sources, kept - {0}))
            sources = kept
        return [*phases, Phase(len(self.steps), None, sources, frozenset())]

    def _normalizations(self):
        return [
            number
            for number, step in enumerate(self.steps, 1)
            if isinstance(step.layer, NORMALIZATIONS)
        ]

    def _ancestors(self, tensor):
        """A tensor and all that it is computed from."""
        found, left = set(), [tensor]
        while left:
            each = left.pop()
            if each not in found:
                found.add(each)
                left += self.step_of(each).inputs if each else ()
        return found

    def _live(self, done):
        """The tensors of `done` that later steps take."""
        later = (step for number, step in enumerate(self.steps, 1) if number not in done)
        return frozenset(each for step in later for each in step.inputs if each in done)


def local_steps(network):
    """The layers of a network, each of which sees a part of its input.

    Raises:
        InputError: they are not known, or one sees all of its input.
    """
    try:
        steps = layer_graph(network)
    except ValueError as error:
        raise InputError(f"{error} Tiles cannot be computed.") from error
    for step in steps:
        if not is_local(step.layer):
            raise InputError(
                f"The generator '{network.name}' cannot be computed by tiles, because of its layer "
                f"'{step.layer.name}' ({type(step.layer).__name__}); expected a ResNet generator, "
                "as CycleGAN, CUT and UNIT have it. Each pixel of a U-Net depends on the whole "
                "image: translate the image without tiles, or make it smaller."
            )
    return steps


def halo(network):
    """How many pixels around a pixel of the result have an influence on it, on each side at most.

    Without the statistics of normalizations, which have the influence of all pixels.

    Args:
        network: a functional `keras.Model` whose layers see parts of their inputs.

    Raises:
        InputError: a layer sees more than that.
    """
    plan = Phases(network, (_LARGE, _LARGE))
    middle = plan.lengths[-1][0] // 2
    margins = []
    for place in range(middle, middle + _PERIOD):
        needed = {len(plan.steps): ((place, place + 1),) * 2}
        for tensor in range(len(plan.steps), 0, -1):
            step = plan.step_of(tensor)
            for each in step.inputs if tensor in needed else ():
                part = needed_part(step.layer, plan.lengths[each], needed[tensor])
                needed[each] = around(needed.get(each, part), part)
        start, stop = needed[0][0]
        margins.append(max(place - start, stop - 1 - place))
    return max(margins)


def around(part, other):
    """The smallest part that holds both; each has the spans of its rows and columns."""
    return tuple((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(part, other))
