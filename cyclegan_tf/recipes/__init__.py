"""Recipes: how each system is built and trained. This table is the only one of their names."""

from cyclegan_tf.recipes import cyclegan

SYSTEMS = {"cyclegan": cyclegan.RECIPE}
