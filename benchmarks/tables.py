"""What the benchmarks share: arguments, ways timed in turn, a table and where it is kept."""

import argparse
import json
import pathlib
import statistics
import time

import machines


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
            "seconds": float(f"{value:.4g}"),
            "times the first": round(value / first, 2),
            "the first to it": round(first / value, 2),
        }
        for name, value in seconds.items()
    ]


def parser(doc):
    """With the arguments of every benchmark; `doc` is the docstring of its file."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--json", metavar="FILE", help="also write the rows to this file")
    made.add_argument("--results", metavar="FOLDER", help="keep the rows in this machine's file")
    return made


def sized(benchmark, arguments):
    """The name that a benchmark of some size has among the results."""
    return f"{benchmark} {arguments.size}px {arguments.filters} filters"


def publish(rows, arguments, benchmark, precision=None):
    """Prints the rows and writes them wherever the arguments of `parser` ask for.

    Args:
        rows: dictionaries of the same keys; the first value of each is the row's name.
        arguments: what `parser(...)` has parsed.
        benchmark: its name among the results, with what it was measured at; the same name replaces
            what was there.
        precision: that of "ours", if the benchmark depends on it.
    """
    print_table(rows, arguments.json, f"{benchmark}, {precision}" if precision else benchmark)
    if arguments.results:
        machines.save(arguments.results, benchmark, rows, precision)


def print_table(rows, file=None, title=""):
    """Prints rows, dictionaries of the same keys, and writes them as JSON to a file."""
    columns = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    if title:
        processor = machines.describe()
        print(f"{title} ({processor['cores']} x {machines.label(processor)})")
    for cells in ([*rows[0]], *(row.values() for row in rows)):
        print(" | ".join(str(c).ljust(width) for c, width in zip(cells, columns.values())).rstrip())
    if file:
        pathlib.Path(file).write_text(json.dumps(rows, indent=2) + "\n")
