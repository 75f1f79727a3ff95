"""The pages that people read, and what stands in them."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
# With those that say how things are used outside the package.
PAGES = [
    README,
    *DOCS,
    *sorted((ROOT / "export").glob("**/README.md")),
    ROOT / "deploy" / "README.md",
]


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page, language):
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def without_blocks(page):
    """The lines of a page outside code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE).splitlines()


def commands(page):
    """The commands of a page: of its blocks, one by one, and those within its text."""
    lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    lines += re.findall(r"`((?:cyclegan-tf|make|pip) [^`]+)`", "\n".join(without_blocks(page)))
    # What a shell makes of a comment is not asked: a # within quotes would need more.
    found = [part.split("  #")[0].split(" # ")[0] for line in lines for part in line.split("&&")]
    return [command.strip() for command in found if command.strip()]


def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", "\n".join(without_blocks(page)))


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = [line for line in without_blocks(page) if re.match("#+ ", line)]
    titles = [re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()) for line in headings]
    return {title.replace(" ", "-") for title in titles}


# In the place of the paper's networks.
_SMALL_NETWORKS = (
    "*[cyclegan_tf.resnet_generator(base_filters=4, blocks=1) for _ in range(2)], "
    "*[cyclegan_tf.patchgan(base_filters=4) for _ in range(2)], "
)
_SMALL_PAIRED_NETWORKS = (
    "cyclegan_tf.unet_generator(base_filters=4, halvings=3), "
    "cyclegan_tf.patchgan((None, None, 6), base_filters=4), "
)


def small(code):
    """A block of Python with small networks, few images and one epoch."""
    for pattern, value in (
        (r"\bCycleGAN\((?=image_shape)", f"CycleGAN({_SMALL_NETWORKS}"),
        (r"\bPix2Pix\((?=image_shape)", f"Pix2Pix({_SMALL_PAIRED_NETWORKS}"),
        (r"\bbase_filters=\d+", "base_filters=4"),
        (r"\bblocks=\d+", "blocks=1"),
        (r"\bcount=\d+", "count=2"),
        (r"\bimage_size=\d+", "image_size=32"),
        (r"\bimage_shape=\(\d+, \d+, 3\)", "image_shape=(32, 32, 3)"),
        (r"\b(epochs|period)=\d+", r"\1=1"),
    ):
        code = re.sub(pattern, value, code)
    return code
