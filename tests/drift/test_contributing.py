"""CONTRIBUTING.md: the command it walks through is a command, its test passes, its targets and paths exist."""

import re
from dataclasses import replace
from typing import Any

import pytest

from commands.catalog import Catalog, Declared
from commands.command import Command
from commands.finding import Light
from commands.model import Gap
from commands.reads import Nodes, NodeView
from commands.site import ClusterSite
from tests.drift.tree import ROOT
from tests.pure.health_answers import drive, node

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
SITE = ClusterSite()
FILE = "commands/kubelets.py"


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """What the document's Python defines: the command file, then its test, as if both lay where it says."""
    command, test = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    test = test.replace("from commands.kubelets import inquiry\n", "")
    test = test.replace("from health_answers import", "from tests.pure.health_answers import")
    names: dict[str, Any] = {}
    exec(compile(command, FILE, "exec"), names)
    exec(compile(test, "tests/pure/test_kubelets.py", "exec"), names)
    return names


def test_the_command_stands_beside_those_there_are_and_answers_its_examples(written: dict[str, Any]) -> None:
    others = (Declared(command, "commands") for command in Catalog.load() if command.word != "help")
    catalog = Catalog((*others, *(Declared(command, FILE) for command in written["COMMANDS"])))
    for example in written["COMMANDS"][0].examples:
        parsed = catalog.parse(example)
        assert isinstance(parsed.command, Command)
        assert list(parsed.command.parts(parsed.args, SITE)) == ["kubelets"]


def test_its_judgement_is_the_one_described(written: dict[str, Any]) -> None:
    def light(answer: tuple[NodeView, ...] | Gap) -> Light:
        return drive(written["inquiry"](SITE), {Nodes(): answer})[0].light

    assert light((node("a"), node("b"))) is Light.GREEN
    assert light((node("a"), replace(node("b"), kubelet="v1.32.0"))) is Light.YELLOW
    assert light(()) is Light.YELLOW
    assert light(Gap("nobody answers")) is Light.UNKNOWN


def test_its_test_passes(written: dict[str, Any]) -> None:
    written["test_two_kubelets_at_once_are_yellow"]()


def test_every_target_it_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    |1 )make ([a-z]+)", TEXT, re.MULTILINE))
    assert len(named) > 5
    assert named <= targets


def test_every_path_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:bot|commands|workers|sandbox|tests|docs)/[\w./]*)`", TEXT))
    named -= {FILE, "tests/pure/test_kubelets.py"}
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
