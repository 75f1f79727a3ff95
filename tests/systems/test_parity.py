"""Ours against the numbers of the published PyTorch implementation.

The repository holds some of its references; CYCLEGAN_TF_REFERENCES=FOLDER names a folder that
holds all of them, as `NAME.pth` and `NAME.npz`.
"""

import os
import pathlib

import keras
import numpy as np
import pytest
import references

from cyclegan_tf import ReplayPool, torch_weights

FOLDER = os.environ.get("CYCLEGAN_TF_REFERENCES")


@pytest.mark.parametrize("name", ["patchgan_ndf8", "pixelgan_ndf8"])
def test_networks_give_the_published_outputs(name):
    reference = references.load(name)
    model = references.network(reference, "state", generates=False)
    output = model(references.to_nhwc(reference["input"]))
    expected = references.to_nhwc(reference["output"])
    np.testing.assert_allclose(output, expected, rtol=0, atol=2e-5)


@pytest.mark.skipif(not FOLDER, reason="CYCLEGAN_TF_REFERENCES names no folder")
@pytest.mark.parametrize(
    "path", sorted(pathlib.Path(FOLDER or ".").glob("*_n[dg]f*.pth")), ids=lambda path: path.stem
)
def test_checkpoints_give_the_published_outputs(path):
    generates = not path.stem.startswith(("patchgan", "pixelgan"))
    load = torch_weights.load_generator if generates else torch_weights.load_discriminator
    reference = references.load(path.stem, FOLDER)
    output = load(path)(references.to_nhwc(reference["input"]))
    # This one lies 3.9e-5 from what PyTorch itself gives in float64.
    within = 5e-5 if path.stem == "resnet_6blocks_ngf8" else 2e-5
    expected = references.to_nhwc(reference["output"])
    np.testing.assert_allclose(output, expected, rtol=0, atol=within)


def _check_probes(model, reference, within):
    probe = references.to_nhwc(reference["probe"])
    for generator, key in ((model.generator_ab, "probe_G_A"), (model.generator_ba, "probe_G_B")):
        expected = references.to_nhwc(reference[key])
        np.testing.assert_allclose(generator(probe), expected, rtol=0, atol=within)


def test_float64_training_gives_the_published_losses_and_images():
    keras.config.set_dtype_policy("float64")
    reference = references.load("train_lsgan_identity")
    model = references.cyclegan(reference)
    model.compile()
    references.train(model, reference, references.REFERENCE_NAMES, within=1e-6, steps=10)
    _check_probes(model, reference, within=1e-5)


def test_float32_training_gives_the_published_losses():
    """Rounding grows tenfold a step from the fourth on, in PyTorch's float32 no less than here."""
    reference = references.load("train_lsgan_identity")
    model = references.cyclegan(reference)
    model.compile()
    references.train(model, reference, references.REFERENCE_NAMES, within=1e-4, steps=4)


@pytest.mark.parametrize(
    ("policy", "steps", "losses_within"), [("float64", 12, 1e-6), ("float32", 4, 1e-4)]
)
def test_training_with_pools_gives_the_published_losses(policy, steps, losses_within, monkeypatch):
    """The pool's own exchange, with the random numbers that the published one drew."""
    keras.config.set_dtype_policy(policy)
    reference = references.load("train_lsgan_pool")
    draws = references.replay_draws(
        reference, lambda call: monkeypatch.setattr(ReplayPool, "call", call)
    )
    model = references.cyclegan(reference)
    model.compile(run_eagerly=True)  # so that each step draws anew
    references.train(model, reference, references.REFERENCE_NAMES, losses_within, steps)
    if policy == "float64":
        _check_probes(model, reference, within=1e-5)
        assert not any(list(rest) for rest in draws.values())


@pytest.mark.parametrize("name", ["patchgan_ndf8", "pixelgan_ndf8"])
def test_bfloat16_networks_give_the_published_outputs_to_its_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    reference = references.load(name)
    output = references.network(reference, "state", generates=False)(
        references.to_nhwc(reference["input"])
    )
    expected = references.to_nhwc(reference["output"])
    within = 2**-7 * np.abs(expected).max()
    np.testing.assert_allclose(np.float32(output), expected, rtol=0, atol=within)


@pytest.mark.parametrize("name", ["train_lsgan_identity", "train_lsgan_pool"])
def test_bfloat16_gives_the_published_losses_of_the_first_step_to_its_precision(name):
    """The pools are still filling: they return what they are given.

    A loss is what a discriminator says of a generator's images, so that two networks round.
    """
    keras.config.set_dtype_policy("mixed_bfloat16")
    reference = references.load(name)
    model = references.cyclegan(reference)
    model.compile()
    references.train(model, reference, references.REFERENCE_NAMES, within=2**-6, steps=1)
