"""What checkpoints cost at 256 pixels: the time of one, and its share of the default interval.

    python benchmarks/checkpoints.py [--repeats 3]

The paper's networks (9 blocks, 64 filters) with both optimizers and full pools; the share is that
of the time between two checkpoints that goes into writing one.
"""

import argparse
import inspect
import pathlib
import statistics
import tempfile
import time

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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="checkpoints that are written")
    repeats = parser.parse_args().repeats

    model = cyclegan_tf.CycleGAN(image_shape=(256, 256, 3))
    model.compile()
    with tempfile.TemporaryDirectory() as folder:
        timed = Timed(folder, minutes=0)
        # Without steps of training, which would take longer and change no size.
        model.train_step = lambda data: {}
        pictures = tf.zeros((1, 256, 256, 3))
        pairs = tf.data.Dataset.from_tensors((pictures, pictures)).repeat(repeats)
        model.fit(pairs, verbose=0, callbacks=[timed])
        newest = max(pathlib.Path(folder).iterdir())
        size = sum(path.stat().st_size for path in newest.iterdir())
    seconds = statistics.median(timed.seconds)
    minutes = inspect.signature(cyclegan_tf.Checkpoints).parameters["minutes"].default
    print(f"{'size':>10} {'one takes':>10} {'interval':>10} {'share':>8}")
    share = seconds / (60 * minutes)
    print(f"{size / 2**20:>6.0f} MiB {seconds:>8.2f} s {minutes:>6.0f} min {share:>8.2%}")


if __name__ == "__main__":
    main()
