"""Out of Python: SavedModel, TFLite, ONNX, web pages."""
