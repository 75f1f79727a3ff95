"""The terms of the objectives against values worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from two_replicas import two_replicas

from cyclegan_tf import losses, pixelgan
from cyclegan_tf.networks.kernels import portable_kernels

REAL = np.array([[2.0, 0.0]], "float32")
FAKE = np.array([[0.5, -1.0]], "float32")


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("objective", "generator", "discriminator"),
    [
        # ((0.5-1)² + (-1-1)²) / 2;  ½ [((2-1)² + (0-1)²) / 2 + (0.5² + 1²) / 2]
        ("lsgan", 2.125, 0.5 * (1.0 + 0.625)),
        (
            "vanilla",
            -np.log(_sigmoid(FAKE)).mean(),
            0.5 * (-np.log(_sigmoid(REAL)).mean() - np.log(1 - _sigmoid(FAKE)).mean()),
        ),
        # -(0.5 - 1) / 2;  ½ [(0.5 - 1) / 2 - (2 + 0) / 2]
        ("wgangp", 0.25, 0.5 * (-0.25 - 1.0)),
    ],
)
def test_adversarial_objectives(objective, generator, discriminator):
    np.testing.assert_allclose(losses.generator_adversarial(FAKE, objective), generator, rtol=1e-6)
    value = losses.discriminator_adversarial(REAL, FAKE, objective)
    np.testing.assert_allclose(value, discriminator, rtol=1e-6)


def test_unknown_objective_is_named():
    with pytest.raises(ValueError, match="'hinge'"):
        losses.generator_adversarial(FAKE, "hinge")


def test_l1_is_the_mean_over_everything():
    np.testing.assert_allclose(losses.l1(REAL, FAKE), (1.5 + 1.0) / 2)


def test_gradient_penalty_of_a_linear_critic():
    """D(x) = w·x has the gradient w everywhere: ½ · 10 · (‖w‖ - 1)²."""
    inputs = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(inputs)
    critic = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(flat))
    weights = np.random.default_rng(0).normal(size=(16, 1)).astype("float32")
    critic.set_weights([weights])
    real, fake = tf.ones((3, 4, 4, 1)), tf.zeros((3, 4, 4, 1))
    penalty = losses.gradient_penalty(critic, real, fake, seed=tf.constant([1, 2]))
    expected = 0.5 * 10 * (np.linalg.norm(weights) - 1) ** 2
    np.testing.assert_allclose(penalty, expected, rtol=1e-5)


def test_zero_centered_penalty_is_of_the_mean_of_the_logits():
    """One weight w of each pixel: the mean over 16 has the gradient w / 16 at each of 16."""
    inputs = keras.Input((4, 4, 1))
    layer = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")
    critic = keras.Model(inputs, 3.0 * layer(inputs))
    real, fake = tf.ones((2, 4, 4, 1)), tf.zeros((2, 4, 4, 1))
    penalty = losses.zero_centered_penalty(critic, real, fake, seed=tf.constant([1, 2]))
    np.testing.assert_allclose(penalty, 16 * (3 / 16) ** 2, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_losses_and_gradients_of_no_images_are_zero(compiled):
    """A replica may be left without a share of a short batch."""
    critic = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3)])

    def values(images):
        with tf.GradientTape() as tape:
            logits = critic(images)
            terms = [losses.l1(logits, logits)]
            for objective in ("lsgan", "vanilla", "wgangp"):
                terms.append(losses.generator_adversarial(logits, objective))
                terms.append(losses.discriminator_adversarial(logits, logits, objective))
            terms.append(losses.gradient_penalty(critic, images, images, tf.constant([1, 2])))
        return terms, tape.gradient(terms, critic.trainable_variables)

    if compiled:
        values = tf.function(values, input_signature=[tf.TensorSpec((None, 4, 4, 1))])
    terms, gradients = values(tf.zeros((0, 4, 4, 1)))
    assert [float(term) for term in terms] == [0.0] * 8
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, tf.zeros_like(gradient))


def test_the_gradient_penalty_of_large_images_has_the_gradients_of_the_plain_kernels():
    """The normalization of 2^17 values is one fused kernel, here differentiated twice."""
    critic = pixelgan((128, 128, 3), base_filters=4, affine=True, seed=0)
    real, fake = tf.unstack(tf.random.stateless_uniform((2, 1, 128, 128, 3), (1, 2), -1, 1))
    traced = []

    def gradients():
        @tf.function
        def compiled():
            with tf.GradientTape() as tape:
                penalty = losses.gradient_penalty(critic, real, fake, tf.constant([3, 4]))
            # Offsets before a LeakyReLU change only its signs; the bias of the logits nothing.
            weights = [variable.value for variable in critic.trainable_variables]
            return penalty, tape.gradient(penalty, weights, unconnected_gradients="zero")

        graph = compiled.get_concrete_function().graph
        traced.append("FusedBatchNormV3" in {node.type for node in graph.get_operations()})
        return compiled()

    fused, of_fused = gradients()
    with portable_kernels():
        plain, of_plain = gradients()
    assert traced == [True, False]
    np.testing.assert_allclose(fused, plain, rtol=1e-4)
    largest = [np.abs(gradient).max() for gradient in of_plain]
    assert np.count_nonzero(largest) >= 4
    for ours, theirs, scale in zip(of_fused, of_plain, largest, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3 * max(scale, 1e-4))


def test_losses_are_float32_from_half_precision_logits():
    assert losses.generator_adversarial(tf.cast(FAKE, tf.bfloat16)).dtype == tf.float32


def test_replicas_share_the_global_mean():
    """The sum over replicas, which is what Keras makes of gradients, is the global batch's mean."""
    strategy = two_replicas()
    batches = tf.constant([[1.0, 3.0], [5.0, 11.0]])

    @tf.function
    def per_replica():
        return strategy.run(
            lambda: losses.l1(
                tf.gather(batches, tf.distribute.get_replica_context().replica_id_in_sync_group),
                tf.zeros(2),
            )
        )

    total = strategy.reduce("SUM", per_replica(), axis=None)
    np.testing.assert_allclose(total, 5.0)
