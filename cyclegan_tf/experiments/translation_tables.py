"""Tables 2 to 5 of the CycleGAN paper, and the ablations of UNIT, on other images.

Figures of the paper are those of Cityscapes at 128 pixels (Zhu et al. 2017, arXiv 1703.10593).
"""

import dataclasses

from cyclegan_tf.experiments.labeled_source import LabeledSource
from cyclegan_tf.experiments.tables import Row, Table
from cyclegan_tf.experiments.training_cell import EPOCHS, MEASURES, TrainingCell
from cyclegan_tf.recipes import SYSTEMS

# Their batch normalization has statistics of the weights as they are, not of averaged ones.
_MOVING_STATISTICS = ("cogan", "discogan")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all trainings of a study share.

    Attributes:
        images: a `LabeledSource`.
        seeds: of the trainings; each row is their mean.
        steps: of each training, a multiple of `EPOCHS`.
        base_filters: of all networks.
        count: test images at most.
        searched: test images at most where each is translated by a search.
        evaluations: epochs of each training among which the best one is looked for.
    """

    images: LabeledSource
    seeds: tuple[int, ...] = (0,)
    steps: int = 100 * EPOCHS
    base_filters: int = 32
    count: int = 100
    searched: int = 24
    evaluations: int = 4

    def cell(self, name, system, seed, *, preset="demo", **options):
        """The cell of one training; its name ends with the seed."""
        given = {"base_filters": self.base_filters}
        if system not in _MOVING_STATISTICS:
            given["ema_momentum"] = 1 - 10 / self.steps
        search = system == "cogan"
        return TrainingCell(
            name=f"{name}_{seed}",
            images=self.images,
            system=system,
            seed=seed,
            steps=self.steps,
            options={"preset": preset, **given, **options},
            count=self.searched if search else self.count,
            evaluations=0 if search else self.evaluations,
        )


@dataclasses.dataclass(frozen=True)
class _Method:
    """A system of tables 2 and 3: its options, and figures of the paper in both directions.

    `rates` are those of learning, to photographs and to maps, of a system of one direction whose
    preset `demo` has another one than was best here.
    """

    label: str
    name: str
    system: str
    options: dict = dataclasses.field(default_factory=dict)
    to_photographs: tuple = ()
    to_maps: tuple = ()
    rates: tuple = ()

    def options_of(self, images, to_maps):
        """The options of its trainings in a direction."""
        options = dict(self.options)
        if SYSTEMS[self.system].one_way:
            options["direction"] = images.to_maps if to_maps else images.to_photographs
        if self.rates:
            options["learning_rate"] = self.rates[to_maps]
        return options


# As published but for what a minute's training needs, which is that of the presets `demo`.
_PAPER_CYCLEGAN = {"preset": "labels", "learning_rate": 1e-3}
_FASTCUT = {"lambda_nce": 10.0, "nce_identity": False, "flip_equivariance": True}

_METHODS = (
    _Method("CoGAN", "cogan", "cogan", {}, (0.40, 0.10, 0.06), (0.45, 0.11, 0.08)),
    _Method("BiGAN/ALI", "bigan", "bigan", {}, (0.19, 0.06, 0.02), (0.41, 0.13, 0.07)),
    # The better one of 0.0002 and 0.001 by the class IoU of scenes, 64 pixels, 1,200 steps, seed 0:
    # SimGAN to photographs .674, .545, to maps .604, .610; feature loss .743, .818 and .652, .330.
    _Method(
        "SimGAN",
        "simgan",
        "simgan",
        {},
        (0.20, 0.10, 0.04),
        (0.47, 0.11, 0.07),
        rates=(2e-4, 1e-3),
    ),
    _Method(
        "Feature loss + GAN",
        "featuregan",
        "featuregan",
        {},
        (0.06, 0.04, 0.01),
        (0.50, 0.10, 0.06),
        rates=(1e-3, 2e-4),
    ),
    _Method(
        "CycleGAN", "cyclegan", "cyclegan", _PAPER_CYCLEGAN, (0.52, 0.17, 0.11), (0.58, 0.22, 0.16)
    ),
    _Method("pix2pix (paired)", "pix2pix", "pix2pix", {}, (0.71, 0.25, 0.18), (0.85, 0.40, 0.32)),
    _Method("UNIT", "unit", "unit"),
    _Method("CUT", "cut", "cut"),
    _Method("FastCUT", "fastcut", "cut", _FASTCUT),
    _Method("DiscoGAN", "discogan", "discogan"),
    _Method("DualGAN", "dualgan", "dualgan"),
)

# With figures of tables 4 and 5. "Forward" is the cycle that begins with a label map.
_ABLATIONS = (
    ("Cycle alone", "cycle_alone", (0.22, 0.07, 0.02), (0.10, 0.05, 0.02)),
    ("GAN alone", "gan_alone", (0.51, 0.11, 0.08), (0.53, 0.11, 0.07)),
    ("GAN + forward cycle", "gan_forward", (0.55, 0.18, 0.12), (0.49, 0.11, 0.07)),
    ("GAN + backward cycle", "gan_backward", (0.39, 0.14, 0.06), (0.01, 0.06, 0.01)),
    ("CycleGAN", "cyclegan", (0.52, 0.17, 0.11), (0.58, 0.22, 0.16)),
)

_OF_CITYSCAPES = (
    "The paper's figures are of Cityscapes, 128 pixels and 200 epochs: compare the order, not the "
    "values."
)


def _figures(values):
    return dict(zip(MEASURES, values))


def _measures(setting):
    return (*MEASURES, "kernel")


def systems_table(setting, to_maps):
    """Table 2 (labels → photographs) or 3 (photographs → labels): its cells and the `Table`.

    Args:
        setting: a `Setting`.
        to_maps: table 3.

    Returns:
        `(cells, table)`.
    """
    images = setting.images
    direction = images.to_maps if to_maps else images.to_photographs
    cells, rows = [], []
    for method in _METHODS:
        one_way = SYSTEMS[method.system].one_way
        name = f"{method.name}_{direction}" if one_way else method.name
        options = method.options_of(images, to_maps)
        of_row = [setting.cell(name, method.system, seed, **options) for seed in setting.seeds]
        figures = method.to_maps if to_maps else method.to_photographs
        cells += of_row
        rows.append(
            Row(method.label, tuple(cell.name for cell in of_row), direction, _figures(figures))
        )
    rows += _baseline_rows(setting, direction, "cyclegan")
    number, title = (3, "photographs → labels") if to_maps else (2, "labels → photographs")
    scored = "by nearest color" if to_maps else "by a segmenter of real photographs"
    table = Table(
        f"table{number}",
        f"Table {number}: {title}, scored {scored}",
        _measures(setting),
        tuple(rows),
        f"{_budget(setting)} {_OF_CITYSCAPES}",
    )
    return cells, table


def _baseline_rows(setting, direction, name):
    """The input itself, and the true image: neither needs a model."""
    cells = tuple(f"{name}_{seed}" for seed in setting.seeds)
    return [
        Row("the input itself", cells, direction, baseline="copy"),
        Row("the true image", cells, direction, baseline="truth"),
    ]


def ablation_table(setting, to_maps):
    """Table 4 (labels → photographs) or 5 (photographs → labels): `(cells, table)`.

    One training serves both tables.
    """
    images = setting.images
    direction = images.to_maps if to_maps else images.to_photographs
    maps, photographs = f"lambda_{direction[1]}", f"lambda_{direction[0]}"
    if not to_maps:
        maps, photographs = photographs, maps
    changes = {
        "cycle_alone": {"lambda_adversarial": 0.0},
        "gan_alone": {maps: 0.0, photographs: 0.0},
        "gan_forward": {photographs: 0.0},
        "gan_backward": {maps: 0.0},
        "cyclegan": {},
    }
    cells, rows = [], []
    for label, name, to_photographs, figures_of_maps in _ABLATIONS:
        options = {**_PAPER_CYCLEGAN, **changes[name]}
        of_row = [setting.cell(name, "cyclegan", seed, **options) for seed in setting.seeds]
        figures = _figures(figures_of_maps if to_maps else to_photographs)
        cells += of_row
        rows.append(Row(label, tuple(cell.name for cell in of_row), direction, figures))
    number, title = (5, "photographs → labels") if to_maps else (4, "labels → photographs")
    table = Table(
        f"table{number}",
        f"Table {number}: parts of the objective, {title}",
        _measures(setting),
        tuple(rows),
        f"The forward cycle begins with a label map. {_budget(setting)} {_OF_CITYSCAPES}",
    )
    return cells, table


# Strided layers of the discriminators where they are not what is compared.
_UNIT_LAYERS = 4
_UNIT = (
    *(
        (f"{count} shared blocks", f"unit_shared{count}", {"shared_blocks": count})
        for count in range(5)
    ),
    ("1 shared block, without cycle", "unit_no_cycle", {"lambda_cycle": 0.0}),
    *(
        (f"1 shared block, discriminators of {count} layers", f"unit_layers{count}",
         {"strided_layers": count})
        for count in (3, 4, 5, 6)
    ),
)  # fmt: skip


def unit_table(setting):
    """UNIT's ablations (Liu et al. 2017, arXiv 1703.00848, figure 2 and section 4).

    Its paper has no such table of segmentation scores, so there are no figures to compare with.

    Returns:
        `(cells, table)`; both directions are rows.
    """
    cells, rows = {}, []
    for direction, title in (
        (setting.images.to_photographs, "labels → photographs"),
        (setting.images.to_maps, "photographs → labels"),
    ):
        for label, name, changes in _UNIT:
            # The default of both: the training of tables 2 and 3.
            default = changes in ({"shared_blocks": 1}, {"strided_layers": _UNIT_LAYERS})
            name, changes = ("unit", {}) if default else (name, changes)
            of_row = [setting.cell(name, "unit", seed, **changes) for seed in setting.seeds]
            cells |= {cell.name: cell for cell in of_row}
            rows.append(Row(f"{title}: {label}", tuple(cell.name for cell in of_row), direction))
    table = Table(
        "unit",
        "UNIT: shared blocks, cycle and discriminators",
        _measures(setting),
        tuple(rows),
        "Each encoder and decoder has 4 residual blocks, of which some are shared by both "
        f"domains. {_budget(setting)}",
    )
    return list(cells.values()), table


def _budget(setting):
    return (
        f"{setting.images.described().capitalize()}, {setting.images.image_size} pixels, "
        f"{setting.base_filters} filters; {setting.steps:,} steps of each system, in float32, with "
        "its preset `demo` (CycleGAN: `labels` at a rate of 0.001; SimGAN and feature loss: the "
        "better of 0.0002 and 0.001 in each direction, tried on scenes) and weights averaged over "
        "the last tenth (CoGAN and DiscoGAN: not averaged); "
        f"{setting.count} test images ({setting.searched} of CoGAN, which searches for each); mean "
        f"± standard deviation of {len(setting.seeds)} seed{'s' * (len(setting.seeds) != 1)}."
    )
