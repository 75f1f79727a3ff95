"""What PatchNCE compares: maps inside a generator, and small networks that embed their patches.

Park et al. 2020, arXiv 2007.15651, 3: the first half of the generator encodes an image, and a
network of two layers makes of each position of a map a vector of length 1.
"""

import keras

from cyclegan_tf.keras_internals import node_before
from cyclegan_tf.networks.initializers import xavier_initializers
from cyclegan_tf.networks.layers import UnitLength


def patch_features(channels, *, width=256, seed=None, name="patch_features"):
    """The networks "F" or "H" of CUT as one model: for each map two dense layers with a ReLU.

    It computes in float32 under half precision, in which angles would be too coarse.

    Args:
        channels: those of each map.
        width: of both layers; 256 in the paper.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from a list of patches, `(batch, patches, channels[i])`, to a list of their
        features, `(batch, patches, width)`, of length 1 each.
    """
    initializers = xavier_initializers(seed)
    dtype = "float64" if keras.config.dtype_policy().name == "float64" else "float32"
    inputs, outputs = [], []
    for number, count in enumerate(channels):
        x = keras.Input((None, count), name=f"patches_{number}", dtype=dtype)
        inputs.append(x)
        for layer, activation in (("hidden", "relu"), ("output", None)):
            x = keras.layers.Dense(
                width,
                activation=activation,
                kernel_initializer=next(initializers),
                dtype=dtype,
                name=f"{layer}_{number}",
            )(x)
        outputs.append(UnitLength(dtype=dtype, name=f"features_{number}")(x))
    return keras.Model(inputs, outputs, name=name)


def maps_of(network, numbers_or_names):
    """Tensors inside a functional or Sequential network, each `(batch, height, width, channels)`.

    Args:
        network: a model from images to images.
        numbers_or_names: the layers whose outputs they are, by their names or their numbers in the
            published code of CUT. Its generator is a sequence from 0 on, in which a residual block
            counts as one and a convolution pads by itself unless it reflects. Here it is therefore
            the layers that every path from the input to the output passes, without the input and
            `ZeroPadding2D`. In `resnet_generator(downsampling="blur")` 0 is the reflected image, 4
            and 8 are d128 and d256 before their normalization, and 12 and up the residual blocks.

    Returns:
        A list of symbolic tensors.

    Raises:
        ValueError: no such layer, one that is used several times, or one that gives no map.
    """
    nodes = _nodes(network)
    trunk = _trunk(nodes)
    return [_map_of(network, nodes, trunk, each) for each in numbers_or_names]


def _map_of(network, nodes, trunk, number_or_name):
    if isinstance(number_or_name, str):
        found = [node for node in nodes if node.operation.name == number_or_name]
        expected = f"the name of a layer that is used once, such as {trunk[-1].operation.name!r}"
    else:
        number = int(number_or_name)
        found = trunk[number : number + 1] if number >= 0 else []
        expected = f"a number below {len(trunk)}"
    if len(found) != 1:
        raise ValueError(
            f"The generator '{network.name}' has no such layer for nce_layers; expected "
            f"{expected}. Received: {number_or_name!r}"
        )
    outputs = found[0].outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 4 or outputs[0].shape[-1] is None:
        raise ValueError(
            f"The layer {number_or_name!r} of the generator '{network.name}' gives no map of shape "
            f"(batch, height, width, channels). Received: {[each.shape for each in outputs]}"
        )
    return outputs[0]


def _nodes(network):
    """The uses of layers in a network's graph, each after those that it needs."""
    found = {}

    def visit(tensor):
        node = node_before(tensor)
        if id(node) not in found:
            for each in node.input_tensors:
                visit(each)
            found[id(node)] = node

    for tensor in network.outputs:
        visit(tensor)
    return list(found.values())


def _trunk(nodes):
    """Those that all paths pass, without the input and without padding by zeros."""
    last_use = [0] * len(nodes)
    places = {id(node): place for place, node in enumerate(nodes)}
    for place, node in enumerate(nodes):
        for tensor in node.input_tensors:
            before = places[id(node_before(tensor))]
            last_use[before] = max(last_use[before], place)
    trunk = []
    furthest = 0  # the last use of anything before
    for place, node in enumerate(nodes):
        skipped = (keras.layers.InputLayer, keras.layers.ZeroPadding2D)
        if furthest <= place and not isinstance(node.operation, skipped):
            trunk.append(node)
        furthest = max(furthest, last_use[place])
    return trunk
