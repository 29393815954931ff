"""CONTRIBUTING.md: the command it walks through is a command, its test passes, its targets and paths exist."""

import re
from dataclasses import replace
from typing import Any

import pytest

from commands.catalog import Catalog, Declared
from commands.command import Command
from commands.finding import Light
from commands.model import Gap, Section
from commands.reads import Condition, Nodes, NodeView
from commands.site import ClusterSite
from tests.drift.tree import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
READY = NodeView("node-1", (Condition("Ready", "True"),), False, (), "v1.36.3", 4.0, 2.0**33, {})
SITE = ClusterSite()


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """What the document's Python defines: the command file, then its test."""
    command, test = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {
        "READY": READY,
        "SITE": SITE,
        "Condition": Condition,
        "replace": replace,
        "section": section,
    }
    exec(compile(command + test, "commands/node.py", "exec"), names)
    return names


def section(inquiry: Any, answers: dict[Any, Any]) -> Section:
    next(inquiry)
    with pytest.raises(StopIteration) as end:
        inquiry.send(answers)
    found: Section = end.value.value
    return found


def test_the_command_is_taken_by_the_catalog_and_answers_its_examples(written: dict[str, Any]) -> None:
    catalog = Catalog(Declared(command, "commands/node.py") for command in written["COMMANDS"])
    for example in written["COMMANDS"][0].examples:
        parsed = catalog.parse(example)
        assert isinstance(parsed.command, Command)
        assert list(parsed.command.parts(parsed.args, SITE)) == ["nodes"]


def test_its_judgement_is_the_one_described(written: dict[str, Any]) -> None:
    def judged(*nodes: NodeView) -> Section:
        return section(written["inquiry"](SITE), {Nodes(): nodes})

    assert judged(READY).light is Light.GREEN
    cordoned = replace(READY, unschedulable=True)
    assert judged(READY, cordoned).light is Light.YELLOW
    assert judged(READY, replace(READY, conditions=())).findings[0].evidence == ("node-1 v1.36.3",)
    assert section(written["inquiry"](SITE), {Nodes(): Gap("nobody answers")}).light is Light.UNKNOWN


def test_its_test_passes(written: dict[str, Any]) -> None:
    written["test_a_node_that_is_not_ready_is_red"]()


def test_every_target_it_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    |1 )make ([a-z]+)", TEXT, re.MULTILINE))
    assert len(named) > 5
    assert named <= targets


def test_every_path_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:bot|commands|workers|sandbox|tests|docs)/[\w./]*)`", TEXT)) - {
        "commands/node.py"
    }
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
