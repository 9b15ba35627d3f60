"""Rules for the page's own files that need no browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chatops.sandbox.slack as local_slack

PAGE = Path(local_slack.__file__).parent / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
FILES = sorted(path for path in PAGE.iterdir() if path.is_file())


def test_there_is_a_page() -> None:
    assert {"index.html", "app.js", "base.css"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_never_turn_data_into_markup_or_code(path: Path) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|setAttribute\(.on"
    )
    assert re.findall(forbidden, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_stay_short_and_import_only_each_other(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for name in re.findall(r'^import .*?"(.+?)";', text, re.MULTILINE):
        assert name.startswith("./"), name
        assert (PAGE / name).is_file(), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"""(?:src|href)=["'](?!/static/|#|https?:%)[a-z/]+:""", text) == []
    assert re.findall(r"url\(\s*[\"']?(?![\"'/])", text) == []
    assert "@import" not in text


def test_the_page_allows_no_inline_script_or_style() -> None:
    text = (PAGE / "index.html").read_text("utf-8")
    assert "default-src 'self'" in text
    assert "unsafe-inline" not in text
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", text) == []
    for name in re.findall(r'(?:src|href)="/static/(.+?)"', text):
        assert (PAGE / name).is_file(), name


def test_every_script_is_announced_so_that_none_waits_for_another() -> None:
    announced = re.findall(r'rel="modulepreload" href="/static/(.+?)"', (PAGE / "index.html").read_text("utf-8"))
    assert announced == sorted({path.name for path in SCRIPTS} - {"app.js"})
