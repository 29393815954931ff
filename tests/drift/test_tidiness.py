"""Habits that no linter has: module docstrings, function lengths, nothing of one machine in the repository."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.drift.tree import ROOT, Module, files, modules

LONGEST = 60  # lines of a function, docstring included

# Longer ones, "file: function", each with its reason.
LONGER: Mapping[str, str] = {}

# In pieces, or this file would be the first to be found.
_FOLDERS = "|".join(("work", "root", "home", "Users", "mnt", "opt/wheels"))
_REGISTRIES = (
    "pypi" + r"\.org", "python" + r"hosted\.org", "proxy" + r"\.golang\.org", "sum" + r"\.golang\.org",
    "registry" + r"\.npmjs\.org", "index" + r"\.crates\.io", "deb" + r"\.debian\.org",
)  # fmt: skip
OURS_ALONE = re.compile(rf"(?<![\w.~}}])/(?:{_FOLDERS})/[\w.]|\b(?:{'|'.join(_REGISTRIES)})\b")

# An image's own folders are no machine's.
CONTAINERS = ("Dockerfile", "k8s/")

BINARY = {".png", ".jpg", ".gif", ".ico", ".woff2", ".gz"}


def test_every_module_says_what_it_is_for() -> None:
    """Empty files are let be: there is nothing to say about them."""
    everything = modules("bot", "commands", "workers", "sandbox", "benchmarks", "tests")
    assert [
        module.file for module in everything if module.tree.body and not ast.get_docstring(module.tree)
    ] == [], "open each with what it owns, what it must never do and who calls it"


def too_long(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST:
                yield f"{module.file}: {node.name}", lines


def test_no_function_is_longer_than_a_screen() -> None:
    found = dict(each for module in modules() for each in too_long(module))
    new = {name: lines for name, lines in found.items() if name not in LONGER}
    assert new == {}, f"over {LONGEST} lines: split each by what it does, or give LONGER its reason"
    assert set(LONGER) <= set(found), "these are short again: take them out of LONGER"


def test_a_long_function_is_seen() -> None:
    text = "def f():\n" + "    pass\n" * LONGEST
    assert list(too_long(Module("x.py", "x", ast.parse(text)))) == [("x.py: f", LONGEST + 1)]


def test_nothing_of_one_machine_is_in_the_repository() -> None:
    found = [f"{name}:{number}: {line}" for name, number, line in lines() if OURS_ALONE.search(line)]
    assert found == [], "a path or host of one machine: write it relative, with ~, or as an example name"


def lines() -> Iterator[tuple[str, int, str]]:
    for file in files():
        name = str(file.relative_to(ROOT))
        if file.suffix in BINARY or name.startswith(CONTAINERS) or is_binary(file):
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            yield name, number, line[:500]


def is_binary(file: Path) -> bool:
    with file.open("rb") as opened:
        return b"\0" in opened.read(1024)


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        ("ROOT = '/" + "work/main'", True),
        ("see /" + "home/ann/x", True),
        ("cache: /" + "Users/ann/.cache", True),
        ("https://files.python" + "hosted.org/x", True),
        ("GET /api/work/items", False),
        ("~/.cache/sre-bot", False),
        ("/workers/cluster.py", False),
        ("registry.k8s.io/pause:3.10", False),
    ],
)
def test_what_belongs_to_one_machine_is_seen(text: str, is_ours: bool) -> None:
    assert bool(OURS_ALONE.search(text)) is is_ours
