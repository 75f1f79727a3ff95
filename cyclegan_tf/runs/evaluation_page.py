"""The page of an evaluation: its scores, and the best and the worst images by each measure."""

import html
import json
import re

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.baselines import MEANINGS
from cyclegan_tf.runs.html_page import document
from cyclegan_tf.runs.sheets import image_grid

_SHOWN = 8  # best and worst images of each measure
_IMAGE = re.compile(r"(ab|ba)_\d{5,}\.png")


def write_evaluation(folder, evaluation, title, names=None):
    """Writes `scores.json`, `index.html` and `images/` to a folder, which is replaced as a whole.

    Args:
        folder: to write.
        evaluation: an `Evaluation`.
        title: of the page.
        names: of the images by domain, `{"a": […], "b": […]}`; numbers if `None`.

    Raises:
        InputError: the folder holds something else than an earlier evaluation.
    """
    check_replaceable(folder)
    files.remove_unfinished_of(folder)
    with files.atomic_folder(folder) as beside:
        (beside / "images").mkdir()
        sections = [
            _section(beside, evaluation, direction, (names or {}).get(from_domain(direction)))
            for direction in evaluation.directions
        ]
        files.write_text(beside / "scores.json", evaluation.as_json())
        protocol = html.escape(json.dumps(evaluation.protocol, indent=2))
        how = f"<details><summary>How this was measured</summary><pre>{protocol}</pre></details>"
        note = f"<p>{html.escape(evaluation.note)}</p>"
        page = document(title, "\n".join((_SCRIPT, *sections, note, how)))
        files.write_text(beside / "index.html", page)


def check_replaceable(folder):
    """Raises an `InputError` if a folder holds something else than an earlier evaluation."""
    files.check_folder(folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    written = {"scores.json", "index.html", "images"}
    others = {path.name for path in folder.iterdir()} - written
    others |= {path.name for path in folder.glob("images/*") if not _IMAGE.fullmatch(path.name)}
    if others or not (folder / "scores.json").is_file():
        found = f", such as {min(others)!r}" if others else ""
        raise InputError(
            f"{folder} holds something else than an earlier evaluation{found}; choose a folder "
            "that is new or empty."
        )


def title_of(direction):
    """`A → B` of `ab`."""
    return f"{from_domain(direction).upper()} → {to_domain(direction).upper()}"


def shown_images(per_image, count):
    """The numbers of the best and the worst images by any measure, sorted; else the first ones."""
    chosen = set() if per_image else set(range(min(count, 2 * _SHOWN)))
    for values in per_image.values():
        order = np.argsort(values, kind="stable")
        chosen.update(order[:_SHOWN].tolist(), order[-_SHOWN:].tolist())
    return sorted(chosen)


def _section(folder, evaluation, direction, names):
    """One direction: what was noticed, the scores, and images that can be sorted."""
    found, measures = evaluation.directions[direction], evaluation.measures
    per_image = {
        name: score.per_image
        for name, score in found.results.items()
        if score.per_image is not None
    }
    numbers = shown_images(per_image, len(found.translated.outputs))
    sources = [_write_image(folder, found.translated, direction, number) for number in numbers]
    entries = [
        {
            "source": source,
            "name": str(names[number] if names else number + 1),
            "values": {name: round(float(values[number]), 4) for name, values in per_image.items()},
        }
        for number, source in zip(numbers, sources)
    ]
    heads = ("measure", "model", *found.baselines, "what it is")
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th>"
        + "".join(f"<td>{value}</td>" for value in (said(score), *said_of_baselines(found, name)))
        + f"<td>{html.escape(measures[name].meaning)}; {measures[name].best} is good</td></tr>"
        for name, score in found.results.items()
    )
    alarms = "".join(f'<p class="alarm">{html.escape(each.sentence)}</p>' for each in found.alarms)
    choices = "".join(
        f'<option value="{html.escape(name)}" data-best="{measures[name].best}">'
        f"{html.escape(name)}</option>"
        for name in per_image
    )
    return _SECTION.format(
        title=title_of(direction),
        direction=direction,
        alarms=alarms,
        heads="".join(f"<td>{head}</td>" for head in heads),
        rows=rows,
        notes="; ".join(f"{name} is {MEANINGS[name]}" for name in found.baselines),
        choices=choices,
        hidden="" if per_image else "hidden",
        # Names of files may hold what would end the script.
        entries=json.dumps(entries).replace("<", "\\u003c"),
    )


def said(score):
    """A `Score` with four digits and, if known, its standard error."""
    error = "" if score.standard_error is None else f" ± {score.standard_error:.2g}"
    return f"{score.value:.4g}{error}"


def said_of_baselines(found, name):
    """What each baseline of a `DirectionEvaluation` scores by a measure; a dash for no score."""
    return [
        f"{scores[name].value:.4g}" if name in scores else "–"
        for scores in found.baselines.values()
    ]


def _write_image(folder, translated, direction, number):
    """Writes an image beside its translation and, if known, the truth; returns its path."""
    shown = {"input": translated.inputs, "translated": translated.outputs}
    if translated.truth is not None:
        shown["true"] = translated.truth
    if translated.returns:
        shown["and back"] = translated.back
    columns = [[images[number]] for images in shown.values()]
    path = f"images/{direction}_{number + 1:05d}.png"
    image_grid(columns, list(shown)).save(folder / path)
    return path


_SECTION = """<h2>{title}</h2>
{alarms}
<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>
<p>{notes}</p>
<p {hidden}><label>Sort by <select id="measure_{direction}">{choices}</select></label>
<label><input type="checkbox" id="best_{direction}"> best first</label></p>
<div id="images_{direction}" class="images"></div>
<script>
  show("{direction}", {entries});
</script>"""

# Sorts the images of a direction by the measure that is chosen.
_SCRIPT = """<script>
  function show(direction, entries) {
    const measure = document.getElementById("measure_" + direction);
    const best = document.getElementById("best_" + direction);
    const images = document.getElementById("images_" + direction);
    function draw() {
      const option = measure.selectedOptions[0];  // none if no measure has a value for each image
      const rising = (option?.dataset.best === "low") === best.checked;
      const sorted = !option ? entries : [...entries].sort((one, other) =>
        (one.values[option.value] - other.values[option.value]) * (rising ? 1 : -1));
      images.replaceChildren(...sorted.map(entry => {
        const figure = document.createElement("figure");
        const image = new Image();
        image.src = entry.source;
        image.alt = "Image " + entry.name + " and its translation";
        image.loading = "lazy";
        const caption = document.createElement("figcaption");
        const value = option ? ": " + option.value + " " + entry.values[option.value] : "";
        caption.textContent = entry.name + value;
        figure.append(image, caption);
        return figure;
      }));
    }
    measure.onchange = best.onchange = draw;
    draw();
  }
</script>"""
