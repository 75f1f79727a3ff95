"""Options out of range, that do not go together, or of no known name."""

import pathlib
import shutil
import subprocess
import sys

import pytest
from hostile import command, options, untouched

# What tests of the parts show already.
ELSEWHERE = {
    "export --tflite --image-size 100000": "test_images_that_no_tflite_holds",
    "export --image-size 7 / -4": "test_export_says_what_it_cannot_do",
    "--strategy tpu / multi-worker without any": "test_strategies_say_what_is_missing",
    "train scenes --domain-b odd": "test_a_second_domain_goes_with_folders_only",
    "tfds: unknown name": "test_unknown_names_and_splits_get_a_sentence",
    "tfds: without network": "test_offline_it_does_not_take_minutes_to_say_so",
    "train A B, both empty": "test_sources_that_cannot_serve",
    "launch --workers 2 -- translate x y z": "test_launch_says_what_it_needs",
    "export without OUT": "test_export_of_a_web_page",
    "export --web --examples text.jpg": "test_the_folder_is_replaced_whole_or_refused",
    "--version": "test_version_names_what_it_runs_on",
    "serve.py: port in use, folder without a page": "test_the_server_says_what_it_lacks",
    "client.py without a server": "test_the_client_says_that_nobody_answers",
}

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("--image-size 7", "multiples of 4"),
        ("--crop-size 66", "multiples of 4"),
        ("--epochs 0", "epochs must be at least 1. Received: 0"),
        ("--epochs -3", "epochs must be at least 1. Received: -3"),
        ("--steps-per-epoch 0", "steps_per_epoch must be at least 1"),
        ("--batch-size 0", "batch_size must be at least 1"),
        ("--gradient-accumulation-steps 0", "gradient_accumulation_steps must be at least 1"),
        ("--lambda-a -1", "lambda_a must be at least 0. Received: -1"),
        ("--lambda-a nan", "lambda_a must be a finite number"),
        ("--learning-rate -1", "learning_rate must be more than 0. Received: -1"),
        ("--learning-rate inf", "learning_rate must be a finite number"),
        ("--pool-size -1", "pool_size must be at least 0. Received: -1"),
        ("--seed -1", "seed must be at least 0. Received: -1"),
        ("--seed 99999999999999999999999", "seed"),
        ("--checkpoint-minutes -1", "checkpoint_minutes must be at least 0. Received: -1"),
        ("--channels 2", "channels"),
        ("--blocks -1", "blocks"),
        ("--base-filters 0", "base_filters must be at least 1"),
        ("--strided-layers 9", "gives no logits"),
        ("--ema-momentum 1", "ema_momentum must be less than 1"),
        ("--ema-momentum 1.5", "ema_momentum must be less than 1"),
        ("--decay-epochs 900", "decay_epochs must lie between 0 and"),
        ("--decay-epochs -1", "decay_epochs must lie between 0 and"),
        ("--load-size 32 --crop-size 64", "does not fit"),
        ("--image-size 64 --crop-size 64", "not both"),
        ("--batch-size 100 --image-size 24", "A batch of 100 needs as many"),
    ],
)
def test_options_of_a_training(given, sentence, here, domains, tmp_path):
    networks = ("--base-filters", 4, "--precision", "float32")
    with untouched(tmp_path):
        ended = here("train", domains, "--out", tmp_path / "run", *networks, *given.split())
    assert sentence in ended.refused()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("translate model in out --direction xy", "Invalid value for '--direction'"),
        ("export model out --quantization int9", "Invalid value for '--quantization'"),
        ("export model --web site --domains day", "'--domains' requires 2 arguments"),
        ("trian scenes --out run", "No such command 'trian'"),
        ("train scenes --out run --foo", "No such option"),
        ("launch --workers 0 -- train scenes --out run", "workers of at least 1"),
    ],
)
def test_words_that_are_none(arguments, sentence, here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = here(*arguments.split())
    assert ended.status == 2
    assert sentence in " ".join(ended.errors.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "trainB" / "0.png").unlink(), "trainB holds no "),
        (lambda folder: shutil.rmtree(folder / "trainA"), "trainA does not exist"),
    ],
    ids=["one empty", "no trainA"],
)
def test_a_source_without_a_domain(spoil, sentence, here, domains, tmp_path):
    (domains / "trainB" / "1.png").unlink()
    spoil(domains)
    with untouched(tmp_path):
        ended = here("train", domains, "--out", tmp_path / "run", *options())
    assert sentence in ended.refused()


def test_a_data_set_of_no_name(here, tmp_path):
    pytest.importorskip("tensorflow_datasets")
    assert "TFDS" in here("train", "tfds:", "--out", tmp_path / "run", *options()).refused()
    assert not (tmp_path / "run").exists()


def test_a_batch_of_more_than_there_are_repeats_them_if_steps_are_given(here, domains, tmp_path):
    few = options(batch_size=5, steps_per_epoch=1)
    ended = here("train", domains, "--out", tmp_path / "run", *few)
    assert ended.status == 0, ended.errors
    assert (tmp_path / "run" / "model.keras").exists()


def test_a_training_that_no_memory_holds(tmp_path):
    """Under a limit, for machines that would hold it; each image takes 112 GiB."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36))

    large = ("--out", tmp_path / "run", "--image-size", 100_000, "--precision", "float32")
    sentence = command("train", "scenes", *large, preexec_fn=limit).refused()
    assert "Memory ran out" in sentence
    assert not (tmp_path / "run").exists()


def _script(path, *arguments):
    done = subprocess.run(
        [sys.executable, ROOT / "export" / path, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 2)
    return done.stderr


@pytest.mark.parametrize(
    ("folder", "port", "sentence"),
    [
        ("site", 99999, "port 99999 cannot be used"),
        ("site", "abc", "invalid int value: 'abc'"),
        ("missing", 0, "holds no index.html"),
    ],
)
def test_the_server_of_the_page(folder, port, sentence, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").touch()
    assert sentence in _script("web/serve.py", tmp_path / folder, port)


@pytest.mark.parametrize("place", ["serving", "mobile"])
def test_the_scripts_beside_an_export(place, tmp_path):
    """On a model that is none; that a SavedModel takes a text is refused is quick to see too."""
    if place == "mobile":
        pytest.importorskip("ai_edge_litert")
    (tmp_path / "text.jpg").write_text("no image")
    said = _script(f"{place}/translate.py", tmp_path / "text.jpg", tmp_path / "text.jpg", "x.png")
    assert said.splitlines()[-1].startswith("translate.py: ")
