"""A SavedModel that `export` wrote, as a translator."""

import os

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from cyclegan_tf.errors import InputError
from cyclegan_tf.translation.translator import Translator

_SIGNATURE = "serving_default"  # `image` to `translated`, float32 in [-1, 1]


class ExportedTranslator:
    """Translates by the signature `serving_default` of a SavedModel, in one direction, "ab".

    Images are converted and batched as by a `Translator`. Results differ from those of the model
    that was exported by a rounding, because TensorFlow optimizes a SavedModel otherwise.

    Args:
        path: as in `version_folder`.

    Raises:
        InputError: as `version_folder`; or the SavedModel cannot be read, or has no such signature.
    """

    directions = ("ab",)

    def __init__(self, path):
        path = version_folder(path)
        shape = image_shape(path)
        try:
            signature = _Signature(tf.saved_model.load(path), shape)
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise InputError(f"{path} is not a SavedModel that can be read: {reason}") from error
        self._translator = _Signatures({"ab": signature}, shape)
        self.image_shape = shape
        self.image_shapes = {"a": shape, "b": signature.output_shape[1:]}

    @property
    def generators(self):
        """None: there is no Keras model that could be exported again."""
        return {}

    def translate(self, images, direction=None, batch_size=8):
        """Translates images of any size; see `Translator.translate`."""
        return self._translator.translate(images, direction, batch_size)


class _Signatures(Translator):
    def _compiled(self, direction, count):
        return self.generators[direction]


class _Signature:
    """The signature as the `Translator` knows a generator: images in, images out."""

    def __init__(self, loaded, shape):
        self._loaded = loaded  # its variables live as long as it does
        self._function = loaded.signatures[_SIGNATURE]
        self.input_shape = (None, *shape)
        self.output_shape = tuple(self._function.structured_outputs["translated"].shape)

    def __call__(self, images):
        return self._function(image=tf.convert_to_tensor(images))["translated"]


def version_folder(path):
    """The folder of a SavedModel.

    Args:
        path: that folder, such as `exported/generator_ab/1`, or `exported/generator_ab`, of which
            the highest version is meant; also on a file system such as `gs://` that TensorFlow
            reads.

    Raises:
        InputError: there is none.
    """
    path = os.fspath(path).rstrip("/")
    if tf.io.gfile.exists(f"{path}/saved_model.pb"):
        return path
    names = tf.io.gfile.listdir(path) if tf.io.gfile.isdir(path) else []
    versions = [int(name) for each in names if (name := each.rstrip("/")).isdecimal()]
    newest = f"{path}/{max(versions, default=0)}"
    if not tf.io.gfile.exists(f"{newest}/saved_model.pb"):
        raise InputError(
            f"{path} holds no SavedModel; expected a folder such as generator_ab that "
            "`cyclegan-tf export` wrote."
        )
    return newest


def is_saved_model(folder):
    """Whether a local folder holds a SavedModel, or versions of one."""
    return any(next(folder.glob(f"{each}saved_model.pb"), None) for each in ("", "[0-9]*/"))


def image_shape(folder):
    """`(height, width, channels)` of the images that a SavedModel takes; `None` for any size.

    Reads only its description, not its weights.

    Raises:
        InputError: it cannot be read, or has no signature for images.
    """
    saved = SavedModel()
    try:
        with tf.io.gfile.GFile(f"{folder}/saved_model.pb", "rb") as file:
            saved.ParseFromString(file.read())
        graph = next(each for each in saved.meta_graphs if "serve" in each.meta_info_def.tags)
        sizes = [
            each.size for each in graph.signature_def[_SIGNATURE].inputs["image"].tensor_shape.dim
        ]
        _, height, width, channels = (None if size < 0 else size for size in sizes)
    except Exception as error:  # also protobuf's own, of which there are two kinds
        raise InputError(
            f"{folder} has no signature {_SIGNATURE} that takes images; expected a SavedModel that "
            "`cyclegan-tf export` wrote."
        ) from error
    return height, width, channels
