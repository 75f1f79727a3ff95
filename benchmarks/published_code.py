"""The CycleGAN of the published PyTorch code, from a checkout of it: its own networks and step."""

import argparse
import importlib
import pathlib
import random
import statistics
import subprocess
import sys
import time

import numpy as np

from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required
from cyclegan_tf.pixels import to_float, to_uint8

CLONE = "git clone https://github.com/taesungp/contrastive-unpaired-translation"
_FILES = ("models/cycle_gan_model.py", "models/networks.py", "util/image_pool.py")


def check_checkout(folder):
    """Raises an `InputError` for what is no checkout of the published code."""
    if folder is None:
        raise InputError(
            f"The published code is not part of this repository: {CLONE}, and give its folder "
            "with --checkout."
        )
    if not all((pathlib.Path(folder) / name).is_file() for name in _FILES):
        raise InputError(
            f"{folder} is no checkout of the published code, which has {_FILES[0]}; make one with "
            f"{CLONE}."
        )


def commit_of(folder):
    """The commit of a checkout; `None` if it is no clone."""
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def options_of(filters, epochs, decay_epochs):
    """The recipe of the paper without the identity loss, as this code names its options.

    The first lines are what both repositories of the authors read. Contrastive-unpaired-translation
    has other networks by default; its options in the last lines give those of the paper.
    """
    return argparse.Namespace(
        isTrain=True, continue_train=False, epoch="latest", load_iter=0, verbose=False,
        gpu_ids=[], device=required("torch", "torch", "The published code needs").device("cpu"),
        checkpoints_dir="", name="", preprocess="none", direction="AtoB",
        input_nc=3, output_nc=3, ngf=filters, ndf=filters, netG="resnet_6blocks", netD="basic",
        n_layers_D=3, norm="instance", no_dropout=True, init_type="normal", init_gain=0.02,
        gan_mode="lsgan", lambda_A=10.0, lambda_B=10.0, lambda_identity=0.0, pool_size=50,
        batch_size=1, lr=2e-4, beta1=0.5, beta2=0.999, lr_policy="linear", epoch_count=1,
        n_epochs=epochs - decay_epochs, n_epochs_decay=decay_epochs,
        normG="instance", normD="instance", no_antialias=True, no_antialias_up=True, amp=False,
    )  # fmt: skip


def trained(checkout, pairs, options, seed):
    """Trains the published model.

    Args:
        checkout: the folder.
        pairs: batches of `(image_a, image_b)`, float32 `(batch, height, width, 3)` in [-1, 1]; a
            pass is an epoch.
        options: of `options_of`.
        seed: of the initial weights and of the pool, global as this code has it.

    Returns:
        `(translator, seconds)`: a `TorchTranslator`, and the median over the epochs of the seconds
        that a step took.
    """
    import torch

    torch.manual_seed(seed)
    random.seed(seed)
    model = _model_class(checkout)(options)
    model.setup(options)
    seconds = []
    for _ in range(options.n_epochs + options.n_epochs_decay):
        begin = time.perf_counter()
        for image_a, image_b in pairs.as_numpy_iterator():
            images = {"A": _to_torch(image_a), "B": _to_torch(image_b)}
            model.set_input({**images, "A_paths": "", "B_paths": ""})
            model.optimize_parameters()
        seconds.append((time.perf_counter() - begin) / len(pairs))
        model.update_learning_rate()
    return TorchTranslator({"ab": model.netG_A, "ba": model.netG_B}), statistics.median(seconds)


def _model_class(checkout):
    """Its modules import each other by their names from the folder."""
    sys.path.insert(0, str(pathlib.Path(checkout).resolve()))
    return importlib.import_module("models.cycle_gan_model").CycleGANModel


class TorchTranslator:
    """PyTorch generators behind the interface of a `cyclegan_tf.Translator`.

    They compute as in training, as those of the published code do when it tests.

    Args:
        generators: modules by direction, from `(batch, 3, height, width)` in [-1, 1] to the same.
    """

    def __init__(self, generators):
        self.generators = generators

    def translate(self, images, direction):
        """As `cyclegan_tf.Translator.translate`, of a batch: uint8 or float `(batch, …, 3)`."""
        import torch

        of_pixels = images.dtype == np.uint8
        with torch.no_grad():
            found = self.generators[direction](_to_torch(to_float(images) if of_pixels else images))
        outputs = found.numpy().transpose(0, 2, 3, 1)
        return to_uint8(outputs) if of_pixels else outputs


def _to_torch(images):
    """A tensor `(batch, 3, height, width)` of an array `(batch, height, width, 3)`."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
