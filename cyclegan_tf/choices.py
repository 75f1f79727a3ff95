"""What is chosen by name, on the command line too, whose help must not wait for TensorFlow."""

from cyclegan_tf.errors import InputError

DIRECTIONS = ("ab", "ba")
PREPROCESS = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")
ADVERSARIAL_OBJECTIVES = ("lsgan", "vanilla", "wgangp")
PAIRED_GENERATORS = ("unet", "resnet")  # of pix2pix
FINE_DISCRIMINATORS = ("none", "a", "b", "both")
SIDE_BY_SIDE = ("none", *DIRECTIONS)  # the order of two images in one file
SCENES, TFDS = "scenes", "tfds:"  # sources that are no folders; the second begins a name
STRATEGIES = ("auto", "one", "mirrored", "multi-worker", "tpu")

# Number formats, and Keras's dtype policies of them.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
PRECISIONS = ("auto", *POLICIES)

# What `export` writes.
KINDS = ("saved_model", "tflite", "onnx", "keras")
USUAL_KINDS = KINDS[:2]
QUANTIZATIONS = ("none", "float16", "dynamic", "int8", "auto")

# Of an image to translate, if there is memory enough; as large as phones take photographs.
MAX_MEGAPIXELS = 12.0


def check(name, value, choices):
    """Raises an `InputError` if the value of the argument `name` is none of `choices`."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}")
