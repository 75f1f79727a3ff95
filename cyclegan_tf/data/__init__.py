"""Data sets of images of two domains, unpaired or paired, ready for `fit`."""

from cyclegan_tf.data.arrays import arrays
from cyclegan_tf.data.earth import earth, earth_pairs
from cyclegan_tf.data.edges import edges, write_edges
from cyclegan_tf.data.folders import folders
from cyclegan_tf.data.pipeline import Source, dataset
from cyclegan_tf.data.scenes import scene_pairs, scenes
from cyclegan_tf.data.side_by_side import side_by_side
from cyclegan_tf.data.tfds import from_tfds
from cyclegan_tf.preprocessing import Preprocessing
