"""The demo: from images to a deployed translator, on the built-in data."""

import json
import pathlib
import shutil
import time

import numpy as np
import tensorflow as tf

from cyclegan_tf import data, files
from cyclegan_tf.data import image_files
from cyclegan_tf.exporting.export import export
from cyclegan_tf.exporting.tflite.interpreter import translated
from cyclegan_tf.metrics import grain
from cyclegan_tf.pixels import to_float
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.page import write_page
from cyclegan_tf.runs.sheets import image_grid
from cyclegan_tf.runs.train import compiled_model, train


def demo(out="runs/demo", seed=0, log=print, **changes):
    """Trains on scenes, scores, exports, loads the exports again, and writes a page.

    Args:
        out: the folder of the run; what an earlier demo left there is replaced.
        seed: of the run.
        log: called with lines for the user.
        **changes: options of a run, as `cyclegan_tf.runs.options.resolve` takes them.

    Returns:
        What it wrote to `scores.json`: scores in [0, 1], differences in units of [-1, 1].
    """
    out = pathlib.Path(out)
    options = resolve("scenes", preset="demo", seed=seed, **changes)
    size, training = options.data.crop_size, options.training
    log(
        f"Training on procedural street scenes at {size} pixels: {training.epochs} "
        f"epochs of {training.steps_per_epoch} steps, some minutes; then scores and exports."
    )
    begin = time.perf_counter()
    model = train(options, out, restart=True, log=log)
    seconds = time.perf_counter() - begin
    _remove_earlier(out)

    log("Scoring photo → labels on test scenes.")
    untrained = compiled_model(options, (size, size, 3))
    scores = _scores(model, untrained, options)
    scores["train_seconds"] = round(seconds, 1)
    for name in ("photo_to_labels", "untrained", "copy"):
        log(f"  {name:16}" + "".join(f"{k} {v:.3f}  " for k, v in scores[name].items()))

    log("  grain            " + "".join(f"{k} {v:.2f}  " for k, v in scores["grain"].items()))

    log("Exporting, and comparing the exports with Keras.")
    written = export(model, out / "export", run=out)
    scores["export_difference"] = _differences(model, written, options)
    for name, difference in scores["export_difference"].items():
        log(f"  {name:16} mean absolute difference {difference:.1e}")

    files.write_text(out / "scores.json", json.dumps(scores, indent=2) + "\n")
    with files.atomic_file(out / "contact_sheet.png") as path:
        _image_grid(model, options).save(path)
    _write_examples(out / "examples", options)
    write_page(out, "cyclegan_tf demo: street scenes", model.loss_panels, _section(scores))
    log(f"Done in {time.perf_counter() - begin:.0f} s. Open {out / 'index.html'}.")
    return scores


def _scores(model, untrained, options):
    """Photo→labels on test scenes, beside an untrained model and the photograph itself; and grain.

    Returns:
        `{"photo_to_labels": scores, "untrained": scores, "copy": scores, "grain": {...}}`: the
        scores of `cyclegan_tf.metrics.segmentation_scores`; and `cyclegan_tf.metrics.grain` of
        translated label maps, of translated photographs and of real ones, in 8-bit values.
    """
    scenes = held_out(options)
    measured = {"direction": "ba", "measures": ["per_pixel", "per_class", "iou"]}
    trained = evaluate(model, scenes, **measured)
    found, classes = trained.directions["ba"], scenes.classes.truth
    return {
        "photo_to_labels": trained.scores["ba"],
        "untrained": evaluate(untrained, scenes, **measured).scores["ba"],
        "copy": {name: score.value for name, score in found.baselines["copy"].items()},
        "grain": {
            "label_maps": grain(found.translated.outputs, classes),
            "photographs": grain(model.translate(scenes.images["a"], "ab"), classes),
            "real_photographs": grain(scenes.images["b"], classes),
        },
    }


def _remove_earlier(out):
    """Removes what an earlier demo wrote after training, and nothing else.

    Called after training, which checks that the folder holds a run.
    """
    if not (out / "scores.json").exists():
        return
    for name in ("export", "examples"):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("scores.json", "contact_sheet.png"):
        (out / name).unlink(missing_ok=True)


def _image_grid(model, options, rows=4):
    labels, photographs, _ = data.scene_pairs(
        rows, options.data.crop_size, seed=options.training.seed
    )
    columns = [
        photographs,
        model.translate(photographs, "ba"),
        labels,
        model.translate(labels, "ab"),
    ]
    return image_grid(columns, ["photograph", "→ labels", "truth", "truth → photograph"])


def _write_examples(folder, options):
    """An image of each domain, to try the translators on."""
    labels, photographs, _ = data.scene_pairs(1, options.data.crop_size, seed=options.training.seed)
    for name, (image,) in (("label_map", labels), ("photograph", photographs)):
        with files.atomic_file(folder / f"{name}.png") as path:
            image_files.to_pillow(image).save(path)


def _differences(model, written, options):
    """Mean absolute difference of each export from Keras in float32, on test scenes."""
    labels, photographs, _ = data.scene_pairs(4, options.data.crop_size, seed=options.training.seed)
    inputs = {"ab": to_float(labels), "ba": to_float(photographs)}
    expected = _float32_outputs(model, inputs, options)
    run = {"saved_model": _run_saved_model, "tflite": translated}
    return {
        f"{kind}_{direction}": float(
            np.abs(run[kind](path, inputs[direction]) - expected[direction]).mean()
        )
        for (kind, direction), path in written.items()
    }


def _float32_outputs(model, inputs, options):
    twin = compiled_model(options.changed(precision="float32"), model.image_shape)
    outputs = {}
    for direction, generator in twin.generators.items():
        generator.set_weights(model.generators[direction].get_weights())
        outputs[direction] = twin.translate(inputs[direction], direction)
    return outputs


def _run_saved_model(path, images):
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    return serve(image=tf.constant(images))["translated"].numpy()


def _section(scores):
    grain = scores["grain"]
    rows = "".join(
        f"<tr><th>{title}</th>"
        + "".join(f"<td>{scores[name][score]:.3f}</td>" for score in scores[name])
        + "</tr>"
        for name, title in (
            ("photo_to_labels", "trained"),
            ("untrained", "untrained"),
            ("copy", "the photograph itself"),
        )
    )
    heads = "<th></th><td>per-pixel accuracy</td><td>per-class accuracy</td><td>class IoU</td>"
    return (
        "<h2>Photo → labels on test scenes</h2>"
        f'<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>'
        f"<p>Trained in {scores['train_seconds']:.0f} seconds. Grain, the mean difference between "
        "neighboring pixels in areas of one class, in 8-bit values: "
        f"{grain['label_maps']:.1f} in translated label maps (0 in true ones), "
        f"{grain['photographs']:.1f} in translated photographs "
        f"({grain['real_photographs']:.1f} in real ones).</p>"
        '<p><img src="contact_sheet.png" alt="Photographs, translated label maps, true label maps, '
        'and those translated to photographs"></p>'
    )
