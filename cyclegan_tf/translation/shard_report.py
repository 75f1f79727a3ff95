"""What became of a share of many images: counts, and a list of those that failed."""

import contextlib
import datetime
import json
import time

from cyclegan_tf import files, processor
from cyclegan_tf.errors import InputError

REPORT, FAILED = "report.json", "failed.jsonl"

_SECONDS_BETWEEN_WRITES = 10  # what a process that is killed leaves is as old as this


class ShardReport:
    """Two files, kept up to date while images are translated, and complete at any time.

    `report.json` has the facts that are given and

    - `images`: in this share; those in folders that cannot be opened are not known, and such a
      folder counts as one.
    - `done`: that have a result now, from this call or an earlier one.
    - `failed`: that have none, each a line of `failed.jsonl`: `{"path": …, "problem": …}`, with
      the path relative to the folder of all images.
    - `left`: that nobody has come to yet.
    - `finished`: whether the last call came to its end. If so, `left` is 0.
    - `calls`: for each call, when it `began`, the `processor`, its `seconds`, how many images it
      `translated`, found `there` and `failed`, and `images_a_second` that it translated.

    As a context manager it writes at the beginning and at the end, whatever ends it; of a process
    that is killed, the last seconds are missing.

    Args:
        folder: of the two files.
        source: the folder of all images.
        facts: a dictionary.
        images: in this share.
    """

    def __init__(self, folder, source, facts, images):
        self.folder = folder
        self._source = source
        self._facts = facts
        self._images = images
        self._failed = []
        self._counts = {"translated": 0, "there": 0, "failed": 0}

    def check_same(self, names):
        """Raises an InputError if what an earlier call wrote has other facts of these names."""
        earlier = _earlier(self.folder / REPORT)
        for name in names:
            known = earlier.get(name), self._facts[name]
            if None not in known and known[0] != known[1]:
                raise InputError(
                    f"{self.folder.parent.parent} has results of another {name} in this share: "
                    f"{known[0]}, now {known[1]}. Choose another folder for the results, or "
                    "compute them anew by --overwrite."
                )

    def __enter__(self):
        calls = _earlier(self.folder / REPORT).get("calls")
        self._calls = calls if isinstance(calls, list) else []
        self._began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._start = time.monotonic()
        self._write(finished=False)
        return self

    def __exit__(self, kind, error, traceback):
        # A full disk refuses this too, which would hide the first error.
        with (
            contextlib.suppress(OSError) if isinstance(error, OSError) else contextlib.nullcontext()
        ):
            self._write(finished=kind is None)

    def add(self, outcome):
        """Counts the outcome of an image; writes now and then."""
        if outcome.problem:
            path = outcome.input.relative_to(self._source).as_posix()
            self._failed.append({"path": path, "problem": outcome.problem})
        kind = "failed" if outcome.problem else "there" if outcome.there else "translated"
        self._counts[kind] += 1
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            self._write(finished=False)

    def _write(self, finished):
        self._written = time.monotonic()
        seconds = self._written - self._start
        done = self._counts["translated"] + self._counts["there"]
        failed = self._counts["failed"]
        call = {
            "began": self._began,
            "processor": processor.name(),
            "cores": processor.core_count(),
            "seconds": round(seconds, 3),
            **self._counts,
            "images_a_second": round(self._counts["translated"] / max(seconds, 1e-3), 2),
        }
        content = {
            **self._facts,
            "images": self._images,
            "done": done,
            "failed": failed,
            "left": self._images - done - failed,
            "finished": finished,
            "calls": [*self._calls, call],
        }
        lines = (json.dumps(each, ensure_ascii=False) for each in self._failed)
        # The list first: a report that says so many failed has a list of them all.
        files.write_text(self.folder / FAILED, "".join(f"{line}\n" for line in lines))
        files.write_text(self.folder / REPORT, json.dumps(content, indent=2) + "\n")


def _earlier(path):
    """What an earlier call reported; nothing if there is no report, or it is no longer one."""
    with contextlib.suppress(OSError, ValueError):
        report = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(report, dict):
            return report
    return {}
