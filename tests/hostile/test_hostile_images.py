"""Images that are damaged, odd, huge, or no images: `translate` and `train` on folders of them."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hostile import command, options, unfinished, untouched
from PIL import Image
from tiny import smooth
from users import as_nobody

from cyclegan_tf import data, export_saved_model
from cyclegan_tf.data import image_files
from cyclegan_tf.translation.image_folders import translate

# What tests of the parts show already.
ELSEWHERE = {
    "text named .jpg": "test_train_then_translate_then_export",
    "CMYK JPEG": "test_gray_palette_and_cmyk_become_rgb",
    "RGBA PNG": "test_transparent_pixels_lie_on_white",
    "animated GIF": "test_of_an_animation_only_the_first_frame_is_translated_which_is_said",
    "EXIF orientation 6, in training": "test_the_orientation_of_the_camera_is_applied",
    "ICC profile of sRGB": "test_a_profile_of_srgb_changes_no_value",
    "symlink to itself, translate": "test_translate_says_what_it_passes_over",
    "symlink to itself, train": "test_only_regular_files_are_read",
    "folder with sub/up -> .., translate": "test_links_in_circles_and_pipes_are_passed_over",
    "folder with sub/up -> .., train": "test_each_real_folder_counts_once_and_links_are_followed",
    ".hidden.png, extensionless PNG, .heic": "test_files_of_other_names_are_counted",
    "unreadable file, train": "test_what_may_not_be_read_is_named_and_not_called_damaged",
    "unreadable subfolder": "test_a_folder_that_may_not_be_read_is_a_problem",
    "missing model": "test_models_that_cannot_serve",
    "12 megapixel photo in little memory": "test_an_image_has_to_fit_into_memory",
    "--max-megapixels -1 / nan": "test_limits_that_are_none",
}


def _png(width, height, bits, color, rows):
    """A PNG made by hand, of depths and of sizes that Pillow does not write."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )  # fmt: skip

    header = struct.pack(">2I5B", width, height, bits, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def _rgb_of_16_bits(path):
    values = smooth().astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    path.write_bytes(_png(32, 24, 16, 2, zlib.compress(rows)))
    return smooth()


def _gray_of_16_bits(path):
    gray = smooth()[..., 0]
    Image.fromarray(gray.astype(np.uint16) * 257).save(path)
    return np.stack([gray] * 3, -1)


def _palette_with_transparency(path):
    image = Image.new("P", (32, 24), 0)
    image.putpalette([200, 100, 0, 0, 0, 0])
    image.paste(1, (0, 0, 16, 24))
    image.save(path, transparency=1)
    expected = np.full((24, 32, 3), (200, 100, 0), np.uint8)
    expected[:, :16] = 255
    return expected


def _one_bit(path):
    white = smooth()[..., 0] > 127
    Image.fromarray(white).save(path)
    return np.stack([np.uint8(white) * 255] * 3, -1)


def _gray_and_alpha(path):
    alpha = np.where(np.arange(32) < 16, 255, 0).astype(np.uint8)
    gray = smooth()[..., 0]
    Image.fromarray(np.stack([gray, np.broadcast_to(alpha, gray.shape)], -1), "LA").save(path)
    return np.stack([np.where(alpha > 0, gray, 255).astype(np.uint8)] * 3, -1)


def _of_size(height, width):
    def make(path):
        Image.fromarray(smooth(height, width)).save(path, "PNG")
        return smooth(height, width)

    return make


def _jpeg(path):
    Image.fromarray(smooth()).save(path, "JPEG")
    return image_files.read(path)


def _turned(path):
    image = Image.fromarray(smooth())
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn
    image.save(path, exif=exif)
    return np.rot90(smooth(), -1)


# By name: what writes the file, and returns the pixels that it holds to the eye.
GOOD = {
    "gray16.png": _gray_of_16_bits,
    "gray16.tiff": _gray_of_16_bits,
    "rgb16.png": _rgb_of_16_bits,
    "palette.png": _palette_with_transparency,
    "bit.png": _one_bit,
    "gray_alpha.png": _gray_and_alpha,
    "turned.png": _turned,
    "jpeg_named.png": _jpeg,
    "1x1.png": _of_size(1, 1),
    "3x2000.png": _of_size(2000, 3),
    "61x47.png": _of_size(47, 61),
    "Überfluß 日本.png": _of_size(24, 32),
    "with space.png": _of_size(24, 32),
    "new\nline.png": _of_size(24, 32),
    "-dash.png": _of_size(24, 32),
    "UPPER.PNG": _of_size(24, 32),
}


def _cut(kind):
    def make(path):
        file = io.BytesIO()
        Image.fromarray(smooth(200, 200)).save(file, kind)
        path.write_bytes(file.getvalue()[: len(file.getvalue()) // 2])

    return make


def _floats(path):
    Image.fromarray(np.ones((8, 8), np.float32)).save(path)


def _bomb(path):
    """Nothing but a header that speaks of 2.5 billion pixels."""
    path.write_bytes(_png(50_000, 50_000, 1, 0, b""))


def _black(path, side=12_000):
    """Of 144 million pixels, in some kilobytes."""
    path.write_bytes(_png(side, side, 1, 0, zlib.compress(bytes(side * (1 + side // 8)))))


def _named_like(target):
    return lambda path: path.symlink_to(target)


# By name: what makes the file, and a part of the sentence about it.
BAD = {
    "cut.jpg": (_cut("JPEG"), "is damaged and cannot be read"),
    "cut.png": (_cut("PNG"), "is damaged and cannot be read"),
    "empty.jpg": (lambda path: path.touch(), "that can be read, whatever its name"),
    "floats.tiff": (_floats, "holds float32 values, whose range it does not say"),
    "bomb.png": (_bomb, "is too large to be read"),
    "144_megapixels.png": (_black, "more than the"),
    "pipe.jpg": (os.mkfifo, "is not a regular file"),
    "zero.jpg": (_named_like("/dev/zero"), "is not a regular file"),
}


@pytest.fixture(scope="module")
def translated(run, tmp_path_factory):
    """One command on all of them, in a process of its own, so that a hang ends by the timeout."""
    folder = tmp_path_factory.mktemp("odd")
    out = tmp_path_factory.mktemp("results") / "out"
    expected = {name: make(folder / name) for name, make in GOOD.items()}
    for name, (make, _) in BAD.items():
        make(folder / name)
    with untouched(folder):
        ended = command("translate", run, folder, out, lines=3 * len(BAD) + 3)
    assert not unfinished(out)
    return ended, out, expected


def test_every_good_image_of_a_folder_is_translated(translated):
    ended, out, _ = translated
    assert ended.status == 1
    assert f"{len(GOOD)} of {len(GOOD) + len(BAD)} " in ended.output
    assert {path.name for path in out.iterdir()} == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_image_is_translated_as_what_it_shows(name, translated, model):
    _, out, expected = translated
    with Image.open(out / name) as image:
        assert image.format == ("TIFF" if name.endswith(".tiff") else "PNG")
        assert not image.getexif().get(0x0112)
        assert image.mode == "RGB"
        given = np.asarray(image, int)
    np.testing.assert_allclose(given, model.translate(expected[name]), atol=1)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_is_left_out_and_named(name, translated):
    lines = [line for line in translated[0].errors.splitlines() if f"/{name} " in line]
    assert len(lines) == 1
    assert BAD[name][1] in lines[0]


def test_training_leaves_out_what_translate_leaves_out(domains, tmp_path):
    """A pipe would make it wait for ever, so that it has a process of its own, soon refused."""
    for name in ("pipe.jpg", "cut.png", "zero.jpg"):
        BAD[name][0](domains / "trainA" / name)
    large = options(batch_size=100, preset="paper", steps_per_epoch=None)
    with untouched(domains):
        ended = command("train", domains, "--out", tmp_path / "run", *large)
    assert "needs as many" in ended.refused()
    assert "3 of 5" in ended.errors
    assert all(name in ended.errors for name in ("pipe.jpg", "cut.png", "zero.jpg"))
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.slow
def test_144_megapixels_are_trained_with(tmp_path):
    _black(tmp_path / "black.png")
    image, _ = next(iter(data.folders(tmp_path, tmp_path, image_size=16, flip=False)))
    np.testing.assert_array_equal(image, -np.ones((1, 16, 16, 3)))


def test_a_file_that_may_not_be_read_is_left_out(model, forbidden_folder):
    out = forbidden_folder / "out"
    out.mkdir()
    out.chmod(0o777)
    with as_nobody():
        _, outcomes = translate(model, forbidden_folder, out)
        problems = {outcome.input.name: outcome.problem for outcome in outcomes}
    assert problems["good.png"] is None
    assert (
        problems["mine.png"]
        == f"{forbidden_folder / 'mine.png'} cannot be read: Permission denied."
    )
    assert [path.name for path in out.iterdir()] == ["good.png"]


@pytest.mark.parametrize(
    ("make", "status", "sentence"),
    [
        (lambda folder: None, 2, "holds no "),
        (lambda folder: _cut("PNG")(folder / "a.png"), 1, "a.png is damaged"),
        (lambda folder: folder.rmdir(), 2, "does not exist"),
    ],
    ids=["empty", "only broken", "missing"],
)
def test_folders_without_a_good_image(make, status, sentence, run, here, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    make(folder)
    ended = here("translate", run, folder, tmp_path / "out")
    assert ended.status == status
    assert sentence in ended.errors
    assert status == 2 or "0 of 1 " in ended.output
    assert not (tmp_path / "out").exists()


def test_the_bytes_signature_turns_no_image(model, tmp_path):
    served = tf.saved_model.load(str(export_saved_model(model, tmp_path / "served")))
    _turned(tmp_path / "x.png")
    content = tf.constant([(tmp_path / "x.png").read_bytes()])
    (answer,) = served.signatures["bytes"](image_bytes=content)["translated_bytes"].numpy()
    with Image.open(io.BytesIO(answer)) as image:
        assert image.size == (32, 24)


def test_an_image_too_large_for_the_address_space_is_left_out(run, photos, tmp_path):
    """A limit that C++ ends the process at, and with it all images that follow."""
    import resource

    Image.new("1", (4000, 3000)).save(photos / "0_large.png")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))

    ended = command("translate", run, photos, tmp_path / "out", preexec_fn=limit)
    assert ended.status == 1
    assert "2 of 3 " in ended.output
    assert "0_large.png has 4000 x 3000 pixels" in ended.errors
