"""Ours against the numbers of the published PyTorch implementation."""

import keras
import numpy as np
import pytest
import references

from cyclegan_tf import CycleGAN, patchgan, pixelgan, resnet_generator, unet_generator

NETWORKS = {
    "resnet_6blocks_ngf8": lambda: resnet_generator(base_filters=8, blocks=6),
    "unet_128_ngf4": lambda: unet_generator(base_filters=4, halvings=7),
    "patchgan_ndf8": lambda: patchgan(base_filters=8),
    "pixelgan_ndf8": lambda: pixelgan(base_filters=8),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_the_published_outputs(name):
    reference = references.load(name)
    model = NETWORKS[name]()
    references.assign_state(model, reference, "state")
    output = model(references.to_nhwc(reference["input"]))
    # The reference of the ResNet lies 3.9e-5 from what PyTorch itself gives in float64.
    within = 5e-5 if name == "resnet_6blocks_ngf8" else 2e-5
    expected = references.to_nhwc(reference["output"])
    np.testing.assert_allclose(output, expected, rtol=0, atol=within)


# The release's name of each loss; its D_A judges pictures of B.
RELEASE_NAMES = {
    "d_b": "D_A",
    "g_ab": "G_A",
    "cycle_a": "cycle_A",
    "identity_b": "idt_A",
    "d_a": "D_B",
    "g_ba": "G_B",
    "cycle_b": "cycle_B",
    "identity_a": "idt_B",
}


def _reference_model(reference, lambda_identity, pool_size):
    model = CycleGAN(
        *(resnet_generator(base_filters=8, blocks=2) for _ in range(2)),
        *(patchgan(base_filters=8) for _ in range(2)),
        image_shape=(32, 32, 3),
        lambda_identity=lambda_identity,
        pool_size=pool_size,
    )
    for network, key in (
        (model.generator_ab, "G_A"),
        (model.generator_ba, "G_B"),
        (model.discriminator_b, "D_A"),
        (model.discriminator_a, "D_B"),
    ):
        references.assign_state(network, reference, key)
    model.compile()
    return model


@pytest.mark.parametrize(
    ("policy", "steps", "losses_within"),
    # In float32 rounding grows tenfold a step from the fourth on, in PyTorch no less than here.
    [("float32", 4, 1e-4), ("float64", 10, 1e-6)],
)
def test_training_gives_the_published_losses(policy, steps, losses_within):
    keras.config.set_dtype_policy(policy)
    reference = references.load("train_lsgan_identity")
    model = _reference_model(reference, lambda_identity=0.5, pool_size=0)
    release_names = list(reference["loss_names"])
    images = (references.to_nhwc(reference[key]) for key in ("images_a", "images_b"))
    for _, image_a, image_b, expected in zip(range(steps), *images, reference["losses"]):
        losses = model.train_on_batch(image_a, image_b, return_dict=True)
        model.reset_metrics()
        for name, release_name in RELEASE_NAMES.items():
            value = expected[release_names.index(release_name)]
            np.testing.assert_allclose(losses[name], value, rtol=losses_within, err_msg=name)

    if steps < len(reference["losses"]):
        return
    probe = references.to_nhwc(reference["probe"])
    for generator, key in ((model.generator_ab, "probe_G_A"), (model.generator_ba, "probe_G_B")):
        expected = references.to_nhwc(reference[key])
        np.testing.assert_allclose(generator(probe), expected, rtol=0, atol=1e-5)
