"""The command `translate` for films: frame by frame, with averaged statistics, sound kept."""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import shutil

import numpy as np
from PIL import Image

from cyclegan_tf import files, pixels
from cyclegan_tf.choices import AVERAGE_STATISTICS
from cyclegan_tf.data import film_parts
from cyclegan_tf.data.films import Film
from cyclegan_tf.directions import channels_of, direction_among, generator_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required
from cyclegan_tf.metrics.flicker import Flicker
from cyclegan_tf.networks.averaged_statistics import AveragedStatistics, has_statistics
from cyclegan_tf.networks.noise import draws_noise
from cyclegan_tf.translation.cuts import Cuts
from cyclegan_tf.translation.digests import digest_of_weights
from cyclegan_tf.translation.image_folders import check_frames_fit, check_limit

_FRAMES_OF_A_PART = 60  # two seconds: what an interruption loses, and how far apart key frames are


class FilmTranslation:
    """The translation of one film.

    Frames are decoded, translated and encoded one after the other, in memory that does not depend
    on the length of the film. The new film has the time stamps, size and shape of pixels of the
    old one, its sound and subtitles, and its colors' matrix and range. It is upright without the
    note by which a camera says that it was held sideways. Other metadata is not kept.

    Parts of the new film are written to a folder beside it, with what the next part needs. The
    same translation resumes after them if it was interrupted, and the film is the same as without
    an interruption, but for noise that a generator draws. The folder is removed at the end.

    Args:
        model: a system or a `Translator` of images of 1 or 3 channels.
        source: path of the film.
        output: path of the new film, or a folder, where it gets the same name.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        average: decay of the averages of instance normalization's statistics over frames, from 0
            for none up to 1, without 1; see `AveragedStatistics`. They start anew at a cut.
        max_megapixels: films of larger frames are refused; by default as for images.
        log: called with lines for the user.

    Attributes:
        output: path of the new film.
        film: the old one, a `Film`.
        flicker: of the frames so far, a `Flicker`.
        cuts: those so far, a `Cuts`.

    Raises:
        ImportError: PyAV is not installed.
        InputError: the film cannot be read or the new one not be written; the model takes other
            images; or the folder of parts belongs to another translation.
    """

    def __init__(
        self,
        model,
        source,
        output,
        direction=None,
        average=AVERAGE_STATISTICS,
        max_megapixels=None,
        log=print,
    ):
        if not 0 <= average < 1:
            raise InputError(
                f"average_statistics must be from 0 up to 1, without 1. Received: {average:g}"
            )
        check_limit(max_megapixels)
        self.output = _place(pathlib.Path(source), pathlib.Path(output))
        self._encoder = film_parts.encoder_for(self.output)
        self.film = Film(source)
        check_frames_fit(source, self.film.height, self.film.width, max_megapixels)
        self._model, self._direction = model, direction
        self._channels, _ = channels = channels_of(model, direction)
        if not set(channels) <= {1, 3}:
            raise InputError(
                "Films have images of 1 or 3 channels; the model translates from "
                f"{channels[0]} to {channels[1]}."
            )
        with self.film.opened() as container:
            _, notes = film_parts.streams_beside(self.film, container, self.output)
        self._generator = generator_of(model, direction) if model.generators else None
        self._averaged, more = self._averaging(average)
        self.flicker, self.cuts = Flicker(), Cuts()
        self._parts = self.output.with_name(f"{self.output.name}.parts")
        self._job = self._description(average)
        self._check_parts()
        for line in (*notes, *more, *_notes_of(self.film, self.output)):
            log(line)

    def _averaging(self, average):
        """The generator with averaged statistics, `None` if it has none; and lines about it."""
        generator = self._generator
        if generator is None:
            return None, []
        if None not in generator.input_shape[1:3]:  # raises if the size is another one
            blank = np.zeros((0, self.film.height, self.film.width, self._channels), np.uint8)
            self._model.translate(blank, self._direction)
        notes = []
        if draws_noise(generator):
            notes.append("The generator draws noise for each frame, by which the film flickers.")
        if not average:
            return None, notes
        if not has_statistics(generator):
            notes.append(
                "The generator has no instance normalization, so that there are no statistics to "
                "average; each frame is translated by itself."
            )
            return None, notes
        return AveragedStatistics(generator, average), notes

    def _description(self, average):
        """What must be the same when a translation resumes."""
        status = os.stat(self.film.path)
        directions = self._model.generators or self._model.directions
        return {
            "film": [str(self.film.path.resolve()), status.st_size, status.st_mtime_ns],
            "weights": digest_of_weights(self._generator or self._model),
            "direction": direction_among(directions, self._direction),
            "average": average if self._averaged else 0,
            "encoder": [self._encoder, required("av", "video", "Films need").__version__],
        }

    def _check_parts(self):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if json.loads((self._parts / "job.json").read_text()) == self._job:
                return
            raise InputError(
                f"{self._parts} holds parts of another film or of a translation with other "
                "options; remove it to start anew, or choose another name."
            )

    def frames(self):
        """Translates; iterates over the numbers of frames that are done, then joins the film.

        Raises:
            InputError: another process translates to the same place, or a frame has another size.
        """
        busy = f"{self._parts} is being written by another process; choose another name."
        with files.locked(self._parts, busy):
            files.write_text(self._parts / "job.json", json.dumps(self._job))
            files.remove_unfinished(self._parts)
            parts, done = self._restore()
            yield from range(done)
            frames = self.film.frames(skip=done)
            for frame in frames:
                path = self._part(len(parts))
                some = itertools.chain([frame], itertools.islice(frames, _FRAMES_OF_A_PART - 1))
                with film_parts.part(path, self.film, self._encoder) as add:
                    for frame in some:
                        add(dataclasses.replace(frame, pixels=self._translated(frame.pixels)))
                        yield done
                        done += 1
                    self._last_duration = frame.duration
                    self._save(len(parts), done)
                parts.append(path)
            film_parts.join(self.output, self.film, parts, self._last_duration)
        shutil.rmtree(self._parts)

    def summary(self):
        """Lines for the user: flicker, cuts, and frames that could not be decoded."""
        if self.film.undecodable:
            yield f"Left out, because they could not be decoded: {self.film.undecodable} frames."
        if not self.flicker.still:
            yield "No pixel of the film is still from one frame to the next: no flicker counted."
            return
        yield (
            f"Flicker: {self.flicker.of_output:.2f} of 255 where the film does not change "
            f"({self.flicker.of_input:.2f} in the film itself)."
        )
        yield f"Cuts: {self.cuts.count}."

    def _part(self, number):
        return self._parts / f"{number:06}{film_parts.PART_SUFFIX}"

    def _state(self, number):
        """What the part of this number leaves to the next one."""
        return self._parts / f"{number:06}.npz"

    def _translated(self, rgb):
        """RGB of the translation of a frame in RGB, which is counted."""
        cut = self.cuts.add(rgb)
        frame = rgb if self._channels == 3 else _gray(rgb)
        if self._averaged:
            outputs = self._averaged.translate(pixels.to_float(frame), after_cut=cut)
            outputs = pixels.to_uint8(outputs)
        else:
            outputs = self._model.translate(frame, self._direction)
        self.flicker.add(frame, outputs, after_cut=cut)
        return np.repeat(outputs, 3, axis=-1) if outputs.shape[-1] == 1 else outputs

    def _save(self, number, done):
        """Writes what the part after this one needs; the state two parts before is not needed."""
        averages = self._averaged.state() if self._averaged else []
        state = {
            "done": np.array(done),
            "last_duration": np.array(self._last_duration),
            **{f"flicker_{name}": value for name, value in self.flicker.state().items()},
            **{f"cuts_{name}": value for name, value in self.cuts.state().items()},
            **{f"average_{place:06}": value for place, value in enumerate(averages)},
        }
        with files.atomic_file(self._state(number)) as beside:
            np.savez(beside, **state)
        self._state(number - 2).unlink(missing_ok=True)

    def _restore(self):
        """The parts that an earlier process completed, and the number of their frames."""
        numbers = itertools.takewhile(lambda n: self._part(n).exists(), itertools.count())
        parts = [self._part(number) for number in numbers]
        if not parts:
            return [], 0
        with np.load(self._state(len(parts) - 1)) as file:
            state = dict(file)
        self._last_duration = int(state["last_duration"])

        def of(prefix):
            return {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}

        self.flicker.restore(of("flicker_"))
        self.cuts.restore(of("cuts_"))
        if self._averaged:
            self._averaged.restore([value for _, value in sorted(of("average_").items())])
        return parts, int(state["done"])


def _place(source, output):
    """The path of the new film."""
    if output.is_dir():
        output = output / source.name
    if os.path.realpath(source) == os.path.realpath(output):
        raise InputError(f"{output} would overwrite the original; choose another place.")
    return output


def _gray(rgb):
    return np.asarray(Image.fromarray(rgb).convert("L"))[..., None]


def _notes_of(film, output):
    """Lines about what the user may not expect of the new film."""
    if film_parts.pixel_format(film) == "yuv444p":
        yield (
            f"{film.path} has {film.width} x {film.height} pixels, an odd number; {output} is "
            "written in 4:4:4, which keeps them and which not all players show."
        )
    if name := film.colors.high_dynamic_range:
        yield (
            f"{film.path} has a high dynamic range ({name}); its values are translated as they "
            "are, in 8 bits, in which colors look paler than those of photographs."
        )
