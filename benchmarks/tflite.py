"""Exported .tflite files beside Keras and beside float32: size, time, agreement with Keras.

    python benchmarks/tflite.py [RUN] [--direction ab] [--representative FOLDER]

One table, a row for each quantization: sizes and times (LiteRT with XNNPACK) as parts of those in
float32, PSNR against Keras in decibels on test images. Without a run's folder it is a generator of
random weights, on procedural scenes.
"""

import json
import pathlib
import tempfile

import tables

from cyclegan_tf import Translator, export_tflite, resnet_generator
from cyclegan_tf.choices import QUANTIZATIONS
from cyclegan_tf.runs.load import load
from cyclegan_tf.systems.cyclegan import paper_blocks


def untrained(size, filters):
    blocks = paper_blocks((size, size, 3))
    generator = resnet_generator(base_filters=filters, blocks=blocks, seed=0)
    return Translator({"ab": generator}, (size, size, 3))


def row(model, arguments, quantization, folder):
    path = export_tflite(
        model,
        pathlib.Path(folder) / "generator.tflite",
        arguments.direction,
        quantization=quantization,
        representative=arguments.representative or (None if arguments.run else "scenes"),
        run=arguments.run if arguments.run and pathlib.Path(arguments.run).is_dir() else None,
        log=print,
    )
    report = json.loads(path.with_suffix(".report.json").read_text(encoding="utf-8"))
    agreement, latency = report["psnr_to_keras"], report["latency"]
    return {
        "quantization": quantization,
        "recipe": report["recipe"],
        "size": report["size_to_float32"],
        "time, 1 thread": latency["1_threads"]["to_float32"],
        "time, 2 threads": latency["2_threads"]["to_float32"],
        "mean dB": agreement["mean_db"],
        "worst dB": agreement["worst_db"],
        "largest difference": f"{agreement['largest_difference']:.1e}",
        "GPU delegate": report["gpu_delegate"]["compatible"],
    }


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("run", nargs="?", help="folder of a run or a .keras file")
    parser.add_argument("--direction", default="ab", choices=["ab", "ba"])
    parser.add_argument("--quantization", nargs="*", default=list(QUANTIZATIONS))
    parser.add_argument("--representative", help="a folder of images")
    parser.add_argument("--size", type=int, default=256, help="without a run, in pixels")
    parser.add_argument("--filters", type=int, default=64, help="without a run")
    arguments = parser.parse_args()
    model = load(arguments.run) if arguments.run else untrained(arguments.size, arguments.filters)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(model, arguments, each, folder) for each in arguments.quantization]
    height, width = model.image_shape[:2]
    source = arguments.run or f"{arguments.filters} filters random weights"
    tables.publish(rows, arguments, f"tflite {width}x{height}px {source}")


if __name__ == "__main__":
    main()
