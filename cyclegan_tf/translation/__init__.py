"""How it is used: arrays and folders of images."""
