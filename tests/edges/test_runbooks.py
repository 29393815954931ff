"""The local mirror of runbooks: real files, real links, and URLs that try to leave it."""

from pathlib import Path

import pytest

from commands.alertreads import Runbook, RunbookOf
from commands.errors import Refused
from commands.site import Alerts, ClusterSite
from workers.runbooks import Runbooks, runbook

PAGE = """---
title: not this
---
```sh
# not this either
- nor this
```
# KubePodCrashLooping #

What it means.

1. Look at the last log.
   It says most.
2. Look at the exit code.
   - 137 is the limit
3. Roll back.

- later
"""
FOUND = Runbook(
    "KubePodCrashLooping",
    ("1. Look at the last log. It says most.", "2. Look at the exit code.", "3. Roll back."),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.md").write_text("# outside\n")
    home = tmp_path / "runbooks"
    home.mkdir()
    (home / "KubePodCrashLooping.md").write_text(PAGE)
    (home / "linked.md").symlink_to(tmp_path / "secret.md")
    (home / "folder.md").mkdir()
    return home


def read(folder: Path | str, url: str) -> Runbook | None:
    found: Runbook | None = Runbooks(ClusterSite(alerts=Alerts(runbooks=str(folder)))).read(RunbookOf(url), 0)
    return found


@pytest.mark.parametrize(
    "url",
    [
        "https://runbooks.example/runbooks/kubernetes/kubepodcrashlooping",
        "https://runbooks.example/x/KubePodCrashLooping.md?a=b#fix",
        "https://runbooks.example/x/kubepodcrashlooping/",
    ],
)
def test_the_page_is_named_after_the_last_segment(folder: Path, url: str) -> None:
    assert read(folder, url) == FOUND


@pytest.mark.parametrize(
    "url",
    [
        "https://r.example/../secret",
        "https://r.example/..%2Fsecret",
        "https://r.example/%2e%2e%2fsecret.md",
        "https://r.example/..\\secret",
        "https://r.example/linked",
        "https://r.example/folder",
        "https://r.example/",
        "https://r.example/*",
        "https://r.example/kubepodcrashlooping%00",
        "https://[broken",
        "",
    ],
)
def test_nothing_outside_of_the_mirror_is_ever_read(folder: Path, url: str) -> None:
    assert read(folder, url) is None


def test_without_a_mirror_there_is_no_page() -> None:
    assert read("", "https://r.example/kubepodcrashlooping") is None


def test_a_mirror_that_is_not_there_is_a_gap(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        read(tmp_path / "nowhere", "https://r.example/a")
    assert caught.value.mend.startswith("check `alerts.runbooks`")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no heading\n* a\n* b\n", Runbook("name", ("* a", "* b"))),
        ("# T\n" + "".join(f"{n}. step\n" for n in range(1, 12)), Runbook("T", tuple(f"{n}. step" for n in range(1, 7)))),
        ("# T\ntext only\n", Runbook("T", ())),
        ("", Runbook("name", ())),
        ("## A\r\n- one\r\n\r\nend\r\n- two", Runbook("A", ("- one",))),
    ],
)  # fmt: skip
def test_a_page_gives_its_first_heading_and_the_first_list(text: str, found: Runbook) -> None:
    assert runbook(text, "name") == found
