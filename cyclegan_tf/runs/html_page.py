"""The frame of the pages that this package writes: they open from disk, light or dark."""

import html


def document(title, body, style=""):
    """A complete HTML document.

    Args:
        title: text; its heading too.
        body: HTML.
        style: CSS in addition to that of all pages.
    """
    return _DOCUMENT.format(title=html.escape(title), style=_STYLE + style, body=body)


_STYLE = """
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; box-sizing: border-box; }
  img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
  .wide { overflow-x: auto; }
  .images { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
  .alarm { border-left: 4px solid #d33; padding-left: 1rem; }
  figure { margin: 0; }
  figcaption { font-size: .85rem; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
  input[type=range] { display: block; width: 100%; }
  caption, summary { font-weight: 600; text-align: left; }
  table { border-collapse: collapse; margin: 1rem 0; }
  th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #8884; font-variant-numeric: tabular-nums; }
  th { font-weight: 400; font-family: ui-monospace, monospace; }
  code { overflow-wrap: anywhere; }
  pre { overflow-x: auto; }
"""

_DOCUMENT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
{body}
</html>
"""
