"""Reads and writes the reference implementation's (official PyTorch) checkpoints: `.pth` files."""

import io
import numbers
import pathlib
import pickle
import re
import warnings

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.directions import direction_of, generator_of, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required
from cyclegan_tf.interop.torch_state import network_of, state_of
from cyclegan_tf.systems.cyclegan import CycleGAN

# There, the discriminator of B, which judges the outputs of G_A, is called D_A.
REFERENCE_NAMES = {
    "generator_ab": "G_A",
    "generator_ba": "G_B",
    "discriminator_b": "D_A",
    "discriminator_a": "D_B",
}


def load_generator(path, *, dropout=None, name=None):
    """Reads a generator of the reference implementation.

    Any ResNet or U-Net generator: number of blocks or depth, filters, channels, instance or batch
    normalization (affine or not) and a ResNet's dropout are inferred from the file.

    Args:
        path: of a `.pth` file with a state dict, such as `latest_net_G_A.pth`. `module.` before
            a name and leftover running statistics of instance normalization are ignored.
        dropout: rate; if `None`, the reference's 0.5 for a ResNet that has dropout. The file does
            not show whether a U-Net had it.
        name: of the model.

    Returns:
        A `keras.Model` as `cyclegan_tf.resnet_generator` or `unet_generator` makes it, from
        `(batch, height, width, channels)` in [-1, 1] to the same.

    Raises:
        InputError: the file is missing, damaged, of another network, or holds more than weights;
            the message names the key. Nothing in a file is ever executed.
        ImportError: PyTorch is not installed.
    """
    return network_of(_read(path), path, generates=True, dropout=dropout, name=name)


def load_discriminator(path, *, name=None):
    """Reads a discriminator of the reference implementation: a PatchGAN or a PixelGAN.

    Note that its `D_A` judges images of domain **B**.

    Args:
        path: of a `.pth` file with a state dict, such as `latest_net_D_A.pth`.
        name: of the model.

    Returns:
        A `keras.Model` as `cyclegan_tf.patchgan` or `pixelgan` makes it, from `(batch, height,
        width, channels)` in [-1, 1] to logits `(batch, rows, columns, 1)`.

    Raises:
        InputError, ImportError: as `load_generator`.
    """
    return network_of(_read(path), path, generates=False, name=name)


def load_cyclegan(folder, epoch="latest", *, image_size=256, **options):
    """The `CycleGAN` of a run of the reference implementation, to continue training it.

    Its checkpoints have no optimizer state; moments start from zero, as with its own
    `--continue_train`. Its `--epoch_count` is `first_epoch` of `ConstantThenLinearDecay`.

    Args:
        folder: with `<epoch>_net_G_A.pth`, `…_G_B.pth`, `…_D_A.pth` and `…_D_B.pth`.
        epoch: a number or `"latest"`.
        image_size: side of the training images, in pixels, or `(height, width)`.
        **options: the other arguments of `CycleGAN`.

    Raises:
        InputError: as `load_generator`; or the networks do not match each other or the size.
        ImportError: PyTorch is not installed.
        ValueError: an option of `CycleGAN` is out of range.
    """
    size = (image_size,) * 2 if isinstance(image_size, numbers.Integral) else tuple(image_size)
    if len(size) != 2 or min(size) < 8:
        raise InputError(
            "image_size must be a number of pixels, at least 8, or (height, width). "
            f"Received: {image_size}"
        )
    networks = {}
    for name, reference_name in REFERENCE_NAMES.items():
        load = load_generator if name.startswith("generator") else load_discriminator
        path = pathlib.Path(folder) / f"{epoch}_net_{reference_name}.pth"
        networks[name] = load(path, name=name)
    shapes = {name: network.input_shape[-1] for name, network in networks.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(
            f"The networks in {folder} take images of different numbers of channels: {shapes}."
        )
    image_shape = (*map(int, size), shapes["generator_ab"])
    return CycleGAN(**networks, image_shape=image_shape, **options)


def import_checkpoints(source, out, epoch=None, image_size=None):
    """Reads a generator's `.pth` file, or a run's folder of four, and writes a `.keras` file.

    Args:
        source: a file for `load_generator` or a folder for `load_cyclegan`.
        out: path of the `.keras` file, which must be new; it appears complete or not at all.
        epoch: for a run's folder: which of its checkpoints, a number or `"latest"` (if `None`).
        image_size: for a run's folder: side of the training images, in pixels; 256 if `None`.

    Returns:
        The model written: a generator or a `CycleGAN`.

    Raises:
        InputError: as `load_generator`; or `out` does not end in `.keras` or exists already, or
            an argument does not apply to `source`.
        ImportError: PyTorch is not installed.
    """
    source, out = pathlib.Path(source), pathlib.Path(out)
    if out.suffix != ".keras":
        raise InputError(f"A model is written to a name that ends in .keras. Received: {out}")
    if out.exists():
        raise InputError(f"{out} is there already; choose another name.")
    if source.is_dir():
        try:
            model = load_cyclegan(source, epoch or "latest", image_size=image_size or 256)
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"The networks in {source} make no CycleGAN: {reason}") from error
    elif epoch is not None or image_size is not None:
        raise InputError(f"epoch and image_size go with the folder of a run. Received: {source}")
    else:
        model = load_generator(source)
    with files.atomic_file(out) as beside:
        model.save(beside)
    return model


def save_generator(model, path):
    """Writes a generator as a state dict that the reference loads with `strict=True`.

    Convolutions before an instance normalization get the zero biases that the reference expects.
    Affine instance normalization is written as PyTorch names it. The reference itself builds
    none, so such a file needs a version of its networks that does.

    Args:
        model: a ResNet or U-Net generator of `cyclegan_tf`, or one that `load_generator` read.
        path: of the file; it appears complete or not at all.

    Raises:
        InputError: the reference has no such network; the message names the layer.
        ImportError: PyTorch is not installed.
    """
    _write(state_of(model, generates=True), path)


def save_discriminator(model, path):
    """Writes a discriminator as a state dict that the reference loads with `strict=True`.

    Args:
        model: a PatchGAN or PixelGAN of `cyclegan_tf`, or one that `load_discriminator` read.
        path: of the file; it appears complete or not at all.

    Raises:
        InputError, ImportError: as `save_generator`.
    """
    _write(state_of(model, generates=False), path)


def save_networks(model, folder, directions=("ab", "ba"), epoch="latest"):
    """Writes the networks of a system under the names of the reference implementation.

    Args:
        model: a system or a `Translator`.
        folder: to write to.
        directions: of the generators; each is written with the discriminator that judges it, if
            there is one and the reference has the like.
        epoch: of the file names.

    Returns:
        The paths written.

    Raises:
        InputError: there is no such direction, the reference has no such network, or a file
            exists already; nothing is written then.
        ImportError: PyTorch is not installed.
    """
    direction_of(model)  # there is one
    _import_torch()
    own = [name for name in getattr(model, "networks", {}) if name not in REFERENCE_NAMES]
    if own:
        raise InputError(
            f"A {type(model).__name__} has the network {own[0]!r}, which a CycleGAN of the "
            "reference does not have; checkpoints can be written of a CycleGAN, or of a generator "
            "that is loaded alone."
        )
    states = {}
    for direction in directions:
        networks = {f"generator_{direction}": generator_of(model, direction)}
        domain = to_domain(direction)
        discriminator = getattr(model, "networks", {}).get(f"discriminator_{domain}")
        if discriminator is not None and discriminator.output_shape[-1] > 1:
            warnings.warn(
                f"The discriminator of domain {domain.upper()} judges at two scales "
                "(--fine-discriminators), which the reference's cannot. "
                f"{epoch}_net_{REFERENCE_NAMES[f'discriminator_{domain}']}.pth is not written; "
                "read the generators back one by one.",
                stacklevel=2,
            )
        elif discriminator is not None:
            networks[f"discriminator_{domain}"] = discriminator
        for name, network in networks.items():
            path = pathlib.Path(folder) / f"{epoch}_net_{REFERENCE_NAMES[name]}.pth"
            if path.exists():
                raise InputError(f"{path} is there already; choose another folder.")
            states[path] = state_of(network, generates=name.startswith("generator"))
    for path, state in states.items():
        _write(state, path)
    return list(states)


def _write(state, path):
    torch = _import_torch()
    # Through memory, so that a full disk is an OSError like any other.
    buffer = io.BytesIO()
    torch.save({key: torch.from_numpy(array) for key, array in state.items()}, buffer)
    with files.atomic_file(path) as beside:
        beside.write_bytes(buffer.getvalue())


def _read(path):
    """The arrays of a state dict by name; only weights are ever unpickled."""
    torch = _import_torch()
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(
            f"{path} does not exist; expected a .pth file of the official PyTorch CycleGAN."
        )
    try:
        content = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unusual pickle, which is refused below anyway
            state = torch.load(content, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever comes of reading bytes at random as a pickle
        raise InputError(_why_unreadable(path, error)) from error
    if not isinstance(state, dict) or not state:
        raise InputError(
            f"{path} holds {type(state).__name__}; expected a state dict, tensors by name."
        )
    # DataParallel puts `module.` before each name.
    return {
        re.sub(r"^(module\.)+", "", str(key)): _array(torch, path, key, value)
        for key, value in state.items()
    }


def _why_unreadable(path, error):
    if unknown := re.search(r"GLOBAL (\S+)", str(error)):
        return (
            f"{path} holds more than weights: it asks for {unknown[1]}, which could run code when "
            "it is loaded, and was not loaded. Expected a state dict, as "
            "torch.save(network.state_dict(), path) writes it."
        )
    if "TorchScript" in str(error):
        return f"{path} is a TorchScript archive; expected a state dict, tensors by name."
    if isinstance(error, pickle.UnpicklingError):
        return f"{path} is not a file that torch.save wrote."
    return f"{path} is damaged or cut short: PyTorch cannot read it. Copy or download it again."


def _array(torch, path, key, value):
    if not isinstance(value, torch.Tensor):
        raise InputError(
            f"The entry {key!r} of {path} is {type(value).__name__}, not a tensor; expected a "
            "state dict, tensors by name."
        )
    counts = str(key).endswith("num_batches_tracked")
    dense = value.layout == torch.strided and value.device.type == "cpu"
    if not dense or not (value.is_floating_point() or counts):
        raise InputError(
            f"{key!r} of {path} is a tensor of {value.dtype} ({value.layout}, {value.device}); "
            "expected plain floating-point numbers."
        )
    array = (value.detach() if counts else value.detach().float()).numpy()
    if not counts and not np.isfinite(array).all():
        raise InputError(f"{key!r} of {path} holds numbers that are not finite.")
    return array


def _import_torch():
    return required("torch", "torch", "Checkpoints of PyTorch need")
