"""The Dockerfile and what it names: the linter finds nothing, every source is there, every pin is the tested one."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bot.cli import PROGRAMS
from commands.needs import actions, changing_actions
from tests.drift.tree import PRODUCT, ROOT, files
from tests.image import copied, is_sent, stages

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements-run.lock", "requirements-build.lock")


def pins(lock: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text().splitlines()
    found = (re.match(r"([\w.-]+)==([^ ;\\]+)", line) for line in lines)
    return {f"{each[1]}=={each[2]}": each[1] for each in found if each}


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_stage_stands_on_an_earlier_one_or_on_a_digest() -> None:
    known: set[str] = set()
    for stage in stages():
        pinned = re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", stage.base)
        assert stage.base in known or pinned, stage.base
        for command in stage.of("COPY"):
            assert copied(command)[0] in {"", *known}
        known.add(stage.name)


def test_what_is_copied_is_there_is_sent_and_is_all_that_is_sent() -> None:
    named = [copied(command) for stage in stages() for command in stage.of("COPY")]
    sources = {source for stage, found, _ in named if not stage for source in found}
    assert [source for source in sources if not (ROOT / source).exists() or not is_sent(source)] == []
    sent = {str(file.relative_to(ROOT)) for file in files() if is_sent(str(file.relative_to(ROOT)))}
    assert {name.partition("/")[0] for name in sent} == sources
    assert not is_sent(".git/config") and not is_sent("bot/__pycache__/x.pyc")
    assert is_sent("bot/state.py")


def test_the_whole_product_is_in_it_and_no_stand_in() -> None:
    named = [copied(command) for stage in stages() for command in stage.of("COPY")]
    sources = {source for stage, found, _ in named if not stage for source in found}
    assert set(PRODUCT) <= sources
    assert not {"sandbox", "tests", "benchmarks"} & sources


def test_it_runs_as_nobody_in_particular_and_without_a_shell() -> None:
    image = stages()[-1]
    user, _, group = image.last("USER").value[0].partition(":")
    assert int(user) >= 10000 and int(group) >= 10000  # no account of any host
    start = image.last("ENTRYPOINT")
    assert start.json and start.value[0] in PROJECT["project"]["scripts"]
    assert image.last("CMD").json and image.last("CMD").value[0] in PROGRAMS
    assert image.last("STOPSIGNAL").value == ("SIGTERM",)
    every = [command for stage in stages() for command in stage.commands]
    assert not [command for command in every if command.cmd in ("ADD", "HEALTHCHECK", "VOLUME")]


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_installed_is_pinned_by_hash_and_not_by_an_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert pins(lock) and "://" not in text
    assert all("--hash=sha256:" in entry for entry in re.findall(r"==[^\n]*\\\n[^\n]*", text))
    assert len(re.findall(r"^\S+==[^\n]*\\\n +--hash", text, re.MULTILINE)) == len(pins(lock))


def test_the_image_runs_the_versions_that_were_tested() -> None:
    assert set(pins("requirements-run.lock")) <= set(pins("requirements.lock")), "stale: run `make lock`"
    wanted = {Requirement(each).name.lower() for each in PROJECT["project"]["dependencies"]}
    assert wanted <= {name.lower() for name in pins("requirements-run.lock").values()}
    assert not {"pytest", "moto", "uvicorn"} & set(pins("requirements-run.lock").values())


def test_the_image_is_built_by_the_declared_backend() -> None:
    wanted = [Requirement(each) for each in PROJECT["build-system"]["requires"]]
    pinned = dict(each.split("==") for each in pins("requirements-build.lock"))
    assert all(pinned[each.name] in each.specifier for each in wanted)
    assert "uv" in pinned


def test_every_service_of_aws_that_is_asked_is_left_in_it() -> None:
    """Prometheus at Amazon (aps) is asked over HTTP, and who one is (sts) needs no right."""
    build = next(stage for stage in stages() if stage.name == "build")
    given = {
        pair[0]: pair[1]
        for each in build.of("ENV")
        for pair in zip(each.value[::2], each.value[1::2], strict=True)
    }
    asked = {each.name.partition(":")[0] for each in (*actions(), *changing_actions())}
    assert (asked - {"aps"}) | {"sts"} <= set(given["SERVICES"].split("|"))
