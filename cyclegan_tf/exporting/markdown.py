"""Text as Markdown."""

import re


def plain(text):
    """Text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(text).split()))


def table(heads, rows):
    """A table of texts; `None` is an empty cell."""
    cells = [[plain("" if cell is None else cell) for cell in line] for line in (heads, *rows)]
    cells.insert(1, ["---"] * len(heads))
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
