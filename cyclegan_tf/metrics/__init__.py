"""Scores: arrays in, numbers out."""

from cyclegan_tf.metrics.frechet import (
    feature_moments,
    frechet_distance,
    frechet_distance_of_moments,
)
from cyclegan_tf.metrics.grain import grain
from cyclegan_tf.metrics.kernel import KernelDistance, kernel_distance, unbiased_mmd
from cyclegan_tf.metrics.segmentation import nearest_class, segmentation_scores
