"""The study `adaptation`: translation in the service of a classifier of another domain."""

import functools
import shutil

from cyclegan_tf import files
from cyclegan_tf.data.digits import tfds_digits_are_laid_down
from cyclegan_tf.experiments import digit_adaptation as digits
from cyclegan_tf.experiments import segmenter_adaptation as segmenters
from cyclegan_tf.experiments.digit_adaptation import DigitAdaptationCell
from cyclegan_tf.experiments.grid import GridFolder
from cyclegan_tf.experiments.segmenter_adaptation import SHEET, SegmenterAdaptationCell
from cyclegan_tf.experiments.study import Study
from cyclegan_tf.experiments.tables import Row, Table, write_table
from cyclegan_tf.experiments.training_cell import MEASURES

_NAME = "adaptation"
_SIZE = 64  # side of the scenes, in pixels
# Figures of VGG16-FCN8s from GTA5 to Cityscapes, in table 4 of CyCADA (arXiv 1711.03213): "source
# only", "pixel-only" and "oracle". It has no mean over classes of the share of right pixels.
_SEGMENTERS = (
    ("computer graphics", segmenters.RENDERED, {"per_pixel": 0.540, "iou": 0.179}),
    (
        "computer graphics through CycleGAN",
        segmenters.TRANSLATED,
        {"per_pixel": 0.828, "iou": 0.348},
    ),
    ("real images", segmenters.REAL, {"per_pixel": 0.931, "iou": 0.603}),
)
_DIGITS = (
    ("labels of the source alone", digits.SOURCE, {}),
    ("UNIT's shared discriminators", digits.UNIT, {"accuracy": 0.9053}),
    ("labels of the target", digits.TARGET, {}),
)
# As many as the tables have, halved: colors are easier to translate than label maps.
_SHARE_OF_FILTERS = 2
_STEPS_OF_DIGITS = 2  # times those of the tables: the images are small
_DIGITS_PER_TEST_IMAGE = 10


def adaptation_study(setting):
    """The `Study`: segmenters of scenes, and classifiers of digits.

    It writes `adaptation.md`, both tables and sheets of translations, and a section of the page.

    Args:
        setting: a `cyclegan_tf.experiments.translation_tables.Setting`, whose images do not count:
            these are made.
    """
    of_segmenters, segmenter_table = _segmenters(setting)
    of_digits, digit_table = _digits(setting)
    # A seed after the other, so that tables of fewer seeds are there early.
    cells = sorted((*of_segmenters, *of_digits), key=lambda cell: cell.seed)
    sheets = [
        (segmenter_table, _sheet(of_segmenters, trained_on=segmenters.TRANSLATED)),
        (digit_table, _sheet(of_digits, method=digits.UNIT)),
    ]
    return Study(_NAME, tuple(cells), functools.partial(_write, sheets))


def _sheet(cells, **kind):
    """The name of the first cell of a kind, which draws a sheet of translations."""
    return next(cell.name for cell in cells if kind.items() <= vars(cell).items())


def _write(sheets, results, folder):
    """Writes the files of both tables; a section of the page, empty without results."""
    text, page = [], []
    for table, cell in sheets:
        section = write_table(table, results, folder)
        if not section:
            continue
        page.append(section)
        text.append((folder / f"{table.name}.md").read_text(encoding="utf-8").strip())
        text.append(f"![The table as bars]({table.name}.png)")
        sheet = GridFolder(folder.parent).cell(cell) / SHEET
        if sheet.exists():
            with files.atomic_file(folder / f"{cell}.png") as path:
                shutil.copyfile(sheet, path)
            text.append(f"![Translations]({cell}.png)")
            page.append(f'<img src="{folder.name}/{cell}.png" alt="Translations">')
    if text:
        files.write_text(folder / f"{_NAME}.md", "\n\n".join(text) + "\n")
    return "".join(page)


def _segmenters(setting):
    """Cells and the `Table` of segmenters that are tested on real images."""
    cells, rows = [], []
    for label, trained_on, paper in _SEGMENTERS:
        of_row = [
            SegmenterAdaptationCell(
                name=f"adaptation_segmenter_{trained_on}_{seed}",
                trained_on=trained_on,
                image_size=_SIZE,
                seed=seed,
                steps=setting.steps,
                base_filters=setting.base_filters // _SHARE_OF_FILTERS,
                tested=setting.count,
            )
            for seed in setting.seeds
        ]
        cells += of_row
        rows.append(Row(label, tuple(cell.name for cell in of_row), segmenters.TESTED, paper))
    note = (
        f"A segmenter is trained on the images named, {cells[0].trained} of them, and tested on "
        f"{setting.count} real ones: scenes in two styles, {_SIZE} pixels. "
        f"CycleGAN: unpaired, {setting.steps:,} steps, {cells[0].base_filters} filters, identity "
        f"loss; its costs are below. {_seeds(setting)} The paper's figures are those of CyCADA, "
        "from GTA5 to Cityscapes: compare the order, not the values."
    )
    table = Table(
        "adaptation_segmenter",
        "Adaptation: a segmenter of real images, by what it was trained on",
        MEASURES,
        tuple(rows),
        note,
    )
    return cells, table


def _digits(setting):
    """Cells and the `Table` of classifiers that are tested on plain digits."""
    of_tfds = tfds_digits_are_laid_down()
    kind = "svhn_mnist" if of_tfds else "digits"
    cells, rows = [], []
    for label, method, paper in _DIGITS:
        of_row = [
            DigitAdaptationCell(
                name=f"adaptation_{kind}_{method}_{seed}",
                method=method,
                of_tfds=of_tfds,
                seed=seed,
                steps=_STEPS_OF_DIGITS * setting.steps,
                base_filters=setting.base_filters // _SHARE_OF_FILTERS,
                tested=setting.count * _DIGITS_PER_TEST_IMAGE,
            )
            for seed in setting.seeds
        ]
        cells += of_row
        rows.append(Row(label, tuple(cell.name for cell in of_row), digits.TESTED, paper))
    images = "SVHN → MNIST" if of_tfds else "street → plain digits, drawn from typefaces"
    note = (
        f"{images}, {digits.SIZE} pixels, {cells[0].trained:,} of each domain to train on and "
        f"{cells[0].tested:,} of the target to test on. {cells[0].steps:,} steps of "
        f"{digits.LABELED} labeled images and {cells[0].base_filters} filters in each row; the "
        f"costs are UNIT's, which also sees {digits.BATCH_SIZE} images of each domain in a step. "
        f"{_seeds(setting)} The paper's figure is of SVHN → MNIST, all of it: compare the order, "
        "not the values."
    )
    table = Table(
        f"adaptation_{kind}",
        f"Adaptation: a classifier of digits without labels of its domain, {images}",
        ("accuracy", "source_accuracy"),
        tuple(rows),
        note,
        compared_by="accuracy",
    )
    return cells, table


def _seeds(setting):
    count = len(setting.seeds)
    return f"Mean ± standard deviation of {count} seed{'s' * (count != 1)}."
