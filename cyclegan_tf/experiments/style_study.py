"""Neural style transfer beside CycleGAN on the same photographs (the CycleGAN paper, 5.2).

Figures 15 and 16 of the paper: photographs in the style of one painting, of another, of a whole
collection by its mean Gram matrices, and as CycleGAN translates them, which learned the collection.
"""

import dataclasses
import functools
import html
import time

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data import image_files
from cyclegan_tf.experiments import neural_style
from cyclegan_tf.experiments.grid import GridFolder
from cyclegan_tf.experiments.paintings_source import PaintingsSource
from cyclegan_tf.experiments.study import Study, scored
from cyclegan_tf.experiments.training_cell import EPOCHS
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.sheets import image_grid
from cyclegan_tf.runs.train import train

_NAME = "style"
_PHOTOGRAPHS = 4
_SINGLE = 2  # paintings whose style is taken alone
_SETTING = "gatys"


@dataclasses.dataclass(frozen=True)
class StyleCell:
    """Repaints photographs by neural style transfer.

    Attributes:
        name: of the cell; a file name.
        images: a `PaintingsSource`.
        painting: the number of the painting whose style is taken; that of all together if `None`.
        evaluations: of the objective, for each photograph.
    """

    name: str
    images: PaintingsSource
    painting: int | None
    evaluations: int

    def run(self, folder, log):
        """Writes `0.png` …; those that are there are not made again.

        Returns:
            JSON values: `files`, and `seconds` for each photograph that was made now.
        """
        paintings = self.images.paintings()
        if self.painting is not None:
            paintings = [paintings[self.painting]]
        begin, made = time.perf_counter(), 0
        paths = {folder / f"{k}.png": p for k, p in enumerate(_shown(self.images))}
        for path, photograph in paths.items():
            if path.exists():
                continue
            log(f"{photograph.name} in the style of {len(paintings)} paintings.")
            image = neural_style.neural_style(
                self.images.read(photograph),
                map(self.images.read, paintings),
                setting=_SETTING,
                image_size=self.images.image_size,
                evaluations=self.evaluations,
                log=log,
            )
            _write(path, image)
            made += 1
        seconds = (time.perf_counter() - begin) / made if made else None
        return {"files": [path.name for path in paths], "seconds": seconds}


@dataclasses.dataclass(frozen=True)
class CollectionCell:
    """Trains CycleGAN on photographs and paintings, and translates photographs.

    Attributes:
        name: of the cell; a file name.
        images: a `PaintingsSource`.
        seed: of the training.
        steps: of the training, a multiple of `EPOCHS`.
        base_filters: of all networks.
    """

    name: str
    images: PaintingsSource
    seed: int
    steps: int
    base_filters: int

    def run(self, folder, log):
        """Trains, or resumes, and writes `0.png` …

        Returns:
            JSON values: `files`.
        """
        model = train(self.run_options(), RunFolder(folder / "run").path, verbose=0, log=log)
        photographs = [self.images.read(path) for path in _shown(self.images)]
        translated = model.translate(photographs, self.images.to_paintings)
        for number, image in enumerate(translated):
            _write(folder / f"{number}.png", image)
        return {"files": [f"{number}.png" for number in range(len(translated))]}

    def run_options(self):
        """The `RunOptions` of the training: as published, but for its length and its size."""
        return resolve(
            self.images.source,
            image_size=self.images.image_size,
            base_filters=self.base_filters,
            epochs=EPOCHS,
            steps_per_epoch=self.steps // EPOCHS,
            ema_momentum=1 - 10 / self.steps,
            evaluate_every=0,
            precision="float32",
            strategy="one",
            seed=self.seed,
        )


def style_study(setting):
    """The `Study`.

    Args:
        setting: a `cyclegan_tf.experiments.translation_tables.Setting`, whose images are a
            `PaintingsSource`. A photograph is evaluated as often as the published code does it, or
            as often as CycleGAN takes steps if that is less.
    """
    images = setting.images
    published = neural_style.SETTINGS[_SETTING].evaluations
    evaluations = min(published, setting.steps)
    paintings = [path.name for path in images.paintings()]
    columns = [
        *((f"style of painting {number + 1}", f"{_NAME}_painting{number + 1}", number)
          for number in range(min(_SINGLE, len(paintings)))),
        (f"style of all {len(paintings)}", f"{_NAME}_collection", None),
    ]  # fmt: skip
    cells = [StyleCell(name, images, number, evaluations) for _, name, number in columns]
    titled = [(title, name) for title, name, _ in columns]
    for seed in setting.seeds:
        name = f"{_NAME}_cyclegan_{seed}"
        cells.append(CollectionCell(name, images, seed, setting.steps, setting.base_filters))
        titled.append((f"CycleGAN, seed {seed}", name))
    note = (
        f"{images.image_size} pixels. Neural style transfer: {evaluations} evaluations for each "
        f"photograph. CycleGAN: {setting.steps:,} steps with {setting.base_filters} filters, once "
        f"for all photographs. Painting 1: {paintings[0]}"
        + (f"; painting 2: {paintings[1]}." if len(paintings) > 1 else ".")
    )
    return Study(_NAME, tuple(cells), functools.partial(_write_sheet, images, titled, note))


def _shown(images):
    return images.photographs()[:_PHOTOGRAPHS]


def _write(path, image):
    with files.atomic_file(path) as beside:
        image_files.to_pillow(image).save(beside)


def _write_sheet(images, titled, note, results, folder):
    """Writes `style.png` and `style.md`; a section of the page, empty without results.

    The first row has the single paintings above what was made in their styles.
    """
    done = [title for title, name in titled if scored(results, name)]
    if not done:
        return ""
    grid = GridFolder(folder.parent)
    paintings = [images.read(path) for path in images.paintings()[:_SINGLE]]
    empty = np.full((images.image_size, images.image_size, 3), 255, np.uint8)
    columns = [[empty, *(images.read(path) for path in _shown(images))]]
    for number, (_, name) in enumerate(titled):
        if not scored(results, name):
            continue
        made = [image_files.read(grid.cell(name) / file) for file in results[name]["files"]]
        columns.append([paintings[number] if number < len(paintings) else empty, *made])
    with files.atomic_file(folder / f"{_NAME}.png") as path:
        image_grid(columns, ["photograph", *done]).save(path)
    title = "Neural style transfer and CycleGAN on the same photographs"
    files.write_text(folder / f"{_NAME}.md", f"### {title}\n\n{note}\n\n![{title}]({_NAME}.png)\n")
    return (
        f"<h2>{title}</h2><p>{html.escape(note)}</p>"
        f'<p><img src="{folder.name}/{_NAME}.png" alt="{title}"></p>'
    )
