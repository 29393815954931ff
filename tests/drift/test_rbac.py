"""Rights: every question and every effect declares its own, and the manifests are written from them."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from bot import rbac
from commands import needs
from commands.effects import Effect
from commands.model import Read
from commands.needs import EFFECTS, READS, Action, Extra, Rule
from tests.drift.tree import modules


def vocabulary() -> set[type[Read]]:
    """Every question that any module under commands/ can ask."""
    for module in modules("commands"):
        importlib.import_module(module.name)
    return {kind for kind in _below(Read) if kind.__module__.startswith("commands.")}


def _below(kind: type) -> Iterator[type]:
    """slots=True makes each class anew, so the one first made stays behind as a twin of the same name."""
    for each in kind.__subclasses__():
        if getattr(importlib.import_module(each.__module__), each.__name__, None) is each:
            yield each
        yield from _below(each)


def test_every_question_says_what_it_needs() -> None:
    missing = {kind.__name__ for kind in vocabulary() - set(READS)}
    assert not missing, f"add them to READS in commands/needs.py, then `make rbac`: {sorted(missing)}"
    assert set(READS) - vocabulary() == set(), (
        "nobody asks these any more: take them out of commands/needs.py"
    )


def test_every_effect_says_what_it_needs() -> None:
    assert set(EFFECTS) == set(get_args(Effect)), (
        "EFFECTS in commands/needs.py and commands/effects.py differ"
    )


@pytest.mark.parametrize(
    ("file", "written"),
    [
        *rbac.roles().items(),
        (rbac.POLICY, rbac.policy()),
        (rbac.CHANGE_POLICY, rbac.change_policy()),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_what_is_committed_is_what_the_declarations_give(file: Path, written: str) -> None:
    assert file.read_text() == written, f"{file.name} is stale: run `make rbac`"


def documents(kind: str) -> dict[str, dict[str, Any]]:
    every = (each for file in rbac.roles() for each in yaml.safe_load_all(file.read_text()))
    return {each["metadata"]["name"]: each for each in every if each["kind"] == kind}


def granted(role: str) -> set[tuple[str, str, str]]:
    rules = documents("ClusterRole")[role]["rules"]
    return {
        (v, r, g)
        for rule in rules
        for g in rule["apiGroups"]
        for r in rule["resources"]
        for v in rule["verbs"]
    }


def declared(table: Any, extra: Extra | None = None) -> set[tuple[str, str, str]]:
    return {(rule.verb, rule.resource, rule.group) for rule in needs.rules(table) if rule.extra is extra}


def test_the_roles_grant_what_is_declared_and_no_more() -> None:
    assert granted("sre-bot-read") == declared(READS)
    assert granted("sre-bot-change") == declared(EFFECTS)
    for extra in Extra:
        assert granted(f"sre-bot-{extra}") == declared(READS, extra) | declared(EFFECTS, extra) != set()
    assert len(documents("ClusterRole")) == 2 + len(Extra)


def test_the_reading_role_changes_nothing() -> None:
    assert {verb for verb, _, _ in granted("sre-bot-read")} <= {"get", "list", "watch"}
    assert not any(needs.changes(rule) for rule in needs.rules(READS))


def test_nothing_grants_everything_and_no_role_by_default_what_is_more_than_it_looks() -> None:
    every = set().union(*(granted(role) for role in documents("ClusterRole")))
    assert not [right for right in every if "*" in "".join(right)]
    assert not [right for right in every if right[1] in ("pods/exec", "pods/attach", "pods/portforward")]
    usual = granted("sre-bot-read") | granted("sre-bot-change")
    assert not [right for right in usual if right[1] == "secrets" or right[1].endswith("/proxy")]


def test_who_may_change_may_read_and_the_other_way_round_not() -> None:
    bound = {
        name: {subject["name"] for subject in each["subjects"]}
        for name, each in documents("ClusterRoleBinding").items()
    }
    assert bound == {
        "sre-bot-read": {"sre-bot-read"},
        "sre-bot-change": {"sre-bot-change"},
        "sre-bot-change-reads": {"sre-bot-change"},
    }
    roles = {name: each["roleRef"]["name"] for name, each in documents("ClusterRoleBinding").items()}
    assert roles == {**dict.fromkeys(bound, "sre-bot-read"), "sre-bot-change": "sre-bot-change"}
    assert set(documents("ServiceAccount")) == {"sre-bot-read", "sre-bot-change"}


def test_the_policy_of_aws_grants_what_is_declared_and_changes_nothing_but_the_bucket() -> None:
    statements = json.loads(rbac.POLICY.read_text())["Statement"]
    allowed = {action for each in statements for action in each["Action"]}
    assert allowed == {action.name for action in needs.actions()}
    looking = ("Describe", "List", "Lookup", "Query", "GetRole")
    assert {name for name in allowed if not name.partition(":")[2].startswith(looking)} == {"s3:PutObject"}
    # IAM lets none of these be granted for some resources only.
    everywhere = [name for each in statements if each["Resource"] == "*" for name in each["Action"]]
    assert {name.partition(":")[0] for name in everywhere} <= {"cloudtrail", "ec2", "health"}


def test_the_policy_of_changes_in_aws_grants_what_effects_declare_and_looks_at_nothing_else() -> None:
    statements = json.loads(rbac.CHANGE_POLICY.read_text())["Statement"]
    allowed = {action for each in statements for action in each["Action"]}
    declared = {need.name for needs in EFFECTS.values() for need in needs if isinstance(need, Action)}
    assert allowed == declared - {action.name for action in needs.actions()}
    open_ones = [name for each in statements if each["Resource"] == "*" for name in each["Action"]]
    assert open_ones == ["ec2:DescribeTags"]


def test_a_rule_is_written_as_rbac_names_it() -> None:
    assert Rule("update", "deployments/scale", "apps") in needs.rules(EFFECTS)
    assert Action("eks:DescribeCluster", "cluster/*") in needs.actions()
