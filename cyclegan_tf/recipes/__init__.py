"""Recipes: how each system is built and trained. This is the only table of their names.

The class of a system lies in the module of the same name in `cyclegan_tf.systems`.
"""

from cyclegan_tf.recipes import bigan, cut, cyclegan, dualgan, pix2pix, simgan, unit

SYSTEMS = {
    "cyclegan": cyclegan.RECIPE,
    "pix2pix": pix2pix.RECIPE,
    "unit": unit.RECIPE,
    "cut": cut.RECIPE,
    "dualgan": dualgan.RECIPE,
    "bigan": bigan.RECIPE,
    "simgan": simgan.RECIPE,
}
