"""The page that translates in a browser: its folder, and what a visitor sees of it in Chromium."""

import contextlib
import functools
import http.server
import importlib.util
import io
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from browsers import QuietHandler, chromium, needs_chromium
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError, export_web, resnet_generator
from cyclegan_tf.data import image_files
from cyclegan_tf.exporting.tflite import metadata
from cyclegan_tf.translation.translator import Translator

ROOT = pathlib.Path(__file__).parents[2]
HEIGHT, WIDTH = 24, 32


@pytest.fixture(scope="module")
def model():
    generators = {
        direction: resnet_generator((None, None, 3), base_filters=4, blocks=1, seed=seed)
        for seed, direction in enumerate(("ab", "ba"))
    }
    return Translator(generators, (HEIGHT, WIDTH, 3))


@pytest.fixture(scope="module")
def site(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    examples = [folder / "horse.png", folder / "zebra.jpg"]
    for seed, path in enumerate(examples):
        Image.fromarray(smooth(HEIGHT, WIDTH, seed=seed)).save(path, quality=100)
    names = ("horses", "zebras")
    return export_web(model, folder / "site", domains=names, examples=examples).parent


def _plain_server(folder):
    """One that sends no header of its own."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


def _isolating_server(folder):
    """That of `export/web/`, which sends the headers for threads."""
    spec = importlib.util.spec_from_file_location("serve", ROOT / "export" / "web" / "serve.py")
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    return serve.server(folder)


@contextlib.contextmanager
def _serving(server):
    """The address of a server, which serves meanwhile."""
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def addresses(site):
    """Of the site, by what kind of server serves it."""
    with (
        _serving(_plain_server(site)) as plain,
        _serving(_isolating_server(site)) as isolating,
    ):
        yield {"plain": plain, "isolating": isolating}


@pytest.fixture(scope="module")
def playwright():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright):
    with chromium(playwright, "--use-fake-device-for-media-stream") as browser:
        yield browser


@pytest.fixture(scope="module")
def browser_with_gpu(playwright):
    """One that computes WebGPU in software: slowly, but by the same shaders."""
    flags = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    with chromium(playwright, *flags, "--enable-features=Vulkan") as browser:
        yield browser


def _context(browser):
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    context.set_default_timeout(30_000)
    return context


@pytest.fixture
def context(browser):
    with _context(browser) as context:
        yield context


@pytest.fixture
def context_with_gpu(browser_with_gpu, addresses):
    with _context(browser_with_gpu) as context:
        page = context.new_page()
        page.goto(addresses["plain"])
        if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
            pytest.skip("this Chromium has no WebGPU in software")
        page.close()
        yield context


def _opened(context, address):
    """The page as it is when the first translator is loaded."""
    page = context.new_page()
    page.goto(address)
    _wait(page, "Ready")
    return page


@pytest.fixture(scope="module")
def page(browser, addresses):
    """One for all tests that give it an image of their own: to load it takes seconds."""
    with _context(browser) as context:
        yield _opened(context, addresses["plain"])


def _wait(page, sentence):
    page.locator("#status", has_text=sentence).wait_for()


def _pixels(page, canvas):
    """Of a canvas, uint8 `(height, width, 3)`."""
    rgba = page.evaluate(
        """(id) => {
          const canvas = document.getElementById(id);
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return { shape: [canvas.height, canvas.width, 4], data: Array.from(pixels.data) };
        }""",
        canvas,
    )
    pixels = np.array(rgba["data"], np.uint8).reshape(rgba["shape"])
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


def _file(image, name="horse.png", **settings):
    """An image as a file dialog hands it over."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, pathlib.Path(name).suffix[1:].replace("jpg", "jpeg"), **settings)
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def _translate(page, file):
    page.locator("#input").wait_for()  # before, nobody listens
    page.set_input_files("#file", file)
    _wait(page, "Translated")
    return _pixels(page, "before"), _pixels(page, "after")


def _difference(given, expected):
    return np.abs(given.astype(int) - expected).mean()


def _check_translation(page, model, by):
    image = smooth(HEIGHT, WIDTH, seed=5)
    before, after = _translate(page, _file(image))
    np.testing.assert_array_equal(before, image)
    assert after.std() > 10
    assert _difference(after, model.translate(image)) < 0.1
    assert page.locator("#timing").inner_text().endswith(f"s, by {by}")
    return image, after


@needs_chromium
@pytest.mark.parametrize(
    ("kind", "by"), [("plain", "WebAssembly"), ("isolating", "WebAssembly with threads")]
)
def test_translates_as_keras_does_in_both_directions(kind, by, model, context, addresses):
    page = context.new_page()
    strangers = []
    page.on(
        "request",
        lambda request: (
            request.url.startswith((addresses[kind], "blob:", "data:"))
            or strangers.append(request.url)
        ),
    )
    page.goto(addresses[kind])
    image, after = _check_translation(page, model, by)

    page.get_by_text("zebras → horses").click()
    page.locator("#timing", has_text="zebras → horses in").wait_for()
    assert _difference(_pixels(page, "after"), model.translate(image, "ba")) < 0.1
    assert _difference(_pixels(page, "after"), after) > 5
    assert strangers == []


@needs_chromium
def test_translates_as_keras_does_on_a_gpu(model, context_with_gpu, addresses):
    page = context_with_gpu.new_page()
    page.goto(addresses["isolating"])
    _check_translation(page, model, "WebGPU")


@needs_chromium
def test_where_the_gpu_fails_webassembly_takes_over(model, context_with_gpu, addresses, site):
    core = (site / "litert" / "core.js").read_text()
    begin = "const isWebGpu = accelerator === "
    assert core.count(begin) == 1
    driver = f'if (accelerator === "webgpu") throw new Error("The driver crashed"); {begin}'
    context_with_gpu.route(
        "**/litert/core.js",
        lambda route: route.fulfill(
            body=core.replace(begin, driver), content_type="text/javascript"
        ),
    )
    page = context_with_gpu.new_page()
    page.goto(addresses["plain"])
    _check_translation(page, model, "WebAssembly")


@needs_chromium
def test_a_model_of_int8_weights_translates_as_keras_does(model, context, site, tmp_path):
    page = export_web(model, tmp_path / "site", ["ab"], quantization="dynamic")
    (name,) = [path.name for path in page.parent.glob("*.tflite")]
    assert (page.parent / name).stat().st_size < (site / name).stat().st_size
    with _serving(_plain_server(page.parent)) as address:
        image = smooth(HEIGHT, WIDTH, seed=5)
        _, after = _translate(_opened(context, address), _file(image))
    expected = model.translate(image)
    assert _difference(after, expected) < 2
    assert _difference(after, expected.mean((0, 1))) > 10


@needs_chromium
def test_gray_in_and_colors_out(context, tmp_path):
    generator = resnet_generator((None, None, 1), 3, base_filters=4, blocks=1, seed=0)
    model = Translator({"ab": generator}, (HEIGHT, WIDTH, 1))
    page = export_web(model, tmp_path / "site")
    image = smooth(HEIGHT, WIDTH, seed=5)
    with _serving(_plain_server(page.parent)) as address:
        _, after = _translate(_opened(context, address), _file(image))
    gray = np.asarray(Image.fromarray(image).convert("L"))[..., None]
    assert _difference(after, model.translate(gray)) < 0.1


@needs_chromium
def test_an_image_of_another_size_is_cut_and_scaled_as_the_package_does(model, page):
    wide = smooth(90, 200, seed=3)
    middle = np.ascontiguousarray(wide[:, 40:160])  # 90 x 120 has the shape of 24 x 32
    expected = image_files.resize(middle, HEIGHT, WIDTH)
    before, after = _translate(page, _file(wide))
    assert np.abs(before.astype(int) - expected).max() <= 1
    assert _difference(after, model.translate(expected)) < 0.3


@needs_chromium
def test_large_turned_and_transparent_images(model, page):
    # Halved by the browser before it is resized.
    large = smooth(HEIGHT * 20, WIDTH * 20, seed=3)
    before, _ = _translate(page, _file(large))
    assert _difference(before, image_files.resize(large, HEIGHT, WIDTH)) < 1

    turned = Image.fromarray(smooth(WIDTH, HEIGHT, seed=4))
    exif = turned.getexif()
    exif[0x0112] = 6  # a quarter turn
    file = _file(turned, "turned.jpg", exif=exif, quality=95)
    before, _ = _translate(page, file)
    assert _difference(before, image_files.read(file["buffer"])) < 3

    transparent = Image.fromarray(
        np.dstack([smooth(HEIGHT, WIDTH), smooth(HEIGHT, WIDTH, seed=1)[..., 0]])
    )
    file = _file(transparent)
    before, _ = _translate(page, file)
    assert np.abs(before.astype(int) - image_files.read(file["buffer"])).max() <= 2


@needs_chromium
def test_the_arithmetic_of_pixels_is_that_of_numpy_and_pillow(page):
    """The module by itself, for sizes and channels that the model here does not have."""

    def run(expression):
        script = f'import("/pixels.js").then((pixels) => Array.from({expression}))'
        return np.array(page.evaluate(script))

    rgba = np.random.default_rng(0).integers(0, 256, (13, 17, 4), dtype=np.uint8)
    flat = rgba.ravel().tolist()
    for height, width in ((5, 6), (29, 40), (13, 9)):
        resized = run(f"pixels.resize({flat}, 17, 13, {width}, {height})")
        np.testing.assert_allclose(
            resized.reshape(height, width, 4), image_files.resize(rgba, height, width), atol=1
        )
    gray = np.asarray(Image.fromarray(rgba[..., :3]).convert("L"))
    for channels, expected in ((1, gray), (3, rgba[..., :3]), (4, rgba)):
        values = run(f"pixels.toValues({flat}, {channels})")
        np.testing.assert_allclose(values, expected.ravel() / 127.5 - 1, atol=1e-6)
        back = run(f"pixels.toRgba({values.tolist()}, {channels})").reshape(13, 17, 4)
        np.testing.assert_array_equal(back[..., :channels], expected.reshape(13, 17, channels))
    assert run("pixels.toRgba([-1.1, 0, 1.1], 3)").tolist() == [0, 128, 255, 255]


@needs_chromium
def test_drop_keyboard_and_download(page):
    image = smooth(HEIGHT, WIDTH, seed=6)
    transfer = page.evaluate_handle(
        """async (bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "horse.one.png"));
          return transfer;
        }""",
        list(_file(image)["buffer"]),
    )
    page.dispatch_event("#input", "drop", {"dataTransfer": transfer})
    _wait(page, "Translated")
    np.testing.assert_array_equal(_pixels(page, "before"), image)

    page.focus("#divide")
    page.keyboard.press("ArrowRight")
    assert page.locator("#compare").evaluate("e => e.style.getPropertyValue('--divide')") == "51%"
    page.mouse.move(*_point(page, "#compare", 0.5))
    page.mouse.down()
    page.mouse.move(*_point(page, "#compare", 0.25))
    page.mouse.up()
    assert abs(float(page.input_value("#divide")) - 25) <= 1

    with page.expect_download() as download:
        page.get_by_text("Download the translation").click()
    assert download.value.suggested_filename == "horse.one_ab.png"
    with Image.open(download.value.path()) as file:
        np.testing.assert_array_equal(np.asarray(file)[..., :3], _pixels(page, "after"))


def _point(page, selector, share):
    box = page.locator(selector).bounding_box()
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


@needs_chromium
def test_an_example_is_shown_at_once_in_each_direction(model, context, addresses):
    page = _opened(context, addresses["plain"])
    assert "This is an example" in page.locator("#status").inner_text()
    assert page.locator("#result").is_visible()
    example = _pixels(page, "before")
    np.testing.assert_array_equal(example, smooth(HEIGHT, WIDTH, seed=0))
    assert _difference(_pixels(page, "after"), model.translate(example)) < 0.1
    page.get_by_text("zebras → horses").click()
    _wait(page, "Ready. This is an example")
    assert _difference(_pixels(page, "before"), smooth(HEIGHT, WIDTH, seed=1)) < 3

    own = smooth(HEIGHT, WIDTH, seed=7)
    _translate(page, _file(own))
    page.get_by_text("horses → zebras").click()
    _wait(page, "Translated")
    np.testing.assert_array_equal(_pixels(page, "before"), own)


@needs_chromium
def test_an_example_that_is_missing_keeps_nobody_from_the_page(context, addresses):
    context.route("**/example_a.png", lambda route: route.fulfill(status=404))
    page = _opened(context, addresses["plain"])
    assert page.locator("#status").inner_text() == "Ready."
    assert not page.locator("#result").is_visible()
    page.get_by_text("Try an example").click()
    _wait(page, "example_a.png is missing beside this page")


@needs_chromium
def test_an_example_for_each_direction(context, addresses):
    page = _opened(context, addresses["plain"])
    page.get_by_text("Try an example").click()
    _wait(page, "Translated")
    np.testing.assert_array_equal(_pixels(page, "before"), smooth(HEIGHT, WIDTH, seed=0))
    page.get_by_text("zebras → horses").click()
    page.get_by_text("Try an example").click()
    _wait(page, "Translated")
    assert _difference(_pixels(page, "before"), smooth(HEIGHT, WIDTH, seed=1)) < 3


@needs_chromium
def test_opened_from_disk_it_says_what_it_needs(context, site):
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    _wait(page, "This page needs JavaScript and a web server")
    assert not page.get_by_text("Choose an image").is_visible()


@needs_chromium
def test_the_camera_and_its_refusal(context, addresses):
    page = _opened(context, addresses["plain"])
    context.grant_permissions(["camera"], origin=addresses["plain"])
    page.get_by_text("Use the camera").click()
    page.get_by_text("Take the photo").click()  # waits until it is enabled
    _wait(page, "Translated")
    assert _pixels(page, "before").std() > 10

    context.clear_permissions()
    for error, sentence in (
        ("NotAllowedError", "The camera was refused; allow it"),
        ("NotFoundError", "No camera was found"),
    ):
        page.evaluate(
            """(name) => {
              const refuse = () => Promise.reject(new DOMException("no", name));
              navigator.mediaDevices.getUserMedia = refuse;
            }""",
            error,
        )
        page.get_by_text("Use the camera").click()
        _wait(page, sentence)
        assert not page.locator("#camera").is_visible()


@needs_chromium
def test_files_that_cannot_serve(page, tmp_path):
    _translate(page, _file(smooth()))
    assert page.locator("#result").is_visible()
    page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": b"no"})
    _wait(page, "“x.png” is not an image that this browser can read; choose a JPEG")
    assert not page.locator("#result").is_visible()  # it is of another image

    file = _file(Image.new("1", (9000, 9000)), "huge.png")
    page.set_input_files("#file", file)
    _wait(page, "“huge.png” is too large: 9000 × 9000 pixels")

    heavy = tmp_path / "heavy.png"
    with open(heavy, "wb") as sparse:
        sparse.truncate(101_000_000)
    page.set_input_files("#file", heavy)
    _wait(page, "“heavy.png” is too large: 101 MB")

    _translate(page, _file(smooth()))  # and continues
    assert page.locator("#result").is_visible()


@needs_chromium
def test_a_failure_of_what_was_given_up_is_not_shown(page):
    held = []
    page.route("**/example_a.png", lambda route: held.append(route))
    with page.expect_request("**/example_a.png"):
        page.get_by_text("Try an example").click()
    image = smooth(HEIGHT, WIDTH, seed=7)
    _translate(page, _file(image))
    with page.expect_response("**/example_a.png"):
        held[0].fulfill(status=404)
    page.wait_for_timeout(200)
    assert page.locator("#now").get_attribute("data-kind") == "done"
    np.testing.assert_array_equal(_pixels(page, "before"), image)

    page.unroute("**/example_a.png")
    page.route("**/example_a.png", lambda route: route.fulfill(status=404))
    page.get_by_text("Try an example").click()
    _wait(page, "example_a.png is missing")  # where it is the latest, it is
    page.unroute("**/example_a.png")


@needs_chromium
@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("models.json", None, "models.json is missing beside this page; write the site again"),
        ("models.json", b"<html>", "models.json beside this page cannot be read"),
        ("generator_ab.tflite", None, "generator_ab.tflite is missing beside this page"),
        ("generator_ab.tflite", b"cut", "generator_ab.tflite arrived damaged: 3 bytes instead of"),
        ("litert/core.js", None, "The folder litert/ is missing beside this page"),
        ("litert/litert_wasm_internal.wasm", None, "internal.wasm is missing beside this page"),
    ],
)
def test_what_is_missing_or_damaged_is_named(name, content, sentence, context, addresses):
    answer = {"status": 404} if content is None else {"status": 200, "body": content}
    context.route(f"**/{name}", lambda route: route.fulfill(**answer))
    page = context.new_page()
    page.goto(addresses["plain"])
    _wait(page, sentence)
    assert page.locator("#now").get_attribute("data-kind") == "failure"


@needs_chromium
def test_where_one_model_is_missing_the_other_direction_works(model, context, addresses):
    """The runtime, which is still on its way then, is downloaded and started once."""
    held = []
    context.route("**/generator_ab.tflite", lambda route: route.fulfill(status=404))
    context.route("**/litert_wasm_internal.wasm", lambda route: held.append(route))
    page = context.new_page()
    page.goto(addresses["plain"])
    _wait(page, "generator_ab.tflite is missing")
    with page.expect_request("**/generator_ba.tflite"):
        page.get_by_text("zebras → horses").click()
    page.wait_for_timeout(200)
    (runtime,) = held
    runtime.continue_()
    _wait(page, "Ready")
    image = smooth(HEIGHT, WIDTH, seed=5)
    _, after = _translate(page, _file(image))
    assert _difference(after, model.translate(image, "ba")) < 0.1


@needs_chromium
def test_a_model_that_is_none_is_refused(context, addresses, site):
    size = (site / "generator_ab.tflite").stat().st_size
    context.route("**/generator_ab.tflite", lambda route: route.fulfill(body=b"x" * size))
    page = context.new_page()
    page.goto(addresses["plain"])
    _wait(page, "generator_ab.tflite is not a model that LiteRT.js can run")


@needs_chromium
def test_progress_while_the_model_loads(context, addresses):
    held = []
    context.route("**/generator_ab.tflite", lambda route: held.append(route))
    page = context.new_page()
    page.goto(addresses["plain"])
    page.locator("#amount", has_text=" MB").wait_for()  # of the runtime, meanwhile
    assert 0 < page.locator("#progress").evaluate("e => e.value") < 1
    _wait(page, "Loading the translator")
    held[0].continue_()
    _wait(page, "Ready")
    assert not page.locator("#progress").is_visible()


@needs_chromium
def test_page_and_worker_reach_no_other_server(page):
    reached = []

    class Handler(QuietHandler):
        def do_GET(self):
            reached.append(self.path)
            super().do_GET()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        send = f"""fetch("http://127.0.0.1:{server.server_port}/?pixels", {{mode: "no-cors"}})
            .then(() => "sent", (error) => error.name)"""
        assert page.evaluate(send) == "TypeError"
        (worker,) = page.workers
        assert worker.evaluate(send) == "TypeError"
        server.shutdown()
    assert reached == []


@needs_chromium
def test_threads_too_keep_to_the_policy_of_the_page(context, addresses):
    """They cannot be asked, for they wait; but those from blobs inherit it."""
    page = _opened(context, addresses["isolating"])
    assert len(page.workers) > 1
    assert all(worker.url.startswith("blob:") for worker in page.workers)


@needs_chromium
def test_a_narrow_screen(browser, addresses):
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(addresses["plain"])
    _translate(page, _file(smooth(50, 40)))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    for name in ("#open-camera", "#download", "label.button", "#compare"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
        assert box["height"] >= 44 or name == "#compare"  # a finger's width
    context.close()


def test_the_server_says_what_it_lacks(site, tmp_path):
    serve = [sys.executable, ROOT / "export" / "web" / "serve.py"]
    with _plain_server(tmp_path) as other:
        for arguments, sentence in (
            ([tmp_path], "holds no index.html; `cyclegan-tf export MODEL --web` writes one"),
            ([site, other.server_port], f"port {other.server_port} cannot be used"),
        ):
            result = subprocess.run(
                [*serve, *map(str, arguments)], capture_output=True, text=True, timeout=20
            )
            assert result.returncode == 2
            assert sentence in result.stderr


def test_the_folder_is_replaced_whole_or_refused(model, site, tmp_path, monkeypatch):
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    page = export_web(model, copy, directions=["ba"], image_size=(8, 12))
    assert page == copy / "index.html"
    description = json.loads((copy / "models.json").read_text())
    held = [path for path in copy.rglob("*") if path.is_file()]
    assert description["files"] == sorted(path.relative_to(copy).as_posix() for path in held)
    (described,) = description["models"]
    assert described["size"] == [8, 12]
    assert described["label"] == "B → A"
    assert described["bytes"] == (copy / described["file"]).stat().st_size
    assert not (copy / "generator_ab.tflite").exists()

    before = sorted(copy.rglob("*"))
    with pytest.raises(InputError, match="multiples of 4"):
        export_web(model, copy, image_size=(9, 12))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    (tmp_path / "notes" / "models.json").touch()
    with pytest.raises(InputError, match=r"notes holds (mine\.txt|models\.json), which"):
        export_web(model, tmp_path / "notes")
    # The page's own folder, with something of its owner's.
    (copy / ".git").mkdir()
    with pytest.raises(InputError, match=r"holds \.git, which .* choose another folder"):
        export_web(model, copy)
    (copy / ".git").rmdir()
    (copy / "litert" / "mine.txt").touch()
    with pytest.raises(InputError, match=r"holds litert/mine\.txt, which"):
        export_web(model, copy)
    (copy / "litert" / "mine.txt").unlink()
    with pytest.raises(InputError, match=r"mine\.txt is not an image"):
        export_web(model, copy, examples=(tmp_path / "notes" / "mine.txt", None))
    assert sorted(copy.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "site"]


@pytest.mark.parametrize(("taken", "given"), [(2, 3), (3, 2)])
def test_networks_of_other_channels_are_refused(taken, given, tmp_path):
    generator = resnet_generator((None, None, taken), given, base_filters=4, blocks=1)
    with pytest.raises(InputError, match=rf"1, 3 or 4 channels.* ab from {taken} to {given}"):
        export_web(Translator({"ab": generator}, (24, 24, taken)), tmp_path / "site")


def test_the_folder_is_fit_to_be_published(site):
    assert (site / "litert" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    for path in site.glob("*.tflite"):
        assert metadata.read(path)["training"] is None


def test_a_wheel_holds_the_page_and_what_other_files_the_package_reads(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("cyclegan_tf", "export"):
        shutil.copytree(ROOT / name, source / name, symlinks=True)
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "-w", str(tmp_path), str(source)], check=True, capture_output=True)
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        held = {name.split("/")[-1] for name in archive.namelist() if "/web_sources/" in name}
        license_text = archive.read("cyclegan_tf/web_sources/LICENSE")
        names = set(archive.namelist())
    of_pages = {name for name in names if "/browser/" in name}
    expected = {file.name for file in (ROOT / "export" / "web").iterdir() if file.is_file()}
    expected.remove("README.md")
    assert held == expected
    for folder in ("runs", "experiments/real_or_fake"):
        files = (ROOT / "cyclegan_tf" / folder / "browser").iterdir()
        assert {path.relative_to(ROOT).as_posix() for path in files} <= of_pages
    assert license_text == (ROOT / "LICENSE").read_bytes()
    assert "page.js" in held
    pretrained = (ROOT / "cyclegan_tf" / "pretrained").glob("[!.]*/**/*")
    assert {path.relative_to(ROOT).as_posix() for path in pretrained if path.is_file()} <= names
