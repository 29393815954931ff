"""The local mirror of the runbooks (`alerts.runbooks`): a directory of Markdown files, read and never written.

The page of a runbook URL is the file named after the last segment of its path, so `…/runbooks/kubepodcrashlooping#fix`
is `kubepodcrashlooping.md`. Names are matched against what the directory holds: nothing of a URL is ever a path.
Called by workers/reader.py.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from commands.alertreads import Runbook, RunbookOf
from commands.errors import Refused
from commands.model import Read
from commands.site import ClusterSite

PAGE_BYTES = 256 * 1024
STEPS = 6

_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*")
_ITEM = re.compile(r"(\s*)([-*+]|\d{1,3}(?=[.)]))[.)]?\s+\S.*")
_FENCE = re.compile(r"\s*(?:```|~~~)")


class Runbooks:
    def __init__(self, site: ClusterSite) -> None:
        self._folder = Path(site.alerts.runbooks) if site.alerts.runbooks else None

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((RunbookOf,),)

    def read(self, read: Read, deadline: float) -> Any:
        assert isinstance(read, RunbookOf)
        name = _name(read.url)
        if self._folder is None or not name:
            return None
        try:
            page = _held(self._folder, name)
            if page is None:
                return None
            with page.open("rb") as file:
                text = file.read(PAGE_BYTES).decode(errors="replace")
        except OSError as error:
            raise Refused(
                f"the runbooks cannot be read ({type(error).__name__})",
                mend="check `alerts.runbooks`: a directory that the workers can read",
            ) from error
        return runbook(text, name)


def _name(url: str) -> str:
    """The last segment of its path, in lower case and without an ending; "" where it has none."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    last = unquote(path.rstrip("/").rpartition("/")[2]).casefold()
    return re.sub(r"\.(md|markdown|html?)$", "", last)


def _held(folder: Path, name: str) -> Path | None:
    """The page of this name that the directory itself holds: no link that leads out of it."""
    home = folder.resolve(strict=True)
    for page in home.iterdir():
        if page.suffix.casefold() in (".md", ".markdown") and page.stem.casefold() == name:
            real = page.resolve()
            return real if real.is_file() and real.is_relative_to(home) else None
    return None


def runbook(text: str, name: str) -> Runbook:
    """Its first heading, and the first list of it; a page without a heading is called by its name."""
    lines = list(_outside_fences(text))
    headings = (found[1] for line in lines if (found := _HEADING.fullmatch(line.strip())))
    return Runbook(next(headings, name), tuple(_first_list(lines)))


def _outside_fences(text: str) -> Iterator[str]:
    """Front matter and blocks of code have "#" and "-" of their own."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text.replace("\r\n", "\n"), flags=re.DOTALL)
    is_code = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            yield line


def _first_list(lines: list[str]) -> list[str]:
    """Its items with their numbers, those of the outermost level; lines that go on are put behind."""
    found: list[str] = []
    first: re.Match[str] | None = None
    for line in lines:
        item = _ITEM.fullmatch(line)
        if item and (first is None or len(item[1]) <= len(first[1])):
            if first is not None and item[2].isdigit() != first[2].isdigit():
                break  # another list begins
            first = first or item
            found.append(line.strip())
        elif item is None and found and line.strip():
            if not line.startswith(" "):
                break
            found[-1] += f" {line.strip()}"
    return found[:STEPS]
