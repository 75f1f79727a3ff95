"""Exports: SavedModel, TFLite, ONNX, web pages."""
