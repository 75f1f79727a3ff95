"""Python that translates an image by the files of an export, for its model card."""

import textwrap

from cyclegan_tf.exporting.tflite import metadata

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_KERAS = """\
    import cyclegan_tf
    import numpy as np
    from PIL import Image

    image = {read}
    translated = cyclegan_tf.load("{file}").translate(image, direction="{direction}")
    {write}
"""
_SAVED_MODEL = """\
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    images = {read}[np.newaxis]
    translated = tf.saved_model.load("{file}").signatures["uint8"](image=images)["translated"][0]
    {write_tensor}
"""
_TFLITE = """\
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from PIL import Image

    images = np.float32({read})[np.newaxis] / np.float32(127.5) - 1
    values = Interpreter("{file}").get_signature_runner()(image=images)["translated"][0]
    translated = np.uint8(np.clip(np.round((values + 1) * 127.5), 0, 255))
    {write}
"""
_ONNX = """\
    import numpy as np
    import onnxruntime
    from PIL import Image

    images = np.float32({read})[np.newaxis] / np.float32(127.5) - 1
    values = onnxruntime.InferenceSession("{file}").run(None, {{"image": images}})[0][0]
    translated = np.uint8(np.clip(np.round((values + 1) * 127.5), 0, 255))
    {write}
"""
_TEMPLATES = {
    "keras": ("With this package", _KERAS),
    "saved_model": ("With TensorFlow alone", _SAVED_MODEL),
    "tflite": ("With LiteRT", _TFLITE),
    "onnx": ("With onnxruntime", _ONNX),
}


def usage(kind, direction, path, file, generator):
    """How one file of an export translates an image.

    Args:
        kind: of the file, one of `cyclegan_tf.choices.KINDS`.
        direction: `"ab"` or `"ba"`.
        path: of the file.
        file: what the code calls it: a path, or `pretrained:` and a name.
        generator: the Keras model that was exported.

    Returns:
        A title and lines of Python, which read `image.png` and write `translated.png`; `image.npy`
        and `translated.npy`, uint8, for channels that images do not have.
    """
    title, template = _TEMPLATES[kind]
    channels, given = generator.input_shape[-1], generator.output_shape[-1]
    height, width = generator.input_shape[1:3]
    if kind == "tflite":
        _, height, width, _ = metadata.read(path)["input"]["shape"]
    code = textwrap.dedent(template).format(
        read=_reading(channels, height, width),
        write=_writing(given, "translated"),
        write_tensor=_writing(given, "translated.numpy()"),
        file=file,
        direction=direction,
    )
    return title, code


def _reading(channels, height, width):
    """An expression: the image as an array `(height, width, channels)`, resized if it must be."""
    if channels not in _MODES:
        return 'np.load("image.npy")'
    image = f'Image.open("image.png").convert("{_MODES[channels]}")'
    if height is not None and width is not None:
        image += f".resize(({width}, {height}))"
    return f"np.asarray({image})" + ("[..., np.newaxis]" if channels == 1 else "")


def _writing(channels, array):
    if channels not in _MODES:
        return f'np.save("translated.npy", {array})'
    squeezed = "[..., 0]" if channels == 1 else ""
    return f'Image.fromarray({array}{squeezed}).save("translated.png")'
