"""Translates one image by an exported .tflite: translate.py MODEL INPUT OUTPUT."""

import json
import sys
import zipfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


def main(model, source, target):
    runner = Interpreter(model).get_signature_runner()
    ((name, details),) = runner.get_input_details().items()
    _, height, width, channels = details["shape_signature"]
    with Image.open(source) as image:
        image = image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
        if height < 0:  # any size: the image's own, as nearly as the network keeps it
            facts = json.loads(zipfile.ZipFile(model).read("cyclegan_tf.json"))
            step = facts["size_multiple"]
            width, height = (max(8, step, side // step * step) for side in image.size)
        image = image.resize((width, height))
        pixels = np.asarray(image, np.float32)
    batch = pixels.reshape(1, height, width, channels) / np.float32(127.5) - 1
    (translated,) = runner(**{name: batch}).values()
    rounded = np.uint8(np.clip(np.round((translated[0] + 1) * 127.5), 0, 255))
    Image.fromarray(rounded[..., 0] if rounded.shape[-1] == 1 else rounded).save(target)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as problem:
        sys.exit(f"translate.py: {problem}")
