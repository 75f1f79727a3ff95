"""What a training step of each system takes, beside CycleGAN's.

    python benchmarks/systems.py [--size 128] [--repeats 3]

One table: median seconds a step of each system with the networks of its paper, in the precision
that this machine takes by default, interleaved in one run; and the peak of the resident memory of
its process after these steps, less what it had before the first. `cyclegan-tf systems` shows the
ratios, which `Recipe.step_cost` holds.
"""

import keras
import tables
import tensorflow as tf
from memory import peak
from train_step import auto_precision
from worker import Worker

from cyclegan_tf import precision
from cyclegan_tf.devices import run_directions_side_by_side
from cyclegan_tf.recipes import SYSTEMS

IN_TURN = 6  # steps a call: DiscoGAN and DualGAN update some networks in every third or second


def system_step(system, size, number_format):
    """For a `Worker`: some steps, and the MiB that all of them have taken so far."""
    run_directions_side_by_side()  # as `cyclegan-tf train` does
    with precision.policy(number_format):
        model = SYSTEMS[system].build((size, size, 3), seed=0)
    model.compile()
    before = peak()
    images = tf.random.stateless_uniform((2, 1, size, size, 3), (0, 0), -1, 1)
    pairs = iter(tf.data.Dataset.from_tensors((images[0], images[1])).repeat())
    model.make_train_function()

    def steps():
        for _ in range(IN_TURN):
            keras.tree.map_structure(lambda x: x.numpy(), model.train_function(pairs))
        return peak() - before

    return steps


def rows_of(seconds, memory):
    """The table: the first system is that which the others are compared with."""
    first = next(iter(seconds))
    return [
        {
            "system": name,
            "seconds": float(f"{seconds[name]:.4g}"),
            "of the first's time": round(seconds[name] / seconds[first], 2),
            "MiB": round(memory[name]),
            "of the first's memory": round(memory[name] / memory[first], 2),
        }
        for name in seconds
    ]


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=128, help="of the images, in pixels")
    parser.add_argument("--repeats", type=int, default=3, help="of six steps, after six others")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, help="systems beside CycleGAN")
    arguments = parser.parse_args()
    if arguments.only and arguments.results:
        parser.error("--only measures a part of the table; --results keeps complete ones")
    chosen = auto_precision(arguments.size, 64)
    names = [n for n in SYSTEMS if not arguments.only or n in ("cyclegan", *arguments.only)]
    workers = {n: Worker("systems", "system_step", n, arguments.size, chosen) for n in names}
    taken = tables.interleaved(workers, arguments.repeats)
    seconds = {name: value / IN_TURN for name, value in taken.items()}
    memory = {name: worker() for name, worker in workers.items()}
    for worker in workers.values():
        worker.close()
    benchmark = f"systems {arguments.size}px"
    tables.publish(rows_of(seconds, memory), arguments, benchmark, chosen)


if __name__ == "__main__":
    main()
