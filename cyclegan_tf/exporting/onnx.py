"""Generators as ONNX files, for runtimes without TensorFlow."""

import pathlib
import warnings

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import files
from cyclegan_tf.data.image_files import colors
from cyclegan_tf.directions import direction_of, generator_of
from cyclegan_tf.exporting.quiet import quiet
from cyclegan_tf.extras import required
from cyclegan_tf.networks.generators import size_multiple, translate_any_size
from cyclegan_tf.networks.kernels import portable_kernels
from cyclegan_tf.networks.noise import draws_noise
from cyclegan_tf.precision import in_precision


def export_onnx(model, path, direction=None):
    """Writes one generator as an ONNX file in float32.

    Its input `image` and its output `translated` are float32 `(batch, height, width, channels)`
    in [-1, 1], of any batch, height and width (of its own, if the network has one size).

    Args:
        model: a system, such as a `CycleGAN`.
        path: of the file.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.

    Returns:
        `path`.

    Raises:
        InputError: no such direction.
        ImportError: the extra `onnx` is missing.
    """
    onnx = _onnx()
    direction = direction_of(model, direction)
    path = pathlib.Path(path)
    served = _Served(in_precision(generator_of(model, direction), "float32"))
    with files.atomic_file(path) as beside:
        with quiet(), portable_kernels(), warnings.catch_warnings():
            # Keras asks NumPy whether it still has an `object`.
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            served(np.zeros([size or 8 for size in served.image.shape], np.float32))
            served.export(beside, format="onnx", verbose=False, input_signature=[served.image])
        content = onnx.load(beside)
        _name_sizes(content.graph)
        _describe(content, direction, served.generator)
        onnx.checker.check_model(content)
        onnx.save(content, beside)
    return path


class _Served(keras.Model):
    """What the file computes: a generator for images of any size, or of its fixed size."""

    def __init__(self, generator):
        super().__init__(name=generator.name)
        self.generator = generator
        shape = generator.input_shape
        self.image = tf.TensorSpec(shape, tf.float32, name="image")
        self._multiple = size_multiple(generator) if None in shape[1:3] else None

    def call(self, image):
        if self._multiple is None:
            return {"translated": self.generator(image, training=False)}
        return {"translated": translate_any_size(self.generator, image, self._multiple)}


def _name_sizes(graph):
    """Names the dynamic dimensions batch, height and width."""
    for value in (*graph.input, *graph.output):
        for dim, name in zip(value.type.tensor_type.shape.dim, ("batch", "height", "width")):
            if not dim.dim_value:
                dim.dim_param = name


def _describe(content, direction, generator):
    """Writes facts about the file to ONNX's own `metadata_props`."""
    facts = {"direction": direction, "range": "[-1, 1]", "layout": "NHWC"}
    if draws_noise(generator):
        facts["noise"] = "drawn in each run, by dropout"
    for name, shape in (("image", generator.input_shape), ("translated", generator.output_shape)):
        facts[name] = colors(shape[-1])
    for key, value in facts.items():
        content.metadata_props.add(key=key, value=value)


def _onnx():
    required("tf2onnx", "onnx", "ONNX files need")  # by which Keras exports
    return required("onnx", "onnx", "ONNX files need")
