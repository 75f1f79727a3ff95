"""The page of a run, from files as a run leaves them, and in a browser."""

import re

import pytest
from browsers import chromium, needs_chromium
from PIL import Image

from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.page import write_page

PANELS = {
    "Discriminators": {"d_a": "0.25 if it cannot tell"},
    "Generators": {"g_ab": "generator A → B"},
    "Cycles": {"cycle_a": "it should fall"},
    "Others": {"kl_a": ""},
}
LOG = "epoch,cycle_a,d_a,g_ab,kl_a,learning_rate\n0,3.0,0.5,0.4,7.0,0.0002\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    options = resolve("data/<horses>", crop_size=64, epochs=2)
    (tmp_path / "options.json").write_text(options.as_json())
    (tmp_path / "samples").mkdir()
    for epoch, color in ((1, "red"), (2, "blue")):
        Image.new("RGB", (300, 100), color).save(tmp_path / "samples" / f"epoch_{epoch:04d}.png")
    return tmp_path


def test_it_says_what_was_trained_and_what_the_losses_mean(run):
    write_page(run, "a run", PANELS)
    page = (run / "index.html").read_text()
    assert "data/&lt;horses&gt;" in page
    assert "64 x 64" in page
    assert "Epoch 1 of 2" in page
    meanings = dict(re.findall(r"<tr><th>(\w+)</th><td>[\d.]+</td><td>(.*?)</td>", page))
    assert "0.25 if it cannot tell" in meanings["d_a"]
    assert "A → B" in meanings["g_ab"]
    assert "should fall" in meanings["cycle_a"]


def test_it_says_the_direction_and_what_options_left_out_mean(tmp_path):
    options = resolve("scenes", system="pix2pix", direction="ba", crop_size=64)
    (tmp_path / "options.json").write_text(options.as_json())
    write_page(tmp_path, "a run", {})
    page = (tmp_path / "index.html").read_text()
    assert "A pix2pix trained on <b>scenes</b>, from B to A, at 64 x 64" in page
    assert "<th>blocks</th><td>6 below 256 pixels, 9 from there</td>" in page
    assert "<td>None</td>" not in page


def test_rows_that_are_cut_short_are_left_out(tmp_path):
    rows = ["epoch,d_a,g_ab,cycle_a", "0,1,2,3", "1", "2,1,2,3,4", "3,0.25,0.5,0.875"]
    (tmp_path / "log.csv").write_text("\n".join(rows) + "\n")
    write_page(tmp_path, "title", PANELS)
    page = (tmp_path / "index.html").read_text()
    assert "0.875" in page
    assert (tmp_path / "losses.png").exists()


def test_each_panel_that_has_losses_is_a_plot(run):
    def width(log):
        (run / "log.csv").write_text(log)
        write_page(run, "a run", PANELS)
        with Image.open(run / "losses.png") as plot:
            return plot.width

    one = width("epoch,kl_a\n0,7.0\n")
    assert width("epoch,kl_a,d_a,val_d_a,cycle_a\n0,7.0,0.1,0.1,0.2\n") == 3 * one


def test_a_run_without_files_has_a_page(tmp_path):
    write_page(tmp_path, "nothing yet", PANELS)
    assert "nothing yet" in (tmp_path / "index.html").read_text()


@needs_chromium
def test_the_slider_shows_the_sheet_of_an_epoch(run):
    sync_api = pytest.importorskip("playwright.sync_api")
    write_page(run, "a run", PANELS)
    with sync_api.sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        page.goto((run / "index.html").as_uri())
        assert page.get_attribute("#sheet", "src") == "samples/epoch_0002.png"
        page.fill("#slider", "0")
        assert page.get_attribute("#sheet", "src") == "samples/epoch_0001.png"
        assert page.inner_text("#epoch") == "1"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
