"""Places to write to: over the originals, on full and closed disks, among files of others."""

import shutil

import pytest
from hostile import contents, mounted, options, unfinished, untouched
from users import as_nobody

# What tests of the parts show already.
ELSEWHERE = {
    "output folder inside the input folder, run twice": (
        "test_results_below_the_input_are_not_translated_again"
    ),
    "export into a file": "test_export_of_a_web_page",
    "translate to /proc/x/o.png": "test_a_place_that_cannot_be_written_to_gets_a_sentence",
    "full disk, train": "test_a_full_disk_gets_a_sentence_and_leaves_no_half_file",
    "full disk, training mid-epoch and resumed": (
        "test_a_full_disk_leaves_the_checkpoint_before_and_the_run_goes_on"
    ),
    "import over own.keras": "test_an_import_never_replaces_a_file",
    "export --torch into a folder with the originals": (
        "test_checkpoints_are_written_all_or_none_and_never_over_others"
    ),
    "export --web into a folder with own files": "test_the_folder_is_replaced_whole_or_refused",
    "train and --restart into a folder with other files": (
        "test_files_that_are_not_of_a_run_are_never_removed"
    ),
    "--restart in a run's folder with own notes": (
        "test_restart_removes_only_what_a_training_writes"
    ),
    "export twice": "test_a_second_export_makes_version_2_and_none_is_half_written",
}


@pytest.mark.parametrize(
    ("source", "output", "sentence"),
    [
        ("photos", "photos", "would overwrite the originals"),
        ("photos/0.png", "photos/0.png", "would overwrite the originals"),
        ("photos/0.png", "photos", "would overwrite the originals"),
        ("photos", "photos/../photos/", "would overwrite the originals"),
        ("photos/0.png", "photos/0.txt", "expected a folder or a name that ends in"),
        ("photos", "photos/0.png", "is a file"),
    ],
)
def test_translate_to_a_place_that_cannot_serve(source, output, sentence, run, photos, here):
    root = photos.parent
    with untouched(root, run):
        ended = here("translate", run, root / source, root / output)
    assert sentence in ended.refused()


def test_a_name_without_an_ending_is_a_folder(run, photos, here, tmp_path):
    with untouched(photos):
        ended = here("translate", run, photos / "0.png", tmp_path / "noextension")
    assert ended.status == 0
    assert [path.name for path in (tmp_path / "noextension").iterdir()] == ["0.png"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "scenes", "--out", "mine", *options()), "mine is a file"),
        (("train", "scenes", "--out", "mine/run", *options()), "mine is a file"),
        (("demo", "--out", "mine"), "mine is a file"),
        (("train", "photos", "--out", "photos", *options()), "holds '0.png' and no run"),
        (("train", "photos", "--out", "photos", "--restart", *options()), "holds '0.png' and no"),
    ],
    ids=["train", "train below", "demo", "into the images", "into the images, --restart"],
)
def test_a_run_is_written_to_a_folder_of_its_own(
    arguments, sentence, photos, here, tmp_path, monkeypatch
):
    (tmp_path / "mine").write_text("weeks of work")
    monkeypatch.chdir(tmp_path)
    with untouched(tmp_path):
        assert sentence in here(*arguments).refused()


def test_an_export_replaces_its_tflite(run, here, tmp_path):
    names = ("generator_ab.tflite", "generator_ab.report.json", "generator_ab.report.png")
    (tmp_path / "generator_ab.tflite").write_text("of before")
    (tmp_path / "mine.txt").write_text("mine")
    ended = here("export", run, tmp_path, "--tflite", "--direction", "ab", "--image-size", 16)
    assert ended.status == 0
    assert {path.name for path in tmp_path.iterdir()} == {*names, "README.md", "mine.txt"}
    assert (tmp_path / "generator_ab.tflite").read_bytes()[4:8] == b"TFL3"
    assert (tmp_path / "mine.txt").read_text() == "mine"


# By verb: a command that writes below `{}`, whose images are in `photos` and whose run in `run`.
WRITERS = {
    "translate": ("translate", "run", "photos/0.png", "{}/o.png"),
    "translate a folder": ("translate", "run", "photos", "{}/out"),
    "train": ("train", "scenes", "--out", "{}/run", *options()),
    "export": ("export", "run", "{}/export", "--direction", "ab"),
    "export --web": ("export", "run", "--web", "{}/web", "--direction", "ab"),
    "export --keras": ("export", "run", "{}/keras", "--keras"),
    "export --torch": ("export", "run", "{}/torch", "--torch"),
}


def _writer(verb, place):
    if verb == "export --torch":
        pytest.importorskip("torch")
    return [str(part).format(place) for part in WRITERS[verb]]


@pytest.fixture
def beside_run_and_photos(run, photos, tmp_path, monkeypatch):
    """The working directory, where the commands above find what they name."""
    (tmp_path / "run").symlink_to(run)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", WRITERS)
def test_a_read_only_file_system_gets_a_sentence(verb, here, beside_run_and_photos):
    place = beside_run_and_photos / "disk"
    with mounted(place, "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs"):
        sentence = here(*_writer(verb, place)).refused()
        assert "cannot be written: Read-only file system." in sentence
        assert ".part" not in sentence


@pytest.mark.parametrize("verb", [verb for verb in WRITERS if not verb.startswith("train")])
def test_a_full_disk_gets_a_sentence_and_nothing_is_lost(verb, here, run, beside_run_and_photos):
    place = beside_run_and_photos / "disk"
    with mounted(place, "-t", "tmpfs", "-o", "size=16k", "tmpfs"), untouched(run):
        (place / "mine").write_bytes(bytes(shutil.disk_usage(place).free))
        ended = here(*_writer(verb, place))
        assert "No space left on device" in ended.errors
        assert ended.status == 2
        assert not unfinished(place)
        held = [path for path, digest in contents(place).items() if digest]
        assert held == [str(place / "mine")]


def test_a_shard_ends_at_a_full_disk_and_goes_on_when_there_is_space(
    here, run, beside_run_and_photos
):
    place = beside_run_and_photos / "disk"
    shard = ("translate", "run", "photos", f"{place}/out", "--shards", "1/1")
    with mounted(place, "-t", "tmpfs", "-o", "size=64k", "tmpfs"), untouched(run):
        (place / "mine").write_bytes(bytes(shutil.disk_usage(place).free))
        assert "cannot be written: No space left on device." in here(*shard).refused()
        assert not unfinished(place)
        assert not list(place.rglob("*.png"))
        (place / "mine").unlink()
        assert here(*shard).status == 0
        assert len(list(place.rglob("*.png"))) == 2


def test_a_shard_says_what_became_of_it(here, run, photos, tmp_path):
    (photos / "bad.png").touch()
    shard = ("translate", run, photos, tmp_path / "out", "--shards", "1/1")
    for translated, there in ((2, 0), (0, 2)):
        ended = here(*shard, "--dead-letters", tmp_path / "dead")
        assert ended.status == 1
        said = f"{translated} of 3 images translated to {tmp_path / 'out'}.\n{there} were there "
        assert ended.output.startswith(said)
        assert ended.output.endswith(f"1 failed: see {tmp_path / 'out' / 'shards' / '1-of-1'}.\n")
    assert [path.name for path in (tmp_path / "dead").iterdir()] == ["bad.png"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--shards", "0/4"), "from 1/4 to 4/4 for four"),
        (("--batch-size", 4), "--batch-size would be for shards"),
        (("--shards", "1/1", "--batch-size", 0), "batch_size must be 1 or more"),
    ],
)
def test_shards_that_cannot_be(options, sentence, here, run, photos, tmp_path):
    with untouched(tmp_path):
        assert sentence in here("translate", run, photos, tmp_path / "out", *options).refused()


@pytest.mark.parametrize(
    "arguments",
    [
        ("translate", "{}/model.keras", "{}/good.png", "{}/o.png"),
        ("translate", "{}/model.keras", "{}/good.png", "{}/out"),
        ("train", "scenes", "--out", "{}/run", *options()),
    ],
    ids=["translate", "translate to a folder", "train"],
)
def test_a_folder_that_may_not_be_written_to_gets_a_sentence(
    arguments, run, forbidden_folder, here
):
    shutil.copy(run / "model.keras", forbidden_folder)
    with untouched(forbidden_folder), as_nobody():
        ended = here(*(part.format(forbidden_folder) for part in arguments))
    sentence = ended.refused()
    assert sentence.endswith("cannot be written: Permission denied.")
    assert f" {forbidden_folder}/" in sentence
    assert ".part" not in sentence
