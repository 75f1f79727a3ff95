"""What the benchmarks share: ways timed in turn, and one table."""

import json
import pathlib
import platform
import statistics
import time


def interleaved(ways, repeats):
    """Median seconds of each way: all in turn, again and again, because machines are noisy."""
    seconds = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(repeats):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def with_ratios(seconds):
    """Rows of a table of `interleaved`: the first way is that which the others compare with."""
    first = next(iter(seconds.values()))
    return [
        {
            "way": name,
            "seconds": round(value, 3),
            "times the first": round(value / first, 2),
            "the first to it": round(first / value, 2),
        }
        for name, value in seconds.items()
    ]


def print_table(rows, file=None, title=""):
    """Prints rows, dictionaries of the same keys, and writes them as JSON to a file."""
    columns = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    if title:
        print(f"{title} ({processor()})")
    for cells in ([*rows[0]], *(row.values() for row in rows)):
        print(" | ".join(str(c).ljust(width) for c, width in zip(cells, columns.values())).rstrip())
    if file:
        pathlib.Path(file).write_text(json.dumps(rows, indent=2) + "\n")


def processor():
    """Its name, as far as the system says it."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()
