"""The systems, one per file.

A new one, `name`, has `systems/name.py` with its class, `recipes/name.py` with its recipe, and a
line in `recipes/__init__.py`, in `api.py` and in `tests/conformance/table.py`. Then
`pytest tests/conformance -k "name or line"` tries what every system promises.
"""
