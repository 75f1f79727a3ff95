"""What tensorflow-addons computed and wrote, computed and read here; see fixtures/record_tfa.py."""

import h5py
import keras
import numpy as np
import pytest
import references
import tensorflow as tf

from cyclegan_tf import InputError, InstanceNormalization, patchgan, resnet_generator
from cyclegan_tf.interop.keras2_weights import load_weights

VALUES = references.load("tfa_values")
CASES = sorted({key.split(".y")[0] for key in VALUES if key.endswith(".y")})
FILE = references.FIXTURES / "tfa_generator.h5"


@pytest.mark.parametrize("case", CASES)
def test_normalization_gives_the_values_and_gradients_of_tensorflow_addons(case):
    recorded = {key.removeprefix(case + "."): VALUES[key] for key in VALUES if case + "." in key}
    epsilon = float(case.split("_epsilon")[1].split("_")[0])
    affine = "gamma" in recorded
    layer = InstanceNormalization(epsilon=epsilon, affine=affine)
    layer.build(recorded["x"].shape)
    if affine:
        layer.gamma.assign(recorded["gamma"])
        layer.beta.assign(recorded["beta"])
    x = tf.Variable(recorded["x"])
    with tf.GradientTape() as tape:
        y = layer(x)
        objective = tf.reduce_sum(y * recorded["weights"])
    parameters = [layer.gamma.value, layer.beta.value] if affine else []
    gradients = tape.gradient(objective, [x, *parameters])
    gradients = {f"gradient_{name}": g for name, g in zip(("x", "gamma", "beta"), gradients)}
    for name, value in {"y": y, **gradients}.items():
        # Of the largest element: the gradients of gamma are sums of a hundred terms.
        within = 1e-6 * max(1, np.abs(recorded[name]).max())
        np.testing.assert_allclose(value, recorded[name], rtol=0, atol=within, err_msg=name)


MATCHING = {"padding": "same", "affine": True, "epsilon": 1e-3, "base_filters": 4}


def _matching(**options):
    return resnet_generator(**{**MATCHING, "blocks": 2, **options})


def test_a_generator_of_tensorflow_addons_gives_the_same_images():
    recorded = references.load("tfa_generator")
    generator = _matching()
    load_weights(generator, FILE)
    np.testing.assert_allclose(generator(recorded["input"]), recorded["output"], rtol=0, atol=2e-5)


def test_a_discriminator_of_tensorflow_addons_gives_the_same_logits():
    recorded = references.load("tfa_discriminator")
    discriminator = patchgan(strided_layers=2, **MATCHING)
    load_weights(discriminator, references.FIXTURES / "tfa_discriminator.h5")
    np.testing.assert_allclose(
        discriminator(recorded["input"]), recorded["output"], rtol=2e-5, atol=2e-5
    )


@pytest.mark.parametrize("options", [{"padding": "torch"}, {"epsilon": 1e-5}])
def test_other_options_give_other_images(options):
    """So that the test above would notice a padding or an epsilon of another kind."""
    recorded = references.load("tfa_generator")
    generator = _matching(**options)
    load_weights(generator, FILE)
    assert np.abs(generator(recorded["input"]) - recorded["output"]).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_filters": 8}, r"'conv2d/kernel:0'.*has the shape \(7, 7, 3, 4\).*\(7, 7, 3, 8\)"),
        ({"affine": False}, r"'instance_normalization_8/gamma:0'"),
        ({"blocks": 3}, "the options of the old one"),
    ],
)
def test_another_architecture_is_refused_and_the_model_left_as_it_was(options, message):
    generator = _matching(**options)
    before = generator.get_weights()
    with pytest.raises(InputError, match=message):
        load_weights(generator, FILE)
    for old, new in zip(before, generator.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_files_that_cannot_be_read_get_a_sentence(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_weights(_matching(), tmp_path / "none.h5")
    cut = tmp_path / "cut.h5"
    cut.write_bytes(FILE.read_bytes()[:5000])
    with pytest.raises(InputError, match="no HDF5 file or is cut short"):
        load_weights(_matching(), cut)
    newer = tmp_path / "newer.weights.h5"
    _matching().save_weights(newer)
    with pytest.raises(InputError, match="not of Keras 2"):
        load_weights(_matching(), newer)


def test_group_normalization_is_refused(tmp_path):
    """Its weights have the same shapes; it is what the Keras example has now."""
    with h5py.File(FILE) as old, h5py.File(tmp_path / "groups.h5", "w") as new:
        new.attrs["layer_names"] = ["group_normalization"]
        source = old["instance_normalization_8"]
        group, names = new.create_group("group_normalization"), []
        for name in source.attrs["weight_names"]:
            names.append(name.replace("instance_normalization_8", "group_normalization"))
            group[names[-1]] = source[name][()]
        group.attrs["weight_names"] = names
    with pytest.raises(InputError, match="'group_normalization/gamma:0': group normalization"):
        load_weights(_matching(), tmp_path / "groups.h5")


def test_one_network_of_a_file_of_several(tmp_path):
    """The layout of a subclassed model: a group for each network, its weights by name."""
    generator = _matching()
    with h5py.File(FILE) as old, h5py.File(tmp_path / "all.h5", "w") as new:
        new.attrs["layer_names"] = ["generator_G", "generator_F"]
        for number, network in enumerate(new.attrs["layer_names"]):
            group, names = new.create_group(network), []
            for layer in old.attrs["layer_names"]:
                for name in old[layer].attrs["weight_names"]:
                    group[name] = old[layer][name][()] * (1 - number)
                    names.append(name)
            group.attrs["weight_names"] = names
    load_weights(generator, tmp_path / "all.h5", part="generator_G")
    expected = _matching()
    load_weights(expected, FILE)
    for one, other in zip(generator.get_weights(), expected.get_weights()):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="no part 'generator_X'; it has generator_G, generator_F"):
        load_weights(generator, tmp_path / "all.h5", part="generator_X")


def test_same_padding_keeps_sizes_and_is_told_apart():
    image = keras.random.uniform((1, 16, 16, 3))
    assert _matching()(image).shape == (1, 16, 16, 3)
    assert patchgan((256, 256, 3), padding="same").output_shape == (None, 32, 32, 1)
    with pytest.raises(ValueError, match="padding='mirror'"):
        resnet_generator(padding="mirror")
    with pytest.raises(ValueError, match="normalization='layer'"):
        patchgan(normalization="layer")
