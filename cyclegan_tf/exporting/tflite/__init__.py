"""Generators as .tflite files for phones, browsers and small boards."""
