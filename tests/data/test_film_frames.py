"""Films as frames, beside the arrays that they were written from and formulas of standards."""

from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av")  # of the extra `video`
from films import moving, write_film

from cyclegan_tf import InputError
from cyclegan_tf.data.films import Film, is_film

# Weights of red and blue in the brightness, of ITU-R BT.709-6, BT.601-7 and BT.2020-2.
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}
EXACT = {"pix_fmt": "yuv444p", "options": {"qp": "0"}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "film.mp4"


def _pixels(path, **settings):
    return np.stack([frame.pixels for frame in Film(path).frames(**settings)])


def _yuv(rgb, matrix, full):
    """The planes of 4:4:4 by the formulas of the standards."""
    (red, blue), (r, g, b) = WEIGHTS[matrix], np.moveaxis(rgb / 255, -1, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    scales = (255, 255, 0) if full else (219, 224, 16)
    planes = scales[2] + scales[0] * y, 128 + scales[1] * cb, 128 + scales[1] * cr
    return np.stack(planes).round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("matrix", "full", "tagged", "width"),
    [(1, False, True, 48), (5, True, True, 48), (9, False, True, 48), (5, False, False, 48),
     (1, False, False, 1280)],
    ids=["709", "full 601", "2020", "small says nothing", "large says nothing"],
)  # fmt: skip
def test_colors_are_those_of_the_standards(path, matrix, full, tagged, width):
    rgb = moving(1, width=width)[0]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = *rgb.shape[:2], "yuv444p"
        if tagged:
            stream.codec_context.colorspace = matrix
            stream.codec_context.color_range = 2 if full else 1
        frame = av.VideoFrame.from_ndarray(_yuv(rgb, matrix, full), format="yuv444p")
        if tagged:
            frame.colorspace, frame.color_range = matrix, 2 if full else 1
        container.mux([*stream.encode(frame), *stream.encode()])
    film = Film(path)
    assert (film.colors.matrix, film.colors.range) == (matrix, 2 if full else 1)
    assert abs(_pixels(path)[0].astype(int) - rgb).max() <= 3  # steps of 8-bit YUV


# Six numbers of a display matrix, and what it does to rows and columns: see FFmpeg's display.h.
ONE = 65536
ORIENTATIONS = {
    "clockwise": ((0, ONE, -ONE, 0, 0, 0), lambda image: np.rot90(image, -1)),
    "counterclockwise": ((0, -ONE, ONE, 0, 0, 0), np.rot90),
    "upside down": ((-ONE, 0, 0, -ONE, 0, 0), lambda image: np.rot90(image, 2)),
    "mirrored": ((-ONE, 0, 0, ONE, 0, 0), np.fliplr),
    "flipped": ((ONE, 0, 0, -ONE, 0, 0), np.flipud),
    "transposed": ((0, ONE, ONE, 0, 0, 0), lambda image: image.transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_frames_are_upright(path, name):
    (a, b, c, d, _, _), turned = ORIENTATIONS[name]
    frames = moving(1)
    write_film(path, frames, matrix=(a, b, 0, c, d, 0, 0, 0, 2**30), aspect="4/3", **EXACT)
    film, expected = Film(path), turned(frames[0])
    assert (film.height, film.width) == expected.shape[:2]
    assert film.aspect == (Fraction(4, 3) if expected.shape == frames[0].shape else Fraction(3, 4))
    assert abs(_pixels(path)[0].astype(int) - expected).max() <= 4


def test_times_are_those_of_the_file_at_a_rate_that_varies(path):
    times = [0, 512, 1024, 1025, 3000, 4000, 9000, 9512]
    write_film(path, times=times)
    film = Film(path)
    frames = list(film.frames())
    assert [frame.time * film.time_base for frame in frames] == [Fraction(t, 12800) for t in times]
    ends = [(frame.time + frame.duration) * film.time_base for frame in frames]
    assert ends == [Fraction(t, 12800) for t in [*times[1:], 9512 + 512]]
    assert film.count == 8
    assert [frame.time for frame in film.frames(skip=6)] == [frame.time for frame in frames[6:]]


def test_odd_sizes_and_other_codecs_are_read(tmp_path):
    frames = moving(3, height=31, width=47)
    write_film(tmp_path / "odd.mkv", frames, **EXACT)
    assert abs(_pixels(tmp_path / "odd.mkv").astype(int) - frames).max() <= 4
    write_film(tmp_path / "old.avi", moving(3), codec="mpeg4", options={"q": "1"})
    assert abs(_pixels(tmp_path / "old.avi").astype(int) - moving(3)).mean() < 3


def _sound(path):
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux([*stream.encode(frame), *stream.encode()])


def _cut_off(path):
    """A film without its end; this kind of file can be read from its beginning."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 32, 48, 3), dtype=np.uint8)
    write_film(path.with_suffix(".mkv"), noise)
    path.write_bytes(path.with_suffix(".mkv").read_bytes()[:-90_000])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_sound, "film.mp4 has no video; expected a film."),
        (_cut_off, r"film.mp4 is truncated or damaged: .* of 2.4 seconds can be read"),
        (lambda path: path.write_text("no film"), "film.mp4 cannot be read as a film .Invalid"),
        (lambda path: path.mkdir(), "film.mp4 is a folder; expected a film."),
        (lambda path: None, "film.mp4 does not exist; expected a film."),
    ],
    ids=["sound", "truncated", "text", "folder", "nothing"],
)
def test_what_is_no_whole_film_is_refused(path, make, message):
    make(path)
    with pytest.raises(InputError, match=message):
        Film(path)


def test_a_film_whose_index_is_cut_off_is_refused(path):
    """This kind of file has it at its end."""
    write_film(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"is the file complete\?"):
        Film(path)


def test_a_film_of_which_a_part_is_shown_is_whole(path):
    """Its file holds frames before that part, which the others need, and says how many it holds."""
    write_film(path, moving(12), options={"crf": "1", "g": "12"})
    with path.open("r+b") as file:  # the edit list: of 0.28 s, from 0.2 s on
        data = file.read()
        place = data.index(b"elst") + 12
        duration, start = (int.from_bytes(data[place + n : place + n + 4], "big") for n in (0, 4))
        scale = data.index(b"mdhd") + 16
        units = int.from_bytes(data[scale : scale + 4], "big")
        file.seek(place)
        file.write((duration * 7 // 12).to_bytes(4, "big"))
        file.write((start + units // 5).to_bytes(4, "big"))
    frames = _pixels(path)
    assert Film(path).count == len(frames) == 7
    assert abs(frames.astype(int) - moving(12)[5:]).mean() < 2


def test_films_are_known_by_their_names():
    assert is_film("a/Holiday.MOV")
    assert not is_film("a/holiday.gif")
