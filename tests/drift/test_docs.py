"""The documentation: every page is in the site's index and reached, every link leads somewhere, every picture is shown, and
what the architecture names is in the source."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from commands.catalog import Catalog
from commands.errors import UsageError
from commands.version import VERSION
from tests.drift.tree import ROOT

DOCS = ROOT / "docs"
# What .ci/docs brings in beside docs/.
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "DECISIONS.md")
PAGES = sorted(DOCS.glob("*.md"))
WRITTEN = [*PAGES, *(ROOT / name for name in (*BESIDE, "README.md"))]

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    return _LINK.findall(_CODE.sub("", page.read_text()))


def inside(page: Path) -> Iterator[tuple[Path, str]]:
    """Its links to files of the repository, with the anchor."""
    for link in links(page):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


@cache
def anchors(page: Path) -> frozenset[str]:
    """As GitHub and the site both make them of a heading."""
    titles = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.M), re.M
    )
    return frozenset(re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-") for title in titles)


# --- Pages and links ------------------------------------------------------------------------------


def indexed(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for each in entry.values() if isinstance(entry, dict) else entry:
            yield from indexed(each)


def test_every_page_is_in_the_index_of_the_site() -> None:
    named = list(indexed(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]))
    assert sorted(named) == sorted([*(page.name for page in PAGES), *BESIDE]), "mend `nav` in zensical.toml"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_no_link_is_dead(page: Path) -> None:
    dead = [str(path.relative_to(ROOT)) for path, _ in inside(page) if not path.exists()]
    lost = [
        f"{path.name}#{anchor}"
        for path, anchor in inside(page)
        if anchor and path.suffix == ".md" and path.exists() and anchor not in anchors(path)
    ]
    assert (dead, lost) == ([], []), f"{page.name}: links to no file, links to no heading"


def test_every_page_is_reached_from_the_first() -> None:
    seen: set[Path] = set()
    left = [DOCS / "index.md"]
    while left:
        page = left.pop()
        if page not in seen:
            seen.add(page)
            left += [path for path, _ in inside(page) if path.suffix == ".md" and path.exists()]
    assert [page.name for page in PAGES if page not in seen] == [], (
        "link each from docs/index.md or a page of it"
    )


def test_every_picture_is_in_the_gallery_and_the_other_way_round() -> None:
    shown = re.findall(
        r"^!\[[^\]]{10,}\]\(pictures/([\w-]+\.png)\)$", (DOCS / "gallery.md").read_text(), re.M
    )
    there = [path.name for path in (DOCS / "pictures").glob("*.png")]
    assert sorted(set(there) - set(shown)) == [], (
        "show each in docs/gallery.md, with ten letters of what it is"
    )
    assert sorted(set(shown) - set(there)) == [], "docs/gallery.md shows what is not in docs/pictures"
    assert len(shown) == len(set(shown)), "docs/gallery.md shows a picture twice"


# --- The site -------------------------------------------------------------------------------------


def test_the_site_is_built_and_asks_nobody_else_for_anything(tmp_path: Path) -> None:
    built = subprocess.run([ROOT / ".ci" / "docs", tmp_path], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    made = {path.name for path in tmp_path.glob("*.html")}
    assert {page.with_suffix(".html").name for page in PAGES} <= made
    pages = {path: path.read_text() for path in tmp_path.rglob("*.html") if path.name != "404.html"}
    assert [loaded for html in pages.values() for loaded in fetched(html)] == []
    assert [f"{path.name}: {link}" for path, html in pages.items() for link in dead(path, html)] == []


def dead(page: Path, html: str) -> Iterator[str]:
    """Links within the site that lead nowhere."""
    for link in re.findall(r'(?:href|src)="([^"#?]+)', html):
        if not re.match(r"[a-z]+:|//", link) and not (page.parent / link).is_file():
            yield link


def fetched(html: str) -> list[str]:
    """What a browser would load by itself from somewhere else."""
    tags = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", html)
    return [
        tag
        for tag in tags
        if re.search(r"(?:src|href)=\"?(?:https?:)?//", tag) and 'rel="canonical"' not in tag
    ]


def test_what_is_fetched_is_seen() -> None:
    assert fetched('<p><link href="https://fonts.example.com/x" rel=stylesheet><a href="https://x">x</a>')
    assert fetched('<script src="a.js"></script>') == []


# --- The walks ------------------------------------------------------------------------------------

# What CONTRIBUTING.md and docs/alerts.md have you write.
WRITTEN_BY_YOU = {
    ("commands/kubelets.py", ""),
    ("tests/pure/test_kubelets.py", ""),
    ("commands/triage/queues.py", ""),
    ("tests/pure/test_triage_queues.py", ""),
}

TYPED_BY_YOU = {"version nodes"}

_NAMED = re.compile(r"`((?:bot|commands|workers|sandbox|tests)/[\w/]+\.py)(?:: (\w+))?`")


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_file_and_function_it_names_is_there(page: Path) -> None:
    text = re.sub(r"^```python\n.*?^```$", "", page.read_text(), flags=re.DOTALL | re.M)
    named = set(_NAMED.findall(text)) - WRITTEN_BY_YOU
    gone = [f"{file}: {name}" for file, name in sorted(named) if not is_there(file, name)]
    assert gone == [], f"{page.name} names what is not there (any more)"


def test_the_walks_name_functions() -> None:
    assert len(_NAMED.findall((DOCS / "architecture.md").read_text())) > 40


def is_there(file: str, name: str) -> bool:
    return (ROOT / file).is_file() and (not name or name in defined(file))


@cache
def defined(file: str) -> frozenset[str]:
    return frozenset(
        node.name
        for node in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    )


# --- Lines to type ---------------------------------------------------------------------------------

_TYPED = re.compile(r"(?:^|`)/sre ([^`\n]+)", re.M)
_STANDS_FOR = ("…", "[", "|")  # with these it is no line but the form of one


@cache
def catalog() -> Catalog:
    return Catalog.load()


def is_understood(line: str) -> bool:
    try:
        catalog().parse(line)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_line_it_has_you_type_is_understood(page: Path) -> None:
    found = set(_TYPED.findall(page.read_text())) - TYPED_BY_YOU
    lines = [line for line in sorted(found) if not any(each in line for each in _STANDS_FOR)]
    wrong = [line for line in lines if not is_understood(line)]
    assert wrong == [], f"{page.name} has people type what the bot does not understand"


def test_lines_to_type_are_seen() -> None:
    assert len(_TYPED.findall((DOCS / "guide.md").read_text())) > 20
    assert not is_understood("drian node-1")


# --- Versions -------------------------------------------------------------------------------------


def test_the_changelog_and_the_upgrade_notes_know_this_version() -> None:
    assert re.search(
        rf"^## \[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    minor = VERSION.rpartition(".")[0]
    assert re.search(rf"^### {re.escape(minor)}\.0$", (DOCS / "upgrading.md").read_text(), re.M)


def test_images_are_tagged_with_this_version() -> None:
    files = [*DOCS.glob("*.md"), *(ROOT / "k8s").rglob("*.yaml")]
    tag = re.compile(r"(?:\bsre-bot:|newTag: )(\d+\.\d+\.\d+)")
    found = {(file.name, version) for file in files for version in tag.findall(file.read_text())}
    assert found
    assert {(name, version) for name, version in found if version != VERSION} == set()


def test_the_readme_is_short() -> None:
    lines = len((ROOT / "README.md").read_text().splitlines())
    assert lines <= 170, "README.md is the door: move the detail to a page of docs/ and link it"
