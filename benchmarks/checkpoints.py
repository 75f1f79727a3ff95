"""What checkpoints cost at 256 pixels: the time of one, and its share of the default interval.

    python benchmarks/checkpoints.py [--repeats 3]

The paper's networks (9 blocks, 64 filters) with both optimizers and full pools; the share is that
of the time between two checkpoints that goes into writing one.
"""

import inspect
import pathlib
import statistics
import tempfile
import time

import tables
import tensorflow as tf

import cyclegan_tf


class Timed(cyclegan_tf.Checkpoints):
    """Checkpoints that are due after every step, timed."""

    seconds = ()

    def _save(self, epoch, step):
        begin = time.perf_counter()
        super()._save(epoch, step)
        self.seconds = (*self.seconds, time.perf_counter() - begin)


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="checkpoints that are written")
    arguments = parser.parse_args()

    model = cyclegan_tf.CycleGAN(image_shape=(256, 256, 3))
    model.compile()
    with tempfile.TemporaryDirectory() as folder:
        timed = Timed(folder, minutes=0)
        # Without steps of training, which would take longer and change no size.
        model.train_step = lambda data: {"cycle_a": tf.zeros(())}
        images = tf.zeros((1, 256, 256, 3))
        pairs = tf.data.Dataset.from_tensors((images, images)).repeat(arguments.repeats)
        model.fit(pairs, verbose=0, callbacks=[timed])
        newest = max(pathlib.Path(folder).iterdir())
        size = sum(path.stat().st_size for path in newest.iterdir())
    seconds = statistics.median(timed.seconds)
    minutes = inspect.signature(cyclegan_tf.Checkpoints).parameters["minutes"].default
    row = {
        "networks": "256px 64 filters",
        "MiB": round(size / 2**20),
        "seconds for one": round(seconds, 2),
        "minutes between two": minutes,
        "share of the time": f"{seconds / (60 * minutes):.2%}",
    }
    tables.publish([row], arguments, "checkpoints")


if __name__ == "__main__":
    main()
