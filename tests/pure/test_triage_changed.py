"""What changed before something began: which rollout is a suspect, and which is none any more."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import alertwords
from commands.alertreads import AmAlert, AmAlerts, RunbookOf
from commands.finding import Finding, Light, Suggestion
from commands.model import Alert, AlertGroup, Cause, Confidence, Section
from commands.podreads import PodDetail, PodDetails
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage import changed, context
from commands.triage.rule import Subject, verdict
from commands.triagereads import Changes, ChangeSeen, ChangesSeen
from tests import build

BEGAN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROLL_BACK = "deploy rollback shop/web"


def rollout(revision: int, minutes: int, name: str = "web") -> ChangeSeen:
    at = BEGAN - timedelta(minutes=minutes)
    return ChangeSeen("Deployment", "shop", name, f"rollout of revision {revision}", at, revision=revision)


def seen(*changes: ChangeSeen) -> ChangesSeen:
    return ChangesSeen(changes)


def test_a_rollout_just_before_is_a_cause_with_a_way_back() -> None:
    found = changed.looked(seen(rollout(4, 12)), BEGAN, BEGAN)
    assert found.cause and [each.text for each in found.cause.suggestions] == [ROLL_BACK]
    assert "rollout of revision 4 came 12 min before it began" in found.cause.text


def test_a_rollout_that_was_undone_is_told_and_is_no_cause_any_more() -> None:
    again = rollout(5, -1)
    found = changed.looked(seen(again, rollout(4, 12)), BEGAN, BEGAN + timedelta(minutes=1))
    assert found.cause and "revision 5" in found.cause.text
    late = changed.looked(seen(rollout(5, -9), rollout(4, 12)), BEGAN, BEGAN + timedelta(minutes=9))
    assert late.cause is None and "rollout of revision 4" in " ".join(late.finding.evidence)


def test_a_rollout_of_something_else_is_no_cause() -> None:
    assert changed.looked(seen(rollout(4, 12, "other")), BEGAN, BEGAN, "web").cause is None


def around(group: AlertGroup, changes: ChangesSeen, *pods: PodDetail) -> Section:
    asked: Generator[Any, Any, Section] = context.told(group, ClusterSite())
    answers = {Changes: changes, AmAlerts: (), RunbookOf: None, Now: group.opened, PodDetails: pods}
    reads = next(asked)
    try:
        asked.send({read: answers[type(read)] for read in reads})
    except StopIteration as end:
        section: Section = end.value
        return section
    raise AssertionError("it asked twice")


def test_a_rollout_somewhere_explains_no_node() -> None:
    before = ChangeSeen(
        "Deployment", "shop", "web", "rollout of revision 4", build.NOW - timedelta(minutes=12), revision=4
    )
    of_pod = around(build.group(build.alert(namespace="shop", deployment="web")), seen(before))
    assert of_pod.cause and [each.text for each in of_pod.findings[0].suggestions] == [ROLL_BACK]
    of_node = around(build.group(build.alert("KubeNodeNotReady", node="n1")), seen(before))
    assert of_node.cause is None and of_node.findings[0].suggestions == ()
    assert "rollout of revision 4" in of_node.findings[0].evidence[0]


BEFORE = ChangeSeen(
    "Deployment", "shop", "web", "rollout of revision 4", build.NOW - timedelta(minutes=12), revision=4
)
EXPORTER = {
    "job": "node-exporter",
    "namespace": "monitoring",
    "pod": "node-exporter-x2x4z",
    "instance": "10.0.3.17:9100",
}
STATE = {
    "job": "kube-state-metrics", "namespace": "monitoring", "pod": "kube-state-metrics-7d4c9d-x7k2p",
    "container": "kube-rbac-proxy-main", "instance": "10.0.0.9:8080",
}  # fmt: skip


def alert_of(labels: dict[str, str]) -> Alert:
    return replace(build.alert("Any"), labels={"alertname": "Any", **labels})


@pytest.mark.parametrize(
    "labels",
    [
        {"persistentvolumeclaim": "data-db-0"},
        {"job_name": "etl-28"},
        {"cronjob": "etl"},
        {"resourcequota": "compute"},
        {"poddisruptionbudget": "db"},
        EXPORTER,
        {**STATE, "node": "n1"},
    ],
    ids=str,
)
def test_a_rollout_of_something_else_explains_no_volume_job_quota_or_machine(labels: dict[str, str]) -> None:
    told = around(build.group(alert_of({"namespace": "shop", **labels})), seen(BEFORE))
    assert told.cause is None and told.findings[0].suggestions == ()


@pytest.mark.parametrize(
    ("minutes", "is_blamed"), [(2 * 24 * 60, False), (20, False), (12, True), (10, True)]
)
def test_a_pod_that_was_there_before_the_rollout_is_not_ill_of_it(minutes: int, is_blamed: bool) -> None:
    ill = build.group(build.alert(namespace="shop", pod="web-5d9f8c7b6d-x7k2p"))
    born = build.NOW - timedelta(minutes=minutes)
    about = PodDetail("shop", "web-5d9f8c7b6d-x7k2p", "CrashLoopBackOff", "0/1", 4, created=born)
    told = around(ill, seen(BEFORE), about)
    assert (bool(told.cause), bool(told.findings[0].suggestions)) == (is_blamed, is_blamed)
    assert "rollout of revision 4" in told.findings[0].evidence[0]


def test_a_rollout_is_likely_of_the_workload_named_and_possible_where_none_is() -> None:
    named = around(build.group(build.alert(namespace="shop", poddisruptionbudget="web")), seen(BEFORE))
    assert named.cause and named.cause.confidence is Confidence.LIKELY
    served = around(build.group(build.alert(namespace="shop", service="web")), seen(BEFORE))
    assert served.cause and served.cause.confidence is Confidence.LIKELY
    unnamed = around(build.group(build.alert(namespace="shop", service="api")), seen(BEFORE))
    assert unnamed.cause and unnamed.cause.confidence is Confidence.POSSIBLE


@pytest.mark.parametrize("labels", [EXPORTER, {**STATE, "node": "n1"}], ids=["machine", "state of a node"])
def test_the_pod_of_an_exporter_is_not_what_its_alert_is_about(labels: dict[str, str]) -> None:
    subject = Subject("Any", labels)
    assert (subject.pod, subject.namespace) == ("", "")
    assert "exporter" not in alertwords.where(build.group(alert_of(labels)))
    assert "kube-state" not in alertwords.where(build.group(alert_of(labels)))


def test_an_exporters_own_pod_that_fails_is_what_its_alert_is_about() -> None:
    own = Subject("KubePodCrashLooping", {**STATE, "container": "kube-state-metrics"})
    assert (own.namespace, own.pod) == ("monitoring", STATE["pod"])
    of_other = Subject("KubePodCrashLooping", {**STATE, "pod": "node-exporter-x2x4z"})
    assert of_other.pod == "node-exporter-x2x4z"
    kept = Subject("Any", {**STATE, "deployment": "web", "namespace": "shop"})
    assert (kept.namespace, kept.pod) == ("shop", "")


def test_what_an_exporter_tells_of_two_nodes_is_not_about_the_same() -> None:
    def firing(node: str) -> AmAlert:
        return AmAlert(
            node, {**STATE, "alertname": "KubeNodePressure", "node": node}, {}, build.NOW, "active"
        )

    subject = Subject("KubeNodeNotReady", {**STATE, "node": "n1"})
    found = context.neighbours((firing("n2"), firing("n1")), subject, build.NOW)
    assert found.value == "2 alerts, 1 about the same"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Deployment", "deploy rollback shop/web"),
        ("StatefulSet", "deploy rollback shop/sts/web"),
        ("DaemonSet", "deploy rollback shop/ds/web"),
    ],
)
def test_the_way_back_names_the_kind_as_every_other_button_does(kind: str, text: str) -> None:
    found = changed.looked(seen(replace(rollout(4, 12), kind=kind)), BEGAN, BEGAN, "web")
    assert found.cause and [each.text for each in found.cause.suggestions] == [text]


BACK = Suggestion("Roll back web", ROLL_BACK)


def section(key: str, cause: Cause | None, *offered: Suggestion) -> Section:
    return Section(key, key, True, (Finding("AL-33", key, Light.RED, suggestions=offered),), cause=cause)


def test_a_rollout_before_is_said_once_by_the_part_that_knows_what_it_changed() -> None:
    crash = Cause("web-7 ends itself; revision 4 came 9 min before", Confidence.LIKELY, (BACK,))
    rolled = Cause("Deployment shop/web: rollout of revision 4 came 9 min before", Confidence.LIKELY, (BACK,))
    both = verdict((section("cause", crash), section("context", rolled)))
    assert both and both.text == f"web-7 ends itself · {rolled.text}"
    alone = verdict((section("cause", crash), section("context", None)))
    assert alone and alone.text == crash.text


def test_a_cause_without_buttons_has_those_of_what_was_found() -> None:
    logs = Suggestion("Logs", "logs shop/etl")
    found = verdict((section("cause", Cause("it failed", Confidence.CERTAIN), logs),))
    assert found and found.suggestions == (logs,)


def test_an_alert_nobody_knows_still_says_where_its_runbook_is() -> None:
    odd = replace(
        alert_of({"namespace": "shop"}), annotations={"runbook_url": "https://runbooks.example/odd"}
    )
    told = around(build.group(odd), seen())
    steps = next(each for each in told.findings if each.key == "AL-36")
    assert steps.value == "none known here: see its runbook" and steps.link


def test_three_hundred_neighbours_of_one_kind_are_one_line() -> None:
    def firing(name: str, pod: int) -> AmAlert:
        labels = {"alertname": name, "namespace": "shop", "pod": f"web-{pod}"}
        return AmAlert(f"{name}{pod}", labels, {}, build.NOW - timedelta(minutes=pod), "active")

    firing_now = (*(firing("KubePodNotReady", n) for n in range(300)), firing("HighErrorRate", 4))
    found = context.neighbours(firing_now, Subject("Any", {"namespace": "shop"}), build.NOW)
    assert found.value == "301 alerts, 301 about the same"
    assert found.evidence == (
        "KubePodNotReady shop web-299, for 4 h 59 min, and 299 more like it",
        "HighErrorRate shop web-4, for 4 min",
    )


def test_of_what_began_longer_ago_than_was_read_nothing_is_called_quiet() -> None:
    """What changed is read of the last two hours: the two before an old onset are not among them."""
    for changes in (seen(), seen(rollout(4, -200))):
        found = changed.looked(changes, BEGAN, BEGAN + timedelta(hours=5)).finding
        assert found.light is Light.UNKNOWN
        assert "it began 5 h ago: what changed before that was not looked at" in found.evidence
    assert changed.looked(seen(), BEGAN, BEGAN + timedelta(minutes=5)).finding.light is Light.GREEN
