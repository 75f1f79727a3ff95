"""Data sets of unpaired pictures, ready for `fit`."""

from cyclegan_tf.data.arrays import arrays
from cyclegan_tf.data.folders import folders
from cyclegan_tf.data.pipeline import Source, pairs
from cyclegan_tf.data.scenes import scene_pairs, scenes
from cyclegan_tf.data.tfds import from_tfds
from cyclegan_tf.preprocessing import Preprocessing
