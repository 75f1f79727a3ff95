"""Translated films, beside the films that they come from and what `ffprobe` finds in them."""

import itertools
import shutil
import subprocess
from fractions import Fraction

import keras
import numpy as np
import pytest
from tiny import small_disk
from users import as_nobody

av = pytest.importorskip("av")  # of the extra `video`
from films import frames_of, moving, packets, probed, write_film

from cyclegan_tf import InputError
from cyclegan_tf.networks.layers import InstanceNormalization
from cyclegan_tf.translation import films
from cyclegan_tf.translation.films import FilmTranslation
from cyclegan_tf.translation.translator import Translator


def _translator(*layers, channels=3):
    image = keras.Input((None, None, channels))
    network = keras.Sequential([image, *layers])
    return Translator({"ab": network}, (None, None, channels))


@pytest.fixture(scope="module")
def negative():
    return _translator(keras.layers.Rescaling(-1))


@pytest.fixture(scope="module")
def normalizing():
    """Colors relative to those of the frame, which something that moves changes."""
    return _translator(InstanceNormalization(), keras.layers.Activation("tanh"))


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    write_film(path)
    return path


def _done(model, source, output, average=0, **settings):
    """The translation, and what was said."""
    said = []
    work = FilmTranslation(model, source, output, average=average, log=said.append, **settings)
    assert list(work.frames()) == list(range(len(moving())))
    return work, said


def _times(path, stream):
    return [Fraction(time) for time, _, _ in packets(path, stream)]


def test_time_stamps_sound_and_shape_of_pixels_are_kept(negative, tmp_path):
    """Frames at a rate that varies, and two streams of sound, by another program."""
    source, output = tmp_path / "film.mp4", tmp_path / "out.mp4"
    times = [0, 512, 1024, 1025, 3000, 4000, 9000, 9512]
    write_film(source, times=times, sound=(440, 880), aspect="4/3")
    _, said = _done(negative, source, output)
    assert said == []
    assert _times(output, "v:0") == sorted(_times(source, "v:0"))
    assert packets(output, "v:0")[-1][1] == "0.040000"
    for stream in ("a:0", "a:1"):
        sound, copy = (packets(path, stream) for path in (source, output))
        assert len(copy) > 30
        assert [(time, data) for time, _, data in copy] == [(time, data) for time, _, data in sound]
    before, after = (probed(path, "-show_streams")["streams"] for path in (source, output))
    assert [stream["codec_type"] for stream in after] == ["video", "audio", "audio"]
    for name in ("width", "height", "sample_aspect_ratio", "nb_frames", "pix_fmt", "color_range",
                 "color_space", "color_transfer", "color_primaries", "start_time"):  # fmt: skip
        assert after[0][name] == before[0][name], name


@pytest.mark.parametrize(
    "colors",
    [{"colorspace": 1, "color_range": 1}, {"colorspace": 5, "color_range": 2}],
    ids=["709", "full 601"],
)
def test_colors_are_those_that_the_model_made(negative, tmp_path, colors):
    source, output = tmp_path / "film.mkv", tmp_path / "out.mkv"
    write_film(source, **colors, options={"qp": "0"})
    _done(negative, source, output)
    assert abs(frames_of(output).astype(float) - (255.0 - moving())).mean() < 2


def test_a_film_held_sideways_becomes_upright(negative, tmp_path):
    """Turned to the right as FFmpeg's display.h has it, and without that note afterwards."""
    source, output = tmp_path / "film.mp4", tmp_path / "out.mp4"
    one = 65536
    write_film(source, aspect="4/3", matrix=(0, one, 0, -one, 0, 0, 0, 0, 2**30))
    _done(negative, source, output)
    (stream,) = probed(output, "-show_streams")["streams"]
    assert (stream["width"], stream["height"], stream["sample_aspect_ratio"]) == (32, 48, "3:4")
    assert "side_data_list" not in stream
    expected = np.rot90(255.0 - moving(), -1, axes=(1, 2))
    assert abs(frames_of(output) - expected).mean() < 3


def test_odd_sizes_are_kept(negative, tmp_path):
    source, output = tmp_path / "film.mkv", tmp_path / "out.mp4"
    write_film(source, moving(8, 31, 47), pix_fmt="yuv444p")
    _, (said,) = _done(negative, source, output)
    assert "has 47 x 31 pixels, an odd number" in said
    assert frames_of(output).shape == (8, 31, 47, 3)


def test_other_kinds_of_files_are_written(negative, film, tmp_path):
    for name in ("out.webm", "out.mov"):
        _done(negative, film, tmp_path / name)
        assert abs(frames_of(tmp_path / name) - (255.0 - moving())).mean() < 4
    (tmp_path / "folder").mkdir()
    work, _ = _done(negative, film, tmp_path / "folder")
    assert work.output == tmp_path / "folder" / "film.mp4"


def test_subtitles_are_kept_where_they_can_be(negative, film, tmp_path):
    subtitled, text = tmp_path / "subtitled.mkv", tmp_path / "text.srt"
    text.write_text("1\n00:00:00,040 --> 00:00:00,200\nHello\n")
    with av.open(film) as pictures, av.open(text) as lines, av.open(subtitled, "w") as target:
        streams = pictures.streams.video[0], lines.streams.subtitles[0]
        copies = [target.add_stream_from_template(stream) for stream in streams]
        for stream, copy in zip(streams, copies):
            for packet in stream.container.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
    _, said = _done(negative, subtitled, tmp_path / "out.mkv")
    assert said == []
    kept, original = packets(tmp_path / "out.mkv", "s:0"), packets(subtitled, "s:0")
    assert kept == original != []
    _, (said,) = _done(negative, subtitled, tmp_path / "out.mp4")
    assert "The subtitles of" in said
    assert "(subrip) are left out" in said


def test_averaged_statistics_flicker_less(normalizing, tmp_path):
    """A square that comes and goes changes the statistics; after a cut they start anew."""
    frames = moving(8)
    frames[1::2, :, 44:] = 10
    source = tmp_path / "film.mp4"
    write_film(source, frames, options={"qp": "0"}, pix_fmt="yuv444p")
    flickers = {}
    for average in (0, 0.9):
        work, _ = _done(normalizing, source, tmp_path / f"{average}.mp4", average=average)
        flickers[average] = work.flicker.of_output
        assert work.flicker.of_input == 0
        assert work.cuts.count == 0
    assert flickers[0.9] < 0.2 * flickers[0]


def test_an_interrupted_film_goes_on(normalizing, film, tmp_path, monkeypatch):
    """Stopped within the second part; the result has the frames of an unbroken translation."""
    monkeypatch.setattr(films, "_FRAMES_OF_A_PART", 3)
    whole, _ = _done(normalizing, film, tmp_path / "whole.mp4", average=0.9)
    stopped = FilmTranslation(normalizing, film, tmp_path / "out.mp4", average=0.9).frames()
    assert list(itertools.islice(stopped, 5)) == list(range(5))
    stopped.close()
    parts = tmp_path / "out.mp4.parts"
    assert {"job.json", "000000.nut", "000000.npz"} == {p.name for p in parts.glob("[!.]*")}
    changed = (parts / "000000.nut").stat().st_mtime_ns
    work = FilmTranslation(normalizing, film, tmp_path / "out.mp4", average=0.9)
    numbers = work.frames()
    assert next(numbers) == 0
    assert (parts / "000000.nut").stat().st_mtime_ns == changed
    assert list(numbers) == list(range(1, 8))
    assert not parts.exists()
    np.testing.assert_array_equal(frames_of(work.output), frames_of(whole.output))
    assert work.output.read_bytes() == whole.output.read_bytes()
    assert list(work.summary()) == list(whole.summary())


def test_parts_of_another_translation_are_refused(normalizing, film, tmp_path):
    started = FilmTranslation(normalizing, film, tmp_path / "out.mp4").frames()
    next(started)
    with pytest.raises(InputError, match=r"out.mp4.parts is being written by another process"):
        list(FilmTranslation(normalizing, film, tmp_path / "out.mp4").frames())
    started.close()
    with pytest.raises(InputError, match=r"out.mp4.parts holds parts of another film"):
        FilmTranslation(normalizing, film, tmp_path / "out.mp4", average=0.5)


def test_frames_that_cannot_be_decoded_are_left_out_and_counted(negative, tmp_path):
    """Of nine packets one has other contents, between those of whole images."""
    source = tmp_path / "film.avi"
    write_film(source, moving(9), codec="mpeg4", gop_size=0, options={"q": "2"})
    data = source.read_bytes()
    with av.open(source) as container:
        packet = [bytes(packet) for packet in container.demux(video=0)][4]
    source.write_bytes(data.replace(packet, bytes(len(packet))))
    work = FilmTranslation(negative, source, tmp_path / "out.mp4", average=0, log=print)
    assert list(work.frames()) == list(range(8))
    assert next(work.summary()) == "Left out, because they could not be decoded: 1 frames."


def test_names_with_colons_are_files(negative, film, tmp_path):
    _done(negative, film.rename(tmp_path / "http:a.mp4"), tmp_path / "a:b.mp4")
    assert len(frames_of(f"file:{tmp_path}/a:b.mp4")) == 8


def test_gray_models_translate_films(tmp_path, film):
    _done(_translator(keras.layers.Rescaling(-1), channels=1), film, tmp_path / "out.mp4")
    gray = 255 - moving() @ [0.299, 0.587, 0.114]
    assert abs(frames_of(tmp_path / "out.mp4") - gray[..., None]).mean() < 3


def test_what_is_not_done_is_said(negative, film, tmp_path):
    _, (said,) = _done(negative, film, tmp_path / "out.mp4", average=0.9)
    assert said.startswith("The generator has no instance normalization")
    write_film(tmp_path / "hdr.mp4", color_trc=18, color_primaries=9, colorspace=9)
    _, (said,) = _done(negative, tmp_path / "hdr.mp4", tmp_path / "out.mp4")
    assert "has a high dynamic range (HLG)" in said
    assert probed(tmp_path / "out.mp4", "-show_streams")["streams"][0]["color_space"] == "bt2020nc"


@pytest.mark.parametrize(
    ("output", "settings", "message"),
    [
        ("out.avi", {}, r"out.avi has no ending of a film that can be written; expected .mp4"),
        ("film.mp4", {}, "film.mp4 would overwrite the original"),
        ("out.mp4", {"average": 1}, "average_statistics must be from 0 up to 1, .* Received: 1"),
        ("out.webm", {}, "out.webm cannot hold the sound of .*film.mp4, which is aac; choose"),
        ("out.mp4", {"direction": "ba"}, "translates in the direction ab only"),
        ("out.mp4", {"max_megapixels": 0.001}, "film.mp4 has 48 x 32 pixels .* the 0.001 mega"),
        ("out.mp4", {"max_megapixels": 0}, "max_megapixels must be above 0"),
    ],
    ids=["ending", "original", "average", "sound", "direction", "large", "limit"],
)
def test_what_cannot_be_done_is_refused(negative, tmp_path, output, settings, message):
    write_film(tmp_path / "film.mp4", sound=(440,))
    with pytest.raises(InputError, match=message):
        FilmTranslation(negative, tmp_path / "film.mp4", tmp_path / output, **settings)


def test_models_of_other_channels_are_refused(film, tmp_path):
    with pytest.raises(InputError, match="the model translates from 4 to 4"):
        FilmTranslation(_translator(keras.layers.Identity(), channels=4), film, tmp_path / "o.mp4")


@pytest.fixture
def file(negative, tmp_path):
    """Of a model that takes no time."""
    negative.generators["ab"].save(tmp_path / "negative.keras")
    return tmp_path / "negative.keras"


def test_the_command_translates_and_reports(here, file, film, tmp_path):
    output = tmp_path / "out.mp4"
    ended = here("translate", file, film, output)
    assert ended.status == 0
    frames, flicker, cuts = ended.output.splitlines()
    assert frames == f"8 frames translated to {output}."
    assert flicker.startswith("Flicker: 0.")
    assert cuts == "Cuts: 0."
    assert "The generator has no instance normalization" in ended.errors
    assert len(frames_of(output)) == 8
    ended = here("translate", file, film, output, "--average-statistics", 0)
    assert "normalization" not in ended.errors


def test_the_command_refuses_in_one_sentence(here, file, film, tmp_path):
    wrong = here("translate", file, film, tmp_path / "out.png").refused()
    assert wrong.startswith(f"cyclegan-tf: {tmp_path / 'out.png'} has no ending of a film")
    tiled = here("translate", file, film, tmp_path / "out.mp4", "--tile", 64).refused()
    assert tiled == "cyclegan-tf: --tile is for images; leave it out to translate a film."
    film.write_bytes(film.read_bytes()[:-500])
    truncated = here("translate", file, film, tmp_path / "o.mp4").refused()
    assert truncated.endswith("is the file complete?")
    film.unlink()
    assert "does not exist" in here("translate", file, film, tmp_path / "o.mp4").refused()


def test_the_command_may_not_write(here, file, film, forbidden_folder):
    """In a folder that others may read."""
    for path in (file, film):
        shutil.copy(path, forbidden_folder)
        (forbidden_folder / path.name).chmod(0o644)
    file, film = forbidden_folder / file.name, forbidden_folder / film.name
    with as_nobody():
        refused = here("translate", file, film, forbidden_folder / "out.mp4").refused()
        unreadable = here("translate", file, forbidden_folder / "closed" / "film.mp4", "o.mp4")
    assert refused.startswith(f"cyclegan-tf: {forbidden_folder / 'out.mp4'}.parts")
    assert refused.endswith("cannot be written: Permission denied.")
    assert unreadable.refused().endswith("closed/film.mp4 cannot be read: Permission denied.")


def test_a_full_disk_is_said_and_the_film_goes_on(here, file, tmp_path):
    """An earlier film stays as it is until the new one is complete."""
    disk, film = tmp_path / "disk", tmp_path / "film.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (8, 64, 96, 3), dtype=np.uint8)
    write_film(film, noise)
    if not small_disk(disk, "600k"):
        pytest.skip("needs the right to mount a small disk")
    try:
        (disk / "out.mp4").write_bytes(b"before")
        (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free - 30_000))
        full = here("translate", file, film, disk / "out.mp4").refused()
        assert full.endswith("cannot be written: No space left on device.")
        assert (disk / "out.mp4").read_bytes() == b"before"
        (disk / "other").unlink()
        assert here("translate", file, film, disk / "out.mp4").status == 0
        assert len(frames_of(disk / "out.mp4")) == 8
        assert {path.name for path in disk.iterdir()} == {"out.mp4"}
    finally:
        subprocess.run(["umount", disk], check=True)
