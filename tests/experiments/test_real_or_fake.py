"""The study "real or fake": its images, and its page in a browser with people of known skill."""

import base64
import io
import itertools
import json
import pathlib
import re

import numpy as np
import pytest
from browsers import chromium, needs_chromium
from PIL import Image
from tiny import smooth, tiny_model

from cyclegan_tf import HeldOut, InputError
from cyclegan_tf.experiments.grid import GridFolder
from cyclegan_tf.experiments.labeled_source import labeled_source
from cyclegan_tf.experiments.real_or_fake.key import opened
from cyclegan_tf.experiments.real_or_fake.page import write_study
from cyclegan_tf.experiments.real_or_fake.report import score_files
from cyclegan_tf.experiments.real_or_fake.study import pairs_of
from cyclegan_tf.experiments.real_or_fake.table import real_or_fake_study
from cyclegan_tf.experiments.translation_tables import Setting
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.options import resolve

RED, BLUE = (255, 0, 0), (0, 0, 255)  # real, translated


def plain(color, count, size=24):
    """Images of one color, of which each differs from the others by a pixel."""
    images = np.full((count, size, size, 3), color, np.uint8)
    images[:, 0, 0, 1] = np.arange(count)
    return images


def written(folder, trials, practice=0, milliseconds=50, **others):
    """A study of red images, which are real, and blue ones; its name."""
    count = trials + practice
    return write_study(
        folder,
        plain(RED, count),
        plain(BLUE, count),
        practice=practice,
        milliseconds=milliseconds,
        **others,
    )


def in_page(folder):
    """What the page's script reads."""
    page = (folder / "index.html").read_text()
    return json.loads(re.search(r'id="study">(.*?)</script>', page)[1])


def is_real(path):
    with Image.open(path) as image:
        return image.getpixel((5, 5)) == RED


# Images and pairs.


def test_the_key_knows_which_images_are_real_and_nothing_else_does(tmp_path):
    name = written(tmp_path / "study", trials=20, practice=3, direction="ba", kind="maps")
    content = in_page(tmp_path / "study")
    real = [
        [is_real(tmp_path / "study" / file) for file in pair].index(True)
        for pair in content["pairs"]
    ]
    assert opened(name, content["key"], 23) == real
    assert content["real"] == real[:3]  # for what is said in the practice
    assert 5 <= sum(real) <= 18
    for file in itertools.chain(*content["pairs"]):
        assert re.fullmatch(r"images/\d{3}_[12]\.png", file)
    about = json.loads((tmp_path / "study" / "study.json").read_text())
    assert about == {
        "study": name, "direction": "ba", "trials": 20, "practice": 3, "milliseconds": 50
    }  # fmt: skip
    assert "two images (maps)" in (tmp_path / "study" / "index.html").read_text()


def test_the_name_is_of_the_images_and_settings(tmp_path):
    def name(place, **others):
        return written(tmp_path / place, **{"trials": 3, **others})

    first = name("first")
    assert name("second") == first
    assert (
        len({first, name("seed", seed=1), name("time", milliseconds=60), name("few", trials=2)})
        == 4
    )


def test_images_of_two_sizes_would_tell(tmp_path):
    with pytest.raises(
        InputError, match="must have one size, or it would tell them apart: 24 x 24"
    ):
        write_study(tmp_path / "study", plain(RED, 3), plain(BLUE, 3, size=16), practice=1)
    assert not (tmp_path / "study").exists()


def test_pairs_are_of_one_scene_where_scenes_are_known():
    images = {"a": plain(RED, 30), "b": plain(BLUE, 30)}
    for paired in (True, False):
        chosen, numbers = pairs_of(HeldOut(images, paired), "ab", 20, seed=3)
        a, b = (chosen.images[domain][:, 0, 0, 1] for domain in "ab")
        np.testing.assert_array_equal(a, numbers["a"])
        assert len(set(a)) == len(set(b)) == 20  # none twice
        assert np.array_equal(a, b) == paired
    _, same = pairs_of(HeldOut(images), "ab", 20, seed=3)
    _, other = pairs_of(HeldOut(images), "ab", 20, seed=4)
    np.testing.assert_array_equal(same["b"], numbers["b"])
    assert not np.array_equal(other["b"], numbers["b"])


# The page, as people see it.


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright, chromium(playwright) as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """Opens the page of a study; nothing may go wrong or leave the disk."""
    pages, wrong = [], []

    def visit(folder, session=1, **settings):
        page = browser.new_page(viewport={"width": 360, "height": 740}, **settings)
        pages.append(page)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: re.match("file:|blob:", r.url) or wrong.append(r.url))
        page.goto(f"{(folder / 'index.html').as_uri()}?session={session}")
        page.wait_for_selector("#start:enabled")
        return page

    yield visit
    for page in pages:
        page.close()
    assert wrong == []


def saved(page, folder):
    """The file that a person saves at the end."""
    with page.expect_download() as download:
        page.click("#save")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    assert path.read_text() == page.input_value("#answers")
    return path


def real_files(folder):
    return [file for file in itertools.chain(*in_page(folder)["pairs"]) if is_real(folder / file)]


# A person who is fooled in the trials that `fooled` says, and knows the real images else.
PERSON = """({ real, fooled }) => {
  const places = [...document.querySelectorAll(".place")];
  const buttons = places.map(place => place.querySelector("button"));
  let number = 0;
  new MutationObserver(() => {
    if (buttons[1].hidden) return;
    const sources = places.map(place => place.querySelector("img").getAttribute("src"));
    const known = sources.findIndex(source => real.includes(source));
    const side = fooled[number++] ? 1 - known : known;
    setTimeout(() => buttons[side].click());
  }).observe(buttons[1], { attributes: true });
  document.getElementById("start").click();
}"""


@needs_chromium
def test_the_score_finds_the_rate_of_people_whose_rate_is_known(visit, tmp_path):
    """Six people in a browser, 12 trials each, who are fooled in 30 % of the trials."""
    folder, rate, trials = tmp_path / "study", 0.3, 12
    written(folder, trials)
    real, random = real_files(folder), np.random.default_rng(7)
    fooled = [(random.random(trials) < rate).tolist() for _ in range(6)]
    files = []
    for first in (0, 3):  # three pages at a time
        pages = [visit(folder, session) for session in range(first, first + 3)]
        for page, own in zip(pages, fooled[first:]):
            page.evaluate(PERSON, {"real": real, "fooled": own})
        for page in pages:
            page.wait_for_selector("#save:visible")
            files.append(saved(page, tmp_path))
    found = score_files(files, log=lambda line: None)
    low, high = found.share.interval
    assert low <= rate <= high
    assert high - low < 0.35
    for person, own in zip(found.people, fooled, strict=True):
        assert [trial.fooled for trial in person.answers.trials] == own
    orders = [[trial.pair for trial in person.answers.trials] for person in found.people]
    assert all(sorted(order) == list(range(trials)) for order in orders)
    assert len(set(map(tuple, orders))) == 6
    sides = [
        trial.side != trial.fooled for person in found.people for trial in person.answers.trials
    ]
    assert 22 <= sum(sides) <= 50  # where the real image was, of 72


def shown_frames(page):
    """What the compositor shows from now on: seconds, and which colors are seen."""
    session, frames = page.context.new_cdp_session(page), []

    def receive(event):
        frames.append((event["metadata"]["timestamp"], event["data"]))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", receive)
    size = {"maxWidth": 180, "maxHeight": 370}
    session.send("Page.startScreencast", {"format": "jpeg", "everyNthFrame": 1, **size})
    return frames


def seen(frames):
    """The milliseconds for which a red or blue area was there, each time."""
    begin, color, lengths = 0, None, []
    for time, data in frames:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            pixels = np.asarray(image.convert("RGB"), int)
        areas = (np.abs(pixels - wanted).sum(-1) < 90 for wanted in (RED, BLUE))
        now = next((name for name, area in zip("rb", areas) if area.sum() > 500), None)
        if now != color:
            if color:
                lengths.append(1000 * (time - begin))
            begin, color = time, now
    return lengths


@needs_chromium
def test_an_image_is_seen_for_one_second(visit, tmp_path):
    """Measured by the compositor's own times of the frames, beside what the page records.

    A busy machine may lose frames, which the page then records: so it is the medians.
    """
    written(tmp_path / "study", trials=2, milliseconds=1000)
    page = visit(tmp_path / "study")
    frames = shown_frames(page)
    page.keyboard.press("Enter")  # the button to start has the focus
    for key in ("ArrowLeft", "2"):
        page.wait_for_selector(".place button:visible")
        page.keyboard.press(key)
    page.wait_for_selector("#save:visible")
    answers = json.loads(page.input_value("#answers"))["answers"]
    assert [each["order"].index(each["chosen"]) for each in answers] == [0, 1]
    recorded = [*itertools.chain(*(each["exposures"] for each in answers))]
    measured = seen(frames)
    assert len(measured) == len(recorded) == 4
    assert abs(np.median(recorded) - 1000) <= 34
    assert abs(np.median(measured) - 1000) <= 34
    assert np.median(np.abs(np.subtract(measured, recorded))) <= 34


# What the page tells after each trial, noted while it is there.
NOTE = """() => {
  window.told = [];
  const texts = selector => [...document.querySelectorAll(selector)].map(each => each.textContent);
  new MutationObserver(() => {
    if (texts("#message")[0].startsWith("You are")) window.told.push(texts("figcaption, #message"));
  }).observe(document.getElementById("message"), { childList: true });
}"""


@needs_chromium
def test_practice_tells_the_truth_and_trials_do_not(visit, tmp_path):
    """By touch, on a telephone in the dark."""
    folder = tmp_path / "study"
    written(folder, trials=2, practice=2)
    page = visit(folder, has_touch=True, color_scheme="dark")
    page.evaluate(NOTE)
    page.tap("#start")
    real, firsts = real_files(folder), []
    for number in (1, 2):
        page.wait_for_selector(".place button:visible")
        assert page.inner_text("#count") == f"Practice {number} of 2"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("document.documentElement.scrollHeight") <= 740
        firsts.append(page.get_attribute(".place img >> nth=0", "src") in real)
        page.tap(".place button >> nth=0")
        page.wait_for_function("count => answers.length === count", arg=number)
    page.wait_for_selector("#pause:visible")
    right = ["Real", "Fake", "You are right."]
    wrong = ["Fake", "Real", "You are wrong: the other one is real."]
    assert page.evaluate("told") == [right if first else wrong for first in firsts]
    assert f"You were right in {sum(firsts)} of 2" in page.inner_text("#practiced")
    page.tap("#continue")
    for number in (1, 2):
        page.wait_for_selector(".place button:visible")
        assert page.inner_text("#count") == f"Trial {number} of 2"
        page.tap(".place button >> nth=1")
        page.wait_for_function("count => answers.length === count", arg=2 + number)
    page.wait_for_selector("#save:visible")
    assert page.inner_text("#thanks") == "Thank you! You have answered all 2 trials."
    assert len(page.evaluate("told")) == 2


@needs_chromium
def test_a_session_can_be_stopped_and_repeated(visit, tmp_path):
    folder = tmp_path / "study"
    written(folder, trials=9)

    def plan(session):
        page = visit(folder, session)
        page.on("dialog", lambda dialog: dialog.accept())
        found = page.evaluate("plan")
        page.click("#start")
        page.wait_for_selector(".place button:visible")
        page.keyboard.press("1")
        page.click("#stop")
        page.wait_for_selector("#save:visible")
        assert "You stopped after 1 of 9 trials" in page.inner_text("#thanks")
        return found, saved(page, tmp_path)

    (first, file), (again, _), (other, _) = map(plan, (12, 12, 13))
    assert first == again != other
    assert re.fullmatch(r"answers_[0-9a-f]{12}_12\.json", file.name)
    with pytest.raises(InputError, match="not complete, 1 of 9 trials"):
        score_files([file])


@needs_chromium
def test_a_missing_image_is_named(browser, tmp_path):
    written(tmp_path / "study", trials=2)
    (tmp_path / "study" / "images" / "001_1.png").unlink()
    page = browser.new_page()
    page.goto((tmp_path / "study" / "index.html").as_uri())
    page.wait_for_selector("text=images/001_1.png is missing or damaged")
    assert page.is_disabled("#start")
    page.close()


# The command.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, without its training: images of both splits, options and a model."""
    root = tmp_path_factory.mktemp("images")
    for split, count in (("train", 1), ("test", 6)):
        for seed, domain in enumerate("AB"):
            (root / f"{split}{domain}").mkdir()
            for number in range(count):
                pixels = smooth(32, 32, seed=10 * seed + number)
                Image.fromarray(pixels).save(root / f"{split}{domain}" / f"{number}.png")
    run = tmp_path_factory.mktemp("runs") / "run"
    run.mkdir()
    (run / "options.json").write_text(resolve(root, image_size=32, preset="demo").as_json())
    tiny_model(compiled=False).save(run / "model.keras")
    return run


def images_of(run):
    return pathlib.Path(json.loads((run / "options.json").read_text())["data"]["source"])


def test_the_command_writes_translations_beside_real_test_images(here, run):
    few = ("--trials", 3, "--practice", 2, "--seed", 5)
    ended = here("study", run, *few, "--direction", "ba")
    assert ended.status == 0, ended.errors
    assert "2 pairs of practice and 3 that count, each of images drawn at random" in ended.output
    content = in_page(run / "study")
    about = json.loads((run / "study" / "study.json").read_text())
    model = tiny_model(compiled=False)
    real = opened(content["study"], content["key"], 5)
    for pair, names in enumerate(about["pairs"]):
        files = [run / "study" / file for file in content["pairs"][pair]]
        pixels = [np.asarray(Image.open(file)) for file in files]
        of = {domain: images_of(run) / f"test{domain}" for domain in "AB"}
        expected = np.asarray(Image.open(of["A"] / names["real"]))
        np.testing.assert_array_equal(pixels[real[pair]], expected)
        given = np.asarray(Image.open(of["B"] / names["translated"]))
        np.testing.assert_allclose(
            pixels[1 - real[pair]].astype(int), model.translate(given, "ba"), atol=1
        )
    assert "holds 'images'" in here("study", run, *few).refused()  # answers belong to it


def test_the_command_refuses_what_it_cannot_ask(here, run, tmp_path):
    out = ("--out", tmp_path / "out")
    sentence = here("study", run, *out, "--trials", 5, "--practice", 2).refused()
    assert "7 trials, with those of practice, need as many images of each domain" in sentence
    assert "A has 6" in sentence
    assert "no does not exist" in here("study", tmp_path / "no", *out).refused()
    assert "give --score" in here("study", run, run, run, *out).refused()
    bare = tmp_path / "bare"
    (bare / "trainA").mkdir(parents=True)
    (bare / "trainB").mkdir()
    sentence = here("study", run, bare, *out).refused()
    assert "testA does not exist" in sentence
    train = images_of(run)
    sentence = here("study", run, train / "trainA", *out, "--domain-b", train / "trainB").refused()
    assert "A has 1" in sentence
    assert not (tmp_path / "out").exists()


def test_images_of_one_name_are_one_scene(here, run, tmp_path):
    asked = ("study", run, "--trials", 4, "--practice", 0, "--paired", "--out", tmp_path / "out")
    ended = here(*asked)
    assert "each of one scene" in ended.output, ended.errors
    about = json.loads((tmp_path / "out" / "study.json").read_text())
    assert all(pair["translated"] == pair["real"] for pair in about["pairs"])
    assert about["same_scene"]


# Table 1 of the paper.


def test_table_1_has_a_page_for_each_row_and_the_answers_to_it(tmp_path):
    grid, said = GridFolder(tmp_path), []
    run = RunFolder(grid.cell("cyclegan_0") / "run")
    run.path.mkdir(parents=True)
    tiny_model().save(run.model)
    run.options_file.write_text(resolve("scenes", image_size=32).as_json())
    grid.results.mkdir()
    grid.result_file("cyclegan_0").write_text('{"scores": {}}')
    table = real_or_fake_study(Setting(labeled_source("scenes", 32)))
    assert {"cogan_0", "cyclegan_0", "simgan_ab_0", "simgan_ba_0"} < {c.name for c in table.cells}
    table.finish(grid, said.append)
    pages = sorted(path.name for path in (tmp_path / "real_or_fake").iterdir())
    assert pages == ["cyclegan_0_ab", "cyclegan_0_ba"]

    folder = tmp_path / "real_or_fake" / "cyclegan_0_ab"
    content = in_page(folder)
    real = opened(content["study"], content["key"], 50)
    trials = [
        {
            "pair": pair,
            "order": [pair % 2, 1 - pair % 2],
            "chosen": 1 - right if pair < 20 else right,  # 10 of the 40 that count are wrong
            "exposures": [1000.0, 1000.0],
            "seconds": 1.0,
        }
        for pair, right in enumerate(real)
    ]
    names = ("study", "key", "direction", "trials", "practice", "milliseconds")
    answers = {name: content[name] for name in names}
    answers |= {"format": "cyclegan_tf answers: real or fake", "version": 1, "session": 1}
    (folder / "answers").mkdir()
    (folder / "answers" / "a.json").write_text(json.dumps({**answers, "answers": trials}))
    html = table.write({"cyclegan_0": grid.result("cyclegan_0")}, grid.tables)
    assert 'href="real_or_fake/cyclegan_0_ba/index.html"' in html
    lines = (grid.tables / "table1.md").read_text().splitlines()
    (row,) = (line for line in lines if line.startswith("| CycleGAN | photographs"))
    assert re.search(r"\| 1 \| 25\.0 ± \d\.\d \| 26\.8 ± 2\.8 \|", row)
    assert "| CycleGAN | label maps | 0 | – | 23.2 ± 3.4 |" in lines
    (folder / "index.html").write_text("mine")
    table.finish(grid, said.append)  # a page is not replaced: it has answers
    assert (folder / "index.html").read_text() == "mine"
