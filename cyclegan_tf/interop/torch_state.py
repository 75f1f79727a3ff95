"""State dicts of the networks of the reference implementation (official PyTorch CycleGAN).

They are NumPy arrays here; this module converts them to and from Keras models.
"""

import dataclasses
import re
from collections.abc import Callable

import keras
import numpy as np

from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import nodes_of, operation_before
from cyclegan_tf.networks.discriminators import patchgan, pixelgan
from cyclegan_tf.networks.generators import resnet_generator, unet_generator
from cyclegan_tf.networks.layers import InstanceNormalization

# Statistics of batch normalization; versions before May 2018 wrote them for instance
# normalization too, which ignores them.
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def network_of(state, where, *, generates, dropout=None, name=None):
    """The Keras model of a state dict.

    Args:
        state: floating-point arrays by name.
        where: their source, for messages.
        generates: whether a generator is expected, or a discriminator.
        dropout: rate, in place of what the state dict shows.
        name: of the model.

    Raises:
        InputError: the state dict belongs to another network; the message names the key.
    """
    architecture = _recognize(state, where)
    if architecture.generates != generates:
        kinds = ("a discriminator", "a generator")
        raise InputError(
            f"{where} holds a {architecture.name}, {kinds[architecture.generates]}; expected "
            f"{kinds[generates]}."
        )
    options = _options(architecture, state, where)
    if dropout is not None:
        options["dropout"] = dropout
    if name is not None:
        options["name"] = name
    try:
        model = architecture.build(**options)
    except ValueError as error:
        raise InputError(f"{where} cannot be built as a {architecture.name}: {error}") from error
    _assign(model, architecture, dict(state), where)
    return model


def state_of(model, *, generates):
    """The reference implementation's state dict of a Keras model, as arrays by name.

    Raises:
        InputError: it has no such network; the message names the layer.
    """
    kind = "generator" if generates else "discriminator"
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        raise InputError(
            f"{model.name!r} holds its layers in another model; give that one, from model.layers."
        )
    architecture = _architecture_of(model)
    if architecture is None or architecture.generates != generates:
        raise InputError(f"{model.name!r} is no {kind} that the official PyTorch CycleGAN has.")
    _check_layers(model, architecture)
    state = {}
    for key, variable, shape in _tensors(model, architecture):
        if variable is None:
            state[key] = np.zeros(shape, np.float32)
            continue
        array = keras.ops.convert_to_numpy(variable).astype(np.float32)
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        state[key] = np.ascontiguousarray(array)
        if key.endswith(".running_var"):
            tracked = key.removesuffix("running_var") + "num_batches_tracked"
            state[tracked] = np.zeros((), np.int64)
    return state


# Architectures ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Architecture:
    """A network of the reference implementation.

    Attributes:
        name: for messages.
        build: makes the Keras model.
        options: of `build`, as far as the names of the tensors tell.
        slots: the prefixes of the keys of each convolution and of the normalization after it
            (None if there is none), in the order of the Keras model's convolutions.
        generates: images, rather than logits.
    """

    name: str
    build: Callable[..., keras.Model]
    options: dict
    slots: list[tuple[str, str | None]]
    generates: bool


def _resnet(blocks, dropout):
    second = 6 if dropout else 5
    slots = [(f"model.{at}", f"model.{at + 1}") for at in (1, 4, 7)]
    for at in range(10, 10 + blocks):
        slots.append((f"model.{at}.conv_block.1", f"model.{at}.conv_block.2"))
        slots.append((f"model.{at}.conv_block.{second}", f"model.{at}.conv_block.{second + 1}"))
    after = 10 + blocks
    slots += [(f"model.{at}", f"model.{at + 1}") for at in (after, after + 3)]
    slots.append((f"model.{after + 7}", None))
    options = {"blocks": blocks, "dropout": 0.5 if dropout else 0.0}
    return _Architecture(
        f"{blocks}-block ResNet generator", resnet_generator, options, slots, generates=True
    )


def _unet(halvings):
    """Modules nest: the outermost at `model.model`, the next at its 1, then each at 3."""
    levels = ["model.model"]
    for level in range(1, halvings):
        levels.append(f"{levels[-1]}.{1 if level == 1 else 3}.model")
    down = [(f"{levels[0]}.0", None)]
    down += [(f"{level}.1", f"{level}.2") for level in levels[1:-1]]
    down.append((f"{levels[-1]}.1", None))
    up = [(f"{levels[-1]}.3", f"{levels[-1]}.4")]
    up += [(f"{level}.5", f"{level}.6") for level in reversed(levels[1:-1])]
    up.append((f"{levels[0]}.3", None))
    name, options = f"{halvings}-level U-Net generator", {"halvings": halvings}
    return _Architecture(name, unet_generator, options, down + up, generates=True)


def _patchgan(strided_layers):
    slots = [("model.0", None)]
    slots += [(f"model.{at}", f"model.{at + 1}") for at in range(2, 3 * strided_layers + 2, 3)]
    slots.append((f"model.{3 * strided_layers + 2}", None))
    name, options = f"{strided_layers}-layer PatchGAN", {"strided_layers": strided_layers}
    return _Architecture(name, patchgan, options, slots, generates=False)


def _pixelgan():
    slots = [("net.0", None), ("net.2", "net.3"), ("net.5", None)]
    return _Architecture("PixelGAN", pixelgan, {}, slots, generates=False)


# From a state dict --------------------------------------------------------------------------


def _recognize(state, where):
    """The architecture, recognized by the names of the tensors."""
    if "model.model.0.weight" in state:
        level, halvings = "model.model.1.model", 1
        while f"{level}.1.weight" in state:
            level, halvings = f"{level}.3.model", halvings + 1
        return _unet(max(halvings, 2))
    if "model.1.weight" in state:
        pattern = re.compile(r"model\.(\d+)\.conv_block\.1\.weight")
        blocks = len([key for key in state if pattern.fullmatch(key)])
        return _resnet(blocks, dropout=blocks and "model.10.conv_block.5.weight" not in state)
    if "model.0.weight" in state:
        strided_layers = 0
        while f"model.{3 * strided_layers + 5}.weight" in state:
            strided_layers += 1
        return _patchgan(max(strided_layers, 1))
    if "net.0.weight" in state:
        return _pixelgan()
    raise InputError(
        f"{where} holds no network of the official PyTorch CycleGAN: its first key is "
        f"{next(iter(state))!r}; expected keys such as 'model.1.weight' (ResNet), "
        "'model.model.0.weight' (U-Net), 'model.0.weight' (PatchGAN) or 'net.0.weight' (PixelGAN)."
    )


def _options(architecture, state, where):
    """What `build` needs: filters, channels and normalization, read from the tensors."""
    kernels = []
    for at in (0, -1):
        key = f"{architecture.slots[at][0]}.weight"
        kernel = _taken(state, key, architecture, where)
        if kernel.ndim != 4 or 0 in kernel.shape:
            raise InputError(
                f"{key!r} of {where} has the shape {kernel.shape}; a {architecture.name} has a "
                "kernel of 4 dimensions there, none of them 0."
            )
        kernels.append(kernel)
    first, last = kernels
    convolution, normalization = next(slot for slot in architecture.slots if slot[1])
    biased, affine = f"{convolution}.bias" in state, f"{normalization}.weight" in state
    if not biased and not affine:
        raise InputError(
            f"{where} has neither {convolution}.bias nor {normalization}.weight: a network without "
            "normalization, or with an instance normalization that the reference implementation "
            "does not build. Expected one of the two."
        )
    if biased and affine and f"{normalization}.running_mean" in state:
        raise InputError(
            f"{where} has both {convolution}.bias and {normalization}.running_mean: batch "
            "normalization after a convolution with a bias, which the reference implementation "
            "does not build."
        )
    options = {
        **architecture.options,
        "image_shape": (None, None, first.shape[1]),
        "base_filters": first.shape[0],
        # Only convolutions before an instance normalization have biases in the reference.
        "normalization": "instance" if biased else "batch",
        "affine": biased and affine,
    }
    if architecture.generates:
        transposed = architecture.build is unet_generator  # (in, out, height, width)
        options["output_channels"] = last.shape[1 if transposed else 0]
    return options


def _taken(state, key, architecture, where):
    if key not in state:
        raise InputError(
            f"{where} has no {key!r}, which a {architecture.name} has; expected the state dict of "
            "a network of the official PyTorch CycleGAN."
        )
    return state[key]


def _assign(model, architecture, state, where):
    """Fills the model from the state dict, and checks that nothing is left over."""
    for key, variable, shape in _tensors(model, architecture):
        array = _taken(state, key, architecture, where)
        if array.shape != shape:
            raise InputError(
                f"{key!r} of {where} has the shape {array.shape}; expected {shape} in a "
                f"{architecture.name} with its other tensors."
            )
        if variable is not None:
            variable.assign(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
        del state[key]
    normalizations = {prefix for _, prefix in architecture.slots if prefix}
    for key in state:
        prefix, _, name = key.rpartition(".")
        if prefix not in normalizations or name not in _STATISTICS:
            raise InputError(
                f"{where} has the key {key!r}, which a {architecture.name} does not have; expected "
                "the state dict of a network of the official PyTorch CycleGAN."
            )


# Both ways ----------------------------------------------------------------------------------


def _tensors(model, architecture):
    """Yields key, variable and shape of each tensor of the reference's state dict.

    The variable is None for biases before an instance normalization, which cancels them. Kernels
    (height, width, in, out) are (out, in, height, width) there, and those of transposed
    convolutions, (height, width, out, in), are (in, out, height, width).
    """
    convolutions = iter(_convolutions(model))
    normalizations = iter(_normalizations(model))
    for prefix, normalization_prefix in architecture.slots:
        layer = next(convolutions)
        named = {f"{prefix}.weight": layer.kernel, f"{prefix}.bias": layer.bias}
        if normalization_prefix:
            normalization = next(normalizations)
            affine = {"weight": normalization.gamma, "bias": normalization.beta}
            named.update({f"{normalization_prefix}.{name}": v for name, v in affine.items()})
            if isinstance(normalization, keras.layers.BatchNormalization):
                named[f"{normalization_prefix}.running_mean"] = normalization.moving_mean
                named[f"{normalization_prefix}.running_var"] = normalization.moving_variance
            elif layer.bias is None:
                yield f"{prefix}.bias", None, (layer.filters,)
        for key, variable in named.items():
            if variable is not None:
                shape = tuple(variable.shape)
                yield key, variable, (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape


def _convolutions(model):
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def _normalizations(model):
    kinds = (InstanceNormalization, keras.layers.BatchNormalization)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


# From a model -------------------------------------------------------------------------------


def _architecture_of(model):
    """The architecture of a Keras model by its kernels, or None."""
    sizes = [layer.kernel_size[0] for layer in _convolutions(model)]
    if sizes[:1] == [7] and len(sizes) > 6:
        return _resnet((len(sizes) - 6) // 2, dropout=_has_dropout(model))
    if sizes == [1, 1, 1]:
        return _pixelgan()
    if set(sizes) == {4} and len(sizes) > 2:
        up = sum(isinstance(x, keras.layers.Conv2DTranspose) for x in _convolutions(model))
        return _unet(up) if up else _patchgan(len(sizes) - 2)
    return None


def _has_dropout(model):
    return any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)


def _check_layers(model, architecture):
    """Compares a model layer by layer with the reference's network of the same options."""
    if architecture.options.get("halvings", 5) < 5:
        raise InputError(
            f"{model.name!r} cannot be written for PyTorch: the reference's U-Nets have at least 5 "
            f"levels, this one has {architecture.options['halvings']}."
        )
    layers, expected = model.layers, _twin(model, architecture).layers
    for layer, other in zip(layers, expected):
        if _looks(layer) != _looks(other):
            raise InputError(
                f"{model.name!r} cannot be written for PyTorch: its layer {layer.name!r} is a "
                f"{_told(layer, other)} where a {architecture.name} of the reference has a "
                f"{_told(other, layer)}."
            )
        if _wired(layer, layers) != _wired(other, expected):
            raise InputError(
                f"{model.name!r} cannot be written for PyTorch: its layer {layer.name!r} takes its "
                f"input from other layers than in a {architecture.name} of the reference."
            )
    if len(layers) != len(expected):
        raise InputError(
            f"{model.name!r} cannot be written for PyTorch: it has {len(layers)} layers where a "
            f"{architecture.name} of the reference has {len(expected)}."
        )


def _twin(model, architecture):
    """The reference's network with the filters, channels and normalization of a model."""
    normalizations = _normalizations(model)
    batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in normalizations)
    options = {
        **architecture.options,
        "base_filters": _convolutions(model)[0].filters,
        "normalization": "batch" if batch else "instance",
        "affine": any(getattr(layer, "affine", False) for layer in normalizations),
    }
    if _has_dropout(model):
        options["dropout"] = 0.5
    if architecture.generates:
        options["output_channels"] = model.output_shape[-1]
    return architecture.build((None, None, model.input_shape[-1]), **options)


# What determines a layer's function, apart from its weights and the other layers.
_MATERIAL = (
    *("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "use_bias"),
    *("activation", "negative_slope", "cropping", "axis", "epsilon", "affine", "center", "scale"),
    *("max_value", "threshold", "data_format"),
)


def _looks(layer):
    config = layer.get_config()
    return type(layer).__name__, {key: config[key] for key in _MATERIAL if key in config}


def _wired(layer, layers):
    """Where a layer's inputs come from, as positions among the layers, in order."""
    node = nodes_of(layer)[0]
    return [layers.index(operation_before(tensor)) for tensor in node.input_tensors]


def _told(layer, other):
    """The kind of a layer and how it differs from another one."""
    kind, config = _looks(layer)
    other_kind, other_config = _looks(other)
    if kind != other_kind:
        return kind
    differing = (f"{k}={v}" for k, v in config.items() if other_config.get(k) != v)
    return f"{kind}({', '.join(differing)})"
