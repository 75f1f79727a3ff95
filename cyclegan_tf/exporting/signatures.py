"""SavedModel signatures: images as float32, as uint8, or as encoded files."""

import tensorflow as tf

from cyclegan_tf import pixels
from cyclegan_tf.networks.generators import size_multiple, translate_any_size

# How files of each format begin that `tf.io.decode_image` reads.
_BEGINNINGS = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG",
    "GIF": b"GIF8",
    "BMP": b"BM",
    "WebP": b"RIFF",
}


def signatures(generator):
    """The functions of one generator, using only TensorFlow's own operators.

    - `serving_default`: `image`, float32 `(batch, height, width, channels)` in [-1, 1], to
      `translated`, the same.
    - `uint8`: the same as integers in [0, 255].
    - `bytes`, for networks between images of 1, 3 or 4 channels: `image_bytes`, strings
      `(batch,)` of encoded JPEG, PNG, GIF, BMP or WebP files (which TensorFlow 2.19 cannot read)
      of any sizes, to `translated_bytes`, PNG files of the same sizes. Transparent pixels are
      drawn on white if the network has no fourth channel. The camera's orientation tag is not
      applied. Bytes that are not an image raise InvalidArgument with their number in the batch.

    Args:
        generator: a fully convolutional Keras model, or one of a fixed size.

    Returns:
        A dictionary for the `signatures` of `tf.saved_model.save`.
    """
    translate = _translation(generator)
    shape, channels = generator.input_shape[1:], generator.input_shape[-1]

    @_signature(image=tf.TensorSpec((None, *shape), tf.float32))
    def serving_default(image):
        return {"translated": translate(image)}

    @_signature(image=tf.TensorSpec((None, *shape), tf.uint8))
    def uint8(image):
        return {"translated": pixels.to_uint8(translate(pixels.to_float(image)))}

    @_signature(image_bytes=tf.TensorSpec((None,), tf.string))
    def encoded(image_bytes):
        def one(number_and_bytes):
            image = _decoded(*number_and_bytes, channels)[None]
            return tf.io.encode_png(pixels.to_uint8(translate(pixels.to_float(image)))[0])

        numbers = tf.range(tf.size(image_bytes))
        translated = tf.map_fn(
            one, (numbers, image_bytes), fn_output_signature=tf.string, parallel_iterations=1
        )
        return {"translated_bytes": translated}

    functions = {"serving_default": serving_default, "uint8": uint8}
    if channels in (1, 3, 4) and generator.output_shape[-1] in (1, 3, 4):
        functions["bytes"] = encoded
    return functions


def _signature(**specs):
    """A compiled function whose arguments have the given names in the SavedModel."""
    named = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()]
    return tf.function(input_signature=named, autograph=False)


def _translation(generator):
    """Translates float images of any size, or of the generator's fixed size."""
    fixed = None not in generator.input_shape[1:3]
    multiple = size_multiple(generator)

    @tf.function(autograph=False)  # so that all signatures share it
    def whole(image):
        if fixed:
            outputs = generator(image, training=False)
        else:
            outputs = translate_any_size(generator, image, multiple)
        return tf.cast(outputs, tf.float32)

    def translate(image):
        if image.shape[0] == 1:
            return whole(image)

        def alone():
            return whole(tf.ensure_shape(image, (1, *image.shape[1:])))

        # A single image uses the faster kernels of `InstanceNormalization`.
        return tf.cond(tf.equal(tf.shape(image)[0], 1), alone, lambda: whole(image))

    return translate


def _decoded(number, encoded, channels):
    """uint8 `(height, width, channels)` of the file with this number in the batch."""
    first = tf.strings.substr(encoded + b"\0" * 4, 0, 4)
    known = [
        tf.equal(tf.strings.substr(first, 0, len(beginning)), beginning)
        for beginning in _BEGINNINGS.values()
    ]
    formats = ", ".join(_BEGINNINGS)
    check = tf.debugging.Assert(
        tf.reduce_any(known), ["image_bytes number", number, f"is none of {formats}"]
    )
    with tf.control_dependencies([check]):
        encoded = tf.identity(encoded)
    # 1 (gray), 2 (gray and alpha), 3 or 4 channels. `decode_image` uses a JPEG decoder that saves
    # time and is off by up to 6 steps of 255.
    image = tf.cond(
        known[0],
        lambda: tf.io.decode_jpeg(encoded, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, expand_animations=False),
    )
    found = tf.shape(image)[-1]
    color = tf.gather(image, tf.where(found < 3, [0, 0, 0], [0, 1, 2]), axis=-1)
    color = tf.ensure_shape(color, (None, None, 3))
    last = image[..., found - 1 :]
    alpha = tf.where(found % 2 == 0, last, tf.fill(tf.shape(last), tf.constant(255, tf.uint8)))
    if channels == 4:
        return tf.ensure_shape(tf.concat([color, alpha], -1), (None, None, 4))
    share = tf.cast(alpha, tf.float32) / 255.0
    color = tf.cast(color, tf.float32) * share + 255.0 * (1.0 - share)
    if channels == 1:
        color = tf.image.rgb_to_grayscale(color)
    return tf.cast(tf.round(color), tf.uint8)
