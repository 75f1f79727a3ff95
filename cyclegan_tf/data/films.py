"""Films: their frames as images, upright and in the right colors, one after the other."""

import contextlib
import dataclasses
import itertools
import pathlib
from fractions import Fraction

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".flv", ".3gp", ".ogv"),
)

# Of ITU-T H.273, as FFmpeg numbers them.
BT709, BT601 = 1, 5
_MATRICES = (BT709, 4, BT601, 6, 7, 9)  # that FFmpeg converts
_FULL_RANGE, LIMITED_RANGE = 2, 1
_HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}  # of transfer functions

# A film may end that much before its file says: the last sound is a little longer or shorter.
_MISSING_SECONDS, _MISSING_SHARE = (Fraction(1, 10), 1), Fraction(1, 20)


@dataclasses.dataclass(frozen=True)
class Colors:
    """How the values of a film become colors, as ITU-T H.273 numbers it.

    Attributes:
        matrix: from YUV to RGB: 1 for BT.709, 5 or 6 for BT.601, 9 for BT.2020.
        range: 1 if black is 16 and white 235, 2 if they are 0 and 255.
        primaries, transfer: those of the film; 2 if it does not say.
    """

    matrix: int
    range: int
    primaries: int
    transfer: int

    @property
    def high_dynamic_range(self):
        """The name of a transfer function of high dynamic range; `None` for any other."""
        return _HIGH_DYNAMIC_RANGE.get(self.transfer)


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame of a film.

    Attributes:
        pixels: uint8 RGB `(height, width, 3)`, upright.
        time, duration: in units of the film's time base; the duration is 0 if it is not known.
    """

    pixels: np.ndarray
    time: int
    duration: int


class Film:
    """A film that is read from its beginning, in memory that does not depend on its length.

    Its file is read once to count frames and to see whether it is whole.

    Args:
        path: of the film.

    Attributes:
        path: the same.
        count: frames, as far as the file says.
        height, width: of a frame that is upright, in pixels.
        aspect: width of a pixel divided by its height.
        time_base: seconds of one unit of time, a `Fraction`.
        rate: frames a second, on average.
        colors: its `Colors`. Where the film says nothing, players take BT.709 for frames wider
            than 1279 or higher than 576 pixels and BT.601 for smaller ones, in limited range,
            and so does this.
        undecodable: frames that could not be decoded the last time that the film was read.

    Raises:
        ImportError: PyAV is not installed.
        InputError: there is no such film, it is damaged or truncated, or has no video.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if files.is_folder(self.path, "a film"):
            raise InputError(f"{self.path} is a folder; expected a film.")
        with self.opened() as container:
            self.count = self._count(container)
        with self.opened() as container:
            stream = self.video_of(container)
            first = next(self._decoded(container, stream), None)
            if first is None:
                raise InputError(f"{self.path} has no frame that can be decoded.")
            self._turned, self._flips = _orientation(first)
            size = first.height, first.width
            self.height, self.width = size[::-1] if self._turned else size
            aspect = stream.sample_aspect_ratio or Fraction(1)
            self.aspect = 1 / aspect if self._turned else aspect
            self.time_base = stream.time_base
            self.rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            self.colors = _colors(first)

    @contextlib.contextmanager
    def opened(self):
        """Opens the file, a container of PyAV."""
        av = required("av", "video", "Films need")
        try:
            container = av.open(f"file:{self.path}")  # a colon in a name is part of it
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, PermissionError):
                raise files.unreadable(self.path, error) from error
            raise InputError(
                f"{self.path} cannot be read as a film ({error.strerror}); is the file complete?"
            ) from error
        with container:
            yield container

    def video_of(self, container):
        """The stream of video of the opened film; the cover of a sound file is none."""
        for stream in container.streams.video:
            if not stream.disposition & stream.disposition.attached_pic:
                return stream
        raise InputError(f"{self.path} has no video; expected a film.")

    def frames(self, skip=0):
        """Iterates over frames from number `skip` on; see `Frame`.

        Times increase strictly; a frame that does not come after the one before is left out.

        Raises:
            InputError: a frame has another size than the first one.
        """
        with self.opened() as container:
            stream = self.video_of(container)
            stream.thread_type = "AUTO"
            step = max(1, round(1 / (self.rate * self.time_base)))
            timed = itertools.chain(self._timed(container, stream, step), [(None, None)])
            # The durations that packets have belong to other frames if these are reordered.
            for number, ((frame, time), (_, after)) in enumerate(itertools.pairwise(timed)):
                if number >= skip:
                    duration = (frame.duration or step) if after is None else after - time
                    yield Frame(self._upright(frame, number), time, duration)

    def _timed(self, container, stream, step):
        """Decoded frames, each with its time, which comes after that of the one before."""
        last = None
        for frame in self._decoded(container, stream):
            time = frame.pts
            if time is None:
                time = 0 if last is None else last + step
            if last is None or time > last:
                yield frame, time
                last = time

    def _decoded(self, container, stream):
        """Frames; what cannot be decoded is counted and left out, as players do."""
        av = required("av", "video", "Films need")
        self.undecodable = 0
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                self.undecodable += 1

    def _upright(self, frame, number):
        pixels = _rgb(frame, self.colors)
        if self._turned:
            pixels = pixels.transpose(1, 0, 2)
        pixels = pixels[:: self._flips[0], :: self._flips[1]]
        if pixels.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{self.path} changes its size to {pixels.shape[1]} x {pixels.shape[0]} pixels at "
                f"frame {number}; expected {self.width} x {self.height} as at its beginning."
            )
        return np.ascontiguousarray(pixels)

    def _count(self, container):
        """Frames of the film, whose file is read to its end."""
        av = required("av", "video", "Films need")
        stream, count, ends = self.video_of(container), 0, {}
        with contextlib.suppress(av.FFmpegError):  # what is missing then is found below
            for packet in container.demux():
                if not packet.size or packet.is_corrupt:  # it has no size at the end of a stream
                    continue
                count += packet.stream_index == stream.index and not packet.is_discard
                time = packet.dts if packet.pts is None else packet.pts
                if time is not None:
                    end = packet.time_base * (time + (packet.duration or 0))
                    ends[packet.stream_index] = max(end, ends.get(packet.stream_index, 0))
        self._check_whole(container, stream, ends)
        return count

    def _check_whole(self, container, video, ends):
        """Raises an InputError if the file says that it is longer than its packets reach.

        Args:
            container: the opened file.
            video: its stream of video.
            ends: of the last packet of each stream, by number, in seconds.
        """
        av = required("av", "video", "Films need")
        start = Fraction(container.start_time or 0, av.time_base)
        lengths = [(Fraction(container.duration or 0, av.time_base), max(ends.values(), default=0))]
        for stream in (video, *container.streams.audio):
            length = stream.time_base * (stream.duration or 0)
            lengths.append((length, ends.get(stream.index, 0)))
        if container.format.name == "avi":  # of which FFmpeg corrects the durations
            lengths.append((video.time_base * video.frames, ends.get(video.index, 0)))
        # Some kinds of files count from their start, which may be negative, and some from 0.
        length, end = max(
            ((length, end - min(0, start)) for length, end in lengths),
            key=lambda pair: pair[0] - pair[1],
        )
        least, most = _MISSING_SECONDS
        may_miss = max(least, min(most, length * _MISSING_SHARE), 2 / (video.average_rate or 1))
        if length - end > may_miss:
            raise InputError(
                f"{self.path} is truncated or damaged: {float(end):.1f} of {float(length):.1f} "
                "seconds can be read; expected a complete film. `ffmpeg -i` with `-c copy` writes "
                "what there is to a new one."
            )


def is_film(path):
    """Whether a path is named as a film."""
    return pathlib.Path(path).suffix.lower() in SUFFIXES


def _orientation(frame):
    """Whether to swap rows and columns, and then the steps of each, from the display matrix.

    The matrix takes the point (x, y) to (a x + c y, b x + d y) (FFmpeg's `display.h`). Angles
    between quarter turns, which cameras do not write, count as the nearest orientation.
    """
    found = [side for side in frame.side_data if side.type.name == "DISPLAYMATRIX"]
    if not found:
        return False, (1, 1)
    a, b, _, c, d = np.frombuffer(bytes(found[0]), np.int32)[:5].tolist()
    turned = abs(b) + abs(c) > abs(a) + abs(d)
    of_rows, of_columns = (b, c) if turned else (d, a)
    return turned, (-1 if of_rows < 0 else 1, -1 if of_columns < 0 else 1)


def _colors(frame):
    matrix = int(frame.colorspace)
    if matrix not in _MATRICES:
        matrix = BT709 if frame.width >= 1280 or frame.height > 576 else BT601
    full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
    limited = not full or frame.format.is_rgb
    return Colors(
        matrix,
        LIMITED_RANGE if limited else _FULL_RANGE,
        int(frame.color_primaries),
        int(frame.color_trc),
    )


def conversion():
    """How FFmpeg is to resample the colors, which have half the resolution: with all its care."""
    kinds = required("av.video.reformatter", "video", "Films need").Interpolation
    return kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.FULL_CHR_H_INP


def _rgb(frame, colors):
    known = (
        {}
        if frame.format.is_rgb
        else {
            "src_colorspace": colors.matrix,
            "src_color_range": colors.range,
        }
    )
    return frame.reformat(format="rgb24", interpolation=conversion(), **known).to_ndarray()
