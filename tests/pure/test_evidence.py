"""What is part of a security incident is not destroyed before its evidence is kept."""

import json
from typing import Any

import pytest
from deploy_answers import SITE, WHO, World, args, finding, keys, revision
from pod_world import GAP, REPLICA_SET, TARGET, pod

from commands.deploy import restart
from commands.evidence import BEFORE, Reason, was_of, without_evidence
from commands.plan import Go, Plan
from commands.scheduling import QUARANTINE


@pytest.mark.parametrize(
    ("kept", "reasons"),
    [
        (frozenset({TARGET.uid}), ()),
        (frozenset({"another"}), (Reason(TARGET, "no evidence of it is kept"),)),
        (frozenset(), (Reason(TARGET, "no evidence of it is kept"),)),
        (GAP, (Reason(TARGET, "unknown whether evidence of it is kept: nobody answers", "start somebody"),)),
    ],
)
def test_a_pod_without_evidence_has_a_reason_to_stay(kept: Any, reasons: tuple[Reason, ...]) -> None:
    assert without_evidence((TARGET,), kept) == reasons
    assert without_evidence((), kept) == ()


def isolated(uid: str = "uid-backend-7", **changes: Any) -> Any:
    note = json.dumps({"labels": {}, "owner": "ReplicaSet x", "uid": uid})
    held = {"labels": {QUARANTINE: "r1"}, "annotations": {BEFORE: note}, "controller": None}
    return pod(**{**held, **changes})


@pytest.mark.parametrize(
    ("facts", "uid"),
    [
        (isolated("u1"), "u1"),
        (isolated(controller=REPLICA_SET), REPLICA_SET.uid),
        (isolated(annotations={}), ""),
        (isolated(annotations={BEFORE: "mine"}), ""),
        (isolated(annotations={BEFORE: "[]"}), ""),
    ],
)
def test_an_isolated_pod_says_whose_it_was(facts: Any, uid: str) -> None:
    assert was_of(facts) == uid


def restarted(**answers: Any) -> Plan:
    made = World(**answers).drive(restart.plan(args("restart"), SITE, WHO))
    assert isinstance(made, Plan)
    return made


@pytest.mark.parametrize("kept", [frozenset(), GAP])
def test_a_workload_with_an_isolated_pod_is_not_restarted_before_its_evidence_is_kept(kept: Any) -> None:
    plan = restarted(IsolatedPods=(isolated(revision(7).source.uid),), EvidenceKept=kept)
    assert plan.go is Go.BLOCKED
    refusal = finding(plan, "restart.evidence")
    assert (
        refusal.suggestions[0].text == f"pod evidence {TARGET.path}" and "is isolated, and" in refusal.value
    )


def test_with_its_evidence_kept_it_is_restarted() -> None:
    plan = restarted(IsolatedPods=(isolated(),), EvidenceKept=frozenset({TARGET.uid}))
    assert "restart.evidence" not in keys(plan) and plan.go is not Go.BLOCKED


def test_isolated_pods_of_others_do_not_matter_and_unread_ones_are_unknown() -> None:
    assert "restart.evidence" not in keys(restarted(IsolatedPods=(isolated("uid-of-another"),)))
    assert keys(restarted(IsolatedPods=GAP))["restart.isolated"] == "unknown"
