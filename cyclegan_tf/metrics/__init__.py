"""Scores: arrays in, numbers out."""

from cyclegan_tf.metrics.alarms import (
    Alarm,
    alarms,
    blank,
    collapsed,
    inverted,
    returns_its_input,
)
from cyclegan_tf.metrics.flicker import Flicker, flicker
from cyclegan_tf.metrics.frechet import (
    feature_moments,
    frechet_distance,
    frechet_distance_of_moments,
)
from cyclegan_tf.metrics.grain import grain
from cyclegan_tf.metrics.kernel import KernelDistance, kernel_distance, unbiased_mmd
from cyclegan_tf.metrics.resizing import resize_bicubic, resize_for_inception
from cyclegan_tf.metrics.segmentation import class_scores, nearest_class, segmentation_scores
from cyclegan_tf.metrics.similarity import psnr, ssim
from cyclegan_tf.metrics.structure import (
    edge_agreement,
    perceptual_distance,
    self_similarity_distance,
)
from cyclegan_tf.metrics.wasserstein import SlicedWasserstein, sliced_wasserstein
