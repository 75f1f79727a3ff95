"""Recipes: how each system is built and trained. This is the only table of their names."""

from cyclegan_tf.recipes import cyclegan, pix2pix

SYSTEMS = {"cyclegan": cyclegan.RECIPE, "pix2pix": pix2pix.RECIPE}
