"""Translation with trained generators: arrays and folders of images."""
