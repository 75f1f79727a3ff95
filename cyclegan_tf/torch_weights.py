"""Checkpoints of the PyTorch release: the `.pth` files of its networks, read and written.

Each is a state dict. What the network is, is read off the names and shapes of its tensors.
"""

import dataclasses
import pathlib
import pickle
import re
import warnings
from collections.abc import Callable

import keras
import numpy as np

from cyclegan_tf import files
from cyclegan_tf.discriminators import patchgan, pixelgan
from cyclegan_tf.errors import InputError
from cyclegan_tf.generators import resnet_generator, unet_generator
from cyclegan_tf.layers import InstanceNormalization
from cyclegan_tf.systems.cyclegan import CycleGAN

# The release calls the discriminator of B, which judges what G_A makes, D_A.
RELEASE_NAMES = {
    "generator_ab": "G_A",
    "generator_ba": "G_B",
    "discriminator_b": "D_A",
    "discriminator_a": "D_B",
}


@dataclasses.dataclass(frozen=True)
class _Architecture:
    """A network of the release.

    Attributes:
        name: for messages.
        build: makes the Keras model.
        options: what is passed to `build` beside the number of channels.
        slots: the prefixes of the keys of each convolution and of the normalisation after it
            (None where there is none), in the order of the Keras model's convolutions.
        generates: pictures, rather than logits.
    """

    name: str
    build: Callable[..., keras.Model]
    options: dict
    slots: list[tuple[str, str | None]]
    generates: bool


def load_generator(path, *, dropout=None):
    """Reads a generator of the PyTorch release.

    Any ResNet or U-Net generator: number of blocks or depth, filters, channels, instance or batch
    normalisation (affine or not) and a ResNet's dropout are read off the file.

    Args:
        path: of a `.pth` file with a state dict, such as `latest_net_G_A.pth`. `module.` before
            each name and leftover running statistics of instance normalisation are passed over.
        dropout: rate; 0.5, the release's, for a ResNet that has dropout, if `None`. Whether a
            U-Net had it does not show in the file.

    Returns:
        A `keras.Model` as `cyclegan_tf.resnet_generator` or `unet_generator` makes it, from
        `(batch, height, width, channels)` in [-1, 1] to the same.

    Raises:
        InputError: the file is missing, damaged or of another network, or more than weights; the
            message names the key. Nothing in a file is ever executed.
        ImportError: PyTorch is not installed.
    """
    return _load(path, generates=True, dropout=dropout)


def load_discriminator(path):
    """Reads a discriminator of the PyTorch release: a PatchGAN of any depth or a PixelGAN.

    Mind that `D_A` of the release judges pictures of domain **B**.

    Args:
        path: as in `load_generator`.

    Returns:
        A `keras.Model` as `cyclegan_tf.patchgan` or `pixelgan` makes it.

    Raises:
        InputError, ImportError: as `load_generator`.
    """
    return _load(path, generates=False)


def load_cyclegan(folder, epoch="latest", *, image_size=256, **options):
    """The `CycleGAN` of a run of the PyTorch release, to go on training it.

    The release keeps no state of its optimizers; moments start from zero, as with its own
    `--continue_train`. Its `--epoch_count` is `first_epoch` of `ConstantThenLinearDecay`.

    Args:
        folder: with `<epoch>_net_G_A.pth`, `…_G_B.pth`, `…_D_A.pth` and `…_D_B.pth`.
        epoch: a number or `"latest"`.
        image_size: side of the training pictures, in pixels, or `(height, width)`.
        **options: the other arguments of `CycleGAN`.

    Raises:
        InputError, ImportError: as `load_generator`.
    """
    networks = {}
    for name, release_name in RELEASE_NAMES.items():
        load = load_generator if name.startswith("generator") else load_discriminator
        networks[name] = load(pathlib.Path(folder) / f"{epoch}_net_{release_name}.pth")
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    image_shape = (*size, networks["generator_ab"].input_shape[-1])
    try:
        return CycleGAN(**networks, image_shape=image_shape, **options)
    except ValueError as error:
        raise InputError(f"The networks in {folder} do not make a CycleGAN: {error}") from error


def import_checkpoints(source, out, epoch="latest", image_size=256):
    """Reads a generator's `.pth` file, or a run's folder of four, and writes a `.keras` file.

    Args:
        source: a file for `load_generator` or a folder for `load_cyclegan`.
        out: path of the `.keras` file; it appears whole or not at all.
        epoch, image_size: see `load_cyclegan`.

    Returns:
        The model written.

    Raises:
        InputError, ImportError: as `load_generator`; or `out` is no name for a `.keras` file.
    """
    source, out = pathlib.Path(source), pathlib.Path(out)
    if out.suffix != ".keras":
        raise InputError(f"A model is written to a name that ends in .keras. Received: {out}")
    if source.is_dir():
        model = load_cyclegan(source, epoch, image_size=image_size)
    else:
        model = load_generator(source)
    with files.written_whole(out) as beside:
        model.save(beside)
    return model


def save_generator(model, path):
    """Writes a generator as a state dict that the PyTorch release loads with `strict=True`.

    Convolutions before an instance normalisation get the biases of zero that the release expects.
    (Affine instance normalisation is written too; the release itself builds none.)

    Args:
        model: a ResNet or U-Net generator of `cyclegan_tf`, or one that `load_generator` read.
        path: of the file; it appears whole or not at all.

    Raises:
        InputError: the release has no such network; the message names the layer.
        ImportError: PyTorch is not installed.
    """
    _save(model, path, generates=True)


def save_discriminator(model, path):
    """Writes a PatchGAN or a PixelGAN; see `save_generator`."""
    _save(model, path, generates=False)


def save_networks(model, folder, directions=("ab", "ba"), epoch="latest"):
    """Writes the networks of a system under the names of the release.

    Args:
        model: a system or a `Translator`.
        folder: to write to.
        directions: of the generators; each goes with the discriminator that judges it, if there
            is one.
        epoch: of the file names.

    Returns:
        The paths written.
    """
    written = []
    for direction in directions:
        domain = direction[1]
        pairs = [(save_generator, f"generator_{direction}", model.generators.get(direction))]
        discriminators = getattr(model, "discriminators", {})
        pairs.append((save_discriminator, f"discriminator_{domain}", discriminators.get(domain)))
        for save, name, network in pairs:
            if network is not None:
                path = pathlib.Path(folder) / f"{epoch}_net_{RELEASE_NAMES[name]}.pth"
                save(network, path)
                written.append(path)
    return written


# Reading ------------------------------------------------------------------------------------


def _load(path, generates, dropout=None):
    path = pathlib.Path(path)
    return network_of(read_state(path), path, generates=generates, dropout=dropout)


def read_state(path):
    """The arrays of a state dict by name; nothing but weights is ever unpickled."""
    torch = _import_torch()
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a .pth file of the PyTorch release.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unusual pickle, which is refused below anyway
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if unknown := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(
                f"{path} holds more than weights: it asks for {unknown[1]}, which could run code "
                "when it is loaded, and was not loaded. Expected a state dict, as "
                "torch.save(network.state_dict(), path) writes it."
            ) from error
        raise InputError(f"{path} is not a file that torch.save wrote.") from error
    except Exception as error:  # whatever comes of reading bytes at random as a pickle
        raise InputError(
            f"{path} is damaged or cut short: PyTorch cannot read it. Copy or download it again."
        ) from error
    return {key: _array(path, key, value) for key, value in _entries(path, state)}


def _entries(path, state):
    if not isinstance(state, dict) or not state:
        raise InputError(
            f"{path} holds {type(state).__name__}; expected a state dict, tensors by name."
        )
    parallel = all(str(key).startswith("module.") for key in state)  # of DataParallel
    for key, value in state.items():
        yield str(key).removeprefix("module.") if parallel else str(key), value


def _array(path, key, value):
    if not isinstance(value, _import_torch().Tensor):
        raise InputError(
            f"The entry {key!r} of {path} is {type(value).__name__}, not a tensor; expected a "
            "state dict, tensors by name."
        )
    value = value.detach()
    return (value.float() if value.is_floating_point() else value).numpy()


def network_of(state, where, *, generates, dropout=None):
    """The Keras model of a state dict.

    Args:
        state: arrays by name.
        where: they are from, for messages.
        generates: whether a generator is expected or a discriminator.
        dropout: see `load_generator`.
    """
    architecture = _recognised(state, where)
    if architecture.generates != generates:
        kinds = ("a discriminator", "a generator")
        raise InputError(
            f"{where} holds a {architecture.name}, {kinds[architecture.generates]}; expected "
            f"{kinds[generates]}."
        )
    if dropout is not None:
        architecture = dataclasses.replace(
            architecture, options={**architecture.options, "dropout": dropout}
        )
    model = _built(architecture, state, where)
    _assign(model, architecture, dict(state), where)
    return model


def _recognised(state, where):
    kernels = [key for key, value in state.items() if value.ndim == 4]
    if "model.model.0.weight" in state:
        return _unet(halvings=len(kernels) // 2)
    blocks = {key.split(".")[1] for key in kernels if re.match(r"model\.\d+\.conv_block\.", key)}
    if blocks:
        dropout = any(key.endswith("conv_block.6.weight") for key in kernels)
        return _resnet(len(blocks), dropout=0.5 if dropout else 0.0)
    if "model.0.weight" in state and len(kernels) > 2:
        return _patchgan(strided_layers=len(kernels) - 2)
    if "net.0.weight" in state:
        return _pixelgan()
    raise InputError(
        f"{where} holds no network of the PyTorch CycleGAN release: its first key is "
        f"{next(iter(state))!r}; expected keys such as 'model.10.conv_block.1.weight' (ResNet), "
        "'model.model.0.weight' (U-Net), 'model.0.weight' (PatchGAN) or 'net.0.weight' (PixelGAN)."
    )


def _resnet(blocks, dropout):
    second = 6 if dropout else 5
    slots = [(f"model.{at}", f"model.{at + 1}") for at in (1, 4, 7)]
    for at in range(10, 10 + blocks):
        slots.append((f"model.{at}.conv_block.1", f"model.{at}.conv_block.2"))
        slots.append((f"model.{at}.conv_block.{second}", f"model.{at}.conv_block.{second + 1}"))
    after = 10 + blocks
    slots += [(f"model.{at}", f"model.{at + 1}") for at in (after, after + 3)]
    slots.append((f"model.{after + 7}", None))
    options = {"blocks": blocks, "dropout": dropout}
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
    return _Architecture(
        f"{halvings}-level U-Net generator",
        unet_generator,
        {"halvings": halvings},
        down + up,
        generates=True,
    )


def _patchgan(strided_layers):
    slots = [("model.0", None)]
    slots += [(f"model.{at}", f"model.{at + 1}") for at in range(2, 3 * strided_layers + 2, 3)]
    slots.append((f"model.{3 * strided_layers + 2}", None))
    return _Architecture(
        f"{strided_layers}-layer PatchGAN",
        patchgan,
        {"strided_layers": strided_layers},
        slots,
        generates=False,
    )


def _pixelgan():
    slots = [("net.0", None), ("net.2", "net.3"), ("net.5", None)]
    return _Architecture("PixelGAN", pixelgan, {}, slots, generates=False)


def _built(architecture, state, where):
    """The Keras model, its filters, channels and normalisation read off the state dict."""
    first, last = (
        _taken(state, f"{architecture.slots[at][0]}.weight", architecture, where) for at in (0, -1)
    )
    convolution, normalization = next(slot for slot in architecture.slots if slot[1])
    biased, affine = f"{convolution}.bias" in state, f"{normalization}.weight" in state
    if not biased and not affine:
        raise InputError(
            f"{where} has neither {convolution}.bias nor {normalization}.weight: a network without "
            "normalisation, or with an instance normalisation that the release does not build. "
            "Expected one of the two."
        )
    options = {
        **architecture.options,
        "base_filters": first.shape[0],
        # The release gives biases to convolutions before instance normalisation alone.
        "normalization": "instance" if biased else "batch",
        "affine": biased and affine,
    }
    if architecture.generates:
        transposed = architecture.build is unet_generator  # (in, out, height, width)
        options["output_channels"] = int(last.shape[1 if transposed else 0])
    return architecture.build((None, None, int(first.shape[1])), **options)


def _taken(state, key, architecture, where):
    if key not in state:
        raise InputError(
            f"{where} has no {key!r}, which a {architecture.name} has; expected the state dict of "
            "a network of the PyTorch CycleGAN release."
        )
    return state[key]


def _assign(model, architecture, state, where):
    """Fills the model from the state dict, and sees that nothing is left over."""
    for key, variable, shape in _tensors(model, architecture):
        if variable is None:
            state.pop(key, None)
            continue
        array = _taken(state, key, architecture, where)
        if array.shape != shape:
            raise InputError(
                f"{key!r} of {where} has the shape {array.shape}; expected {shape} in a "
                f"{architecture.name} with its other tensors."
            )
        variable.assign(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
        del state[key]
    normalizations = {prefix for _, prefix in architecture.slots if prefix}
    for key in state:
        prefix, _, name = key.rpartition(".")
        if prefix not in normalizations or name not in _STATISTICS:
            raise InputError(
                f"{where} has the key {key!r}, which a {architecture.name} has not; expected the "
                "state dict of a network of the PyTorch CycleGAN release."
            )


# What batch normalisation tracks; releases before May 2018 wrote it for instance normalisation
# too, where nothing reads it.
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def _tensors(model, architecture):
    """Yields key, variable and shape of each tensor of the release's state dict.

    The variable is None for the biases that the release has before an instance normalisation,
    which cancels them. Kernels (height, width, in, out) are (out, in, height, width) there, and
    those of transposed convolutions, (height, width, out, in), are (in, out, height, width).
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


# Writing ------------------------------------------------------------------------------------


def _save(model, path, generates):
    torch = _import_torch()
    state = {key: torch.from_numpy(array) for key, array in state_of(model, generates).items()}
    with files.written_whole(path) as beside:
        torch.save(state, beside)


def state_of(model, generates):
    """The arrays of the release's state dict for a Keras model, by name."""
    architecture = _architecture_of(model)
    if architecture is None or architecture.generates != generates:
        kind = "generator" if generates else "discriminator"
        raise InputError(f"{model.name!r} is no {kind} that the PyTorch CycleGAN release has.")
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


def _architecture_of(model):
    """What the kernels of a Keras model make it, or None."""
    sizes = [layer.kernel_size[0] for layer in _convolutions(model)]
    if sizes[:1] == [7] and len(sizes) > 6:
        dropout = any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
        return _resnet((len(sizes) - 6) // 2, dropout=0.5 if dropout else 0.0)
    if sizes == [1, 1, 1]:
        return _pixelgan()
    if set(sizes) == {4} and len(sizes) > 2:
        up = sum(isinstance(x, keras.layers.Conv2DTranspose) for x in _convolutions(model))
        return _unet(up) if up else _patchgan(len(sizes) - 2)
    return None


def _check_layers(model, architecture):
    """Compares a model, layer by layer, with what the release would make of its options."""
    normalizations = _normalizations(model)
    batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in normalizations)
    options = {
        **architecture.options,
        "base_filters": _convolutions(model)[0].filters,
        "normalization": "batch" if batch else "instance",
        "affine": not batch and any(layer.affine for layer in normalizations),
    }
    if any(isinstance(layer, keras.layers.Dropout) for layer in model.layers):
        options["dropout"] = 0.5
    if architecture.generates:
        options["output_channels"] = model.output_shape[-1]
    twin = architecture.build((None, None, model.input_shape[-1]), **options)
    layers, expected = (network.layers[1:] for network in (model, twin))
    for layer, other in zip(layers, expected):
        if _looks(layer) != _looks(other):
            raise InputError(
                f"{model.name!r} cannot be written for PyTorch: its layer {layer.name!r} is a "
                f"{_told(layer, other)} where a {architecture.name} of the release has a "
                f"{_told(other, layer)}."
            )
    if len(layers) != len(expected):
        raise InputError(
            f"{model.name!r} cannot be written for PyTorch: it has {len(layers)} layers where a "
            f"{architecture.name} of the release has {len(expected)}."
        )


# What does not change what a layer computes from the same weights.
_IMMATERIAL = ("name", "dtype", "trainable", "rate", "seed", "noise_shape", "momentum")


def _looks(layer):
    config = layer.get_config()
    kept = {k: v for k, v in config.items() if k not in _IMMATERIAL and "initializer" not in k}
    return type(layer).__name__, kept


def _told(layer, other):
    """The kind of a layer and what differs from another one."""
    kind, config = _looks(layer)
    other_kind, other_config = _looks(other)
    if kind != other_kind:
        return kind
    differing = (f"{k}={v}" for k, v in config.items() if other_config.get(k) != v)
    return f"{kind}({', '.join(differing)})"


def _import_torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "Checkpoints of the PyTorch release need PyTorch: pip install 'cyclegan-tf[torch]'"
        ) from error
    return torch
