"""Made failures are found, and healthy translations raise no alarm."""

import numpy as np
import pytest

from cyclegan_tf.data import scene_pairs
from cyclegan_tf.metrics import alarms, blank, collapsed, inverted, returns_its_input
from cyclegan_tf.pixels import to_float

COUNT = 12


@pytest.fixture(scope="module")
def scenes():
    """Label maps and photographs of the same scenes, twice as many as are translated."""
    label_maps, photographs, classes = scene_pairs(2 * COUNT, 64)
    arrays = {"labels": to_float(label_maps), "photographs": to_float(photographs)}
    # Each class in the negative of the color that it has on average.
    colors = [-arrays["photographs"][classes == each].mean(0) for each in range(classes.max() + 1)]
    return arrays | {"dark labels": np.float32(colors)[classes]}


def _noise(shape, deviation, seed=0):
    return np.random.default_rng(seed).normal(0, deviation, shape).astype(np.float32)


def _with_noise(images, deviation=0.05):
    return np.clip(images + _noise(images.shape, deviation), -1, 1)


def _seas(seed):
    """Maps of which most are all sea, and some have a coast."""
    maps = np.full((COUNT, 32, 32, 3), (-0.6, -0.2, 0.4), np.float32)
    coasts = np.random.default_rng(seed).integers(6, 26, 3)
    for number, coast in enumerate(coasts):
        maps[number, :, :coast] = (0.3, 0.5, -0.1)
    return maps


def _healthy(scenes):
    """Inputs, true or made translations, and other real images of their domain."""
    labels, photographs = scenes["labels"], scenes["photographs"]
    first, others = slice(COUNT), slice(COUNT, None)
    yield "labels to photographs", labels[first], photographs[first], photographs[others]
    yield "photographs to labels", photographs[first], labels[first], labels[others]
    dark = scenes["dark labels"]
    yield "photographs to dark labels", photographs[first], dark[first], dark[others]
    for name, change in {
        "darker": lambda images: 0.7 * images - 0.25,
        "less contrast": lambda images: 0.4 * images,
        "warmer": lambda images: np.clip(images + np.float32([0.15, 0.0, -0.15]), -1, 1),
        "gray": lambda images: np.repeat(images.mean(-1, keepdims=True), 3, -1),
        "two colors": lambda images: (
            np.float32(np.where(images.mean(-1, keepdims=True) > 0, 1, -1)) + 0 * images
        ),
    }.items():
        yield name, photographs[first], change(photographs[first]), change(photographs[others])
    brighter = np.clip(photographs[first] + 0.04, -1, 1)
    yield "domains that look alike", photographs[first], brighter, photographs[others]
    yield "seas", _with_noise(_seas(0), 0.1), _seas(0), _seas(1)
    alike = photographs[:1].repeat(COUNT, 0)  # as of a camera that does not move
    yield "inputs that are alike", _with_noise(alike), _with_noise(0.7 * alike), photographs[others]
    noise = [_noise((COUNT, 16, 16, 3), 0.3, seed) for seed in range(3)]
    yield "noise", *(np.clip(images, -1, 1) for images in noise)


def test_healthy_translations_raise_no_alarm(scenes):
    found = {name: alarms(*arrays) for name, *arrays in _healthy(scenes)}
    assert {name: raised for name, raised in found.items() if raised} == {}


def test_healthy_translations_raise_no_alarm_without_targets(scenes):
    # Of seas nothing else says that most real maps are of one color.
    cases = [case for case in _healthy(scenes) if case[0] != "seas"]
    found = {name: alarms(inputs, outputs) for name, inputs, outputs, _ in cases}
    assert {name: raised for name, raised in found.items() if raised} == {}


FAILURES = {
    "returns_its_input": lambda inputs: _with_noise(inputs, 0.03),
    "collapsed": lambda inputs: _with_noise(inputs[:1].repeat(len(inputs), 0), 0.05),
    "inverted": lambda inputs: _with_noise(-0.8 * inputs),
    "blank": lambda inputs: np.full_like(inputs, -1),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("given", ["floats", "bytes"])
def test_made_failures_are_found(scenes, name, given):
    """Of a translation that should make photographs darker, each by its own alarm alone."""
    inputs, targets = scenes["photographs"][:COUNT], 0.6 * scenes["photographs"][COUNT:] - 0.4
    arrays = [inputs, FAILURES[name](inputs), targets]
    if given == "bytes":
        arrays = [np.uint8(np.round((images + 1) * 127.5)) for images in arrays]
    (alarm,) = alarms(*arrays)
    assert alarm.name == name
    assert alarm.sentence.endswith(".")


@pytest.mark.parametrize("to", ["labels", "photographs"])
@pytest.mark.parametrize("name", ["returns_its_input", "collapsed", "blank"])
def test_failures_between_labels_and_photographs_are_found(scenes, name, to):
    of = {"labels": "photographs", "photographs": "labels"}[to]
    inputs = scenes[of][:COUNT]
    (alarm,) = alarms(inputs, FAILURES[name](inputs), scenes[to][COUNT:])
    assert alarm.name == name


def test_label_maps_need_not_be_bright_where_photographs_are(scenes):
    """Their true maps measure as inverted; of an image that is none it would be an alarm."""
    photographs, maps = scenes["photographs"], scenes["dark labels"]
    assert inverted(photographs, maps) > 0.9
    assert alarms(photographs, maps) == []
    assert [alarm.name for alarm in alarms(photographs, _with_noise(maps))] == ["inverted"]


def test_a_single_broken_image_is_found(scenes):
    inputs = scenes["photographs"][:COUNT]
    outputs = 0.7 * inputs
    outputs[3, 5, 5, 0] = np.nan
    (alarm,) = alarms(inputs, outputs)
    assert alarm.name == "blank"
    assert alarm.value == pytest.approx(1 / COUNT)
    assert alarm.sentence.startswith("8% of the outputs hold NaN or infinity")


def test_the_sentence_says_what_was_measured(scenes):
    inputs, targets = scenes["photographs"][:COUNT], scenes["labels"]
    (alarm,) = alarms(inputs, inputs, targets)
    assert (alarm.value, alarm.sentence[:52]) == (
        0,
        "Outputs differ from their inputs by 0.000 on average",
    )
    # A quarter of the domains' distance: the mean difference of all sorted values.
    one, other = (np.sort(images.reshape(-1, 3), axis=0) for images in (inputs, targets[:COUNT]))
    (alarm,) = alarms(inputs, inputs, targets[:COUNT])
    assert alarm.threshold == pytest.approx(np.abs(one - other).mean() / 4, rel=1e-2)


def test_measures_by_hand():
    ramp = np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 1, 16, 1)
    ramps = np.tile(ramp, (2, 16, 1, 3))
    assert returns_its_input(ramps, ramps) == 0
    assert returns_its_input(ramps, -ramps) == pytest.approx(2 * np.abs(ramp).mean())
    assert inverted(ramps, np.stack([-ramps[0], ramps[0]])) == 0.5
    flat = np.zeros((2, 16, 16, 3), np.float32)
    assert inverted(ramps, flat) == 0
    assert blank(np.concatenate([ramps, flat, flat * np.nan])) == 4 / 6
    assert collapsed(np.concatenate([ramps, -ramps]), np.concatenate([ramps, ramps])) == 0
    # Half of the deviation lies between images of the second set, all of it in the first.
    places = _noise((400, 16, 16, 3), 0.1)
    common = np.float32(_noise((1, 16, 16, 3), 0.1, seed=1) * np.sqrt(3))
    assert collapsed(places, places + common) == pytest.approx(0.5, abs=0.02)
    assert np.isnan(collapsed(ramps, ramps))
    assert np.isnan(collapsed(ramps[:1], ramps[:1]))


def test_numbers_of_channels_may_differ(scenes):
    colored = scenes["photographs"][:COUNT]
    gray = colored @ np.float32([[0.299], [0.587], [0.114]])
    assert returns_its_input(gray, gray.repeat(3, -1)) == pytest.approx(0, abs=1e-6)
    assert [alarm.name for alarm in alarms(colored, gray, gray)] == ["returns_its_input"]
    assert [alarm.name for alarm in alarms(colored, -gray, 0.5 * gray)] == ["inverted"]


def test_bad_images_are_named():
    images = np.zeros((4, 8, 8, 3), np.float32)
    with pytest.raises(
        ValueError, match=r"outputs of uint8 or in \[-1, 1\]. Received: .* 0 to 255"
    ):
        alarms(images, images + np.float32([0, 255, 255]))
    with pytest.raises(ValueError, match="Received: NaN or infinity in targets"):
        alarms(images, images, images * np.nan)
    with pytest.raises(ValueError, match=r"as many images in both sets\. Received: 4 and 3"):
        alarms(images, images[:3])
    with pytest.raises(
        ValueError, match=r"all of one size. Received: \(4, 8, 8, 3\) and \(4, 8, 7"
    ):
        alarms(images, images, images[:, :, 1:])
