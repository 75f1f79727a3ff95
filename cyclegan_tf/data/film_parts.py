"""Writes films in parts, and joins the parts with the sound of another film."""

import contextlib
import heapq
import io
import itertools
from fractions import Fraction

from cyclegan_tf import files
from cyclegan_tf.data.films import conversion
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required

# By the ending of the film's name; and of each encoder, a quality at which losses are hard to see.
ENCODERS = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv"), "libx264"),
    ".webm": "libvpx-vp9",
}
_QUALITY = {
    "libx264": {"crf": "18"},
    "libvpx-vp9": {"crf": "24", "b": "0", "row-mt": "1", "cpu-used": "2"},
}
_FORMATS = {".mkv": "matroska", ".m4v": "mp4"}  # where FFmpeg's name is another one

PART_SUFFIX = ".nut"  # FFmpeg's own container, which keeps time stamps as they are


def encoder_for(path):
    """The name of the encoder of a film that is to be written.

    Raises:
        InputError: films of this ending are not written, or FFmpeg has not got their encoder.
    """
    suffix = path.suffix.lower()
    if suffix not in ENCODERS:
        raise InputError(
            f"{path} has no ending of a film that can be written; expected {', '.join(ENCODERS)}."
        )
    name = ENCODERS[suffix]
    if name not in required("av", "video", "Films need").codecs_available:
        others = [end for end, other in ENCODERS.items() if other != name]
        raise InputError(
            f"The FFmpeg of PyAV has no encoder {name}, which {path.name} needs; install the PyAV "
            f"of `pip install av`, or choose a name that ends in {' or '.join(others)}."
        )
    return name


def pixel_format(film):
    """4:2:0, which all players show; 4:4:4 for odd sizes, which 4:2:0 cannot have."""
    return "yuv444p" if film.height % 2 or film.width % 2 else "yuv420p"


@contextlib.contextmanager
def part(path, film, encoder):
    """Yields a function that adds a frame to a new part, which is encoded by itself.

    The file appears at the end, if all went well. The function takes a `Frame` in RGB, whose time
    comes after that of the one before.

    Args:
        path: of the part, which ends in `PART_SUFFIX`.
        film: the `Film` whose size, time base and colors the frames have.
        encoder: one of `ENCODERS`.
    """
    av = required("av", "video", "Films need")
    with (
        files.atomic_file(path) as beside,
        open(beside, "wb") as file,
        av.open(file, "w", format="nut") as container,
    ):
        stream = container.add_stream(
            encoder, rate=film.rate, options=_QUALITY[encoder], time_base=film.time_base
        )
        _describe(stream.codec_context, film)
        yield lambda frame: container.mux(stream.encode(_encodable(frame, film)))
        container.mux(stream.encode())


def _describe(context, film):
    context.width, context.height = film.width, film.height
    context.pix_fmt = pixel_format(film)
    context.sample_aspect_ratio = film.aspect
    # Without frames that are shown before they are stored, parts follow each other without gaps.
    context.max_b_frames = 0
    context.colorspace, context.color_range = film.colors.matrix, film.colors.range
    context.color_primaries, context.color_trc = film.colors.primaries, film.colors.transfer


def _encodable(frame, film):
    av = required("av", "video", "Films need")
    converted = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24").reformat(
        format=pixel_format(film),
        dst_colorspace=film.colors.matrix,
        dst_color_range=film.colors.range,
        interpolation=conversion(),
    )
    converted.pts, converted.time_base = frame.time, film.time_base
    return converted


def streams_beside(film, container, output):
    """The streams of sound and subtitles of an opened film that the output can hold.

    Returns:
        The streams, and a line for the user for each one of subtitles that is left out.

    Raises:
        InputError: the output cannot hold the sound of the film.
    """
    av = required("av", "video", "Films need")
    with av.open(io.BytesIO(), "w", format=_format(output)) as probe:
        fitting = probe.supported_codecs
    kept, notes = [], []
    for stream in (*container.streams.audio, *container.streams.subtitles):
        codec = stream.codec_context.codec.canonical_name
        if codec in fitting:
            kept.append(stream)
        elif stream.type == "audio":
            raise InputError(
                f"{output} cannot hold the sound of {film.path}, which is {codec}; choose a name "
                "that ends in .mkv."
            )
        else:
            notes.append(f"The subtitles of {film.path} ({codec}) are left out of {output}.")
    return kept, notes


def _format(path):
    suffix = path.suffix.lower()
    return _FORMATS.get(suffix, suffix[1:])


def join(output, film, parts, last_duration):
    """Joins parts and the sound and subtitles of a film; nothing is encoded again.

    A film that begins later than at 0 is moved to 0. Other time stamps are kept, as exactly as the
    kind of file allows: Matroska and WebM hold milliseconds.

    Args:
        output: path of the film to write, which appears once it is complete.
        film: the `Film` whose frames the parts have.
        parts: their paths, in order.
        last_duration: of the last frame, in units of the film's time base.
    """
    av = required("av", "video", "Films need")
    # Else MP4 would hold the start of a stream in milliseconds.
    exact = {"movie_timescale": str(film.time_base.denominator)}
    with (
        film.opened() as source,
        _opened(parts[0]) as first,
        files.atomic_file(output) as beside,
        open(beside, "wb") as file,
        av.open(
            file,
            "w",
            format=_format(output),
            container_options=exact if _format(output) in ("mp4", "mov") else {},
        ) as target,
    ):
        video = target.add_stream_from_template(first.streams.video[0])
        kept, _ = streams_beside(film, source, output)
        copies = {stream.index: _copied(target, stream) for stream in kept}
        start = Fraction(max(0, source.start_time or 0), av.time_base)
        beside_video = source.demux(*kept) if kept else ()
        target.mux(
            heapq.merge(
                _moved(_packets(parts, last_duration * film.time_base), {0: video}, start),
                _moved(beside_video, copies, start),
                key=lambda packet: packet.dts * packet.time_base,
            )
        )


def _opened(part):
    av = required("av", "video", "Films need")
    return av.open(f"file:{part}")  # a colon in a name is part of it


def _packets(parts, last_duration):
    """The packets of parts, which know no durations: until the next one, or of these seconds."""
    packets = itertools.chain(_packets_in_parts(parts), [None])
    for packet, after in itertools.pairwise(packets):
        if after is None:
            packet.duration = round(last_duration / packet.time_base)
        else:
            packet.duration = after.dts - packet.dts
        yield packet


def _packets_in_parts(parts):
    for part in parts:
        with _opened(part) as container:
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    yield packet


def _copied(target, stream):
    copy = target.add_stream_from_template(stream)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def _moved(packets, streams, start):
    """The packets in their new streams, by the index of the old ones, `start` seconds earlier."""
    for packet in packets:
        if packet.dts is None:
            if packet.pts is None:  # the end of a stream
                continue
            packet.dts = packet.pts
        offset = round(start / packet.time_base)
        packet.dts -= offset
        packet.pts = packet.dts if packet.pts is None else packet.pts - offset
        packet.stream = streams[packet.stream_index]
        yield packet
