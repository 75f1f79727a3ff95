"""Choices by name. Without TensorFlow, because the command line's help must not wait for it."""

from cyclegan_tf.errors import InputError

DIRECTIONS = ("ab", "ba")
PREPROCESS = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")
ADVERSARIAL_OBJECTIVES = ("lsgan", "vanilla", "wgangp")
WASSERSTEIN_OBJECTIVES = ("wgan", "wgangp")  # clipping, gradient penalty
UNIT_OBJECTIVES = ("vanilla", "lsgan")
UNIT_NORMALIZATIONS = ("none", "instance")
UNIT_VARIANTS = ("paper", "2018")
PAIRED_GENERATORS = ("unet", "resnet")  # of pix2pix
SIMGAN_FORMS = ("cyclegan", "simgan")  # the CycleGAN paper's, SimGAN's own
DOWNSAMPLINGS = ("strided", "blur")  # of a ResNet generator
UPSAMPLINGS = ("transposed", "nearest", "blur")
DISCOGAN_FORMS = ("paper", "code")  # the paper's objective, that of its authors' code
DISCOGAN_NORMALIZATIONS = ("batch", "test_batch")
STYLE_SETTINGS = ("gatys", "johnson")  # published codes of neural style transfer
DUALGAN_OBJECTIVES = (*WASSERSTEIN_OBJECTIVES, "vanilla")
DUALGAN_DISTANCES = ("l1", "l2")
DUALGAN_DISCRIMINATORS = ("global", "patch")
FINE_DISCRIMINATORS = ("none", "a", "b", "both")
SIDE_BY_SIDE = ("none", *DIRECTIONS)  # the order of two images in one file
# Sources that are not folders; `TFDS` begins a name.
SCENES, EARTH = BUILT_IN = ("scenes", "earth")
TFDS = "tfds:"
PRETRAINED = "pretrained:"  # begins the name of a model that comes with the package
SPLITS = ("test", "train")  # to score a model on
# How images become 299 by 299 pixels for the network of FID: as in clean-fid, in pytorch-fid, in
# TensorFlow 1.
INCEPTION_RESIZINGS = ("clean", "legacy_pytorch", "legacy_tensorflow")
TRACKERS = ("wandb", "mlflow")  # of experiments, beside CSV and TensorBoard
# That `reproduce` repeats.
STUDIES = (
    "table1",
    "table2",
    "table3",
    "table4",
    "table5",
    "unit",
    "adaptation",
    "failures",
    "style",
)
STRATEGIES = ("auto", "one", "mirrored", "multi-worker", "tpu")

# Precisions, and the Keras dtype policy of each.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
PRECISIONS = ("auto", *POLICIES)

# What `export` writes.
KINDS = ("saved_model", "tflite", "onnx", "keras")
USUAL_KINDS = KINDS[:2]
STORED_WEIGHTS = ("float32", "float16", "rounded")  # of a .keras file
QUANTIZATIONS = ("none", "float16", "dynamic", "int8", "auto")

# Over what the statistics of a large image are taken that is translated by tiles.
TILE_STATISTICS = ("global", "local", "tile")
# Of an image to translate, if memory allows; about as large as a phone's photographs.
MAX_MEGAPIXELS = 12.0

# Decay of the averages of normalization's statistics over the frames of a film.
AVERAGE_STATISTICS = 0.8


def check(name, value, choices):
    """Raises an `InputError` if the value of the argument `name` is not one of `choices`."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}")
