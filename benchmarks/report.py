"""Makes the tables of README.md from the files of all machines.

    python benchmarks/report.py [--check]

Each table stands between `<!-- table: NAME -->` and `<!-- end -->`, with one column a machine. A
new benchmark is a new line in `TABLES` and a pair of such comments in README.md.
"""

import argparse
import collections
import pathlib
import re
import sys
import textwrap

import machines

FOLDER = pathlib.Path(__file__).resolve().parent
NOTHING = "–"
WIDTH = 119


def value(way, column="seconds", form="{:.3g}"):
    """The number of one row as it was measured."""

    def cell(entry):
        found = values(entry, column).get(named(way, entry))
        return None if found is None else form.format(found)

    return cell


def ratio(way, to, column="seconds", form="{:.3g}"):
    """One row divided by another, to two decimals at most.

    A ratio that was recorded comes first: its seconds were rounded later, or not kept. The quotient
    of two recorded ratios to the same row is marked as less certain.
    """

    def cell(entry):
        one, other = named(way, entry), named(to, entry)
        recorded = {(each["way"], each["to"]): each["ratio"] for each in entry.get("ratios", ())}
        if (one, other) in recorded:
            return form.format(round(recorded[one, other], 2))
        found = values(entry, column)
        if one in found and other in found:
            return form.format(round(found[one] / found[other], 2))
        for (first, common), kept in recorded.items():
            if first == one and (other, common) in recorded:
                return "≈ " + form.format(round(kept / recorded[other, common], 2))
        return None

    return cell


def share(way):
    return ratio(way, "all", form="{:.0%}")


def count(column):
    """How many rows have something in a column, of how many."""

    def cell(entry):
        return f"{sum(bool(row.get(column)) for row in entry['rows'])} of {len(entry['rows'])}"

    return cell


def precision(entry):
    return entry.get("precision")


def named(way, entry):
    return way.format(precision=precision(entry))


def values(entry, column):
    """By the name of the row, which its first column holds."""
    return {str(next(iter(row.values()))): row[column] for row in entry["rows"] if column in row}


OURS, TORCH = "ours, {precision}", "PyTorch, float32"
TORCH_BFLOAT16, USUAL = "PyTorch, bfloat16, channels last", "usual Keras code, {precision}"
TRANSLATE, SAVED_MODEL = "ours, translate, {precision}", "ours, SavedModel, {precision}"

STEP = {
    "precision by default": precision,
    "ours, seconds": value(OURS),
    "ours to PyTorch, float32": ratio(OURS, TORCH),
    "ours to PyTorch, bfloat16, channels last": ratio(OURS, TORCH_BFLOAT16),
    "ours to usual Keras code": ratio(OURS, USUAL),
    "ours to usual Keras code with our threads": ratio(
        OURS, "usual Keras code with our threads, {precision}"
    ),
    "ours to ours with TensorFlow's threads": ratio(
        OURS, "ours with TensorFlow's threads, {precision}"
    ),
    "ours to the limit of the arithmetic": ratio(OURS, "limit of the arithmetic"),
    "ours, identity 0, to ours": ratio(OURS + ", identity 0", OURS),
    "ours, remat, to ours": ratio(OURS + ", remat", OURS),
    "ours, float32, to PyTorch, float32": ratio("ours, float32", TORCH),
    "usual Keras code to PyTorch, float32": ratio(USUAL, TORCH),
    "PyTorch, bfloat16, to PyTorch, float32": ratio(TORCH_BFLOAT16, TORCH),
}
TRANSLATION = {
    "precision by default": precision,
    "`translate`, seconds": value(TRANSLATE),
    "`translate` to PyTorch, float32": ratio(TRANSLATE, TORCH),
    "`translate` to PyTorch, bfloat16, channels last": ratio(TRANSLATE, TORCH_BFLOAT16),
    "`translate` to usual Keras code": ratio(TRANSLATE, USUAL),
    "`translate` to our SavedModel": ratio(TRANSLATE, SAVED_MODEL),
}
MEMORY = {
    "ours, MiB": value("ours", "MiB", "{:,}"),
    "ours to PyTorch, float32": ratio("ours", TORCH, "MiB"),
    "ours, remat, to ours": ratio("ours, remat", "ours", "MiB"),
}
FIRST_STEP = {
    "precision by default": precision,
    "ours, seconds": value("ours"),
    "ours to PyTorch, float32": ratio("ours", TORCH),
    "ours to usual Keras code": ratio("ours", "usual Keras code"),
}
PIPELINE = {
    "crops of 256², pairs a second": value("256", "pairs_per_second"),
    "crops of 256², to steps a second, 64 filters": value("256", "ratio"),
    "crops of 64², pairs a second": value("64", "pairs_per_second"),
    "crops of 64², to steps a second, 32 filters": value("64", "ratio"),
}
CHECKPOINTS = {
    "MiB": value("256px 64 filters", "MiB"),
    "seconds": value("256px 64 filters", "seconds for one"),
    "share of the time, by default": value("256px 64 filters", "share of the time", "{}"),
}
PUBLISHED = {
    f"{title}: {way}": value(way, column, "{}")
    for column, title in {
        "per pixel": "photo → labels, per pixel",
        "per class": "photo → labels, per class",
        "IoU": "photo → labels, class IoU",
        "segmented per pixel": "labels → photo, per pixel",
        "segmented per class": "labels → photo, per class",
        "segmented IoU": "labels → photo, class IoU",
        "kernel distance": "labels → photo, kernel distance",
    }.items()
    for way in ("published code", "ours")
}

# Name in README.md: benchmark, and the cell of each line. A function instead of lines makes a line
# of each row that any machine has.
TABLES = {
    "kernels": ("kernels", {"cliffs": count("cliff")}),
    "training-256": ("train_step 256px 64 filters", STEP),
    "training-64": ("train_step 64px 32 filters", STEP),
    "translation-256": ("inference 256px 64 filters", TRANSLATION),
    "memory-256": ("memory 256px 64 filters", MEMORY),
    "memory-512": ("memory 512px 32 filters", MEMORY),
    "systems-time": ("systems 128px", lambda system: ratio(system, "cyclegan")),
    "systems-memory": ("systems 128px", lambda system: ratio(system, "cyclegan", "MiB")),
    "published": ("published 64px 32 filters 600 steps", PUBLISHED),
    "first-step": ("first_step 256px 64 filters", FIRST_STEP),
    "startup": ("startup", value),
    "operators-256": ("time_by_operator 256px 64 filters", share),
    "operators-64": ("time_by_operator 64px 32 filters", share),
    "input-pipeline": ("input_pipeline", PIPELINE),
    "checkpoints": ("checkpoints", CHECKPOINTS),
}


def table(name, results):
    """Markdown: a column a machine, when and with what it was measured, the lines, the notes."""
    benchmark, lines = TABLES[name]
    entries = [machine["measured"].get(benchmark) for machine in results]
    if callable(lines):
        lines = {way: lines(way) for way in ways(entries)}
    labels = [machines.label(machine["processor"]) for machine in results]
    rows = [[f"`{benchmark}`", *labels], ["---"] * (len(results) + 1)]
    rows.append(["arithmetic", *(arithmetic(machine["processor"]) for machine in results)])
    for title, cell in {**HEAD, **lines}.items():
        rows.append([title, *((entry and cell(entry)) or NOTHING for entry in entries)])
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    for label, entry in zip(labels, entries):
        if entry and "note" in entry:
            text += "\n" + wrapped(f"{label}: {entry['note']}")
    return text


def arithmetic(processor):
    return f"{processor['arithmetic']}, {processor['cores']} cores"


def versions(*packages):
    return lambda entry: ", ".join(entry["versions"].get(each, NOTHING) for each in packages)


HEAD = {
    "measured": lambda entry: entry["date"],
    "commit": lambda entry: entry.get("commit") or "older",
    "TensorFlow, Keras": versions("tensorflow", "keras"),
    "PyTorch, Python": versions("torch", "python"),
}


def ways(entries):
    """Names of all rows but their sum, in the order in which the machines have them."""
    found = {}
    for entry in filter(None, entries):
        recorded = [each["way"] for each in entry.get("ratios", ())]
        found.update(dict.fromkeys([*values(entry, "seconds"), *recorded]))
    found.pop("all", None)
    return found


def list_of_machines(results):
    """Markdown: where the results of each machine are, and what is to be known of it."""
    text = ""
    for machine in results:
        processor = machine["processor"]
        item = f"{machines.label(processor)}, {arithmetic(processor)}: "
        item += f"[{machine['file']}](results/{machine['file']}). {machine.get('note', '')}"
        text += wrapped(item, initial_indent="- ", subsequent_indent="  ")
    return text


def wrapped(text, **indents):
    """Lines that leave links whole: the hyphens of a file's name are no place to break."""
    return (
        textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False, **indents) + "\n"
    )


def with_tables(text, results):
    """The README's text with every table made anew.

    Raises:
        ValueError: a table is missing from the text, or the text has one that is unknown.
    """
    makers = {"machines": list_of_machines}
    makers |= {name: lambda results, name=name: table(name, results) for name in TABLES}
    marks = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
    counted = collections.Counter(name for _, name, _ in marks.findall(text))
    if counted != dict.fromkeys(makers, 1):
        wrong = sorted(name for name in {*counted, *makers} if (name in makers) != counted[name])
        raise ValueError(f"Every table must be in the README exactly once. Received: {wrong}")
    return marks.sub(lambda found: f"{found[1]}{makers[found[2]](results)}{found[3]}", text)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    parser.add_argument("--readme", type=pathlib.Path, default=FOLDER / "README.md")
    parser.add_argument("--results", type=pathlib.Path, default=FOLDER / "results")
    options = parser.parse_args(arguments)
    before = options.readme.read_text(encoding="utf-8")
    after = with_tables(before, machines.load(options.results))
    if not options.check:
        options.readme.write_text(after, encoding="utf-8")
    elif before != after:
        sys.exit(f"{options.readme} is not what the results give: run benchmarks/report.py")


if __name__ == "__main__":
    main()
