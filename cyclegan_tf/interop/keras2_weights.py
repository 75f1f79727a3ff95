"""Weight files of Keras 2 (`.h5`), as saved from models built with tensorflow-addons."""

import pathlib

import h5py
import keras

from cyclegan_tf.errors import InputError


def load_weights(model, path, *, part=None):
    """Fills a model from the `.h5` file of a Keras 2 model of the same architecture.

    Generators and discriminators that were built with `tensorflow_addons.layers.
    InstanceNormalization` (as in the Keras example of 2020 and in many TF 2 repositories) match
    `cyclegan_tf.resnet_generator(padding="same", affine=True, epsilon=1e-3)` and `patchgan` with
    the same options. Layers are matched by their order, not by their names.

    Args:
        model: a built `keras.Model`; changed in place, or left as it is if the file does not fit.
        path: of a file that Keras 2 wrote with `save_weights` or `save`.
        part: the name of one network in the file of a model that holds several, such as
            `"generator_G"`.

    Raises:
        InputError: the file is missing, damaged or of another architecture; the message names
            the weight.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected an .h5 file of a Keras 2 model.")
    try:
        with h5py.File(path, "r") as file:
            saved = _weights(file, path, part)
    except (OSError, KeyError) as error:
        raise InputError(f"{path} is no HDF5 file or is cut short: {error}.") from error
    _check_kinds(saved, path)

    if part is None:
        variables = [variable for layer in model.layers for variable in layer.weights]
    else:  # the weights of a network within another, in the order that Keras 2 gave them
        variables = [*model.trainable_weights, *model.non_trainable_weights]
    for (name, array), variable in zip(saved, variables):
        if array.shape != tuple(variable.shape):
            raise InputError(
                f"The weight {name!r} of {path} has the shape {array.shape}; the next one of "
                f"{model.name!r}, {variable.path!r}, has {tuple(variable.shape)}. Build the model "
                "with the options of the old one (filters, blocks, affine, padding)."
            )
    if len(saved) != len(variables):
        raise InputError(
            f"{path} holds {len(saved)} weights, {model.name!r} has {len(variables)}. Build the "
            "model with the options of the old one (blocks, affine)."
        )
    for (_, array), variable in zip(saved, variables):
        variable.assign(array)


def _check_kinds(saved, path):
    """Refuses group normalization, whose weights have the same shapes."""
    for name, _ in saved:
        if "group_normalization" in name:
            raise InputError(
                f"{path} holds {name!r}: group normalization, which the networks of cyclegan_tf do "
                "not have (with one group it normalizes over the channels too). Expected the "
                "instance normalization of tensorflow-addons."
            )


def _weights(file, path, part):
    """Names and arrays of all weights, in the order of the layers."""
    root = file.get("model_weights", file)
    if "layer_names" not in root.attrs:
        raise InputError(
            f"{path} is not of Keras 2: it has no 'layer_names'. Files of Keras 3 are read by "
            f"keras {keras.__version__} itself, with model.load_weights."
        )
    layers = [_text(name) for name in root.attrs["layer_names"]]
    if part is not None and part not in layers:
        raise InputError(f"{path} has no part {part!r}; it has {', '.join(layers)}.")
    return [
        (_text(name), root[layer][_text(name)][()])
        for layer in ([part] if part else layers)
        for name in root[layer].attrs["weight_names"]
    ]


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)
