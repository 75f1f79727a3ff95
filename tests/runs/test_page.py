"""The page of a run, from files as a run leaves them, and in a browser."""

import hashlib
import html
import importlib.resources
import itertools
import json
import re

import pytest
from browsers import chromium, needs_chromium
from PIL import Image

from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.page import write_page
from cyclegan_tf.runs.summary import duration

PANELS = {
    "Discriminators": {"d_a": "0.25 if it cannot tell"},
    "Generators": {"g_ab": "generator A → B"},
    "Cycles": {"cycle_a": "it should fall"},
    "Others": {"kl_a": ""},
}
LOG = """epoch,cycle_a,d_a,g_ab,kl_a,learning_rate,ab_structure,ab_kernel
0,3.0,0.5,0.4,7.0,0.0002,NA,NA
1,2.0,0.25,0.5,6.0,0.0002,0.8,1.5
2,1.0,0.125,0.6,5.0,0.0001,0.4,NA
"""
HOSTILE = "</script><script>document.title='changed'</script>&"
MACHINE = {
    "processor": "AMD EPYC <7>",
    "cores": 2,
    "bfloat16": ["avx512_bf16"],
    "devices": ["CPU"],
    "precision": "bfloat16",
    "seconds": 3900.0,
    "steps": 1500,
    "epochs": [{"epoch": 1, "seconds": 3900.0, "steps": 1500}],
}


def evaluation(epoch, structure, kernel, alarms=()):
    scores = {"structure": structure, "kernel": kernel}
    found = {"scores": scores, "standard_errors": {"structure": 0.03}, "alarms": list(alarms)}
    return {"epoch": epoch, "seconds": 3.0, "directions": {"ab": found}}


EVALUATIONS = {
    "best": 2,
    "baselines": {"ab": {"copy": {"structure": 0.0, "kernel": 2.5}}},
    "measures": {
        "structure": {"best": "low", "meaning": "changed structure, in [0, 1]"},
        "kernel": {"best": "low", "meaning": f"distance {HOSTILE}"},
    },
    "epochs": [
        evaluation(2, 0.8, 1.5, [{"name": "collapsed", "sentence": "All of them are alike."}]),
        evaluation(
            3, 0.4, None, [{"name": "returns_its_input", "sentence": f"It returns {HOSTILE}"}]
        ),
    ],
    "verdict": {
        "name": "returns_its_input",
        "sentence": f"Returns its input {HOSTILE}",
        "advice": "Train for longer.",
    },
}


@pytest.fixture
def run(tmp_path):
    """The files that every version has written, after two of three epochs' samples."""
    (tmp_path / "log.csv").write_text(LOG)
    options = resolve("data/<horses>", crop_size=64, epochs=4, lambda_a=5.0)
    (tmp_path / "options.json").write_text(options.as_json())
    (tmp_path / "samples").mkdir()
    for epoch, color in ((1, "red"), (2, "green"), (3, "blue")):
        Image.new("RGB", (806, 100), color).save(tmp_path / "samples" / f"epoch_{epoch:04d}.png")
    return tmp_path


@pytest.fixture
def evaluated(run):
    """A run on folders that have names, with all files that the page reads or links to."""
    options = resolve("data/label maps", domain_b="data/photographs", crop_size=64, epochs=4)
    (run / "options.json").write_text(options.as_json())
    (run / "machine.json").write_text(json.dumps(MACHINE))
    (run / "evaluations.json").write_text(json.dumps(EVALUATIONS))
    for name in ("model.keras", "best.keras", "evaluation/index.html", "web/index.html"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).touch()
    return run


def written(run):
    """The page of a run without its scripts and styles."""
    write_page(run, "a run", PANELS)
    page = (run / "index.html").read_text()
    return re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


def facts(page):
    return {
        term: html.unescape(text)
        for term, text in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    }


def rows(page):
    """The cells of all rows of tables, by the row's name; a note is the first cell."""
    found = {}
    for name, note, rest in re.findall(
        r'<th scope="row">(\w+)<span class="note">(.*?)</span></th>(.*?)</tr>', page
    ):
        found[name] = [html.unescape(note), *re.findall("<td>(.*?)</td>", rest)]
    return found


def test_it_says_what_was_trained_and_what_the_losses_mean(run):
    page = written(run)
    assert "data/&lt;horses&gt;" in page
    said = facts(page)
    assert said["Size"] == "64 × 64 pixels, RGB, by resize_and_crop from 72"
    assert said["Epochs"] == "3 of 4 done"
    assert "lambda_a 5" in said["Options"]
    assert not {"Domains", "Time", "Processor"} & set(said)  # nothing recorded them
    assert rows(page)["d_a"] == ["0.25 if it cannot tell", "0.125"]
    assert rows(page)["g_ab"] == ["generator A → B", "0.6"]
    assert rows(page)["cycle_a"] == ["it should fall", "1"]


def test_it_says_how_long_it_took_and_on_what(evaluated):
    said = facts(written(evaluated))
    assert said["Epochs"] == "3 of 4 done, 1,500 steps"
    assert said["Time"] == "1 h 5 min of training, 2.6 s a step"
    assert said["Processor"] == "AMD EPYC <7>, 2 cores, with AVX-512 BF16"
    assert said["Precision"] == "bfloat16"
    assert said["Domains"] == "label maps (A) and photographs (B)"
    resumed = {**MACHINE, "epochs": [{"epoch": 3, "seconds": 3900.0, "steps": 1500}]}
    (evaluated / "machine.json").write_text(json.dumps(resumed))
    assert facts(written(evaluated))["Time"].endswith("(from epoch 3 on)")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0 s"), (59.6, "1 min 0 s"), (3900, "1 h 5 min"), (90000, "1 d 1 h")],
)
def test_durations_have_two_units(seconds, said):
    assert duration(seconds) == said


def test_losses_are_of_the_domains_names(evaluated):
    assert rows(written(evaluated))["g_ab"][0] == "generator label maps (A) → photographs (B)"


def test_it_says_the_direction_and_what_options_left_out_mean(tmp_path):
    options = resolve("scenes", system="pix2pix", direction="ba", crop_size=64)
    (tmp_path / "options.json").write_text(options.as_json())
    page = written(tmp_path)
    assert facts(page)["System"] == "pix2pix"
    assert facts(page)["Direction"] == "photographs (B) → label maps (A)"
    assert '<th scope="row">blocks</th><td>6 below 256 pixels, 9 from there</td>' in page
    assert "<td>None</td>" not in page


def test_the_verdict_stands_on_top_with_last_beside_best(evaluated):
    page = written(evaluated)
    headings = re.findall(r"<h(\d)>(.*?)</h", page)
    levels = [int(level) for level, _ in headings]
    assert headings[1][1].startswith("Returns its input")
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert "Train for longer." in page
    heads = re.findall('<th scope="col">(.*?)</th>', page)
    assert heads == ["", "last: epoch 3", "best: epoch 2", "copies"]
    note, *cells = rows(page)["structure"]
    assert note == "changed structure, in [0, 1]; low is good"
    assert cells == ["0.4 ± 0.03", "0.8 ± 0.03", "0"]
    assert rows(page)["kernel"][1:] == ["no number", "1.5", "2.5"]
    assert "Epoch 3, label maps (A) → photographs (B): It returns" in page
    assert "Alarms of earlier epochs: 1" in page
    assert "ab_structure" not in page  # a score in the log is no loss


def test_what_files_hold_is_text(evaluated):
    """Also in the scripts, which a name of a folder or of a measure must not end."""
    write_page(evaluated, "a run", PANELS)
    page = (evaluated / "index.html").read_text()
    assert HOSTILE not in page
    assert page.count(html.escape(HOSTILE)) >= 3
    assert page.count("</script>") == 4  # data of the slider and of the curves, uPlot, ours
    assert 'href="javascript' not in page


def test_every_file_is_linked_that_is_there(evaluated, run):
    links = set(re.findall(r'<li><a href="(.*?)"', written(evaluated)))
    assert links == {
        "model.keras",
        "best.keras",
        "log.csv",
        "losses.png",
        "evaluations.json",
        "evaluation/index.html",
        "web/index.html",
        "options.json",
        "machine.json",
    }


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "[1]", '{"epochs": []}', '{"epochs": null}', '{"epochs": [{"epoch": 1}]}',
     '{"verdict": "x"}', '{"measures": []}'],
)  # fmt: skip
def test_evaluations_that_say_nothing_are_left_out(run, content):
    (run / "evaluations.json").write_text(content)
    page = written(run)
    assert "<h2>Scores</h2>" not in page
    assert rows(page)["ab_structure"][1] == "0.4"  # then it is a column like others


def test_rows_that_are_cut_short_are_left_out(tmp_path):
    lines = ["epoch,d_a,g_ab,cycle_a", "0,1,2,3", "1", "2,1,2,3,4", "3,0.25,0.5,0.875"]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    assert rows(written(tmp_path))["cycle_a"][1] == "0.875"
    assert (tmp_path / "losses.png").exists()


def test_each_panel_that_has_losses_is_a_plot(run):
    def width(log):
        (run / "log.csv").write_text(log)
        write_page(run, "a run", PANELS)
        with Image.open(run / "losses.png") as plot:
            return plot.width

    one = width("epoch,kl_a,learning_rate\n0,7.0,0.1\n")
    assert width("epoch,kl_a,d_a,val_d_a,cycle_a\n0,7.0,0.1,0.1,nan\n") == 3 * one


def test_a_run_without_files_has_a_page(tmp_path):
    assert "nothing yet" not in written(tmp_path)
    write_page(tmp_path, "nothing yet", PANELS)
    assert "nothing yet" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        (
            "uPlot.iife.min.js",
            "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        ),
        ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("uPlot.LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
    ],
)
def test_the_library_is_the_published_one(name, sha256):
    """Version 1.6.32 of npm's uplot."""
    content = importlib.resources.files("cyclegan_tf.runs").joinpath("browser", name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright, chromium(playwright) as browser:
        yield browser


def opened(browser, run, width=360, **settings):
    """The page as a visitor sees it, and what went wrong or left the disk."""
    write_page(run, "a run", PANELS)
    page = browser.new_page(viewport={"width": width, "height": 640}, **settings)
    wrong = []
    # Of reading the canvas below, some releases of Chromium say that it is slow.
    page.on("console", lambda m: "willReadFrequently" in m.text or wrong.append(m.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda r: r.url.startswith("file:") or wrong.append(r.url))
    page.goto((run / "index.html").as_uri())
    return page, wrong


# How many pixels of a canvas have the color of a variable of the style sheet.
COUNT = """([chart, name]) => {
  const canvas = document.querySelector(`#chart_${chart} canvas`);
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const wanted = [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16));
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4)
    count += wanted.every((value, channel) => Math.abs(value - data[at + channel]) < 3)
      && data[at + 3] > 250;
  return count;
}"""


@needs_chromium
def test_the_slider_shows_the_sheet_of_an_epoch(browser, evaluated):
    page, wrong = opened(browser, evaluated)
    assert page.get_attribute("#sheet", "src") == "samples/epoch_0003.png"
    page.focus("#slider")
    page.keyboard.press("Home")
    assert page.get_attribute("#sheet", "src") == "samples/epoch_0001.png"
    assert page.inner_text("#epoch") == "1"
    assert page.get_attribute("#sheet", "alt").startswith("Samples of epoch 1:")
    page.click("text=Best: epoch 2")
    assert page.get_attribute("#sheet", "src") == "samples/epoch_0002.png"
    assert page.input_value("#slider") == "1"
    assert not wrong


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_curves_are_drawn_and_nothing_overflows(browser, evaluated, width, scheme):
    page, wrong = opened(browser, evaluated, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts = page.locator(".chart")
    assert charts.count() == 5 + 2  # with the rate; measures
    for chart in ("losses_0", "score_0"):
        assert page.evaluate(COUNT, [chart, "--color-0"]) > 100
    shown = page.locator("#chart_losses_0 .u-value")
    assert shown.all_inner_texts() == ["3", "0.125"]  # of the newest epoch
    page.focus("#chart_losses_0")
    page.keyboard.press("ArrowLeft")
    assert shown.all_inner_texts() == ["2", "0.25"]
    assert page.title() == "a run"
    assert not wrong


@needs_chromium
def test_curves_follow_the_color_scheme(browser, run):
    page, wrong = opened(browser, run, color_scheme="light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"({COUNT})(['losses_0', '--color-0']) > 100")
    assert not wrong


@needs_chromium
def test_without_scripts_there_are_tables_and_a_plot(browser, evaluated):
    page, wrong = opened(browser, evaluated, java_script_enabled=False)
    plot = page.locator("img[src='losses.png']")
    assert plot.is_visible()
    assert plot.bounding_box()["height"] > 30
    assert page.locator("table.scores").is_visible()
    assert page.locator("table.meanings").count() == 5
    assert page.get_by_role("link", name="2", exact=True).is_visible()  # a grid of each epoch
    assert not wrong


@needs_chromium
def test_a_run_of_one_epoch_has_curves_too(browser, run):
    (run / "log.csv").write_text("epoch,d_a,val_d_a,g_ab\n0,0.5,0.5,nan\n")
    page, wrong = opened(browser, run)
    assert page.evaluate(COUNT, ["losses_0", "--color-0"]) > 5
    assert page.locator("#chart_losses_1 .u-value").all_inner_texts() == ["1", "–"]
    assert not wrong
