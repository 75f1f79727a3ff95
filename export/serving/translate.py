"""Translates one image by an exported SavedModel: translate.py VERSION_FOLDER INPUT OUTPUT."""

import sys

import numpy as np
import tensorflow as tf
from PIL import Image


def main(model, source, target):
    serve = tf.saved_model.load(model).signatures["serving_default"]
    channels = serve.structured_input_signature[1]["image"].shape[-1]
    with Image.open(source) as image:
        pixels = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]), np.float32)
    batch = pixels.reshape(1, *pixels.shape[:2], channels) / 127.5 - 1
    translated = serve(image=tf.constant(batch))["translated"][0].numpy()
    rounded = np.uint8(np.clip(np.round((translated + 1) * 127.5), 0, 255))
    Image.fromarray(rounded[..., 0] if rounded.shape[-1] == 1 else rounded).save(target)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as problem:
        sys.exit(f"translate.py: {problem}")
