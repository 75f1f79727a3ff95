"""Chromium, to open pages as a visitor would, and a server that says nothing."""

import contextlib
import http.server
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)


@contextlib.contextmanager
def chromium(playwright, *more):
    """A browser that asks nothing of the network by itself; `more` are flags for it."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic", *quiet, *more]
    )
    yield browser
    browser.close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
