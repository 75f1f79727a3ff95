"""Checkpoints of the reference implementation, against plain PyTorch modules of its networks."""

import collections
import errno
import os
import pathlib
import pickle
import sys

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch_networks as published

from cyclegan_tf import (
    Adam,
    ConstantThenLinearDecay,
    CycleGAN,
    InputError,
    patchgan,
    pixelgan,
    resnet_generator,
    torch_weights,
    unet_generator,
)
from cyclegan_tf.exporting.export import export
from cyclegan_tf.networks.layers import Conv2D
from cyclegan_tf.runs.load import load
from cyclegan_tf.systems.cyclegan import paper_networks

GENERATORS = {
    "resnet": lambda: published.resnet(3, 8),
    "resnet of one block, gray to RGBA": lambda: published.resnet(1, 4, (1, 4)),
    "resnet with dropout": lambda: published.resnet(2, 4, dropout=True),
    "resnet, affine": lambda: published.resnet(2, 4, affine=True),
    "resnet, batch norm": lambda: published.resnet(2, 4, norm="batch", dropout=True),
    "unet": lambda: published.unet(5, 4),
    "deep unet, RGB to gray": lambda: published.unet(7, 2, (3, 1)),
    "unet, affine": lambda: published.unet(5, 4, affine=True),
    "unet, batch norm": lambda: published.unet(5, 4, norm="batch"),
}
DISCRIMINATORS = {
    "patchgan": lambda: published.patchgan(3, 8),
    "shallow patchgan, gray": lambda: published.patchgan(1, 4, 1),
    "deep patchgan": lambda: published.patchgan(5, 2),
    "patchgan, affine": lambda: published.patchgan(2, 4, affine=True),
    "patchgan, batch norm": lambda: published.patchgan(3, 4, norm="batch"),
    "pixelgan": lambda: published.pixelgan(8),
    "pixelgan, batch norm": lambda: published.pixelgan(8, norm="batch"),
}
ALL = {**GENERATORS, **DISCRIMINATORS}


def _load_and_save(name):
    if name in GENERATORS:
        return torch_weights.load_generator, torch_weights.save_generator
    return torch_weights.load_discriminator, torch_weights.save_discriminator


def _image(channels, size=128):
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (1, size, size, channels)).astype("float32")


def _output(module, image):
    with torch.no_grad():
        return np.moveaxis(module(torch.from_numpy(np.moveaxis(image, -1, 1))).numpy(), 1, -1)


@pytest.mark.parametrize("name", ALL)
def test_round_trip_from_torch(name, tmp_path):
    module = published.with_random_tensors(ALL[name]())
    original = module.state_dict()
    torch.save(original, tmp_path / "net.pth")
    load_network, save_network = _load_and_save(name)

    model = load_network(tmp_path / "net.pth")
    image = _image(model.input_shape[-1])
    expected = _output(module, image)
    scale = max(1, np.abs(expected).max())  # logits are not bounded
    np.testing.assert_allclose(model(image), expected, rtol=0, atol=2e-5 * scale)

    save_network(model, tmp_path / "again.pth")
    again = torch.load(tmp_path / "again.pth", weights_only=True)
    twin = ALL[name]().eval()
    twin.load_state_dict(again, strict=True)
    np.testing.assert_allclose(_output(twin, image), expected, rtol=0, atol=2e-5 * scale)

    kept = 0
    for key, tensor in original.items():
        if key.endswith(".bias") and _canceled(module, key):
            assert not again[key].any(), key
        elif tensor.is_floating_point():
            assert torch.equal(again[key], tensor), key
            kept += 1
    assert kept > 3


def _canceled(module, key):
    """Whether an instance normalization follows the convolution of this bias."""
    *path, last = key.removesuffix(".bias").split(".")
    following = str(int(last) + 1)
    parent = module.get_submodule(".".join(path))
    is_convolution = hasattr(parent[int(last)], "kernel_size")
    return (
        is_convolution
        and following in dict(parent.named_children())
        and isinstance(parent[int(following)], torch.nn.InstanceNorm2d)
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda: resnet_generator(base_filters=4, blocks=2, seed=1),
        lambda: resnet_generator(base_filters=4, blocks=1, dropout=0.3, affine=True, seed=1),
        lambda: unet_generator(base_filters=2, halvings=5, normalization="batch", seed=1),
        lambda: patchgan(base_filters=4, strided_layers=2, seed=1),
        lambda: pixelgan(base_filters=4, seed=1),
    ],
)
def test_round_trip_from_keras(build, tmp_path):
    model = build()
    generates = "generator" in model.name
    save = torch_weights.save_generator if generates else torch_weights.save_discriminator
    read = torch_weights.load_generator if generates else torch_weights.load_discriminator
    save(model, tmp_path / "net.pth")
    image = _image(3, 32)
    np.testing.assert_array_equal(read(tmp_path / "net.pth")(image), model(image))


@pytest.fixture
def module():
    return published.with_random_tensors(published.resnet(2, 4))


def _assert_gives_the_same(model, module):
    image = _image(3, 32)
    np.testing.assert_allclose(model(image), _output(module, image), rtol=0, atol=2e-5)


def test_files_of_data_parallel_old_releases_and_old_torch(module, tmp_path):
    path = tmp_path / "net.pth"
    state = module.state_dict()

    torch.save({f"module.{key}": value for key, value in state.items()}, path)
    _assert_gives_the_same(torch_weights.load_generator(path), module)

    statistics = {}
    for number in (2, 5, 8):  # of the instance normalizations, before May 2018
        statistics[f"model.{number}.running_mean"] = torch.ones(4)
        statistics[f"model.{number}.running_var"] = torch.ones(4)
        statistics[f"model.{number}.num_batches_tracked"] = torch.tensor(7)
    torch.save({**state, **statistics}, path)
    _assert_gives_the_same(torch_weights.load_generator(path), module)

    torch.save(state, path, _use_new_zipfile_serialization=False)  # before torch 1.6
    _assert_gives_the_same(torch_weights.load_generator(path), module)

    torch.save(collections.OrderedDict((k, v.double()) for k, v in state.items()), path)
    _assert_gives_the_same(torch_weights.load_generator(path), module)


def test_dropout_of_a_resnet_is_read_and_may_be_set(tmp_path):
    torch.save(published.resnet(1, 4, dropout=True).state_dict(), tmp_path / "net.pth")

    def rates(**options):
        model = torch_weights.load_generator(tmp_path / "net.pth", **options)
        return [x.rate for x in model.layers if isinstance(x, keras.layers.Dropout)]

    assert rates() == [0.5]
    assert rates(dropout=0.2) == [0.2]


class _Hostile:
    def __init__(self, touched):
        self.touched = touched

    def __reduce__(self):
        return os.mkdir, (str(self.touched),)


def test_a_file_that_would_run_code_is_refused_and_not_run(tmp_path):
    touched, path = tmp_path / "touched", tmp_path / "hostile.pth"
    torch.save({"model.1.weight": _Hostile(touched)}, path)
    asks_for = rf"hostile\.pth holds more than weights: it asks for {os.mkdir.__module__}\.mkdir"
    with pytest.raises(InputError, match=asks_for):
        torch_weights.load_generator(path)
    path.write_bytes(pickle.dumps(_Hostile(touched), protocol=2))
    with pytest.raises(InputError, match=r"hostile\.pth (holds more than weights|is not a file)"):
        torch_weights.load_generator(path)
    assert not touched.exists()


def test_a_pickled_module_is_refused_by_what_it_asks_for(module, tmp_path):
    torch.save(module, tmp_path / "net.pth")
    with pytest.raises(InputError, match=r"asks for torch_networks\._Named.*state_dict\(\)"):
        torch_weights.load_generator(tmp_path / "net.pth")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_short(module, tmp_path, zipped, share):
    path = tmp_path / "net.pth"
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"net\.pth is (damaged or cut short|not a file that)"):
        torch_weights.load_generator(path)


def test_other_files_get_a_sentence(tmp_path):
    text = tmp_path / "notes.pth"
    text.write_text("latest_net_G_A.pth is on the other disk\n")
    with pytest.raises(InputError, match=r"notes\.pth is not a file that torch\.save wrote"):
        torch_weights.load_generator(text)
    with pytest.raises(InputError, match="does not exist"):
        torch_weights.load_generator(tmp_path / "none.pth")


def _changed(state, **changes):
    """A state dict with keys replaced or (by None) left out; `_` stands for a dot in names."""
    changed = {**state, **{key.replace("_", "."): value for key, value in changes.items()}}
    return {key: value for key, value in changed.items() if value is not None}


def _batch_norm_after_biases():
    module = published.resnet(1, 4, norm="batch")
    biases = {k.replace("weight", "bias"): torch.zeros(v.shape[0])
              for k, v in module.state_dict().items() if v.ndim == 4}  # fmt: skip
    return {**module.state_dict(), **biases}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: {"encoder.weight": torch.ones(3, 3, 3, 3)}, "first key is 'encoder.weight'"),
        (lambda s: {"state_dict": s, "epoch": 3}, "entry 'state_dict' of .* is .*not a tensor"),
        (lambda s: [1, 2], "holds list; expected a state dict"),
        (lambda s: _changed(s, model_4_weight=None), "has no 'model.4.weight'"),
        (lambda s: _changed(s, model_4_bias=None), "has no 'model.4.bias'"),
        (lambda s: _changed(s, model_4_weight=torch.ones(8, 4, 5, 5)),
         r"'model.4.weight' of .* has the shape \(8, 4, 5, 5\); expected \(8, 4, 3, 3\)"),
        (lambda s: _changed(s, model_4_bias=torch.ones(9)), r"'model.4.bias' of .*expected \(8,\)"),
        (lambda s: _changed(s, model_1_weight=torch.ones(4)), "kernel of 4 dimensions"),
        (lambda s: _changed(s, model_1_weight=torch.ones(0, 3, 7, 7)), "kernel of 4 dimensions"),
        (lambda s: _changed(s, model_1_weight=torch.ones(4, 3, 7, 7, dtype=torch.int64)),
         "'model.1.weight' of .* is a tensor of torch.int64"),
        (lambda s: _changed(s, model_1_weight=torch.ones(4, 3, 7, 7, dtype=torch.complex64)),
         "is a tensor of torch.complex64"),
        (lambda s: _changed(s, model_1_weight=torch.ones(4, 3, 7, 7).to_sparse()), "sparse"),
        (lambda s: _changed(s, model_1_weight=torch.full((4, 3, 7, 7), torch.nan)), "not finite"),
        (lambda s: _changed(s, model_99_weight=torch.ones(3)), "has the key 'model.99.weight'"),
        (lambda s: {k: v for k, v in s.items() if not k.endswith("bias") or v.numel() == 3},
         "has neither model.1.bias nor model.2.weight"),
        (lambda s: _batch_norm_after_biases(), "both model.1.bias and model.2.running_mean"),
        (lambda s: {k: v for k, v in s.items() if "conv_block" not in k}, "0-block ResNet"),
        (lambda s: {"model.model.0.weight": torch.ones(4, 3, 4, 4)}, "has no 'model.model.3.weigh"),
    ],
)  # fmt: skip
def test_a_state_dict_that_does_not_fit_is_refused_by_its_key(module, tmp_path, spoil, message):
    torch.save(spoil(module.state_dict()), tmp_path / "net.pth")
    with pytest.raises(InputError, match=message):
        torch_weights.load_generator(tmp_path / "net.pth")


def test_generators_and_discriminators_are_told_apart(module, tmp_path):
    torch.save(module.state_dict(), tmp_path / "g.pth")
    torch.save(published.patchgan(3, 4).state_dict(), tmp_path / "d.pth")
    with pytest.raises(InputError, match="a 3-layer PatchGAN, a discriminator; expected"):
        torch_weights.load_generator(tmp_path / "d.pth")
    with pytest.raises(InputError, match="a 2-block ResNet generator, a generator; expected a d"):
        torch_weights.load_discriminator(tmp_path / "g.pth")


def test_a_generator_whose_last_layer_is_that_of_keras_is_written_alike(tmp_path):
    """As in files that were saved before `layers.Conv2D`."""
    model = resnet_generator(base_filters=2, blocks=1, seed=3)

    def as_before(layer):
        if isinstance(layer, Conv2D):
            return keras.layers.Conv2D.from_config(layer.get_config())
        return type(layer).from_config(layer.get_config())

    older = keras.models.clone_model(model, clone_function=as_before)
    older.set_weights(model.get_weights())
    for name, network in (("new", model), ("old", older)):
        torch_weights.save_generator(network, tmp_path / f"{name}.pth")
    new, old = (torch.load(tmp_path / f"{name}.pth") for name in ("new", "old"))
    assert new.keys() == old.keys()
    assert all(torch.equal(new[key], old[key]) for key in new)


def test_a_discriminator_that_the_reference_lacks_is_named_and_left_out(tmp_path):
    networks = paper_networks((32, 32, 3), base_filters=2, blocks=1, fine_discriminators="a")
    model = CycleGAN(**networks, image_shape=(32, 32, 3), pool_size=0)
    with pytest.warns(UserWarning, match=r"latest_net_D_B\.pth is not written"):
        paths = torch_weights.save_networks(model, tmp_path)
    names = {"latest_net_G_A.pth", "latest_net_G_B.pth", "latest_net_D_A.pth"}
    assert {path.name for path in paths} == {path.name for path in tmp_path.iterdir()} == names


def _unet_of_the_tutorial():
    """Its skip connections come first among the channels, not last."""
    model = unet_generator(base_filters=2, halvings=5)

    def turned(layer, *arguments, **keywords):
        if isinstance(layer, keras.layers.Concatenate):
            return layer(list(reversed(arguments[0])))
        return layer(*arguments, **keywords)

    return keras.models.clone_model(model, call_function=turned)


def _nested():
    inner = resnet_generator((32, 32, 3), base_filters=2, blocks=1)
    image = keras.Input((32, 32, 3))
    return keras.Model(image, inner(image), name="outer")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: resnet_generator(base_filters=2, blocks=1, padding="same"), "has a ZeroPadding2D"),
        (lambda: resnet_generator(base_filters=2, blocks=1, epsilon=1e-3), "epsilon=0.001"),
        (lambda: unet_generator(base_filters=2, halvings=4), "at least 5 levels"),
        (_unet_of_the_tutorial, "takes its input from other layers"),
        (_nested, "'outer' holds its layers in another model"),
        (lambda: patchgan(base_filters=2), "is no generator"),
        (lambda: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3)]), "is no g"),
    ],
)
def test_what_the_reference_does_not_have_is_not_written(build, message, tmp_path):
    with pytest.raises(InputError, match=message):
        torch_weights.save_generator(build(), tmp_path / "net.pth")
    assert not list(tmp_path.iterdir())


def test_what_does_not_change_the_images_does_not_hinder(tmp_path):
    model = resnet_generator(base_filters=2, blocks=1)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            layer.kernel_regularizer = keras.regularizers.L2(1e-4)
            layer.trainable = False
    torch_weights.save_generator(model, tmp_path / "net.pth")
    assert (tmp_path / "net.pth").exists()


def test_a_run_goes_on_and_back(tmp_path):
    modules = published.write_checkpoints(tmp_path / "run")
    model = torch_weights.load_cyclegan(tmp_path / "run", image_size=32)
    image = _image(3, 32)
    for network, name in (
        (model.generator_ab, "G_A"),
        (model.generator_ba, "G_B"),
        (model.discriminator_b, "D_A"),  # it judges images of B
        (model.discriminator_a, "D_B"),
    ):
        expected = _output(modules[name], image)
        within = 2e-5 * max(1, np.abs(expected).max())
        np.testing.assert_allclose(network(image), expected, rtol=0, atol=within)

    schedule = ConstantThenLinearDecay(steps_per_epoch=1, first_epoch=150)
    model.compile(Adam(schedule), Adam(schedule))
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        np.testing.assert_allclose(optimizer.learning_rate, 2e-4 * (1 - 50 / 101), rtol=1e-6)
    model.train_on_batch(image, image)
    paths = torch_weights.save_networks(model, tmp_path / "back", epoch="151")
    assert sorted(path.name for path in paths) == [
        "151_net_D_A.pth", "151_net_D_B.pth", "151_net_G_A.pth", "151_net_G_B.pth"
    ]  # fmt: skip
    modules["D_A"].load_state_dict(torch.load(tmp_path / "back" / "151_net_D_A.pth"), strict=True)
    expected = _output(modules["D_A"], image)
    np.testing.assert_allclose(model.discriminator_b(image), expected, rtol=0, atol=1e-3)


def test_a_run_that_does_not_go_together_is_refused(tmp_path):
    published.write_checkpoints(tmp_path / "run")
    with pytest.raises(InputError, match="image_size must be a number of pixels"):
        torch_weights.load_cyclegan(tmp_path / "run", image_size=0)
    with pytest.raises(ValueError, match="lambda_a must be a finite number from 0 on"):
        torch_weights.load_cyclegan(tmp_path / "run", image_size=np.int64(32), lambda_a=-1)
    with pytest.raises(InputError, match=r"make no CycleGAN: The generator 'generator_ab' makes"):
        torch_weights.import_checkpoints(tmp_path / "run", tmp_path / "x.keras", image_size=30)
    torch.save(published.patchgan(2, 4, 1).state_dict(), tmp_path / "run" / "latest_net_D_B.pth")
    with pytest.raises(InputError, match="different numbers of channels"):
        torch_weights.load_cyclegan(tmp_path / "run", image_size=32)
    (tmp_path / "run" / "latest_net_D_B.pth").unlink()
    with pytest.raises(InputError, match=r"latest_net_D_B\.pth does not exist"):
        torch_weights.load_cyclegan(tmp_path / "run")


def test_checkpoints_are_written_all_or_none_and_never_over_others(tmp_path):
    published.write_checkpoints(tmp_path / "run")
    model = torch_weights.load_cyclegan(tmp_path / "run", image_size=32)
    originals = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(InputError, match=r"latest_net_G_A\.pth is there already"):
        torch_weights.save_networks(model, tmp_path / "run")
    assert originals == {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}

    with pytest.raises(InputError, match="direction must be one of ab, ba"):
        torch_weights.save_networks(model, tmp_path / "new", ("ab", "xy"))
    foreign = CycleGAN(
        generator_ab=model.generator_ab,
        generator_ba=resnet_generator(base_filters=2, blocks=1, padding="same"),
        discriminator_a=model.discriminator_a,
        discriminator_b=model.discriminator_b,
        image_shape=(32, 32, 3),
    )
    with pytest.raises(InputError, match="cannot be written for PyTorch"):
        torch_weights.save_networks(foreign, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_import_never_replaces_a_file(here, tmp_path):
    published.write_checkpoints(tmp_path / "run")
    own = tmp_path / "own.keras"
    own.write_bytes(b"weeks of training")
    for source in (tmp_path / "run", tmp_path / "run" / "latest_net_G_A.pth"):
        done = here("import", source, own)
        assert done.status == 2
        assert done.errors.splitlines()[-1].endswith("is there already; choose another name.")
    assert own.read_bytes() == b"weeks of training"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.keras", "run"]


def test_a_full_disk_is_an_error_of_the_file_system(module, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    torch.save(module.state_dict(), tmp_path / "net.pth")
    model = torch_weights.load_generator(tmp_path / "net.pth")
    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        torch_weights.save_generator(model, tmp_path / "again.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["net.pth"]


def test_import_translate_and_export_from_the_command_line(here, tmp_path):
    from PIL import Image
    from tiny import cyclegan_tf, smooth

    modules = published.write_checkpoints(tmp_path / "run")
    Image.fromarray(smooth(32, 48)).save(tmp_path / "x.png")
    g_a = tmp_path / "run" / "latest_net_G_A.pth"

    done = cyclegan_tf("import", g_a, tmp_path / "a2b.keras")  # with PyTorch and TensorFlow anew
    assert done.returncode == 0, done.stderr
    done = here("translate", tmp_path / "a2b.keras", tmp_path / "x.png", tmp_path / "y.png")
    assert done.status == 0, done.errors
    pixels = np.float32(smooth(32, 48))[None] / 127.5 - 1
    expected = np.round((_output(modules["G_A"], pixels)[0] + 1) * 127.5)
    with Image.open(tmp_path / "y.png") as image:
        assert np.abs(np.asarray(image, np.float32) - expected).max() <= 1

    done = here("import", tmp_path / "run", tmp_path / "run.keras", "--image-size", 32)
    assert done.status == 0, done.errors
    assert isinstance(load(tmp_path / "run.keras"), CycleGAN)
    done = here("export", tmp_path / "run.keras", tmp_path / "out", "--torch")
    assert done.status == 0, done.errors
    state = torch.load(tmp_path / "out" / "latest_net_G_B.pth", weights_only=True)
    modules["G_A"].load_state_dict(state, strict=True)
    assert torch.equal(state["model.1.weight"], modules["G_B"].state_dict()["model.1.weight"])


def test_a_single_generator_is_exported_at_a_size_that_is_given(tmp_path):
    module = published.with_random_tensors(published.resnet(1, 4))
    torch.save(module.state_dict(), tmp_path / "net.pth")
    torch_weights.import_checkpoints(tmp_path / "net.pth", tmp_path / "net.keras")
    translator = load(tmp_path / "net.keras")
    with pytest.raises(InputError, match="give one, such as --image-size 256"):
        export(translator, tmp_path / "out", ["ab"])
    assert not (tmp_path / "out").exists()
    written = export(translator, tmp_path / "out", ["ab"], image_size=(32, 32), report=False)
    assert all(path.exists() for path in written.values())
    assert len(torch_weights.save_networks(translator, tmp_path / "torch", ["ab"])) == 1


def test_bad_files_from_the_command_line(here, tmp_path):
    text = tmp_path / "notes.pth"
    text.write_text("no weights\n")
    done = here("import", text, tmp_path / "x.keras")
    assert done.status == 2
    assert done.errors.splitlines()[-1].endswith("notes.pth is not a file that torch.save wrote.")
    assert "Traceback" not in done.errors
    assert not (tmp_path / "x.keras").exists()
    done = here("import", text, tmp_path / "x.keras", "--epoch", "7")
    assert done.status == 2
    assert "epoch and image_size go with the folder of a run" in done.errors


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'cyclegan-tf\[torch\]'"):
        torch_weights.load_generator(pathlib.Path("any.pth"))
