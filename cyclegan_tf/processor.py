"""What the processor of this machine is."""

import os
import pathlib
import platform
import re

# With bfloat16 arithmetic a processor reports one of these; the first is the faster one.
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
_CPUINFO = "/proc/cpuinfo"  # where Linux lists names and features


def name(cpuinfo=_CPUINFO):
    """What the processor calls itself; its architecture where it has no name."""
    return _field("model name", cpuinfo) or platform.processor() or platform.machine()


def bfloat16_flags(cpuinfo=_CPUINFO):
    """Those of `BFLOAT16_FLAGS` that the processor reports, in order; none where not on Linux."""
    found = _field("flags", cpuinfo).split()
    return [flag for flag in BFLOAT16_FLAGS if flag in found]


def core_count():
    """How many logical cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _field(field, cpuinfo):
    """A field of the first processor; empty if there is none."""
    path = pathlib.Path(cpuinfo)
    if not path.exists():  # not Linux
        return ""
    match = re.search(rf"^{field}\s*:(.*)$", path.read_text(errors="replace"), re.MULTILINE)
    return match.group(1).strip() if match else ""
