"""Image files of every kind that people have, good and bad."""

import io
import os
import struct
import warnings

import numpy as np
import pytest
from PIL import Image
from tiny import smooth
from users import as_nobody

from cyclegan_tf import InputError, data
from cyclegan_tf.data import image_files
from cyclegan_tf.data.folders import folder


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tiff"])
def test_reads_every_format(suffix, tmp_path):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(smooth()).save(path, **({"quality": 100} if suffix in ("jpg", "webp") else {}))
    pixels = image_files.read(path)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - smooth()).mean() < 3
    assert image_files.size(path) == (24, 32)


def test_large_jpegs_are_decoded_at_a_reduced_scale(tmp_path):
    _, (photograph,), _ = data.scene_pairs(1, (600, 900))
    image = Image.fromarray(photograph)
    image.save(tmp_path / "x.jpg")
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn
    image.save(tmp_path / "turned.jpg", exif=exif)
    # Half a pixel would be lost.
    Image.fromarray(photograph[:-1, :-1]).save(tmp_path / "odd.jpg")
    for name, size, scale in (
        ("x", (64, 64), 2),
        ("turned", (64, 40), 2),
        ("x", (151, 151), 1),
        ("odd", (64, 64), 1),
    ):
        whole = image_files.read(tmp_path / f"{name}.jpg")
        reduced = image_files.read(tmp_path / f"{name}.jpg", resized_to=size)
        assert reduced.shape[0] == whole.shape[0] // scale
        difference = image_files.resize(reduced, *size) - image_files.resize(whole, *size).astype(
            int
        )
        assert np.abs(difference).mean() <= 1


def test_gif_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(image_files.read(tmp_path / "x.gif")[0, 0], [255, 0, 0])


def test_gray_palette_and_cmyk_become_rgb(tmp_path):
    Image.new("L", (4, 4), 77).save(tmp_path / "gray.png")
    Image.new("RGB", (4, 4), (10, 200, 30)).quantize(4).save(tmp_path / "palette.png")
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=100)
    assert image_files.read(tmp_path / "gray.png")[0, 0].tolist() == [77, 77, 77]
    assert image_files.read(tmp_path / "palette.png")[0, 0].tolist() == [10, 200, 30]
    np.testing.assert_allclose(image_files.read(tmp_path / "cmyk.jpg")[8, 8], [255, 0, 0], atol=3)


def test_transparent_pixels_lie_on_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (200, 100, 0, 255))
    image.save(tmp_path / "x.png")
    assert image_files.read(tmp_path / "x.png")[0].tolist() == [[255, 255, 255], [200, 100, 0]]
    assert image_files.read(tmp_path / "x.png", channels=4)[0, 0].tolist() == [0, 0, 0, 0]


def test_16_bits_are_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    assert image_files.read(tmp_path / "x.png", channels=1)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_the_orientation_of_the_camera_is_applied(tmp_path):
    image = Image.fromarray(smooth(24, 32))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "x.jpg", exif=exif, quality=100)
    assert image_files.size(tmp_path / "x.jpg") == (32, 24)
    pixels = image_files.read(tmp_path / "x.jpg")
    assert np.abs(pixels.astype(int) - np.rot90(smooth(24, 32), -1)).mean() < 3


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 9])
def test_the_size_is_that_of_the_pixels_whatever_the_orientation(suffix, orientation, tmp_path):
    image = Image.fromarray(smooth(24, 32))
    exif = image.getexif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{suffix}"
    image.save(path, exif=exif)
    assert image_files.size(path) == image_files.read(path).shape[:2]


# Colorants of Display P3 and of sRGB, adapted to D50, as ICC's registry has them.
P3 = [[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]]
SRGB = [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]


def _profile(space, **tags):
    """The bytes of an ICC profile of a display, with the given tags."""

    def fixed(*values):
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    white = fixed(0.9642, 1, 0.8249)
    tags = {"wtpt": b"XYZ \0\0\0\0" + white} | {
        name: b"para\0\0\0\0\0\3\0\0" + fixed(*values)
        if name.endswith("TRC")
        else b"XYZ \0\0\0\0" + fixed(*values)
        for name, values in tags.items()
    }
    table, data = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name.encode() + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(tag))
        data += tag
    header = struct.pack(
        ">I4sI4s4s4s",
        132 + len(table) - 4 + len(data),
        b"",
        0x04200000,
        *((b"mntr", space, b"XYZ ")),
    )
    return header + bytes(12) + b"acsp" + bytes(28) + white + bytes(48) + table + data


# y = ((x + 0.055) / 1.055) ** 2.4, below 0.04045 y = x / 12.92
CURVE_OF_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
CURVE_OF_LIGHT = (1, 1, 0, 1, 0)


def _display(primaries):
    red, green, blue = zip(*primaries)
    curves = dict.fromkeys(("rTRC", "gTRC", "bTRC"), CURVE_OF_SRGB)
    return _profile(b"RGB ", rXYZ=red, gXYZ=green, bXYZ=blue, **curves)


def _p3_in_srgb(color):
    """By the definitions of both: to linear light, to XYZ, and back."""
    x = np.array(color) / 255
    light = np.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
    light = np.clip(np.linalg.solve(SRGB, P3 @ light), 0, 1)
    x = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return 255 * x


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "palette.png"])
def test_colors_of_a_profile_become_those_of_srgb(suffix, tmp_path):
    # The red of sRGB, as Display P3 writes it; a leaf; a sky; gray.
    for color in ((234, 51, 35), (90, 140, 60), (120, 170, 220), (128, 128, 128)):
        image = Image.new("RGB", (16, 16), color)
        if suffix == "palette.png":
            image = image.quantize(2)
        settings = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
        settings = {"lossless": True} if suffix == "webp" else settings
        image.save(tmp_path / f"x.{suffix}", icc_profile=_display(P3), **settings)
        pixel = image_files.read(tmp_path / f"x.{suffix}")[8, 8]
        np.testing.assert_allclose(pixel, _p3_in_srgb(color), atol=2)
        if color == (234, 51, 35):
            np.testing.assert_allclose(pixel, (255, 0, 0), atol=2)


def test_a_profile_leaves_transparency_and_serves_gray(tmp_path):
    path = tmp_path / "x.png"
    Image.new("RGBA", (4, 4), (90, 140, 60, 77)).save(path, icc_profile=_display(P3))
    pixel = image_files.read(path, channels=4)[0, 0]
    np.testing.assert_allclose(pixel, [*_p3_in_srgb((90, 140, 60)), 77], atol=2)
    # Half of the light is 188 of 255 in sRGB.
    half = _profile(b"GRAY", kTRC=CURVE_OF_LIGHT)
    for image in (Image.new("L", (4, 4), 128), Image.fromarray(np.full((4, 4), 32896, np.uint16))):
        image.save(path, icc_profile=half)
        assert abs(int(image_files.read(path, channels=1)[0, 0, 0]) - 188) <= 1


def test_a_profile_of_srgb_changes_no_value(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(smooth()).save(path, icc_profile=_display(SRGB))
    np.testing.assert_array_equal(image_files.read(path), smooth())


@pytest.mark.parametrize(
    "profile",
    [b"no profile", _display(P3)[:200], _profile(b"GRAY", kTRC=CURVE_OF_LIGHT)],
    ids=["text", "cut", "of other colors"],
)
def test_a_profile_that_cannot_serve_is_ignored(profile, tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(smooth()).save(path, icc_profile=profile)
    np.testing.assert_array_equal(image_files.read(path), smooth())


def test_gray_has_one_channel(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "x.png")
    assert image_files.read(tmp_path / "x.png", channels=1).shape == (24, 32, 1)


def test_bytes_are_read_too():
    buffer = io.BytesIO()
    Image.fromarray(smooth()).save(buffer, "PNG")
    np.testing.assert_array_equal(image_files.read(buffer.getvalue()), smooth())


def test_resize_is_antialiased_and_the_same_for_any_number_of_channels():
    stripes = np.uint8(255 * (np.arange(64) % 2))[None, :, None].repeat(64, 0)
    small = image_files.resize(stripes, 16, 16)
    assert np.abs(small.astype(int) - 127.5).max() < 20  # gray, not stripes
    rgb = smooth(40, 40)
    five = np.concatenate([rgb, rgb[..., :2]], -1)
    np.testing.assert_array_equal(
        image_files.resize(five, 20, 24)[..., :3], image_files.resize(rgb, 20, 24)
    )


def _truncated(path):
    Image.fromarray(smooth(200, 200)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def mixed_folder(tmp_path):
    """Good images and one of each bad kind."""
    folder = tmp_path / "mixed"
    (folder / "nested").mkdir(parents=True)
    Image.fromarray(smooth()).save(folder / "good.jpg")
    Image.fromarray(smooth()).save(folder / "nested" / "GOOD.PNG")
    (folder / "text.jpg").write_text("no image")
    (folder / "empty.png").touch()
    _truncated(folder / "cut.jpg")
    _truncated(folder / "cut.png")
    (folder / "notes.txt").write_text("left alone")
    return folder


def test_bad_files_are_left_out_with_one_warning(mixed_folder):
    with pytest.warns(UserWarning, match="4 of 6 images cannot be read") as warned:
        paths, sizes = image_files.readable(image_files.find(mixed_folder).paths)
    assert [path.name for path in paths] == ["good.jpg", "GOOD.PNG"]
    assert sizes == [(24, 32), (24, 32)]
    assert len(warned) == 1
    for name in ("text.jpg", "empty.png", "cut.jpg", "cut.png"):
        assert name in str(warned[0].message)


def test_data_after_the_end_of_a_jpeg_does_no_harm(tmp_path):
    path = tmp_path / "x.jpg"
    Image.fromarray(smooth()).save(path)
    path.write_bytes(path.read_bytes() + b"motion photo" * 1000)
    assert image_files.readable([path])[0] == [path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text.jpg", "text.jpg is not an image"),
        ("empty.png", "empty.png is not an image"),
        ("cut.jpg", "cut.jpg is damaged"),
        ("cut.png", "cut.png is damaged"),
        ("missing.png", "missing.png does not exist"),
    ],
)
def test_each_bad_file_gets_its_sentence(mixed_folder, name, message):
    with pytest.raises(InputError, match=message):
        image_files.read(mixed_folder / name)


def test_huge_images_are_refused_by_their_header(tmp_path, monkeypatch):
    Image.fromarray(smooth()).save(tmp_path / "x.png")
    monkeypatch.setattr(image_files, "MAX_PIXELS", 100)
    with pytest.raises(InputError, match="32 x 24 pixels"):
        image_files.size(tmp_path / "x.png")


def test_folders_that_cannot_serve(tmp_path, mixed_folder):
    with pytest.raises(InputError, match="does not exist"):
        image_files.find(tmp_path / "missing")
    with pytest.raises(InputError, match="is a file"):
        image_files.find(mixed_folder / "good.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        image_files.find(tmp_path / "empty")
    with pytest.raises(InputError, match=r"^\S+text\.jpg is not an image"):
        image_files.readable([mixed_folder / "text.jpg"])
    with pytest.raises(InputError, match=r"None of the 2 images can be read\. The first: \S+text"):
        image_files.readable([mixed_folder / "text.jpg"] * 2)


def _saved(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(smooth()).save(path)
    return path


def test_each_real_folder_counts_once_and_links_are_followed(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    own, linked = _saved(root / "sub" / "a.png"), _saved(elsewhere / "deep" / "b.png")
    (root / "sub" / "up").symlink_to("..")  # a circle
    (root / "first").symlink_to("sub")
    (root / "disk").symlink_to(elsewhere)
    (root / "disk_again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)
    assert image_files.find(root).paths == [root / "disk" / "deep" / "b.png", own]
    (tmp_path / "link").symlink_to(elsewhere / "deep")
    assert image_files.find(tmp_path / "link").paths == [tmp_path / "link" / linked.name]


def test_only_regular_files_are_read(tmp_path):
    good = _saved(tmp_path / "good.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "self.png").symlink_to("self.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    with pytest.warns(UserWarning, match="4 of 5 images cannot be read") as warned:
        paths, _ = image_files.readable(image_files.find(tmp_path).paths)
    assert paths == [good]
    message = str(warned[0].message)
    for sentence in (
        "pipe.jpg is not a regular file",
        "device.jpg is not a regular file",
        "self.png cannot be read: Too many levels of symbolic links",
        "gone.png does not exist",
    ):
        assert sentence in message


def test_what_may_not_be_read_is_named_and_not_called_damaged(forbidden_folder):
    closed, mine = forbidden_folder / "closed", forbidden_folder / "mine.png"
    with as_nobody(), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert len(folder(forbidden_folder)) == 1
    assert [str(warning.message) for warning in warned] == [
        f"{closed} cannot be read: Permission denied. What it holds is left out.",
        f"1 of 2 images cannot be read and are left out. {mine} cannot be read: Permission denied.",
    ]
    for path in (closed, closed / "a.png"):
        with as_nobody(), pytest.raises(InputError, match=f"{path} cannot be read: Permission d"):
            image_files.find(path)


def test_files_of_other_names_are_counted(tmp_path):
    _saved(tmp_path / "a.png")
    assert image_files.find(tmp_path).passed_over() is None
    for name in ("Thumbs.db", ".DS_Store", "._a.png"):  # of file managers
        (tmp_path / name).touch()
    assert image_files.find(tmp_path).passed_over() is None
    (tmp_path / "photo.heic").touch()
    one = f"1 file is skipped because of its name: {tmp_path / 'photo.heic'}."
    assert image_files.find(tmp_path).passed_over() == one
    _saved(tmp_path / "sub" / "b.png").rename(tmp_path / "sub" / "b")
    _saved(tmp_path / ".hidden.png")
    many = image_files.find(tmp_path).passed_over()
    assert many.startswith("3 files are skipped because of their names, such as ")
    with pytest.warns(UserWarning, match="3 files are skipped"):
        assert len(folder(tmp_path)) == 1
