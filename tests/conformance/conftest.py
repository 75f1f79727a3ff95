"""Prints what each system keeps of its promises, as a table at the end of the tests."""

import re

_TEST = re.compile(r"test_conformance\.py::test_(\w+)\[(?:.*-)?(\w+)\]")


def pytest_terminal_summary(terminalreporter):
    results = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if found := _TEST.search(report.nodeid):
                promise, system = found.groups()
                before = results.setdefault(promise.replace("_", " "), {}).get(system)
                if before in (None, "passed"):  # the worst one counts
                    results[promise.replace("_", " ")][system] = outcome
    if not results:
        return
    systems = sorted({system for row in results.values() for system in row})
    width = max(map(len, results))
    terminalreporter.section("systems and their promises")
    terminalreporter.write_line(" " * width + "".join(f"  {name:10}" for name in systems))
    for promise, row in results.items():
        cells = "".join(f"  {row.get(name, '-'):10}" for name in systems)
        terminalreporter.write_line(f"{promise:{width}}{cells}")
