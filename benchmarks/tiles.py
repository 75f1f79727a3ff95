"""How long a large image takes by tiles, beside the network on the whole of it.

    python benchmarks/tiles.py [--size 1024 --filters 32] [--repeats 3]

One table: median seconds an image of each way, interleaved in one run. Of each of global and local
statistics every layer is computed once or twice; of those of tiles, surroundings are computed too.
"""

import tables
import tensorflow as tf

from cyclegan_tf import resnet_generator
from cyclegan_tf.translation.translator import Translator


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=1024, help="of the image, in pixels")
    parser.add_argument("--filters", type=int, default=32, help="of the first layer")
    parser.add_argument("--repeats", type=int, default=3, help="images, after one to warm up")
    arguments = parser.parse_args()
    size = arguments.size
    generator = resnet_generator(base_filters=arguments.filters, seed=0)
    model = Translator({"ab": generator}, (256, 256, 3))
    image = tf.random.stateless_uniform((size, size, 3), [0, 0], -1, 1).numpy()
    ways = {"whole": lambda: model.translate(image)}
    for tile, statistics in ((256, "global"), (512, "global"), (512, "local"), (512, "tile")):
        options = {"tile": tile, "statistics": statistics}
        ways[f"{statistics} statistics, tiles of {tile}"] = lambda options=options: model.translate(
            image, **options
        )
    seconds = tables.interleaved(ways, arguments.repeats)
    benchmark = tables.sized("tiles", arguments)
    tables.publish(tables.with_ratios(seconds), arguments, benchmark, "float32")


if __name__ == "__main__":
    main()
