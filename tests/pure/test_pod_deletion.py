"""`pod delete`: what a deletion would do, what it passes over, and what proves it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pod_world import (
    GAP,
    NS,
    PATH,
    SITE,
    UID,
    WHO,
    args,
    doing,
    light,
    owner,
    pod,
    told,
    verdict,
)

from commands.effects import DeletePod, Target
from commands.errors import UsageError
from commands.finding import Light
from commands.plan import Go, Plan, Result, Standing
from commands.pod import changes, deletion
from commands.podreads import Controller
from commands.scheduling import QUARANTINE, BudgetView, Requirement, Selector

WEB = Selector((Requirement("app", "In", ("web",)),))
BUDGET = BudgetView(Target("PodDisruptionBudget", NS, "web", "u"), WEB, 1, 3, 2, 3)
JOB = Controller("Job", "nightly", "uid-job")
HELD = {"app": "web", QUARANTINE: "R9999"}


def plan(flags: dict[str, str] | None = None, **world: Any) -> Plan:
    found = told(deletion.plan(args("delete", **(flags or {})), SITE, WHO), **world)
    assert isinstance(found, Plan)
    return found


def test_a_pod_with_a_controller_goes_and_comes_again() -> None:
    made = plan()
    assert made.go is Go.GO
    [step] = made.steps
    assert step.effect == DeletePod(pod().target, None)
    assert made.approvers == 1
    assert made.scope == (f"Pod {PATH} {UID}",)
    assert made.timeout == timedelta(seconds=30) + deletion.STARTUP
    assert "3 of 3" in made.findings[0].value


def test_a_grace_of_its_own_is_part_of_what_is_approved() -> None:
    made = plan({"grace": "90"})
    assert made.steps[0].effect == DeletePod(pod().target, 90)
    assert "option --grace 90" in made.scope
    assert made.timeout == timedelta(seconds=90) + deletion.STARTUP


@pytest.mark.parametrize("typed", ["0", "-1", "soon", "1.5", "3601", "00"])
def test_a_grace_that_is_none_or_kills_at_once_is_refused(typed: str) -> None:
    with pytest.raises(UsageError):
        changes.checked(args("delete", grace=typed), SITE)


@pytest.mark.parametrize(
    ("world", "key", "expected"),
    [
        ({"OnePod": pod(controller=None)}, "delete.orphan", "yellow"),
        ({"Owners": ()}, "delete.orphan", "yellow"),
        ({"Owners": GAP}, "delete.next", "unknown"),
        ({"OnePod": pod(controller=Controller("Rollout", "web", "u"))}, "delete.next", "unknown"),
        ({"Owners": (owner(ready=1, replicas=1),)}, "delete.single", "yellow"),
        ({"Owners": (owner(ready=0),), "OnePod": pod(is_ready=False)}, "delete.single", "yellow"),
        ({"Owners": (owner(ready=1),), "OnePod": pod(is_ready=False)}, "delete.next", "green"),
        ({"OnePod": pod(controller=JOB), "Owners": (owner(kind="Job", uid=JOB.uid),)}, "delete.job", "yellow"),
        ({"OnePod": pod(empty_dirs=("cache",))}, "delete.emptydir", "yellow"),
        ({"Budgets": (BUDGET,)}, "delete.budget", "green"),
        ({"Budgets": (replace(BUDGET, allowed=0),)}, "delete.budget", "yellow"),
        ({"Budgets": GAP}, "delete.budget", "unknown"),
    ],
)  # fmt: skip
def test_what_may_be_lost_is_said(world: Any, key: str, expected: str) -> None:
    assert light(plan(**world), key) == expected


@pytest.mark.parametrize("world", [{"OnePod": pod(controller=None)}, {"Owners": ()}])
def test_what_never_comes_back_takes_two_people(world: Any) -> None:
    made = plan(**world)
    assert (made.approvers, made.go) == (2, Go.RISK)


def test_a_spent_budget_is_named_with_its_numbers() -> None:
    made = plan(Budgets=(replace(BUDGET, allowed=0, healthy=2),))
    [finding] = [each for each in made.findings if each.key == "delete.budget"]
    assert finding.evidence == (f"{NS}/web: 2 healthy, 2 needed",)
    assert "a deletion does not ask it" in finding.value


@pytest.mark.parametrize(
    ("kept", "go"), [(frozenset({UID}), Go.GO), (frozenset(), Go.BLOCKED), (GAP, Go.BLOCKED)]
)
def test_an_isolated_pod_is_not_deleted_before_its_evidence_is_kept(kept: Any, go: Go) -> None:
    made = plan(OnePod=pod(labels=HELD), EvidenceKept=kept)
    assert made.go is go
    [finding] = [each for each in made.findings if each.key == "delete.evidence"]
    assert (finding.light is Light.RED) == (go is Go.BLOCKED)
    if go is Go.BLOCKED:
        assert [each.text for each in finding.suggestions] == [f"pod evidence {PATH}"]


def test_another_pod_of_the_same_name_is_not_the_one_that_was_approved() -> None:
    later = pod(target=replace(pod().target, uid="uid-other"))
    assert set(plan(OnePod=later).scope) - set(plan().scope)


@pytest.mark.parametrize(
    ("facts", "go"),
    [
        (None, Go.BLOCKED),
        (GAP, Go.BLOCKED),
        (pod(is_mirror=True), Go.BLOCKED),
        (pod(is_leaving=True), Go.NOTHING),
    ],
)
def test_what_cannot_or_need_not_be_deleted(facts: Any, go: Go) -> None:
    made = plan(OnePod=facts)
    assert (made.go, made.steps) == (go, ())


OTHER = pod(target=replace(pod().target, uid="uid-other"))


@pytest.mark.parametrize(
    ("world", "over", "result", "proved"),
    [
        ({"OnePod": None}, False, Result.SUCCEEDED, ("delete",)),
        ({"OnePod": OTHER}, False, Result.SUCCEEDED, ("delete",)),
        ({"OnePod": pod(is_leaving=True)}, False, Result.WAITING, ()),
        ({"OnePod": pod(is_leaving=True)}, True, Result.FAILED, ()),
        ({"OnePod": None, "Owners": (owner(ready=2),)}, False, Result.WAITING, ("delete",)),
        ({"OnePod": None, "Owners": (owner(ready=2),)}, True, Result.PARTIAL, ("delete",)),
        ({"OnePod": None, "Owners": GAP}, True, Result.PARTIAL, ("delete",)),
        ({"OnePod": None, "Owners": ()}, False, Result.SUCCEEDED, ("delete",)),
        ({"OnePod": GAP}, False, Result.WAITING, ()),
        ({"OnePod": GAP}, True, Result.PARTIAL, ()),
    ],
)  # fmt: skip
def test_it_is_proved_by_the_uid_and_the_controller(
    world: Any, over: bool, result: Result, proved: Any
) -> None:
    found = verdict(deletion.verify(doing(plan(), is_over=over), SITE), **world)
    assert (found.result, found.proved) == (result, proved)
    if result in (Result.PARTIAL, Result.FAILED):
        assert found.left and found.suggestions


def test_a_pod_without_a_controller_is_proved_by_its_absence() -> None:
    made = plan(OnePod=pod(controller=None))
    assert verdict(deletion.verify(doing(made), SITE), OnePod=None).result is Result.SUCCEEDED


def test_counts_of_the_moment_it_went_are_not_believed_yet() -> None:
    early = verdict(deletion.verify(doing(plan(), Standing.APPLIED), SITE), OnePod=None)
    assert (early.result, early.proved) == (Result.WAITING, ("delete",))


@pytest.mark.parametrize(
    ("owners", "said"),
    [((owner(),), "complete again"), ((), "nothing makes another")],
)
def test_the_closing_line_says_what_becomes_of_its_controller(owners: Any, said: str) -> None:
    assert said in verdict(deletion.verify(doing(plan()), SITE), OnePod=None, Owners=owners).summary


def test_a_plan_that_found_it_on_its_way_already_is_done() -> None:
    leaving = plan(OnePod=pod(is_leaving=True))
    done = deletion.verify(doing(leaving), SITE)
    with pytest.raises(StopIteration) as end:
        next(done)
    assert end.value.value.result is Result.SUCCEEDED
