"""`pod isolate` and `pod release`: what the plans say and do, and what proves them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pod_world import (
    CILIUM,
    DENIAL,
    GAP,
    LABELS,
    NAME,
    NS,
    PATH,
    POLICY,
    SITE,
    UID,
    WHO,
    args,
    doing,
    light,
    owner,
    pod,
    policy,
    told,
    verdict,
)

from commands.effects import AllowTraffic, DenyTraffic, Relabel
from commands.errors import UsageError
from commands.evidence import BEFORE
from commands.finding import Light
from commands.plan import Go, Plan, Result, Standing
from commands.pod import changes, cutoff, proof, quarantine
from commands.pod.cutoff import Before
from commands.podreads import Controller, NetworkAgent, NetworkView
from commands.reads import Rehearsal
from commands.scheduling import QUARANTINE
from commands.workloads import MemberView, ServiceView

REMOVED = {"app": "web", "pod-template-hash": "5f"}
MEMORY = Before(REMOVED, "ReplicaSet web-5f", "uid-rs")
CUT_LABELS = {"team": "shop", QUARANTINE: WHO.request}
CUT = pod(labels=CUT_LABELS, annotations={BEFORE: MEMORY.written()}, controller=None)


def isolation(**world: Any) -> Plan:
    found = told(quarantine.isolate(args("isolate"), SITE, WHO), **world)
    assert isinstance(found, Plan)
    return found


def release(**world: Any) -> Plan:
    found = told(
        quarantine.release(args("release"), SITE, WHO), **{"OnePod": CUT, "Policies": (DENIAL,), **world}
    )
    assert isinstance(found, Plan)
    return found


def relabel(plan: Plan) -> Relabel:
    [effect] = [step.effect for step in plan.steps if isinstance(step.effect, Relabel)]
    return effect


# --- isolate ----------------------------------------------------------------------------------------


def test_the_policy_comes_first_and_then_the_labels_that_lead_to_the_pod_go() -> None:
    plan = isolation()
    assert [[type(step.effect) for step in wave.steps] for wave in plan.waves] == [[DenyTraffic], [Relabel]]
    deny = plan.steps[0].effect
    assert isinstance(deny, DenyTraffic)
    assert (deny.target.path, deny.label) == (f"{NS}/{POLICY.name}", (QUARANTINE, WHO.request))
    effect = relabel(plan)
    assert effect.labels == ((QUARANTINE, WHO.request),)
    assert effect.without_labels == ("app", "pod-template-hash")
    assert cutoff.before(dict(effect.annotations)[BEFORE]) == MEMORY


def test_all_is_told_that_takes_it_back_and_that_must_not_change_under_the_approval() -> None:
    plan = isolation()
    assert plan.go is Go.GO
    assert plan.undo == f"pod release {PATH}"
    assert plan.locks == (f"pod/{PATH}",)
    assert dict(plan.before) == {f"label {key}": value for key, value in LABELS.items()}
    assert plan.scope == (f"Pod {PATH} {UID}", "label app goes", "label pod-template-hash goes")
    again = isolation()
    assert again.digest == plan.digest


def test_labels_by_which_an_opening_policy_finds_it_go_too() -> None:
    opening = policy("web-in", {"matchLabels": {"team": "shop"}}, "Ingress")
    denying = policy("closed", {"matchLabels": {"app": "web"}})
    assert relabel(isolation(Policies=(opening, denying))).without_labels == (
        "app",
        "pod-template-hash",
        "team",
    )


def test_a_policy_that_finds_every_pod_and_opens_something_is_a_risk_that_is_named() -> None:
    plan = isolation(Policies=(policy("dns", {}, "Egress"),))
    [finding] = [each for each in plan.findings if each.key == "isolate.policies"]
    assert (finding.light, finding.evidence) == (Light.YELLOW, ("dns opens Egress",))


VPC = "--enable-network-policy"


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (CILIUM, "green"),
        (NetworkView((NetworkAgent("calico-system", "calico-node", ()),)), "green"),
        (NetworkView((NetworkAgent("kube-system", "aws-node", (f"{VPC}=true",)),)), "green"),
        (NetworkView((NetworkAgent("kube-system", "aws-node", (f"{VPC}=false",)),)), "yellow"),
        (NetworkView((NetworkAgent("kube-system", "aws-node", ()),)), "yellow"),
        (NetworkView((NetworkAgent("a", "aws-node", ()), NetworkAgent("b", "calico-node", ()))), "green"),
        (NetworkView((), auto_mode="true"), "green"),
        (NetworkView((), auto_mode="false"), "yellow"),
        (NetworkView((NetworkAgent("kube-system", "kube-proxy", ()),)), "unknown"),
        (GAP, "unknown"),
    ],
)  # fmt: skip
def test_whether_anything_enforces_policies_is_said(network: Any, expected: str) -> None:
    assert light(isolation(Network=network), "isolate.enforced") == expected


def test_what_is_not_enforced_names_the_switch_and_the_security_group() -> None:
    off = NetworkView((NetworkAgent("kube-system", "aws-node", (f"{VPC}=false",)),))
    [finding] = [each for each in isolation(Network=off).findings if each.key == "isolate.enforced"]
    assert "not enforced" in finding.value
    assert "enableNetworkPolicy" in finding.mend and "security group" in finding.mend


@pytest.mark.parametrize(
    ("changed", "key", "expected"),
    [
        ({"OnePod": pod(controller=None)}, "isolate.replacement", "yellow"),
        ({"OnePod": pod(controller=Controller("StatefulSet", "web", "u")), "Workload": ()}, "isolate.replacement", "yellow"),
        ({"OnePod": pod(controller=Controller("Rollout", "web", "u"))}, "isolate.replacement", "unknown"),
        ({"Owners": ()}, "isolate.replacement", "yellow"),
        ({"Owners": GAP}, "isolate.replacement", "unknown"),
        ({"Owners": (owner(ready=1, replicas=1),)}, "isolate.replacement", "yellow"),
        ({}, "isolate.replacement", "green"),
        ({"OnePod": pod(on_host_network=True)}, "isolate.host", "yellow"),
    ],
)  # fmt: skip
def test_what_may_go_wrong_with_it(changed: Any, key: str, expected: str) -> None:
    assert light(isolation(**changed), key) == expected


@pytest.mark.parametrize("source", ["OnePod", "ServicesOf", "Policies"])
def test_what_has_to_be_known_and_was_not_read_blocks_with_its_mend(source: str) -> None:
    plan = isolation(**{source: GAP})
    assert (plan.go, plan.steps) == (Go.BLOCKED, ())
    assert plan.findings[0].mend == GAP.mend


@pytest.mark.parametrize(
    "facts", [None, pod(is_mirror=True), pod(is_leaving=True)], ids=["none", "static", "leaving"]
)
def test_a_pod_that_cannot_be_isolated_is_refused(facts: Any) -> None:
    plan = isolation(OnePod=facts)
    assert (plan.go, plan.steps) == (Go.BLOCKED, ())


def test_an_isolated_pod_is_left_as_it_is() -> None:
    plan = isolation(OnePod=CUT)
    assert plan.go is Go.NOTHING
    assert "R2345ABCD" in plan.findings[0].value


def test_evidence_that_is_not_kept_is_offered_and_does_not_hold_it_up() -> None:
    plan = isolation(EvidenceKept=frozenset())
    assert plan.go is Go.GO
    offered = [each.text for finding in plan.findings for each in finding.suggestions]
    assert offered == [f"pod evidence {PATH}"]


def test_of_a_daemonset_all_labels_of_its_template_go() -> None:
    controller = Controller("DaemonSet", "agent", "uid-ds")
    view = type("View", (), {"template": {"metadata": {"labels": {"team": "shop"}}}})()
    plan = isolation(
        OnePod=pod(controller=controller), Workload=(view,), Owners=(owner(kind="DaemonSet", uid="uid-ds"),)
    )
    assert relabel(plan).without_labels == ("app", "team")


def test_a_dry_run_says_what_the_api_server_says() -> None:
    plan = told(
        quarantine.isolate(args("isolate", **{"dry-run": ""}), SITE, WHO),
        DryRun=Rehearsal(False, "pods is forbidden", ("careful",)),
    )
    assert plan.rehearsal[2:] == (
        f"Pod {PATH}: would be refused: pods is forbidden", f"Pod {PATH}: warning: careful",
    )  # fmt: skip


# --- proof of isolate ---------------------------------------------------------------------------------

CUT_NOW: dict[str, Any] = {"OnePod": CUT, "Policies": (DENIAL,)}


def test_it_is_proved_by_the_policy_the_labels_and_the_replacement() -> None:
    found = verdict(proof.isolated(doing(isolation()), SITE), **CUT_NOW)
    assert (found.result, found.proved) == (Result.SUCCEEDED, ("deny", "relabel"))
    assert [each.text for each in found.suggestions] == [f"pod evidence {PATH}", f"pod release {PATH}"]


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (NetworkView((), auto_mode="true"), "is cut off; it still runs on"),
        (NetworkView((), auto_mode="false"), "is out of its Services, but: not enforced"),
        (NetworkView(()), "is out of its Services, but: unknown"),
        (GAP, "is out of its Services, but: unknown"),
    ],
)
def test_it_is_called_cut_off_only_where_something_is_known_to_enforce_that(network: Any, says: str) -> None:
    found = verdict(proof.isolated(doing(isolation(Network=network)), SITE), **CUT_NOW)
    assert found.result is Result.SUCCEEDED and says in found.summary


@pytest.mark.parametrize(
    ("world", "over", "result", "proved"),
    [
        ({"OnePod": pod(), "Policies": (DENIAL,)}, False, Result.WAITING, ("deny",)),
        ({"OnePod": pod(), "Policies": (DENIAL,)}, True, Result.PARTIAL, ("deny",)),
        ({"OnePod": CUT, "Policies": ()}, False, Result.WAITING, ("relabel",)),
        ({"OnePod": CUT, "Policies": (replace(DENIAL, allows=frozenset({"Ingress"})),)}, True, Result.PARTIAL, ("relabel",)),
        ({"OnePod": CUT, "Policies": (replace(DENIAL, selector={}),)}, True, Result.PARTIAL, ("relabel",)),
        ({"OnePod": pod(), "Policies": ()}, True, Result.FAILED, ()),
        ({"OnePod": None, "Policies": (DENIAL,)}, False, Result.FAILED, ("deny",)),
        ({"OnePod": GAP, "Policies": (DENIAL,)}, False, Result.WAITING, ()),
        ({"OnePod": GAP, "Policies": (DENIAL,)}, True, Result.PARTIAL, ()),
        ({**CUT_NOW, "Owners": (owner(ready=2),)}, False, Result.WAITING, ("deny", "relabel")),
        ({**CUT_NOW, "Owners": (owner(ready=2),)}, True, Result.PARTIAL, ("deny", "relabel")),
        ({**CUT_NOW, "Owners": ()}, True, Result.SUCCEEDED, ("deny", "relabel")),
        ({**CUT_NOW, "Owners": GAP}, True, Result.PARTIAL, ("deny", "relabel")),
    ],
)  # fmt: skip
def test_what_the_cluster_shows_decides(world: Any, over: bool, result: Result, proved: Any) -> None:
    found = verdict(proof.isolated(doing(isolation(), is_over=over), SITE), **world)
    assert (found.result, found.proved) == (result, proved)
    assert found.left or result in (Result.SUCCEEDED, Result.WAITING) or found.summary


@pytest.mark.parametrize("facts", [None, pod()])
def test_a_policy_that_finds_no_pod_is_named_with_the_line_that_removes_it(facts: Any) -> None:
    found = verdict(proof.isolated(doing(isolation(), is_over=True), SITE), OnePod=facts, Policies=(DENIAL,))
    assert found.left[-1].endswith(f"kubectl delete networkpolicy -n {NS} {POLICY.name}")


# --- release ------------------------------------------------------------------------------------------


def test_the_labels_come_back_and_the_policy_goes_after_them() -> None:
    plan = release()
    assert [[type(step.effect) for step in wave.steps] for wave in plan.waves] == [[Relabel], [AllowTraffic]]
    effect = relabel(plan)
    assert effect.labels == tuple(sorted(REMOVED.items()))
    assert (effect.without_labels, effect.without_annotations) == ((QUARANTINE,), (BEFORE,))
    assert plan.steps[1].effect == AllowTraffic(POLICY)
    assert plan.undo == f"pod isolate {PATH}"


def test_a_policy_that_another_pod_needs_stays() -> None:
    plan = release(Members=(MemberView(NAME, UID), MemberView("mate", "uid-mate")))
    assert [type(step.effect) for step in plan.steps] == [Relabel]
    assert "mate" in plan.stays[0]


def test_a_policy_that_is_gone_needs_no_step() -> None:
    assert [type(step.effect) for step in release(Policies=()).steps] == [Relabel]


def test_a_pod_that_is_one_too_many_is_announced() -> None:
    [finding] = [each for each in release().findings if each.key == "release.surplus"]
    assert finding.light is Light.YELLOW
    assert "one too many" in finding.value and "ReplicaSet web-5f" in finding.value


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        ({"Owners": (owner(ready=2),)}, "green"),
        ({"Owners": ()}, "yellow"),
        ({"Owners": GAP}, "unknown"),
        ({"OnePod": replace(CUT, annotations={BEFORE: Before(REMOVED).written()})}, "green"),
        ({"OnePod": replace(CUT, annotations={BEFORE: Before(REMOVED, "Rollout x", "u").written()})}, "unknown"),
    ],
)  # fmt: skip
def test_who_takes_it_back_is_said(world: Any, expected: str) -> None:
    assert light(release(**world), "release.surplus") == expected


@pytest.mark.parametrize(
    ("kept", "expected"), [(frozenset({UID}), "green"), (frozenset(), "yellow"), (GAP, "unknown")]
)
def test_evidence_that_may_be_lost_is_a_risk(kept: Any, expected: str) -> None:
    assert light(release(EvidenceKept=kept), "release.evidence") == expected


@pytest.mark.parametrize(
    "written", ["", "[]", "{}", '{"labels": 1, "owner": "", "uid": ""}', json.dumps("x"), '{"labels": {}}']
)
def test_an_annotation_that_somebody_else_wrote_blocks_and_says_what_to_type(written: str) -> None:
    plan = release(OnePod=replace(CUT, annotations={BEFORE: written}))
    assert plan.go is Go.BLOCKED
    assert "kubectl label pod" in plan.findings[0].mend


def test_a_pod_that_is_not_isolated_needs_nothing() -> None:
    assert release(OnePod=pod()).go is Go.NOTHING


@pytest.mark.parametrize("source", ["OnePod", "Policies", "Members"])
def test_a_release_needs_to_see_what_it_changes(source: str) -> None:
    assert release(**{source: GAP}).go is Go.BLOCKED


@pytest.mark.parametrize(
    ("world", "over", "result", "proved"),
    [
        ({"OnePod": pod(), "Policies": ()}, False, Result.SUCCEEDED, ("relabel", "allow")),
        ({"OnePod": None, "Policies": ()}, False, Result.SUCCEEDED, ("relabel", "allow")),
        ({"OnePod": pod(), "Policies": (DENIAL,)}, False, Result.WAITING, ("relabel",)),
        ({"OnePod": pod(), "Policies": (DENIAL,)}, True, Result.PARTIAL, ("relabel",)),
        ({"OnePod": CUT, "Policies": (DENIAL,)}, True, Result.FAILED, ()),
        ({"OnePod": GAP, "Policies": ()}, False, Result.WAITING, ()),
    ],
)  # fmt: skip
def test_a_release_is_proved_from_the_cluster(world: Any, over: bool, result: Result, proved: Any) -> None:
    found = verdict(proof.released(doing(release(), is_over=over), SITE), **world)
    assert (found.result, found.proved) == (result, proved)


# --- what may be typed --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "No_Name!", "-web", "x" * 254])
def test_a_name_that_no_pod_can_have_is_refused_at_once(name: str) -> None:
    with pytest.raises(UsageError):
        changes.checked(args("isolate", name), SITE)


def test_all_namespaces_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="one namespace"):
        changes.checked(args("release", namespace="all"), SITE)


def test_services_that_do_not_lead_to_it_cost_it_no_label() -> None:
    assert relabel(isolation(ServicesOf=(ServiceView("x", {"team": "other"}),))).without_labels == (
        "pod-template-hash",
    )


# --- What was not read, or done by others ---


def test_evidence_that_could_not_be_looked_for_is_unknown() -> None:
    assert light(isolation(EvidenceKept=GAP), "isolate.evidence") == "unknown"


def test_a_replacement_is_looked_for_once_the_controller_has_counted_again() -> None:
    early = verdict(proof.isolated(doing(isolation(), Standing.APPLIED), SITE), **CUT_NOW)
    assert (early.result, early.proved) == (Result.WAITING, ("deny", "relabel"))


@pytest.mark.parametrize(("over", "result"), [(False, Result.WAITING), (True, Result.PARTIAL)])
def test_a_pod_that_went_before_it_had_its_labels_back_was_not_released(over: bool, result: Result) -> None:
    under_way = doing(release(), Standing.TRYING, is_over=over)
    found = verdict(proof.released(under_way, SITE), OnePod=None, Policies=())
    assert (found.result, found.proved) == (result, ("allow",))


@pytest.mark.parametrize(
    ("plan", "verify"), [(isolation(OnePod=CUT), proof.isolated), (release(OnePod=pod()), proof.released)]
)
def test_a_plan_in_which_nothing_is_left_to_do_is_done(plan: Plan, verify: Any) -> None:
    with pytest.raises(StopIteration) as end:
        next(verify(doing(plan), SITE))
    assert end.value.value.result is Result.SUCCEEDED
