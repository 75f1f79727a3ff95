"""Which machine this is, and the file that keeps what was measured on it.

One JSON file a machine: its processor, and under the name of each benchmark when that was measured,
with which versions, and the rows of its table. Without TensorFlow, so that `report.py` is quick.
"""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a processor multiplies bfloat16 with, the fastest first; AVX-512 alone only imitates it.
ARITHMETIC = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX-512"}
PACKAGES = ("tensorflow", "keras", "torch")


def describe(cpuinfo=None):
    """The processor as a dictionary, from the text of /proc/cpuinfo or this machine's own."""
    path = pathlib.Path("/proc/cpuinfo")
    if cpuinfo is None:
        cpuinfo = path.read_text() if path.exists() else ""
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    facts = {key.strip(): value.strip() for key, _, value in lines}
    flags = facts.get("flags", facts.get("Features", "")).split()
    name = facts.get("model name") or platform.processor() or platform.machine()
    numbers = {"family": facts.get("cpu family"), "model": facts.get("model")}
    return {
        "name": " ".join(re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b|@", " ", name).split()),
        **{key: int(number) for key, number in numbers.items() if number},
        "arithmetic": next((ARITHMETIC[flag] for flag in ARITHMETIC if flag in flags), "neither"),
        "cores": sum(key.strip() == "processor" for key, _, _ in lines) or os.cpu_count(),
    }


def label(processor):
    """Short enough for the head of a table: "AMD EPYC 25/17", with CPU family and model."""
    numbers = [str(processor[key]) for key in ("family", "model") if key in processor]
    return " ".join([processor["name"], "/".join(numbers)]).strip()


def slug(processor):
    """File name that tells machines apart; clouds hide the model's name, not its numbers."""
    parts = [processor["name"]]
    parts += [f"{key}{processor[key]}" for key in ("family", "model") if key in processor]
    parts += [processor["arithmetic"], str(processor["cores"]), "cores"]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")


def save(folder, benchmark, rows, precision=None, processor=None):
    """Replaces one benchmark's entry in the file of this machine and leaves the others."""
    processor = processor or describe()
    path = pathlib.Path(folder) / f"{slug(processor)}.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    results["processor"] = processor
    entry = {"date": datetime.date.today().isoformat(), "versions": versions(), "commit": commit()}
    if precision:
        entry["precision"] = precision
    results.setdefault("measured", {})[benchmark] = {**entry, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    # A reader, or a run that is killed here, never sees half a file.
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    return path


def load(folder):
    """The results of every machine, in the order of their file names, which they hold as "file"."""
    return [
        {"file": path.name, **json.loads(path.read_text(encoding="utf-8"))}
        for path in sorted(pathlib.Path(folder).glob("*.json"))
    ]


def versions():
    """Of what is installed, without importing it."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "python": platform.python_version()}


def commit():
    """Of the package; None outside a clone."""

    def git(*command):
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)

    try:
        head = git("rev-parse", "--short", "HEAD")
        changed = git("diff", "--quiet", "HEAD", "--", "cyclegan_tf").returncode
    except FileNotFoundError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip() + (" with changes" if changed else "")
