"""Tables of made results, read back, beside numbers computed by hand."""

import csv
import statistics

import pytest
from PIL import Image

from cyclegan_tf.experiments.tables import Row, Table, filled, other_orders, write_table


def _result(iou, best=None, **others):
    scores = {"last": {"ab": {"iou": iou, "kernel": 0.1}}}
    if best is not None:
        scores["best"] = {"ab": {"iou": best}}
    return {
        "scores": scores,
        "baselines": {"ab": {"copy": {"iou": 0.2}}},
        "cost": {"steps": 10, "images": 20, "seconds": 30.0, "parameters": 4_560_000,
                 "peak_memory_gib": 1.25},
        **others,
    }  # fmt: skip


RESULTS = {
    "good_0": _result(0.5, 0.55),
    "good_1": _result(0.6, 0.65),
    "bad_0": _result(0.3),
    "bad_1": _result(0.34),
    "gone_0": {"diverged": "The losses are no numbers."},
}
TABLE = Table(
    "table9",
    "Table 9: made",
    ("iou", "kernel"),
    (
        Row("Good", ("good_0", "good_1"), "ab", {"iou": 0.1}),
        Row("Bad", ("bad_0", "bad_1"), "ab", {"iou": 0.3}),
        Row("Gone", ("gone_0", "gone_1"), "ab", {"iou": 0.2}),
        Row("Not yet", ("later_0",), "ab"),
        Row("the input itself", ("good_0", "good_1"), "ab", baseline="copy"),
    ),
    "A note.",
)


@pytest.fixture
def folder(tmp_path):
    html = write_table(TABLE, RESULTS, tmp_path)
    (tmp_path / "page.html").write_text(html)
    return tmp_path


def test_means_and_deviations_are_those_of_the_seeds(folder):
    with open(folder / "table9.csv", newline="") as file:
        rows = {(row["row"], row["epoch"], row["measure"]): row for row in csv.DictReader(file)}
    good = rows["Good", "last", "iou"]
    assert float(good["mean"]) == pytest.approx(statistics.mean([0.5, 0.6]))
    assert float(good["deviation"]) == pytest.approx(statistics.stdev([0.5, 0.6]), abs=1e-6)
    assert (good["seeds"], good["paper"]) == ("2", "0.1")
    assert float(rows["Good", "best", "iou"]["mean"]) == pytest.approx(0.6)
    assert float(rows["the input itself", "last", "iou"]["mean"]) == 0.2
    assert ("Bad", "best", "iou") not in rows
    assert not [row for row in rows if row[0] in ("Gone", "Not yet")]


def test_the_markdown_says_all(folder):
    lines = (folder / "table9.md").read_text().splitlines()
    assert lines[:3] == ["### Table 9: made", "", "A note."]
    assert "| Good | 2 | 0.550 ± 0.071 | 0.100 ± 0.000 | 0.600 ± 0.071 | – | 0.1 |" in lines
    assert "| Gone |  | diverged | diverged | – | – | 0.2 |" in lines
    assert "| Good | 10 | 20 | 30 | 4.56 M | 1.25 |" in lines
    widths = {line.count("|") for line in lines if line.startswith("|")}
    assert len(widths) == 2  # all lines of one table are of one width


def test_the_page_says_the_same(folder):
    html = (folder / "page.html").read_text()
    assert "<td>0.550 ± 0.071</td>" in html
    assert "Bad is ahead of Good in the paper" in html


def test_another_order_is_told_unless_seeds_differ_as_much():
    (sentence,) = other_orders(TABLE, filled(TABLE, RESULTS))
    assert sentence == (
        "Bad is ahead of Good in the paper (0.3 and 0.1 class IoU), and behind it here (0.320 and "
        "0.550)."
    )
    noisy = {**RESULTS, "bad_0": _result(0.1), "bad_1": _result(0.9)}
    assert not list(other_orders(TABLE, filled(TABLE, noisy)))


def test_the_plot_is_an_image(folder):
    with Image.open(folder / "table9.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 100


def test_without_results_nothing_is_written(tmp_path):
    assert write_table(TABLE, {}, tmp_path) == ""
    assert not list(tmp_path.iterdir())
