"""The terms of the objectives. Each is a scalar: this replica's share of the global batch's mean.

Under `tf.distribute` Keras sums the gradients of the replicas, so a plain mean would train with
N times the gradient; every loss here is divided by the number of replicas instead, in one place.
A replica without images has a loss of 0. If the shares differ, as in a short last batch, all
replicas have the same weight in the gradient, as with Keras's own losses.
"""

from functools import partial

import keras
import tensorflow as tf

from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES, WASSERSTEIN_OBJECTIVES
from cyclegan_tf.random_numbers import random_integers
from cyclegan_tf.replicas import of_any_share


def generator_adversarial(fake_logits, objective="lsgan", *, label=1.0, summed=False):
    """Adversarial loss of a generator, from the discriminator's logits for its images.

    `lsgan` is E[(D(G(x)) - 1)^2] (CycleGAN 4; Mao et al. 2017), `vanilla` the non-saturating
    E[-log sigmoid(D(G(x)))] (Goodfellow et al. 2014), `wgangp` -E[D(G(x))] (Gulrajani et al. 2017),
    and so is `wgan` (Arjovsky et al. 2017), which has another restraint of D.

    Args:
        fake_logits: float tensor of any shape.
        objective: `"lsgan"`, `"vanilla"`, `"wgangp"` or `"wgan"`.
        label: the answer that the generator wants: 1, or 0 if the discriminator learns to give 1
            for its images, as in BiGAN.
        summed: add up the values of each image, as SimGAN does, instead of their mean.
    """
    logits = _at_least_float32(fake_logits)
    if objective in WASSERSTEIN_OBJECTIVES:
        return _global_mean((1.0 - 2.0 * label) * logits, summed)
    return _global_mean(_distance_to(logits, label, objective), summed)


def discriminator_adversarial(real_logits, fake_logits, objective="lsgan", *, summed=False):
    """Loss of a discriminator, halved "to slow down the rate at which D learns" (7.1).

    ½ E[(D(y) - 1)^2] + ½ E[D(G(x))^2] for `lsgan`, likewise for the others.

    Args:
        real_logits, fake_logits: float tensors of any shape.
        objective: `"lsgan"`, `"vanilla"`, `"wgangp"`, to which `gradient_penalty` is added, or
            `"wgan"`, for which the discriminator's weights are clipped.
        summed: add up the values of each image, as SimGAN does, instead of their mean.
    """
    real, fake = _at_least_float32(real_logits), _at_least_float32(fake_logits)
    if objective in WASSERSTEIN_OBJECTIVES:
        return 0.5 * (_global_mean(fake, summed) - _global_mean(real, summed))
    return 0.5 * (
        _global_mean(_distance_to(real, 1.0, objective), summed)
        + _global_mean(_distance_to(fake, 0.0, objective), summed)
    )


def gradient_penalty(discriminator, real, fake, seed, weight=10.0, training=True):
    """½ λ E[(‖∇D(x̂)‖₂ - 1)^2] at a random x̂ between a real and a fake (arXiv 1704.00028, eq. 3).

    Halved with the rest of the discriminator's objective, so that λ keeps its proportion. As in
    the reference's `cal_gradient_penalty`, the logits of all patches are summed before the
    gradient is taken.

    Args:
        discriminator: a model from images to logits.
        real, fake: images, `(batch, height, width, channels)`.
        seed: int32 tensor of shape (2,), for the positions between real and fake.
        weight: λ.
        training: as the discriminator is called.
    """
    gradient = _gradient_between(discriminator, real, fake, seed, tf.reduce_sum, training)
    # 1e-12 keeps the gradient of the square root finite if the norm is zero.
    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)) + 1e-12)
    return 0.5 * weight * _global_mean(tf.square(norm - 1.0))


def zero_centered_penalty(discriminator, real, fake, seed, training=True):
    """E[‖∇D(x̂)‖²] at a random x̂ between a real and a fake, D(x̂) the mean of an image's logits.

    The penalty of UVCGANv2 (Torbunov et al. 2023, arXiv 2303.16280), whose weight is 0.01; it is
    added to the halved loss of the discriminator, not halved itself. Near a fake that cannot be
    told from a real image its discriminator becomes flat (Mescheder et al. 2018, arXiv
    1801.04406).

    Args:
        discriminator, real, fake, seed, training: as in `gradient_penalty`.
    """
    gradient = _gradient_between(discriminator, real, fake, seed, tf.reduce_mean, training)
    return _global_mean(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)))


def l1(images, targets, *, summed=False):
    """E[|images - targets|], of the cycle (eq. 2) and identity (5.2) losses.

    `summed` adds up the values of each image, as SimGAN does, instead of their mean.
    """
    return _global_mean(tf.abs(_at_least_float32(images) - _at_least_float32(targets)), summed)


def mean_square(values):
    """E[values^2], such as the divergence of codes from N(0, 1) in UNIT."""
    return _global_mean(tf.square(_at_least_float32(values)))


def feature_matching(real_features, fake_features):
    """Σ E[(mean of real features - mean of fake features)^2], of a discriminator (1606.03498, 3.1).

    The means are over the images of this replica; E is over positions and channels, Σ over maps.

    Args:
        real_features, fake_features: lists of maps `(batch, height, width, channels)`.
    """
    return sum(
        _global_mean(tf.square(_mean_of_batch(real) - _mean_of_batch(fake)))
        for real, fake in zip(real_features, fake_features, strict=True)
    )


def class_cross_entropy(logits, label):
    """E[-log softmax(logits)[label]]: the classes of CoGAN's discriminator, 1 real and 0 made.

    Args:
        logits: `(batch, classes)`.
        label: the class of all of them.
    """
    return cross_entropy(logits, tf.fill(tf.shape(logits)[:1], label))


def cross_entropy(logits, labels):
    """E[-log softmax(logits)[label]] of a classifier.

    Args:
        logits: `(batch, classes)`.
        labels: the class of each, integers `(batch,)`.
    """
    logits = _at_least_float32(logits)
    return _global_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def patch_nce(queries, keys, temperature=0.07):
    """E[-log(exp(q·k⁺/τ) / Σ exp(q·k/τ))], the sum over all patches k of the image of q.

    The loss of CUT (Park et al. 2020, arXiv 2007.15651, eq. 2 and 3) for one layer. k⁺ is the key
    at the position of q; the others are the negatives.

    Args:
        queries: features of the translated image, `(batch, patches, width)`, of length 1 each.
        keys: those of the original image, at the same positions.
        temperature: τ.
    """
    return _global_mean(_patch_cross_entropies(queries, keys, temperature))


def local_value(loss):
    """`loss` as a mean over only this replica; a metric averages it over the replicas."""
    return loss * _replicas(loss.dtype)


def _gradient_between(discriminator, real, fake, seed, reduce, training):
    """The gradient of an image's logits, added up by `reduce`, at a random image between two."""
    share = random_integers((tf.shape(real)[0], 1, 1, 1), seed, 2**24)
    share = tf.cast(share, real.dtype) / 2**24
    between = share * real + (1.0 - share) * fake
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        logits = of_any_share(partial(discriminator, training=training), between)
        answers = reduce(logits, axis=tuple(range(1, logits.shape.rank)))  # (batch,)
    return _at_least_float32(tape.gradient(answers, between))


def _mean_of_batch(values):
    """The mean image; zeros of a share without images."""
    values = _at_least_float32(values)
    count = tf.cast(tf.maximum(tf.shape(values)[0], 1), values.dtype)
    return tf.reduce_sum(values, 0) / count


def _patch_cross_entropies(queries, keys, temperature):
    """Of each patch, `(batch, patches)`."""
    queries, keys = _at_least_float32(queries), _at_least_float32(keys)
    logits = tf.matmul(queries, keys, transpose_b=True) / temperature  # (B, q, k)
    return tf.reduce_logsumexp(logits, -1) - tf.linalg.diag_part(logits)


def _distance_to(logits, target, objective):
    if objective == "lsgan":
        return tf.math.squared_difference(logits, tf.cast(target, logits.dtype))
    if objective == "vanilla":
        labels = tf.fill(tf.shape(logits), tf.cast(target, logits.dtype))
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    raise ValueError(
        f"The adversarial objective must be one of {', '.join(ADVERSARIAL_OBJECTIVES)}. "
        f"Received: {objective!r}"
    )


def _global_mean(values, summed=False):
    values = tf.convert_to_tensor(values)
    if summed:
        values = tf.reduce_sum(values, axis=tuple(range(1, values.shape.rank)))
    mean = tf.reduce_mean(values)
    if not values.shape.num_elements():  # none, or an unknown number
        # A replica may be left without a share of a short batch; the mean of nothing is NaN.
        mean = tf.where(tf.size(values) > 0, mean, tf.zeros_like(mean))
    return mean / _replicas(values.dtype)


def _replicas(dtype):
    return tf.cast(tf.distribute.get_strategy().num_replicas_in_sync, dtype)


def _at_least_float32(x):
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return tf.cast(x, tf.float32) if half else x
