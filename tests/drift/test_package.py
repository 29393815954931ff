"""What is published: the wheel and the source archive, built here without a network and looked into."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path, PurePath

import pytest

from commands.version import VERSION
from tests.drift.tree import ROOT, files

PACKAGES = ("bot", "commands", "workers", "sandbox")
ABOUT = ("pyproject.toml", "README.md", "LICENSE")

# What the page is built from stays in the repository: only what is served is published.
PAGE = "sandbox/page/"
SERVED = (".py", ".css", ".html", ".js", ".svg")

_BUILD = "from setuptools import build_meta as of; of.build_sdist('dist'); of.build_wheel('dist')"


def tracked() -> Iterator[str]:
    for file in files():
        name = file.relative_to(ROOT)
        if name.parts[0] in PACKAGES:
            yield str(name)


def published() -> set[str]:
    """Every file of the packages, of the page only what is beside its index or built."""
    return {name for name in tracked() if not name.startswith(PAGE) or is_served(name.removeprefix(PAGE))}


def is_served(name: str) -> bool:
    return name.startswith("built/") or ("/" not in name and name.endswith(SERVED))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves its own files where it builds."""
    tree = tmp_path_factory.mktemp("package")
    for name in (*ABOUT, *tracked()):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    built = subprocess.run([sys.executable, "-c", _BUILD], cwd=tree, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return tree / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(dist / f"sre_bot-{VERSION}-py3-none-any.whl")


@pytest.fixture(scope="module")
def about(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(f"sre_bot-{VERSION}.dist-info/METADATA"))


def test_the_wheel_is_the_packages_with_their_data_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == published()
    assert {f"{name}/py.typed" for name in PACKAGES} <= inside
    assert {f"{PAGE}index.html", "sandbox/kube/catalog.json"} <= inside


def test_the_wheel_has_its_licence(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"sre_bot-{VERSION}.dist-info/licenses/LICENSE").decode()
    assert text == (ROOT / "LICENSE").read_text()


def test_the_wheel_says_what_it_is(about: Message) -> None:
    assert (about["Name"], about["Version"], about["License-Expression"]) == (
        "sre-bot",
        VERSION,
        "Apache-2.0",
    )
    assert about["Requires-Python"] == ">=3.11"
    assert set(about.get_all("Provides-Extra", [])) >= {"sandbox", "docs", "dev"}


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    entry = wheel.read(f"sre_bot-{VERSION}.dist-info/entry_points.txt").decode()
    assert entry.split() == ["[console_scripts]", "sre-bot", "=", "bot.cli:main"]


def test_the_source_archive_is_enough_to_build_it(dist: Path) -> None:
    with tarfile.open(dist / f"sre_bot-{VERSION}.tar.gz") as archive:
        inside = {str(PurePath(*PurePath(one.name).parts[1:])) for one in archive if one.isfile()}
    assert published() | set(ABOUT) <= inside
    assert [name for name in inside if name.startswith("tests/")] == []


@pytest.mark.parametrize("program", ["manifest", "sandbox", "worker"])
def test_a_program_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path, program: str) -> None:
    """Nothing that it loads looks for a file of the repository."""
    wheel.extractall(tmp_path)
    words = [sys.executable, "-m", "bot.cli", program, "--help"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("usage: ")
