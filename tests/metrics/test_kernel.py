import numpy as np
import pytest
from references import load

from cyclegan_tf.metrics import kernel, kernel_distance, unbiased_mmd


@pytest.fixture(scope="module")
def reference():
    return load("metric_kid")


@pytest.fixture(scope="module")
def sets(reference):
    return reference["features_1"], reference["features_2"]


def test_every_subset_has_the_published_value(reference, sets):
    rows = zip(reference["subsets_1"], reference["subsets_2"])
    values = [unbiased_mmd(sets[0][rows_1], sets[1][rows_2]) for rows_1, rows_2 in rows]
    np.testing.assert_allclose(values, reference["mmd2_per_subset"], rtol=1e-6)


def test_the_mean_over_subsets_is_the_published_one(reference, sets):
    """Subsets of half of the smaller set: there the jackknife's error is the spread itself."""
    draw = np.random.RandomState(2020)
    distance, error = kernel_distance(*sets, subset_size=30, subsets=8, seed=draw)
    np.testing.assert_allclose(distance, reference["kid_mean"], rtol=1e-6)
    np.testing.assert_allclose(error, reference["kid_std"] * np.sqrt(1 + 1 / 8), rtol=1e-6)


def test_sets_whose_pairs_do_not_fit_into_memory(sets, monkeypatch):
    """Subsets are computed one by one: the same numbers."""
    expected = kernel_distance(*sets, subset_size=20, subsets=5)
    monkeypatch.setattr(kernel, "_MOST_BYTES", 0)
    found = kernel_distance(*sets, subset_size=20, subsets=5)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_second_published_code_has_the_same_mean(reference, sets):
    rows = zip(reference["cleanfid_subsets_1"], reference["cleanfid_subsets_2"])
    values = [unbiased_mmd(sets[0][rows_1], sets[1][rows_2]) for rows_1, rows_2 in rows]
    np.testing.assert_allclose(np.mean(values), reference["cleanfid_kid"], rtol=1e-6)


def test_all_images_of_both_sets(reference, sets):
    value = unbiased_mmd(sets[0], sets[1][: len(sets[0])])
    np.testing.assert_allclose(value, reference["mmd2_of_all_equal_sizes"], rtol=1e-6)


def test_sets_of_different_counts_by_a_sum_over_pairs():
    rng = np.random.default_rng(0)
    set_1, set_2 = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))

    def mean(one, other, same):
        pairs = [(i, j) for i in range(len(one)) for j in range(len(other)) if not same or i != j]
        return np.mean([(one[i] @ other[j] / 3 + 1) ** 3 for i, j in pairs])

    expected = mean(set_1, set_1, True) + mean(set_2, set_2, True) - 2 * mean(set_1, set_2, False)
    assert unbiased_mmd(set_1, set_2) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "size", "subsets"), [(80, 20, 40), (400, 5, 20)])
def test_the_standard_error_is_that_of_repeated_samples(count, size, subsets):
    """Sets drawn anew 60 times: the spread of the distances is what one set foretells.

    In sets of 80 the chance is in the images, in sets of 400 in the few small subsets.
    """
    rng = np.random.default_rng(0)
    drawn = [
        kernel_distance(
            rng.normal(size=(count, 4)), rng.normal(0.5, 1, (count, 4)), size, subsets, seed=rng
        )
        for _ in range(60)
    ]
    spread = np.std([distance for distance, _ in drawn])
    foretold = np.sqrt(np.mean([error**2 for _, error in drawn]))
    assert 0.75 < foretold / spread < 1.5


def test_small_sets_are_warned_of_and_have_no_bias():
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="from 40 images is uncertain .subsets have 20 instead"):
        distance, error = kernel_distance(rng.normal(size=(40, 4)), rng.normal(size=(90, 4)))
    assert error > 0
    assert abs(distance) < 3 * error


def test_the_seed_decides(sets):
    one, same, other = (kernel_distance(*sets, 20, 5, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_bad_arguments_are_named(sets):
    with pytest.raises(ValueError, match="subset_size=1 and subsets=5"):
        kernel_distance(*sets, subset_size=1, subsets=5)
    with pytest.raises(ValueError, match=r"features_2 .* at least 4 images. Received: \(3, 10\)"):
        kernel_distance(sets[0], sets[1][:3])
    with pytest.raises(ValueError, match=r"\(60, 10\) and \(75, 9\)"):
        unbiased_mmd(sets[0], sets[1][:, 1:])
