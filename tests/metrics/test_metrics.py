import numpy as np
import pytest
from references import load

from cyclegan_tf.metrics import class_scores, grain, nearest_class, segmentation_scores
from cyclegan_tf.metrics.segmentation import confusion_matrix


def test_scores_of_a_small_example():
    truth = [0, 0, 0, 0, 1, 1, 2, 2]
    predicted = [0, 0, 0, 1, 1, 2, 2, 2]
    scores = segmentation_scores(np.array(truth), np.array(predicted), 4)
    assert scores["per_pixel"] == 6 / 8
    np.testing.assert_allclose(scores["per_class"], (3 / 4 + 1 / 2 + 1) / 3)
    np.testing.assert_allclose(scores["iou"], (3 / 4 + 1 / 3 + 2 / 3) / 3)


def test_classes_that_do_not_occur_do_not_count():
    scores = segmentation_scores(np.zeros(4, int), np.zeros(4, int), 10)
    assert scores == {"per_pixel": 1.0, "per_class": 1.0, "iou": 1.0}


def test_nearest_color_by_brute_force():
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (6, 3))
    images = rng.integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    distances = np.square(images[..., None, :].astype(float) - colors).sum(-1)
    np.testing.assert_array_equal(nearest_class(images, colors), distances.argmin(-1))


def test_true_label_maps_score_1():
    colors = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)])
    classes = np.random.default_rng(0).integers(0, 3, (2, 8, 8))
    predicted = nearest_class(np.uint8(colors[classes]), colors)
    assert segmentation_scores(classes, predicted, len(colors))["iou"] == 1.0


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="one shape"):
        segmentation_scores(np.zeros((2, 2), int), np.zeros(4, int), 2)


def test_grain_of_a_chessboard_and_of_an_edge():
    classes = np.zeros((1, 12, 12), int)
    classes[:, :, 6:] = 1
    flat = np.uint8(np.where(classes == 1, 200, 40))[..., None].repeat(3, -1)
    assert grain(flat, classes) == 0.0  # an edge between classes is none
    chessboard = (np.indices((12, 12)).sum(0) % 2)[None, ..., None]
    # Each pixel differs by 3 from all four neighbors.
    assert grain(np.uint8(flat + 3 * chessboard), classes) == 3.0
    # In one channel of three it counts a third.
    assert grain(np.uint8(flat + chessboard * [3, 0, 0]), classes) == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"\(1, 12, 12, 3\) and \(1, 12, 11\)"):
        grain(flat, classes[:, :, 1:])
    with pytest.raises(ValueError, match="radius must be at least 1"):
        grain(flat, classes, radius=0)
    with pytest.raises(ValueError, match="NaN or infinity in image 0"):
        grain(flat * np.nan, classes)
    assert np.isnan(grain(flat[:, :4, :4], np.arange(16).reshape(1, 4, 4)))


VOID, CLASSES = 255, 19


def test_scores_are_those_of_the_published_script():
    """Two of its 19 classes do not occur in the truth and count as 0 there."""
    reference = load("metric_segmentation")
    truth, predicted = reference["truth"], reference["predicted"]
    matrix = confusion_matrix(truth, predicted, CLASSES, ignore=VOID)
    np.testing.assert_array_equal(matrix, reference["predicted/histogram"])
    scores = segmentation_scores(truth, predicted, CLASSES, ignore=VOID, absent="zero")
    published = [
        reference[f"predicted/{name}"] for name in ("pixel_accuracy", "class_accuracy", "class_iou")
    ]
    np.testing.assert_allclose(list(scores.values()), published, rtol=1e-6)

    by_class = class_scores(truth, predicted, CLASSES, ignore=VOID)
    for name, values in by_class.items():
        assert list(np.flatnonzero(np.isnan(values))) == [3, 11]
        published = reference[f"predicted/per_class_{name}"]
        np.testing.assert_allclose(np.nan_to_num(values), published, rtol=1e-6)
    left_out = segmentation_scores(truth, predicted, CLASSES, ignore=VOID)
    assert left_out["iou"] == pytest.approx(np.nanmean(by_class["iou"]))
    assert left_out["per_class"] == pytest.approx(scores["per_class"] * 19 / 17)


def test_predictions_outside_the_classes_are_refused():
    """The published script counts them as something else, and so drops whole images."""
    reference = load("metric_segmentation")
    assert reference["predicted_with_extra_class/image_dropped"].any()
    predicted = reference["predicted_with_extra_class"]
    with pytest.raises(ValueError, match=r"predicted must hold classes from 0 to 18.*Received: 19"):
        segmentation_scores(reference["truth"], predicted, CLASSES, ignore=VOID)


def test_void_pixels_do_not_count_whatever_was_predicted_there():
    truth, predicted = np.array([0, 0, 1, 7, 9]), np.array([0, 1, 1, 0, 5])
    scores = segmentation_scores(truth, predicted, 2, ignore=(7, 9))
    assert scores == segmentation_scores(truth[:3], predicted[:3], 2)
    with pytest.raises(ValueError, match=r"truth must hold classes from 0 to 1.*Received: 9"):
        segmentation_scores(truth, predicted, 2, ignore=7)
    with pytest.raises(ValueError, match="Expected pixels to score"):
        segmentation_scores(truth[3:], predicted[3:], 2, ignore=(7, 9))
    with pytest.raises(ValueError, match=r"absent must be left_out or zero\. Received: 'nan'"):
        segmentation_scores(truth, predicted, 2, absent="nan")


@pytest.mark.parametrize("name", ["truth", "predicted"])
def test_classes_are_integers(name):
    arrays = {"truth": np.array([0, 1]), "predicted": np.array([0, 1])}
    arrays[name] = np.array([0.2, 0.9])
    with pytest.raises(ValueError, match=rf"{name} must hold integers\. Received: float64"):
        confusion_matrix(**arrays, classes=2)
