"""docs/diagnoses.md is what the table of rules says, and the example of docs/alerts.md is true."""

import os
import re
import sys
from functools import cache
from types import ModuleType
from typing import Any

import pytest

from commands.triage.rule import Rule, Subject
from commands.triage.table import RULES
from tests.drift.tree import ROOT

LIST = ROOT / "docs" / "diagnoses.md"
GUIDE = (ROOT / "docs" / "alerts.md").read_text()

_HEAD = """# Alerts with a diagnosis of their own

Written by `UPDATE_GOLDEN=1 make test ARGS=tests/drift/test_diagnoses.py` from `commands/triage/table.py`; {count} names.
Any other alert is looked at by its labels: job, autoscaler, claim, workload, pod, node, service, target. How to add one:
[alerts](alerts.md#adding-a-diagnosis).

| alert | what it says |
|---|---|
"""


def written() -> str:
    rows = "".join(
        f"| {' '.join(f'`{name}`' for name in rule.names)} | {rule.means.replace('|', '/')} |\n"
        for rule in RULES
    )
    return _HEAD.format(count=len({name for rule in RULES for name in rule.names})) + rows


def test_the_list_is_what_the_table_says() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        LIST.write_text(written())
    assert LIST.read_text() == written(), (
        "write it anew: UPDATE_GOLDEN=1 make test ARGS=tests/drift/test_diagnoses.py"
    )


def test_every_rule_says_what_its_alert_means() -> None:
    assert [rule.names for rule in RULES if not rule.means.endswith(".")] == []


@cache
def example() -> dict[str, Any]:
    """Both blocks of the guide, each as the file that it says."""
    code = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    assert len(code) == 2
    topic, table = ModuleType("commands.triage.queues"), ModuleType("test_triage_queues")
    sys.modules[topic.__name__] = topic
    try:
        for module, text in zip((topic, table), code, strict=True):
            assert text.startswith('"""'), "every module says what it is for"
            exec(compile(text, "docs/alerts.md", "exec"), vars(module))
    finally:
        del sys.modules[topic.__name__]
    return {**vars(topic), **vars(table)}


def test_the_rule_of_the_guide_is_one() -> None:
    (rule,) = example()["RULES"]
    assert isinstance(rule, Rule)
    assert rule.fits(Subject("QueueBacklog", {"namespace": "shop"}))


@pytest.mark.parametrize("case", range(2))
def test_the_table_of_the_guide_passes(case: int) -> None:
    example()["test_a_backlog_is_told_with_its_readers"](*example()["CASES"][case])


def test_the_gap_of_the_guide_is_told() -> None:
    example()["test_without_prometheus_nothing_is_green"]()


def test_every_picture_and_page_it_names_is_there() -> None:
    named = re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", GUIDE)
    assert len(named) > 8
    assert [each for each in named if not (ROOT / "docs" / each).exists()] == []
