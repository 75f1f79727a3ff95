"""Recipes: how each system is built and trained. This is the only table of their names.

The class of a system lies in the module of the same name in `cyclegan_tf.systems`.
"""

from cyclegan_tf.recipes import (
    bigan,
    cogan,
    cut,
    cyclegan,
    discogan,
    dualgan,
    featuregan,
    pix2pix,
    simgan,
    unit,
)

SYSTEMS = {
    "cyclegan": cyclegan.RECIPE,
    "pix2pix": pix2pix.RECIPE,
    "unit": unit.RECIPE,
    "cut": cut.RECIPE,
    "discogan": discogan.RECIPE,
    "dualgan": dualgan.RECIPE,
    "cogan": cogan.RECIPE,
    "bigan": bigan.RECIPE,
    "simgan": simgan.RECIPE,
    "featuregan": featuregan.RECIPE,
}
