"""`sre-bot`: one command for every program, which loads only what is asked for."""

import importlib.util
import subprocess
import sys

import pytest

from bot.cli import PROGRAMS, main
from bot.config import main as config
from commands.version import VERSION
from tests.drift.tree import ROOT


def run(*arguments: str, bare: bool = False) -> subprocess.CompletedProcess[str]:
    """bare: without any installed package, and so without the extras."""
    words = [sys.executable, *(["-S"] if bare else []), "-m", "bot.cli", *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_is_there_and_called_as_it_wants(name: str) -> None:
    module, _, function = PROGRAMS[name].where.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert all(importlib.util.find_spec(need) for need in PROGRAMS[name].needs)


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_the_version_is_told_without_loading_anything_else(asked: str) -> None:
    assert run(asked, bare=True).stdout == f"{VERSION}\n"


def test_without_a_program_it_lists_them() -> None:
    told = run(bare=True)
    assert told.returncode == 2
    assert [name for name in (*PROGRAMS, "version") if f"    {name} " not in told.stderr] == []


def test_an_unknown_program_is_refused() -> None:
    told = run("botx", bare=True)
    assert told.returncode == 2
    assert "invalid choice: 'botx'" in told.stderr


def test_the_sandbox_says_what_to_install_where_it_is_not() -> None:
    told = run("sandbox", bare=True)
    assert (told.returncode, told.stderr) == (2, 'not installed: pip install "sre-bot[sandbox]"\n')


@pytest.mark.parametrize("name", ["bot", "doctor"])
def test_a_program_without_its_settings_names_them_all_and_ends(name: str) -> None:
    told = run(name)
    assert told.returncode == 2
    assert "SLACK_BOT_TOKEN: is not set" in told.stderr
    assert "SLACK_APP_TOKEN, SLACK_SIGNING_SECRET: neither is set" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (["manifest", "--url", "https://bot.example.com"], "# Made by"),
        (["rbac"], "# Written by `make rbac`"),
        (["rbac", "aws"], "{\n"),
        (["rbac", "aws-change"], "{\n"),
    ],
)
def test_what_others_are_given_is_printed(
    arguments: list[str], begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith(begins)


# --- The policy file ------------------------------------------------------------------------------


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> "Telling":
    return Telling(capsys)


class Telling:
    """What `config` says to these arguments: exit code, output, errors."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str, **environ: str) -> tuple[int, str, str]:
        code = config(arguments, environ)
        return code, *self._capture.readouterr()


EXAMPLE = str(ROOT / "sre-bot.example.yaml")


def test_a_good_file_is_called_good(told: Telling) -> None:
    assert told("check", EXAMPLE) == (0, f"{EXAMPLE}: good; clusters: sre-training-cluster\n", "")


def test_the_file_of_the_environment_is_meant_where_none_is_named(told: Telling) -> None:
    assert told("check", SRE_BOT_CONFIG=EXAMPLE) == told("check", EXAMPLE)


def test_a_bad_file_is_told_by_line_and_ends_with_2(told: Telling, tmp_path: object) -> None:
    file = f"{tmp_path}/site.yaml"
    with open(file, "w") as opened:
        opened.write("timezone: Europe/Berlin\nslo: {windw: 30d}\nservces: {}\n")
    code, out, errors = told("check", file)
    assert (code, out) == (2, "")
    assert [line.split(": ")[0] for line in errors.splitlines()] == [f"{file}:2:7", f"{file}:3:1"]


def test_what_is_in_force_loads_to_the_same(told: Telling, tmp_path: object) -> None:
    file = f"{tmp_path}/site.yaml"
    _, shown, _ = told("show", EXAMPLE)
    with open(file, "w") as opened:
        opened.write(shown)
    assert told("show", file)[1].replace(file, EXAMPLE) == shown


def test_keys_are_listed_with_their_defaults(told: Telling) -> None:
    lines = told("keys", "slo.error_budget")[1].splitlines()
    assert "slo.error_budget.yellow_from: 50" in lines
    assert {line.rpartition(".")[0] for line in lines} == {"slo.error_budget"}
    assert 'timezone: "Europe/Berlin"' in told("keys")[1].splitlines()
