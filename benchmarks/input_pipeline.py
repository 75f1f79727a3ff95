"""Does the data pipeline keep up? Pairs a second from JPEG files against steps a second.

    python benchmarks/input_pipeline.py

Prints one table: the pipeline alone, the train step alone, and the ratio. The images are scenes
of 512 pixels, written as JPEG to a temporary folder.
"""

import pathlib
import statistics
import tempfile
import time

import tables
import tensorflow as tf
from PIL import Image
from train_step import auto_precision

from cyclegan_tf import CycleGAN, data, precision
from cyclegan_tf.systems.cyclegan import paper_networks

# side of the crop, filters: the paper's networks, and the demo's
SETTINGS = ((256, 64), (64, 32))


def write_images(folder, count=24, size=512):
    labels, photographs, _ = data.scene_pairs(count, size)
    for part, images in (("trainA", labels), ("trainB", photographs)):
        (folder / part).mkdir()
        for number, pixels in enumerate(images):
            Image.fromarray(pixels).save(folder / part / f"{number}.jpg", quality=90)


def pairs_per_second(root, size, pairs=200):
    dataset = data.folders(root, image_size=size).repeat()
    iterator = iter(dataset)
    for _ in range(20):
        next(iterator)
    begin = time.perf_counter()
    for _ in range(pairs):
        next(iterator)
    return pairs / (time.perf_counter() - begin)


def steps_per_second(size, filters, number_format, steps=5):
    with precision.policy(number_format):
        networks = paper_networks((size, size, 3), base_filters=filters)
        model = CycleGAN(**networks, image_shape=(size, size, 3))
    model.compile()
    images = tf.random.stateless_uniform((1, size, size, 3), (0, 0), -1, 1)
    model.train_on_batch(images, images)
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        model.train_on_batch(images, images)
        seconds.append(time.perf_counter() - begin)
    return 1 / statistics.median(seconds)


def main():
    parser = tables.parser(__doc__)
    arguments = parser.parse_args()
    chosen = auto_precision(256, 64)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        write_images(root)
        for size, filters in SETTINGS:
            pipeline, step = pairs_per_second(root, size), steps_per_second(size, filters, chosen)
            rows.append(
                {
                    "crop": size,
                    "filters": filters,
                    "precision": chosen,
                    "pairs_per_second": round(pipeline, 1),
                    "steps_per_second": round(step, 2),
                    "ratio": round(pipeline / step, 1),
                }
            )
    tables.publish(rows, arguments, "input_pipeline", chosen)


if __name__ == "__main__":
    main()
