"""What healthy translations and made failures measure, against the thresholds of the alarms.

    python benchmarks/alarms.py FOLDER_A FOLDER_B [--paired] [--size 128] [--count 60]

Crops of two folders of images; with `--paired`, images of equal order are each other's true
translations and are resized whole. Without folders it is scenes, paired. Half of the images are
translated, the others are the real images of the target domain. Without pairs a translation is
the input in the colors of the other domain. Of label maps negatives raise no alarm.
"""

import pathlib

import numpy as np
import tables

from cyclegan_tf import metrics
from cyclegan_tf.data import image_files, scene_pairs
from cyclegan_tf.pixels import to_float


def images(folder, count, size, whole):
    """float32 in [-1, 1]: whole images, or crops of images reduced to twice the size."""
    paths = image_files.find(folder).paths
    rng, taken = np.random.default_rng(0), []
    for number in range(count):
        pixels = image_files.read(paths[number % len(paths)])
        if whole:
            taken.append(image_files.resize(pixels, size, size))
            continue
        scale = max(2 * size / min(pixels.shape[:2]), 0.1)
        pixels = image_files.resize(pixels, *(round(scale * side) for side in pixels.shape[:2]))
        row, column = (rng.integers(0, side - size + 1) for side in pixels.shape[:2])
        taken.append(pixels[row : row + size, column : column + size])
    return to_float(np.stack(taken))


def in_colors_of(inputs, targets):
    """With the mean and the deviation of the other domain in each channel."""
    axes = (0, 1, 2)
    normal = (inputs - inputs.mean(axes)) / inputs.std(axes)
    return np.float32(np.clip(normal * targets.std(axes) + targets.mean(axes), -1, 1))


def translations(inputs, true, seed=0):
    """Outputs by name."""
    rng = np.random.default_rng(seed)

    def noisy(outputs):
        return np.float32(np.clip(outputs + rng.normal(0, 0.04, inputs.shape), -1, 1))

    return {
        "healthy": true,
        "copies": noisy(inputs),
        "one image": noisy(true[:1]),
        "negatives": noisy(-0.8 * inputs),
        "black": np.full_like(inputs, -1),
    }


def rows(inputs, targets, paired):
    half = len(inputs) // 2
    true = targets[:half] if paired else in_colors_of(inputs[:half], targets)
    inputs, targets = inputs[:half], targets[half:]
    for name, outputs in translations(inputs, true).items():
        raised = [alarm.name for alarm in metrics.alarms(inputs, outputs, targets)]
        yield {
            "translation": name,
            "returns its input": round(metrics.returns_its_input(inputs, outputs), 3),
            "collapsed": round(metrics.collapsed(inputs, outputs, targets), 2),
            "inverted": round(metrics.inverted(inputs, outputs), 2),
            "blank": round(metrics.blank(outputs), 2),
            "raised": ", ".join(raised) or "none",
        }


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("folders", nargs="*", help="of the two domains")
    parser.add_argument("--paired", action="store_true")
    parser.add_argument("--size", type=int, default=128, help="of the images, in pixels")
    parser.add_argument("--count", type=int, default=60, help="of images of each domain")
    arguments = parser.parse_args()
    size, paired = arguments.size, arguments.paired or not arguments.folders
    if arguments.folders:
        domains = [images(each, arguments.count, size, paired) for each in arguments.folders]
    else:
        domains = [to_float(each) for each in scene_pairs(arguments.count, size)[:2]]
    measured = []
    for direction, (inputs, targets) in {"ab": domains, "ba": domains[::-1]}.items():
        measured += [{"direction": direction, **row} for row in rows(inputs, targets, paired)]
    folders = [pathlib.Path(each).resolve() for each in arguments.folders]
    name = " and ".join(f"{each.parent.name}/{each.name}" for each in folders) or "scenes"
    tables.publish(measured, arguments, f"alarms {size}px {name}")


if __name__ == "__main__":
    main()
