"""Image grids: images side by side, to look at."""

import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Dark on white.
_BACKGROUND, _INK = (255, 255, 255), (40, 40, 40)


def sample_grid(model, images):
    """A Pillow image of a system's `sample_columns`, a row for each image.

    Args:
        model: a `System`.
        images: uint8 images by domain, as many of each.
    """
    titles, columns = zip(*model.sample_columns(images))
    return image_grid(columns, titles)


def image_grid(columns, titles, cell=None):
    """A Pillow image of titled columns of images.

    Args:
        columns: lists of uint8 `(height, width, channels)` images.
        titles: one for each column.
        cell: width of an image in pixels; by default the width of the widest, from 128 to 256.
    """
    widest = max(image.shape[1] for column in columns for image in column)
    cell = cell or min(max(widest, 128), 256)
    columns = [[_scaled(image, cell) for image in column] for column in columns]
    margin, header = 6, 18
    heights = [max(c[row].height for c in columns) for row in range(len(columns[0]))]
    size = (
        len(columns) * (cell + margin) + margin,
        header + sum(height + margin for height in heights),
    )
    grid = Image.new("RGB", size, _BACKGROUND)
    pen = ImageDraw.Draw(grid)
    import matplotlib  # here, because few commands draw

    # Pillow's own font has no arrow.
    font = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    font = ImageFont.truetype(str(font), 12)
    for number, (column, title) in enumerate(zip(columns, titles)):
        left, top = margin + number * (cell + margin), header
        pen.text((left, 1), title, fill=_INK, font=font)
        for image, height in zip(column, heights):
            grid.paste(image, (left, top))
            top += height + margin
    return grid


def _scaled(image, width):
    """The first three channels as RGB, or one channel as gray; enlarged without smoothing."""
    image = Image.fromarray(
        np.repeat(image[..., :1], 3, -1) if image.shape[-1] < 3 else image[..., :3]
    )
    method = Image.Resampling.NEAREST if image.width < width else Image.Resampling.BICUBIC
    return image.resize((width, max(1, round(image.height * width / image.width))), method)
