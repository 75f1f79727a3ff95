"""Translates many images on Apache Beam: `python -m cyclegan_tf.translation.beam`."""

import argparse
import contextlib
import json
import os
import pathlib
import posixpath
import re
import sys

from cyclegan_tf import files
from cyclegan_tf.choices import MAX_MEGAPIXELS
from cyclegan_tf.data import image_files
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required
from cyclegan_tf.translation.batches import grouped, translate_alike
from cyclegan_tf.translation.encoding import encoded
from cyclegan_tf.translation.exported import ExportedTranslator, image_shape, version_folder
from cyclegan_tf.translation.image_folders import check_fits
from cyclegan_tf.translation.translator import check_images

_PURPOSE = "Translation on Apache Beam needs"

beam = required("apache_beam", "beam", _PURPOSE)
fileio = required("apache_beam.io.fileio", "beam", _PURPOSE)
inference = required("apache_beam.ml.inference.base", "beam", _PURPOSE)
FileSystems = required("apache_beam.io.filesystems", "beam", _PURPOSE).FileSystems
CompressionTypes = required("apache_beam.io.filesystem", "beam", _PURPOSE).CompressionTypes
Metrics = required("apache_beam.metrics", "beam", _PURPOSE).Metrics
options = required("apache_beam.options.pipeline_options", "beam", _PURPOSE)

COUNTERS = ("translated", "there", "failed")
REPORTS = "beam"  # in the folder of the results
_NAMESPACE = "cyclegan_tf"
_FAILED = "failed"
# Part of DirectRunner, which would first try to download another program.
_LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_MOST_TOGETHER = 64  # that Beam hands to the model; the model decides how many it computes at once


class SavedModelHandler(inference.ModelHandler):
    """Images through a SavedModel, for Beam's `RunInference`.

    It takes uint8 or float images `(height, width, channels)` of any sizes, as
    `Translator.translate` does, and gives translated ones. Wrap it in `KeyedModelHandler` to keep
    keys. Each process of a worker has one copy of the model.

    Args:
        path: of the SavedModel, as `version_folder` takes it.
        batch_size: images of one size that are computed at once; see `translate_alike`.
        large_model: whether all processes of a machine share one copy, to which images are then
            sent. For models that do not fit into memory several times.
    """

    def __init__(self, path, batch_size=1, large_model=False):
        super().__init__()
        self._path = path
        self._batch_size = batch_size
        self._large_model = large_model

    def load_model(self):
        return ExportedTranslator(self._path)

    def run_inference(self, batch, model, inference_args=None):
        """Yields the translated images, in the order of the batch."""
        translated = [None] * len(batch)
        for group in grouped(enumerate(batch), len(batch), lambda each: each[1].shape):
            numbers, images = zip(*group)
            results = translate_alike(model, list(images), batch_size=self._batch_size)
            for number, result in zip(numbers, results):
                translated[number] = result
        return translated

    def batch_elements_kwargs(self):
        return {"max_batch_size": max(_MOST_TOGETHER, self._batch_size)}

    def share_model_across_processes(self):
        return self._large_model

    def get_num_bytes(self, batch):
        return sum(image.nbytes for image in batch)

    def get_metrics_namespace(self):
        return _NAMESPACE


class TranslateFiles(beam.PTransform):
    """From names of files, relative to a folder, to their translations in another folder.

    Results are as from `translate_shard` with the same SavedModel and batch size, byte for byte.
    Those that are there already are left as they are.

    The output is a dictionary: `"written"`, the names that were translated, and `"failed"`, pairs
    of a name and a sentence that says why there is no result.

    The counters `translated`, `there` and `failed` are in the namespace `cyclegan_tf`.

    Args:
        model: path of the SavedModel.
        source: the folder of the images, on any file system that Beam knows.
        output: the folder of the results.
        batch_size: as in `SavedModelHandler`.
        large_model: likewise.
        overwrite: whether results that are there are computed anew.
        max_megapixels: larger images fail.
        dead_letters: a folder for copies of the images that failed; `None` for no copies.
    """

    def __init__(
        self,
        model,
        source,
        output,
        *,
        batch_size=1,
        large_model=False,
        overwrite=False,
        max_megapixels=MAX_MEGAPIXELS,
        dead_letters=None,
    ):
        super().__init__()
        self._handler = SavedModelHandler(model, batch_size, large_model)
        shape = image_shape(version_folder(model))
        self._read = _Read(source, output, shape, overwrite, max_megapixels)
        self._write = _Write(output)
        self._bury = _Bury(source, dead_letters)

    def expand(self, names):
        read = names | "Read" >> beam.ParDo(self._read).with_outputs(_FAILED, main="images")
        written = (
            read.images
            | "Translate" >> inference.RunInference(inference.KeyedModelHandler(self._handler))
            | "Write" >> beam.ParDo(self._write)
        )
        failed = read[_FAILED] | "Copy those that failed" >> beam.ParDo(self._bury)
        return {"written": written, _FAILED: failed}


class _Read(beam.DoFn):
    """The pixels of an image that has no result yet; or a sentence."""

    def __init__(self, source, output, shape, overwrite, max_megapixels):
        self._source, self._output = source, output
        self._shape, self._overwrite, self._max_megapixels = shape, overwrite, max_megapixels
        self._there = Metrics.counter(_NAMESPACE, "there")

    def process(self, name):
        if not self._overwrite and FileSystems.exists(_joined(self._output, name)):
            self._there.inc()
            return
        try:
            content = _content(_joined(self._source, name))
            check_fits(content, self._max_megapixels)
            image = image_files.read(content, self._shape[-1])
            check_images(image, (None, *self._shape))
        except InputError as problem:
            yield beam.pvalue.TaggedOutput(_FAILED, (name, str(problem)))
        else:
            yield name, image


class _Write(beam.DoFn):
    """Writes a result. It appears complete or not at all."""

    def __init__(self, output):
        self._output = output
        self._translated = Metrics.counter(_NAMESPACE, "translated")

    def process(self, named):
        name, pixels = named
        _write(_joined(self._output, name), encoded(pixels, _suffix(name)))
        self._translated.inc()
        yield name


class _Bury(beam.DoFn):
    """Counts what failed, and copies it on wish."""

    def __init__(self, source, dead_letters):
        self._source, self._dead_letters = source, dead_letters
        self._failed = Metrics.counter(_NAMESPACE, "failed")

    def process(self, failed):
        name, _ = failed
        self._failed.inc()
        if self._dead_letters:
            try:
                content = _content(_joined(self._source, name))
            except InputError:
                content = None  # it is in the list, and cannot be copied
            if content is not None:
                _write(_joined(self._dead_letters, name), content)
        yield failed


def _joined(folder, name):
    return f"{folder.rstrip('/')}/{name}"


def _content(path):
    """The bytes of a file.

    Raises:
        InputError: it cannot be read. What may go well the next time is raised as it is, so that
            Beam tries again.
    """
    if FileSystems.get_scheme(path) is None and os.path.exists(path) and not os.path.isfile(path):
        # Opening a pipe would wait for its other end.
        raise InputError("The image is not a regular file.")
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return file.read()
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"The image cannot be read: {error.strerror}.") from error


def _write(path, content):
    """Writes a file that appears complete or not at all.

    Object stores show one when it is complete. Elsewhere it is renamed then.
    """
    if not FileSystems.get_filesystem(path).has_dirs():
        _create(path, content)
        return
    folder, name = FileSystems.split(path)
    beside = _joined(folder, files.unfinished_name(pathlib.Path(name), _suffix(name)))
    try:
        _create(beside, content)
        FileSystems.rename([beside], [path])
    except BaseException:
        with contextlib.suppress(OSError):
            FileSystems.delete([_literal(beside)])
        raise


def _create(path, content):
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(content)


def _suffix(name):
    return posixpath.splitext(name)[1]


def _literal(path):
    """A pattern of Beam's that matches this path, and others at most where it has a `[`.

    Beam makes a regular expression of it, and Python warns of `[[]`. So `]` matches there, too.
    """
    return re.sub(r"[*?]", r"[\g<0>]", path.replace("[", "[][]"))


def translate_matching(pipeline, pattern, output, **settings):
    """Adds to a pipeline the translation of all images that a pattern or a folder names.

    Args:
        pipeline: a Beam pipeline.
        pattern: a folder, whose images at any depth are meant, or a pattern such as
            `"gs://photos/2024/**.jpg"`, of which the folder before the first wildcard is meant.
        output: the folder of the results. `beam/failed.jsonl` in it gets the list of those that
            failed, as `ShardReport` writes it. What it holds is not translated.
        **settings: as in `TranslateFiles`.

    Raises:
        InputError: nothing matches, or results would overwrite the originals.
    """
    source, pattern = _source(pattern)
    if _place(source) == _place(output):
        raise InputError(f"{output} would overwrite the originals; choose another place.")
    if not FileSystems.match([pattern], [1])[0].metadata_list:
        raise InputError(f"{pattern} matches no files; expected images or their folder.")
    settings["model"] = version_folder(settings["model"])
    translated = (
        pipeline
        | "Match" >> fileio.MatchFiles(pattern)
        | "Name" >> beam.FlatMap(_names, source, output)
        | "Spread" >> beam.Reshuffle()
        | "Translate" >> TranslateFiles(source=source, output=output, **settings)
    )
    _ = (
        translated[_FAILED]
        | "Gather" >> beam.combiners.ToList()
        | "List" >> beam.Map(_write_list, _joined(output, f"{REPORTS}/failed.jsonl"))
    )


def _place(folder):
    local = FileSystems.get_scheme(folder) is None
    return os.path.realpath(folder) if local else folder.rstrip("/")


def _source(pattern):
    """The folder of the images, and a pattern of all files in it if the pattern is that folder."""
    if not re.search(r"[*?\[]", pattern) or FileSystems.exists(pattern):
        folder = pattern.rstrip("/")
        return folder, f"{_literal(folder)}/**"
    folder = re.match(r"[^*?\[]*/|", pattern)[0]
    if not folder:  # Beam would look nowhere
        folder, pattern = "./", f"./{pattern}"
    return folder.rstrip("/"), pattern


def _names(metadata, source, output):
    """The name of an image, relative to the folder of all of them, in a list; none of others."""
    path = metadata.path
    name = posixpath.basename(path)
    is_other = (
        f"{path}/".startswith(_joined(output, ""))
        or name.startswith(".")
        or not name.lower().endswith(image_files.SUFFIXES)
        # In a folder that the pattern of `_literal` matches, too.
        or ("[" in source and not path.startswith(_joined(source, "")))
    )
    return [] if is_other else [path.removeprefix(_joined(source, ""))]


def _write_list(failed, path):
    lines = (
        json.dumps({"path": name, "problem": problem}, ensure_ascii=False)
        for name, problem in sorted(failed)
    )
    _write(path, "".join(f"{line}\n" for line in lines).encode(errors="replace"))


def _counts(result):
    """The counters of a pipeline that ran."""
    found = dict.fromkeys(COUNTERS, 0)
    query = beam.metrics.MetricsFilter().with_namespace(_NAMESPACE)
    for each in result.metrics().query(query)["counters"]:
        if each.key.metric.name in found:
            found[each.key.metric.name] += each.result
    return found


def run(arguments):
    """Runs the command line, and waits for the pipeline.

    Returns:
        The counters, by name.

    Raises:
        InputError: there is no such model, or nothing matches.
    """
    settings, of_beam = _parser().parse_known_args(arguments)
    settings = vars(settings)
    pattern, output, runner = (settings.pop(name) for name in ("input", "output", "runner"))
    if FileSystems.get_scheme(output) is None:
        files.remove_unfinished_below(output)
    pipeline = beam.Pipeline(options=options.PipelineOptions(of_beam, runner=runner))
    translate_matching(pipeline, pattern, output, **settings)
    result = pipeline.run()
    result.wait_until_finish()
    counts = _counts(result)
    _write(_joined(output, f"{REPORTS}/report.json"), f"{json.dumps(counts, indent=2)}\n".encode())
    return counts


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m cyclegan_tf.translation.beam",
        description="Translates many images on Apache Beam.",
        epilog="All other options are Beam's, such as --direct_num_workers.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--model", required=True, help="SavedModel that `cyclegan-tf export` wrote")
    add("--input", required=True, help="folder of images, or a pattern such as photos/**.jpg")
    add("--output", required=True, help="folder to write to")
    add("--runner", default=_LOCAL_RUNNER, help="Beam's; by default one for this machine")
    add("--batch_size", type=int, default=1, help="images of one size at once")
    add("--large_model", action="store_true", help="processes of a machine share one copy")
    add("--overwrite", action="store_true", help="compute anew what is there")
    add("--max_megapixels", type=float, default=MAX_MEGAPIXELS, help="larger images fail")
    add("--dead_letters", help="folder for copies of images that failed")
    return parser


def main():
    """0 if all images were translated, 1 if some failed, 2 for bad input."""
    try:
        counts = run(sys.argv[1:])
    except InputError as error:
        print(f"cyclegan-tf: {error}", file=sys.stderr)
        sys.exit(2)
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    # By its own name workers find what is in it.
    from cyclegan_tf.translation.beam import main as of_module

    of_module()
