"""What the cluster says of a rollback, restart or scaling: done, on its way, failed, or somebody else's."""

from dataclasses import replace
from typing import Any

import pytest
from deploy_answers import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    SITE,
    WHO,
    World,
    args,
    doing,
    member,
    revision,
    sick,
    target,
    template,
    view,
)

from commands.deploy import restart, rollback, scale
from commands.deploy.rollout import stand
from commands.deploy.verify import verify
from commands.model import Args, Gap
from commands.plan import Plan, Result, Standing, Verdict
from commands.podreads import EventView
from commands.reads import Condition
from commands.workloads import RESTARTED_AT, Manager, Strategy, WorkloadView

BACK = template("shop:1.3")
GONE_BY = Condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out", NOW - 10 * SECOND)
REVISIONS = (replace(revision(8, "shop:1.3"), mark="backend-6"), revision(7), revision(4))
FRESH = tuple(member(f"backend-6-{x}", "uid-backend-8", mark="backend-6") for x in "abc")


def rolled_back() -> Plan:
    return World().drive(rollback.plan(args("rollback"), SITE, WHO))


def restarted() -> Plan:
    return World().drive(restart.plan(args("restart"), SITE, WHO))


def scaled(to: int) -> Plan:
    return World().drive(scale.plan(args("scale", replicas=str(to)), SITE, WHO))


def verdict(
    here: WorkloadView | None,
    plan: Plan | None = None,
    standing: Standing | None = Standing.APPLIED,
    *,
    arguments: Args | None = None,
    answers: dict[str, Any] | None = None,
    note: str = "",
    **how: bool,
) -> Verdict:
    plan = plan or rolled_back()
    world = World(*([here] if here else [replace(view(), target=target(name="other"))]),
                  **{"Revisions": REVISIONS, "Members": FRESH, **(answers or {})})  # fmt: skip
    found = world.drive(verify(doing(arguments or args("rollback"), plan, standing, note=note, **how), SITE))
    assert isinstance(found, Verdict)
    return found


def back(**changes: Any) -> WorkloadView:
    return view(template=BACK, **changes)


# --- Rollback -------------------------------------------------------------------------------------


def test_done_and_well_is_proved() -> None:
    found = verdict(back())
    assert (found.result, len(found.proved)) == (Result.SUCCEEDED, 1)
    assert found.summary == "Deployment sre-shop/backend: all 3 updated and available"


WAITING = [
    ("not observed", back(observed=2), FRESH,
     ("its controller has not seen the change yet (generation 3)",)),
    ("not updated", back(updated=1), FRESH, ("1 of 3 updated",)),
    ("a pod in trouble", back(updated=2), (*FRESH[:1], sick("backend-6-x", owner="uid-backend-8", mark="backend-6")),
     ("2 of 3 updated, 1 not ready: backend-6-x ImagePullBackOff since 40 s",)),
    ("old pods left", back(total=4), FRESH, ("3 of 3 updated, 1 old pod still there",)),
    ("not available", back(available=2), FRESH, ("3 of 3 updated, 2 available",)),
    ("just ready", back(), (*FRESH[:2], replace(FRESH[2], ready_since=NOW - 2 * SECOND)),
     ("all 3 updated and available; watched for 5 s",)),
]  # fmt: skip


@pytest.mark.parametrize(("here", "pods", "lines"), [w[1:] for w in WAITING], ids=[w[0] for w in WAITING])
def test_on_its_way_says_what_it_waits_for(here: WorkloadView, pods: Any, lines: tuple[str, ...]) -> None:
    found = verdict(here, answers={"Members": pods})
    assert (found.result, found.waiting, found.proved) == (Result.WAITING, lines, ())


def test_a_broken_old_pod_is_not_the_rollbacks_fault() -> None:
    found = verdict(back(updated=2), answers={"Members": (*FRESH, sick())})
    assert found.waiting == ("2 of 3 updated",)


def test_where_no_revision_tells_the_new_pods_all_of_them_count() -> None:
    old_too = (sick("web-0", owner="uid-backend"),)
    found = verdict(back(updated=2), answers={"Revisions": (), "Members": old_too})
    assert found.waiting == ("2 of 3 updated, 1 not ready: web-0 ImagePullBackOff since 40 s",)


def test_the_progress_deadline_fails_it_with_the_pods_reasons_and_offers_undo() -> None:
    broken = sick("backend-6-x", owner="uid-backend-8", mark="backend-6", message="no such image")
    found = verdict(given_up(GONE_BY), answers={"Members": (broken,)})
    assert found.result is Result.FAILED
    assert found.left == ("backend-6-x ImagePullBackOff since 40 s: no such image",)
    assert [each.text for each in found.suggestions] == [
        "deploy rollback backend --namespace sre-shop --to-revision 7",
        "deploy show backend --namespace sre-shop",
        "deploy rollback backend",
    ]


def test_pods_that_may_not_even_be_made_are_told_by_their_controller() -> None:
    refused = Condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small", NOW)
    found = verdict(back(updated=0, conditions=(refused,)), answers={"Members": ()})
    assert found.waiting == ("0 of 3 updated: FailedCreate: exceeded quota: small",)


def test_a_set_has_no_such_condition_and_its_events_tell_it() -> None:
    said = EventView("sre-shop", "StatefulSet", "backend", "Warning", "FailedCreate", "exceeded quota: small")
    revisions = tuple(revision(n, kind="StatefulSet") for n in (7, 6))
    plan = World(view("StatefulSet"), Revisions=revisions).drive(rollback.plan(args("rollback"), SITE, WHO))
    here = view("StatefulSet", template=BACK, ready=0, updated=0)
    answers = {"Revisions": revisions, "Members": (), "Events": (said,)}
    assert verdict(here, plan, answers=answers).waiting == (
        "0 of 3 updated, 0 of 3 ready: FailedCreate: exceeded quota: small",
    )
    stale = (replace(said, last=NOW - HOUR),)
    assert verdict(here, plan, answers={**answers, "Events": stale}).waiting == (
        "0 of 3 updated, 0 of 3 ready",
    )
    assert verdict(here, plan, answers={**answers, "Events": Gap("no")}).result is Result.WAITING
    assert verdict(here, plan, answers=answers, is_over=True).left == ("FailedCreate: exceeded quota: small",)


def given_up(*conditions: Condition, **changes: Any) -> WorkloadView:
    """Its rollouts may take 30 s."""
    return back(updated=2, conditions=conditions, strategy=Strategy(deadline=30 * SECOND), **changes)


@pytest.mark.parametrize(
    "here",
    [
        given_up(replace(GONE_BY, since=NOW - HOUR)),
        given_up(replace(GONE_BY, since=NOW - MINUTE)),
        given_up(GONE_BY, observed=2),
    ],
    ids=["long before", "just before the undo", "not seen by its controller"],
)
def test_a_deadline_that_passed_before_is_an_older_rollouts(here: WorkloadView) -> None:
    assert verdict(here).result is Result.WAITING


def test_a_new_pod_that_was_restarted_is_no_success() -> None:
    crashed = replace(FRESH[0], restarts=2, last_restart=NOW - 20 * SECOND, last_exit="OOMKilled 137")
    found = verdict(back(), answers={"Members": (crashed, *FRESH[1:])})
    assert found.result is Result.PARTIAL
    assert found.left == ("backend-6-a was restarted 2 times (OOMKilled 137)",)


def test_a_restart_from_before_does_not_count() -> None:
    crashed = replace(FRESH[0], restarts=2, last_restart=NOW - HOUR)
    assert verdict(back(), answers={"Members": (crashed, *FRESH[1:])}).result is Result.SUCCEEDED


def test_somebody_elses_template_is_not_what_was_approved() -> None:
    by = (
        Manager("kubectl-edit", NOW - 12 * SECOND, of_template=True),
        Manager("old", NOW - HOUR, of_template=True),
    )
    found = verdict(view(template=template("shop:1.5"), managers=by))
    assert found.result is Result.FAILED
    assert (
        found.summary
        == "changed by others meanwhile by kubectl-edit 12 s ago, so it is not what was approved"
    )


def test_put_back_as_it_was_is_failed() -> None:
    by = (Manager("argocd-controller", NOW - 3 * SECOND, of_template=True),)
    found = verdict(view(managers=by))
    assert found.summary == "it was put back as it was before by argocd-controller 3 s ago"
    assert found.result is Result.FAILED


def test_before_it_is_sent_it_waits_and_when_it_never_was_nothing_changed() -> None:
    assert verdict(view(), standing=Standing.TRYING).result is Result.WAITING
    found = verdict(view(), standing=Standing.FAILED, note="template moved", is_over=True)
    assert (found.result, found.summary) == (Result.FAILED, "nothing was changed: template moved")


@pytest.mark.parametrize("here", [None, replace(view(), target=replace(target(), uid="another"))])
def test_what_is_gone_or_another_one_is_failed(here: WorkloadView | None) -> None:
    assert "deleted" in verdict(here).summary


def test_out_of_time_is_failed_with_broken_pods_and_partial_with_good_ones() -> None:
    broken = (sick("backend-6-x", owner="uid-backend-8", mark="backend-6"),)
    assert verdict(back(updated=2), answers={"Members": broken}, is_over=True).result is Result.FAILED
    assert verdict(back(updated=2), is_over=True).result is Result.PARTIAL


def test_cancelled_after_it_was_sent_says_that_it_goes_on() -> None:
    found = verdict(back(updated=2), is_over=True, is_cancelled=True)
    assert "goes on by itself" in found.summary


@pytest.mark.parametrize("name", ["Workload", "Revisions", "Members", "Now"])
def test_what_cannot_be_read_is_not_green(name: str) -> None:
    answers = {name: Gap("the API is away", "mend it")}
    assert verdict(back(), answers=answers).result is Result.WAITING
    late = verdict(back(), answers=answers, is_over=True)
    assert (late.result, late.left[-1]) == (Result.PARTIAL, "mend it")


def test_a_plan_made_anew_with_nothing_to_do_is_done() -> None:
    assert verdict(view(), Plan("x")).result is Result.SUCCEEDED


# --- Restart --------------------------------------------------------------------------------------

AT = {RESTARTED_AT: "2026-11-23T08:30:00Z"}


def after_restart(image: str = "shop:1.4", **changes: Any) -> tuple[WorkloadView, dict[str, Any]]:
    made = template(image, notes=AT)
    history = (replace(revision(8), template=made, mark="backend-6"), revision(7))
    return view(template=made, **changes), {"Revisions": history}


def test_a_restart_is_done_when_the_new_pods_are() -> None:
    here, answers = after_restart()
    assert verdict(here, restarted(), answers=answers).result is Result.SUCCEEDED


def test_a_deploy_over_a_restart_is_somebody_elses() -> None:
    here, answers = after_restart("shop:1.5")
    found = verdict(here, restarted(), answers=answers, arguments=args("restart"))
    assert found.result is Result.FAILED
    assert [each.label for each in found.suggestions] == ["Show it", "Try again"]


def test_a_second_restart_is_somebody_elses_too() -> None:
    here = view(template=template(notes={RESTARTED_AT: "2026-11-23T08:31:00Z"}))
    assert verdict(here, restarted()).result is Result.FAILED


# --- Scale ----------------------------------------------------------------------------------------


def test_more_pods_are_done_when_all_are_ready() -> None:
    assert verdict(view(replicas=5), scaled(5)).result is Result.SUCCEEDED
    found = verdict(view(replicas=5, ready=4), scaled(5))
    assert found.waiting == ("4 of 5 ready",)


def test_a_rollout_besides_is_not_the_scalings() -> None:
    assert verdict(view(replicas=5, updated=1), scaled(5)).result is Result.SUCCEEDED


def test_fewer_pods_are_done_when_the_others_are_gone() -> None:
    assert verdict(view(replicas=1, total=2), scaled(1)).result is Result.WAITING
    assert verdict(view(replicas=0), scaled(0)).result is Result.SUCCEEDED


def test_another_number_is_somebody_elses() -> None:
    by = (Manager("kube-controller-manager", NOW - SECOND, of_replicas=True),)
    found = verdict(view(replicas=4, managers=by), scaled(5))
    assert found.result is Result.FAILED
    assert "by kube-controller-manager 1 s ago" in found.summary


def test_the_trouble_of_new_pods_is_told_and_not_that_of_old_ones() -> None:
    pods = (sick("new", created=NOW - 30 * SECOND), sick("old", created=NOW - 30 * MINUTE))
    found = verdict(
        view(replicas=5, ready=4), scaled(5), answers={"Revisions": (revision(7),), "Members": pods}
    )
    assert found.waiting == ("4 of 5 ready, 1 not ready: new ImagePullBackOff since 40 s",)


# --- The rules of each kind -----------------------------------------------------------------------

STANDS = [
    (view(), True, "all 3 updated and available"),
    (view(replicas=0), True, "updated; it has no pods"),
    (view(observed=2), False, "its controller has not seen the change yet (generation 3)"),
    (view("StatefulSet"), True, "all 3 updated and available"),
    (view("StatefulSet", observed=0), False, "its controller has not seen the change yet (generation 3)"),
    (view("StatefulSet", ready=2, updated=1), False, "1 of 3 updated, 2 of 3 ready"),
    (view("StatefulSet", current="a", update="b", updated=2), False, "2 of 3 updated"),
    (view("StatefulSet", updated=1, current="a", update="b", strategy=Strategy(partition=2)), True,
     "1 of 1 above the partition updated"),
    (view("StatefulSet", updated=0, strategy=Strategy(partition=2)), False, "0 of 1 above the partition updated"),
    (view("StatefulSet", updated=0, strategy=Strategy(partition=9)), True, "0 of 0 above the partition updated"),
    (view("StatefulSet", current="a", update="b", updated=0, strategy=Strategy("OnDelete")), True,
     "set; each pod takes it when it is deleted (OnDelete)"),
    (view("DaemonSet"), True, "all 3 updated and available"),
    (view("DaemonSet", updated=1, available=2), False, "1 of 3 updated, 2 available"),
    (view("DaemonSet", updated=0, strategy=Strategy("OnDelete")), True,
     "set; each pod takes it when it is deleted (OnDelete)"),
]  # fmt: skip


@pytest.mark.parametrize(("here", "is_done", "said"), STANDS, ids=[str(n) for n in range(len(STANDS))])
def test_how_far_a_rollout_is(here: WorkloadView, is_done: bool, said: str) -> None:
    found = stand(here)
    assert (found.is_done, found.said) == (is_done, said)


@pytest.mark.parametrize(
    ("over", "result", "keys"), [(False, Result.WAITING, ()), (True, Result.PARTIAL, ("roll-back",))]
)
def test_counts_alone_are_no_success_while_new_pods_are_not_seen(
    over: bool, result: Result, keys: tuple[str, ...]
) -> None:
    answers = {"Revisions": REVISIONS, "Members": FRESH[:2]}
    found = verdict(view(template=BACK), rolled_back(), answers=answers, is_over=over)
    assert found.result is result
    assert [key.partition(" ")[0] for key in found.proved] == list(keys)
    assert "only 2 of 3 new pods were seen" in " ".join((*found.waiting, *found.left))
