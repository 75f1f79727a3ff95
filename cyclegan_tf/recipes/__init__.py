"""Recipes: how each system is built and trained. This is the only table of their names."""

from cyclegan_tf.recipes import cyclegan

SYSTEMS = {"cyclegan": cyclegan.RECIPE}
