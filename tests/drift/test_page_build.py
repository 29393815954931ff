"""The sandbox page that is committed is the one its sources make: compared by a hash, so that no Node is needed."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.drift.tree import ROOT

PAGE = ROOT / "sandbox" / "page"
HEAVIEST = 120_000  # bytes of everything that a browser loads before somebody types


def digest_of_sources(page: Path) -> str:
    """As sandbox/page/build.mjs has it."""
    names = ["build.mjs", "package.json", "package-lock.json"]
    names += [f"src/{file.name}" for file in (page / "src").iterdir()]
    found = hashlib.sha256()
    for name in sorted(names):
        found.update(f"{name}\0".encode() + (page / name).read_bytes() + b"\0")
    return found.hexdigest()


@pytest.mark.parametrize("name", ["page.js", "page.css"])
def test_the_committed_build_is_made_of_the_committed_sources(name: str) -> None:
    first = (PAGE / "built" / name).read_text().splitlines()[0]
    assert first == f"/* built from sources {digest_of_sources(PAGE)} */", "run `make page` and commit it"


def test_another_source_is_another_digest(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for name in ("build.mjs", "package.json", "package-lock.json", "src/main.jsx"):
        (tmp_path / name).write_text(name)
    before = digest_of_sources(tmp_path)
    (tmp_path / "src" / "main.jsx").write_text("changed")
    assert digest_of_sources(tmp_path) != before


def test_the_lock_file_names_no_registry_and_every_hash() -> None:
    packages = json.loads((PAGE / "package-lock.json").read_text())["packages"]
    installed = {name: each for name, each in packages.items() if name}
    assert [name for name, each in installed.items() if "resolved" in each] == []
    assert [name for name, each in installed.items() if "integrity" not in each] == []


def test_the_page_is_light() -> None:
    served = [PAGE / "index.html", PAGE / "emoji.svg", *(PAGE / "built").iterdir()]
    assert sum(file.stat().st_size for file in served) < HEAVIEST


def test_the_page_writes_no_html_and_calls_nobody() -> None:
    for file in (PAGE / "src").iterdir():
        text = file.read_text()
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", text), file.name
        assert not re.search(r"https?://[\w.]", text), file.name
