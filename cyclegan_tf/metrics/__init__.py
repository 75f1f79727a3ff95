"""Scores: arrays in, numbers out."""

from cyclegan_tf.metrics.grain import grain
from cyclegan_tf.metrics.segmentation import nearest_class, segmentation_scores
