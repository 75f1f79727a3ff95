import numpy as np
import pytest
from references import load

from cyclegan_tf.metrics import feature_moments, frechet_distance, frechet_distance_of_moments


@pytest.fixture(scope="module")
def reference():
    return load("metric_fid")


def test_it_is_the_published_distance(reference):
    distance = frechet_distance(reference["features_1"], reference["features_2"])
    np.testing.assert_allclose(distance, reference["fid"], rtol=1e-6)


def test_moments_are_those_of_the_published_code(reference):
    mean, covariance = feature_moments(reference["features_1"])
    np.testing.assert_allclose(mean, reference["mean_1"], rtol=1e-12)
    np.testing.assert_allclose(covariance, reference["covariance_1"], rtol=1e-10)


def test_singular_covariances(reference):
    """Eight images of 12 dimensions, against symmetric roots.

    The published root of the product of two singular matrices is only good to the root of the
    rounding error.
    """
    few = reference["features_1"][:8], reference["features_2"][:8]
    with pytest.warns(UserWarning, match="from 8 images, where the features have 12 dimensions"):
        distance = frechet_distance(*few)
    np.testing.assert_allclose(distance, reference["fid_few_by_eigenvalues"], rtol=1e-6)


def test_of_one_covariance_only_the_means_count(reference):
    mean_1, covariance = reference["mean_1"], reference["covariance_1"]
    mean_2 = reference["features_2"].mean(axis=0)
    distance = frechet_distance_of_moments(mean_1, covariance, mean_2, covariance)
    np.testing.assert_allclose(distance, reference["fid_same_covariance"], rtol=1e-6)


def test_distance_by_hand():
    """Of two normal distributions of one dimension: (m1 - m2)² + (s1 - s2)²."""
    distance = frechet_distance_of_moments([1.0], [[4.0]], [4.0], [[25.0]])
    assert distance == pytest.approx(3**2 + (2 - 5) ** 2)


def test_a_set_has_no_distance_to_itself(reference):
    features = reference["features_1"]
    assert 0 <= frechet_distance(features, features) < 1e-9


def test_bad_features_are_named(reference):
    features = reference["features_1"]
    broken = features.copy()
    broken[7, 3] = np.nan
    with pytest.raises(ValueError, match=r"finite features_2\. Received: NaN or infinity in row 7"):
        frechet_distance(features, broken)
    with pytest.raises(ValueError, match=r"Received: \(150, 12\) and \(150, 11\)"):
        frechet_distance(features, features[:, 1:])
    with pytest.raises(ValueError, match=r"at least 2 images. Received: \(1, 12\)"):
        frechet_distance(features[:1], features)
    with pytest.raises(ValueError, match=r"Received: \(2,\), \(2, 2\), \(2,\), \(3, 3\)"):
        frechet_distance_of_moments([0, 0], np.eye(2), [0, 0], np.eye(3))
