"""Generators and discriminators: sizes, counts and what they see; outputs in test_parity."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import (
    CycleGAN,
    InstanceNormalization,
    patchgan,
    pixelgan,
    resnet_generator,
    two_scale_patchgan,
    unet_generator,
)
from cyclegan_tf.networks.generators import size_multiple, translate_any_size
from cyclegan_tf.networks.layers import LocalContrast, acts_per_image
from cyclegan_tf.systems.cyclegan import paper_networks


def _without_useless_biases(with_biases, *filters):
    """The reference implementation counts biases that a normalization cancels."""
    return with_biases - sum(filters)


def test_parameter_counts_of_the_paper():
    before_norms = (64, 128, 256, *[256] * 18, 128, 64)
    expected = _without_useless_biases(11_378_179, *before_norms)
    assert resnet_generator(blocks=9).count_params() == expected
    assert patchgan().count_params() == _without_useless_biases(2_764_737, 128, 256, 512)


def test_patchgan_gives_30_by_30_logits_for_256_pixels():
    assert patchgan((256, 256, 3)).output_shape == (None, 30, 30, 1)


def test_pixelgan_gives_a_logit_a_pixel():
    assert pixelgan((24, 20, 3)).output_shape == (None, 24, 20, 1)


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (20, 44)])
def test_resnet_keeps_any_multiple_of_4(size):
    generator = resnet_generator(base_filters=2, blocks=1)
    assert generator(np.zeros((1, *size, 3))).shape == (1, *size, 3)


def test_size_multiple_is_what_the_architecture_says():
    assert size_multiple(resnet_generator(base_filters=2, blocks=1)) == 4
    assert size_multiple(unet_generator(base_filters=2, halvings=5)) == 32
    assert size_multiple(pixelgan()) == 1


def test_size_multiple_is_found_once_for_each_network():
    calls = []

    class Counted(keras.layers.Layer):
        def call(self, images):
            calls.append(images.shape)
            return images

    inputs = keras.Input((None, None, 3))
    one, other = (keras.Model(inputs, Counted()(inputs)) for _ in range(2))
    calls.clear()
    assert size_multiple(one) == 1
    count = len(calls)
    assert [size_multiple(one), size_multiple(one)] == [1, 1]
    assert len(calls) == count
    assert size_multiple(other) == 1
    assert len(calls) == 2 * count


def test_channels_may_differ():
    generator = resnet_generator((16, 16, 1), output_channels=4, base_filters=2, blocks=1)
    assert generator.output_shape == (None, 16, 16, 4)


def test_initial_weights_are_normal_and_differ_by_layer():
    generator = resnet_generator(base_filters=16, blocks=2, seed=3)
    kernels = [v.numpy() for v in generator.trainable_variables if v.name == "kernel"]
    values = np.concatenate([k.ravel() for k in kernels])
    assert abs(values.mean()) < 1e-4
    assert abs(values.std() - 0.02) < 1e-4
    same_shape = [k for k in kernels if k.shape == (3, 3, 64, 64)]
    assert len(same_shape) == 4
    assert not np.array_equal(same_shape[0], same_shape[1])


def test_seed_decides_the_weights():
    first, again, other = (resnet_generator(base_filters=2, blocks=1, seed=s) for s in (1, 1, 2))
    for a, b in zip(first.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_only_transposed_convolutions_leave_a_checkerboard():
    """In the middle of a smooth image, of weights as they are at the start."""
    rows = tf.linspace(-1.0, 1.0, 64)
    image = tf.stack([rows[:, None] * rows, rows[:, None] + 0 * rows, 0 * rows[:, None] + rows], -1)
    energy = {}
    for upsampling in ("transposed", "nearest", "blur"):
        network = resnet_generator(base_filters=8, blocks=1, upsampling=upsampling, seed=1)
        x = network(image[None])[:, 16:48, 16:48]
        board = x[:, ::2, ::2] - x[:, 1::2, ::2] - x[:, ::2, 1::2] + x[:, 1::2, 1::2]
        energy[upsampling] = float(tf.reduce_mean(board**2) / tf.math.reduce_variance(x))
    assert energy["transposed"] > 10 * energy["nearest"]
    assert energy["nearest"] > energy["blur"]


def test_dropout_is_for_training_alone():
    generator = resnet_generator(base_filters=2, blocks=1, dropout=0.5, seed=0)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(generator(image), generator(image))
    first, second = generator(image, training=True), generator(image, training=True)
    assert np.abs(first - second).max() > 1e-3


def test_output_is_float32_under_bfloat16():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    output = resnet_generator(base_filters=2, blocks=1)(np.zeros((1, 16, 16, 3)))
    assert output.dtype == tf.float32


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (30, 30), (64, 49)])
def test_any_size_is_reflected_and_cropped_back(size):
    """With a network that changes nothing, nothing may change, wherever the borders are."""
    import keras

    inputs = keras.Input((None, None, 3))
    nothing = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    image = np.random.default_rng(0).uniform(-1, 1, (2, *size, 3)).astype("float32")
    np.testing.assert_array_equal(translate_any_size(nothing, image, 32), image)


def test_padding_is_a_reflection():
    seen = []

    def record(images, training):
        seen.append(images.numpy())
        return images

    image = np.random.default_rng(0).uniform(-1, 1, (1, 10, 13, 3)).astype("float32")
    translate_any_size(record, image, 16)
    expected = np.pad(image, ((0, 0), (3, 3), (1, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(seen[0], expected)


def test_sizes_that_cannot_work_are_named():
    with pytest.raises(ValueError, match="at least 8 by 8"):
        resnet_generator((4, 64, 3))
    with pytest.raises(ValueError, match="multiples of 256"):
        unet_generator((100, 256, 3))
    with pytest.raises(ValueError, match="at least 24 by 24"):
        patchgan((16, 64, 3))
    with pytest.raises(ValueError, match="blocks=0"):
        resnet_generator(blocks=0)


def test_patchgan_sees_70_by_70_pixels():
    """By the support of a logit's gradient, wherever the weights are not zero."""
    discriminator = patchgan(base_filters=4, seed=0)
    x = image = tf.random.stateless_uniform((1, 256, 256, 3), (0, 0), -1, 1)
    # Instance normalization lets every logit see the whole image, through its statistics; what
    # is left without it is the reach of the convolutions.
    with tf.GradientTape() as tape:
        tape.watch(image)
        for layer in discriminator.layers[1:]:
            x = x if isinstance(layer, InstanceNormalization) else layer(x)
        logit = x[0, 15, 15, 0]
    seen = np.abs(tape.gradient(logit, image)).max(axis=(0, 3)) > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (70, 70)
    assert seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.99


class Mixing(keras.Model):
    """A functional model that does something else than its layers."""

    def call(self, inputs, training=None):
        return inputs[::-1]


def test_a_two_scale_patchgan_judges_each_place_twice():
    network = two_scale_patchgan(base_filters=4, seed=0)
    logits = network(tf.random.stateless_normal((2, 64, 64, 3), (1, 2))).numpy()
    assert logits.shape == network.compute_output_shape((2, 64, 64, 3)) == (2, 30, 30, 2)
    # The coarse logits are those of a PatchGAN, 6 by 6, each repeated 5 by 5 times.
    coarse = logits[..., 1].reshape(2, 6, 5, 6, 5)
    assert (coarse == coarse[:, :, :1, :, :1]).all()
    twin = patchgan(base_filters=4, seed=0)
    image = tf.random.stateless_normal((2, 64, 64, 3), (1, 2))
    np.testing.assert_allclose(coarse[:, :, 0, :, 0], twin(image)[..., 0], atol=1e-5)
    assert acts_per_image(network)


def test_local_contrast_is_that_of_a_hand_computed_image():
    image = np.zeros((1, 3, 3, 1), "float32")
    image[0, 1, 1] = 0.4
    # The middle differs by 0.4 from the mean of its neighbors. To the pixels beside it, it is one
    # neighbor of four, but at the border two: the image is reflected there.
    expected = np.tanh(2 * np.array([[0, -0.2, 0], [-0.2, 0.4, -0.2], [0, -0.2, 0]]))
    np.testing.assert_allclose(LocalContrast(2.0)(image)[0, ..., 0], expected, atol=1e-6)


def test_fine_discriminators_go_to_the_domains_that_are_named():
    networks = paper_networks((64, 64, 3), base_filters=2, blocks=1, fine_discriminators="a")
    outputs = {d: networks[f"discriminator_{d}"].output_shape[-1] for d in "ab"}
    assert outputs == {"a": 2, "b": 1}
    model = CycleGAN(**networks, image_shape=(32, 32, 3), pool_size=2)
    model.compile()
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    logs = model.train_on_batch(images[:1], images[1:], return_dict=True)
    assert np.isfinite(list(logs.values())).all()


def test_only_networks_that_keep_images_apart_are_joined():
    kept_apart = [resnet_generator(blocks=1), unet_generator(halvings=2), patchgan(), pixelgan()]
    assert all(map(acts_per_image, kept_apart))
    image = keras.Input((8, 8, 3))
    assert acts_per_image(keras.Sequential([image, keras.layers.Conv2D(3, 1)]))
    mixing = [
        resnet_generator(blocks=1, normalization="batch"),
        resnet_generator(blocks=1, dropout=0.5),
        keras.Model(image, image - keras.ops.mean(image)),
        keras.Sequential([image, keras.layers.BatchNormalization()]),
        keras.Sequential([image, keras.layers.Activation(lambda x: x - keras.ops.mean(x))]),
        keras.Sequential([image, keras.layers.Conv2D(3, 1, activation=lambda x: x[::-1])]),
        keras.Model(image, keras.layers.Concatenate(axis=0)([image, image])),
        Mixing(image, keras.layers.ReLU()(image)),
    ]
    assert not any(map(acts_per_image, mixing))
