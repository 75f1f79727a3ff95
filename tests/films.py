"""Small films that tests write themselves, and what another program finds in films."""

import json
import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

SIZE = 32, 48  # height and width
RATE = 44100


def moving(count=8, height=SIZE[0], width=SIZE[1], seed=0):
    """Frames of a smooth still image, over whose left half a bright square moves down."""
    corners = np.random.default_rng(seed).integers(40, 200, (2, 2, 3))
    rows, columns = np.linspace(0, 1, height), np.linspace(0, 1, width)
    weights = np.stack([1 - rows, rows]), np.stack([1 - columns, columns])
    still = np.einsum("ijc,ih,jw->hwc", corners, *weights).round().astype(np.uint8)
    frames = np.repeat(still[None], count, axis=0)
    for number, frame in enumerate(frames):
        frame[2 * number : 2 * number + 8, 4:12] = 250
    return frames


def write_film(
    path, frames=None, times=None, codec="libx264", matrix=None, aspect=1, sound=(), **settings
):
    """A film of frames at these times, in units of 1/12800 s, by default 25 a second.

    `sound` are frequencies in Hz, each a stream of its own; `matrix` of the display is six numbers.
    """
    frames = moving() if frames is None else frames
    times = [512 * number for number in range(len(frames))] if times is None else times
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, time_base=Fraction(1, 12800))
        stream.height, stream.width = frames.shape[1:3]
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        colors = {name: settings.pop(name, value) for name, value in _COLORS.items()}
        for name, value in colors.items():
            setattr(stream.codec_context, name, value)
        for name, value in {"pix_fmt": "yuv420p", "options": {"crf": "1"}, **settings}.items():
            setattr(stream, name, value)
        if matrix:
            stream.set_display_matrix(matrix)
        tones = [(container.add_stream("aac", rate=RATE, layout="mono"), hertz) for hertz in sound]
        for time, frame in zip(times, frames, strict=True):
            converted = av.VideoFrame.from_ndarray(frame).reformat(
                format=stream.pix_fmt,
                dst_colorspace=colors["colorspace"],
                dst_color_range=colors["color_range"],
            )
            converted.pts, converted.time_base = time, Fraction(1, 12800)
            container.mux(stream.encode(converted))
        container.mux(stream.encode())
        for tone, hertz in tones:
            _add_tone(container, tone, hertz, (times[-1] + 512) / 12800)


_COLORS = {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1}


def _add_tone(container, stream, hertz, seconds):
    values = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    for start in range(0, len(values), 1024):
        some = values[None, start : start + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(some, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def frames_of(path):
    """RGB frames of a film, in the colors that it names, by FFmpeg."""
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def probed(path, *options):
    """What FFmpeg's `ffprobe` finds in a film, which is no part of PyAV."""
    if not shutil.which("ffprobe"):
        pytest.skip("ffprobe is not installed: apt-get install ffmpeg")
    command = ["ffprobe", "-v", "error", "-of", "json", *options, path]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def packets(path, stream):
    """Time, duration and contents of each packet of a stream, such as `"a:0"`, by `ffprobe`."""
    found = probed(path, "-show_packets", "-show_data_hash", "md5", "-select_streams", stream)
    names = "pts_time", "duration_time", "data_hash"
    return [tuple(each.get(name) for name in names) for each in found["packets"]]
