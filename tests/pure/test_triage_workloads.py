"""Workloads, jobs, autoscalers, budgets and quotas: what each state of them is said to be."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from deploy_answers import HOUR, MINUTE, NOW, SITE, World, member, sick, view

from commands.effects import Target
from commands.finding import Light
from commands.model import Confidence, Gap
from commands.podreads import (
    ContainerView,
    Ending,
    EventView,
    LogText,
    PodDetail,
    PodRow,
)
from commands.reads import Condition
from commands.scheduling import BudgetView
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import rule_for
from commands.triagereads import ChangeSeen, ChangesSeen, CronJobView, JobView
from commands.workloads import (
    AutoscalerView,
    MetricView,
    QuotaView,
    Strategy,
)

SPACE = {"namespace": "sre-shop"}


def told(name: str, labels: Mapping[str, str], **answers: Any) -> Diagnosis:
    """By the rule for the alert, in a world where all is well but for these answers."""
    usual = {"Changes": ChangesSeen(()), "PodDetails": (), "Jobs": (), "PodRows": ()}
    world = World(*answers.pop("views", ()), **{**usual, **answers})
    subject = Subject(name, {**SPACE, **labels}, since=NOW - 10 * MINUTE)
    found = world.drive(rule_for(subject).diagnose(subject, SITE))
    assert isinstance(found, Diagnosis)
    return found


def cause(found: Diagnosis) -> str:
    assert found.cause is not None, found
    return found.cause.text


# --- Workloads ------------------------------------------------------------------------------------

WEB = {"deployment": "backend"}
WANTS_MORE = view(ready=1, available=1)


def deployment(**answers: Any) -> Diagnosis:
    return told("KubeDeploymentReplicasMismatch", WEB, **answers)


def test_a_refused_pull_is_said_in_plain_words() -> None:
    said = 'Back-off pulling image "shop:1.5": failed to resolve reference "docker.io/shop:1.5": not found'
    found = deployment(views=(WANTS_MORE,), Members=(sick(message=said),))
    assert cause(found).endswith(": the registry has no such tag")


def test_the_trouble_most_pods_have_is_the_cause() -> None:
    ill = (sick("backend-7-b", message="Back-off pulling image shop:1.5"), sick("backend-7-c"), member())
    found = deployment(views=(WANTS_MORE,), Members=ill)
    assert cause(found) == (
        "2 of 3 pods of Deployment sre-shop/backend: ImagePullBackOff for 40 s: Back-off pulling image shop:1.5"
    )
    assert found.cause and found.cause.confidence is Confidence.LIKELY
    assert found.cause.suggestions[0].text == "debug startup sre-shop/backend-7-b"


def test_the_one_new_pod_that_fails_tells_more_than_the_old_ones_that_are_not_ready() -> None:
    quiet = (sick("backend-7-d", trouble=""), sick("backend-7-e", trouble=""))
    found = deployment(views=(WANTS_MORE,), Members=(*quiet, sick(message="Back-off pulling image shop:1.5")))
    assert cause(found).startswith("1 of 3 pods of Deployment sre-shop/backend: ImagePullBackOff")


def test_a_rollout_just_before_offers_the_way_back_first() -> None:
    rolled = ChangeSeen("Deployment", "sre-shop", "backend", "rollout of revision 7", NOW - 14 * MINUTE,
                        "helm", ("image web: shop:1.3 → shop:1.4",), 7)  # fmt: skip
    found = deployment(views=(WANTS_MORE,), Members=(sick(),), Changes=ChangesSeen((rolled,)))
    assert found.cause and found.cause.suggestions[0].text == "deploy rollback sre-shop/backend"


def test_a_controller_that_may_not_make_pods_is_quoted() -> None:
    refused = Condition(
        "ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: exceeded quota: small'
    )
    found = deployment(views=(replace(WANTS_MORE, conditions=(refused,)),), Members=())
    assert "may not create pods" in cause(found)
    assert "exceeded quota: small" in cause(found)
    assert found.cause and found.cause.confidence is Confidence.CERTAIN


def test_what_the_replica_set_was_refused_is_found_in_its_events() -> None:
    event = EventView("sre-shop", "ReplicaSet", "backend-7", "Warning", "FailedCreate",
                      'violates PodSecurity "restricted"')  # fmt: skip
    assert "violates PodSecurity" in cause(deployment(views=(WANTS_MORE,), Members=(), Events=(event,)))


def test_what_another_of_a_longer_name_was_refused_is_not_its_own() -> None:
    said = 'pods "x" is forbidden: exceeded quota: small'
    other = EventView("sre-shop", "ReplicaSet", "backend-admin-6f7d8", "Warning", "FailedCreate", said)
    of_pod = EventView("sre-shop", "Pod", "backend-admin-6f7d8b9c5d-x7k2p", "Warning", "Unhealthy", "no")
    found = deployment(views=(WANTS_MORE,), Members=(sick(),), Events=(other, of_pod))
    assert "ImagePullBackOff" in cause(found)
    assert "Events" not in [each.label for each in found.findings]


def test_a_refusal_that_is_over_is_no_cause_any_more() -> None:
    event = EventView(
        "sre-shop", "ReplicaSet", "backend-7", "Warning", "FailedCreate", "exceeded quota: small"
    )
    three = (member(), member("backend-7-c"), sick())
    assert "ImagePullBackOff" in cause(deployment(views=(view(ready=2),), Members=three, Events=(event,)))
    rolling = view(ready=3, updated=1, total=3)
    assert "may not create" in cause(deployment(views=(rolling,), Members=three, Events=(event,)))


def test_events_of_the_pods_of_a_stateful_set_are_its_own() -> None:
    event = EventView("sre-shop", "Pod", "backend-0", "Warning", "FailedMount", "no volume")
    found = told("KubeStatefulSetReplicasMismatch", {"statefulset": "backend"}, Events=(event,),
                 views=(view("StatefulSet", ready=2, available=2),))  # fmt: skip
    assert "FailedMount: no volume" in str(found.findings)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"is_paused": True}, "The rollout of Deployment sre-shop/backend is paused"),
        ({"generation": 4}, "has not seen generation 4"),
        ({"total": 5}, "2 old pods of Deployment sre-shop/backend do not go away"),
    ],
)
def test_with_every_pod_well_it_is_the_controller_or_somebody_holds_it(
    changed: dict[str, Any], said: str
) -> None:
    assert said in cause(deployment(views=(view(**changed),), Members=(member(),)))


def test_a_stateful_set_that_is_held_on_purpose_says_so() -> None:
    held = view("StatefulSet", updated=1, strategy=Strategy(is_ordered=True, partition=2))
    found = told("KubeStatefulSetUpdateNotRolledOut", {"statefulset": "backend"}, views=(held,))
    assert "partition 2" in cause(found)


def test_a_daemon_set_on_delete_waits_for_people() -> None:
    held = view("DaemonSet", updated=1, strategy=Strategy("OnDelete"))
    found = told("KubeDaemonSetRolloutStuck", {"daemonset": "backend"}, views=(held,))
    assert "only when it is deleted (OnDelete): 1 of 3" in cause(found)


def test_a_workload_that_is_gone_is_told() -> None:
    found = told("KubeDeploymentReplicasMismatch", {"deployment": "other"})
    assert found.findings[0].value == "there is no deployment sre-shop/other (any more)"


def test_a_full_quota_stands_beside_it() -> None:
    found = deployment(views=(WANTS_MORE,), Quotas=(QuotaView("small", {"pods": 3.0}, {"pods": 3.0}),))
    assert found.findings[-1].value == "used up: pods 3 of 3"


# --- Jobs -----------------------------------------------------------------------------------------

FAILED = JobView("sre-shop", "import", failed=3, backoff_limit=2, started=NOW - HOUR, cronjob="nightly",
                 conditions=(Condition("Failed", "True", "BackoffLimitExceeded", "…"),))  # fmt: skip
LAST = PodDetail("sre-shop", "import-abc", "Error", "0/1", 0, node="node-1", phase="Failed", created=NOW,
                 containers=(ContainerView("load", "x", ended=Ending("Error", 2)),))  # fmt: skip


def job(**answers: Any) -> Diagnosis:
    return told("KubeJobFailed", {"job_name": "import"}, **answers)


def test_a_failed_job_is_told_with_its_exit_and_its_last_words() -> None:
    log = LogText("2026-11-23T08:00:00Z connecting\n2026-11-23T08:00:01Z panic: no such table\n")
    found = job(Jobs=(FAILED,), PodDetails=(LAST,), ContainerLog=log)
    assert cause(found) == (
        "Job sre-shop/import failed: every attempt failed (3 attempts of 3); container load ended with exit code 2:"
        " “panic: no such table”"
    )
    words = next(each for each in found.findings if each.label == "Last words")
    assert words.evidence[-1].endswith("panic: no such table")


def test_a_job_whose_pod_is_gone_still_has_its_reason() -> None:
    late = replace(FAILED, conditions=(Condition("Failed", "True", "DeadlineExceeded", "…"),), failed=0)
    assert cause(job(Jobs=(late,))) == "Job sre-shop/import failed: it ran longer than activeDeadlineSeconds"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobView("sre-shop", "import", suspended=True), "is suspended"),
        (JobView("sre-shop", "import", active=1, started=NOW - 3 * HOUR), "has run for 3 h, and has no deadline"),
        (JobView("sre-shop", "import", active=1, started=NOW - HOUR, failed=1, deadline=2 * HOUR),
         "has run for 1 h, attempt 2 of at most 2 h"),
    ],
)  # fmt: skip
def test_a_job_that_does_not_end_says_what_it_is_at(state: JobView, said: str) -> None:
    assert said in cause(told("KubeJobNotCompleted", {"job_name": "import"}, Jobs=(state,)))


NIGHTLY = CronJobView("sre-shop", "nightly", "0 2 * * *", last_scheduled=NOW - 6 * HOUR)


@pytest.mark.parametrize(
    ("schedule", "runs", "said"),
    [
        (replace(NIGHTLY, suspended=True), (), "is suspended: nothing starts"),
        (NIGHTLY, (FAILED,), "The last 1 run of CronJob sre-shop/nightly failed"),
        (replace(NIGHTLY, active=("a", "b")), (), "2 runs of CronJob sre-shop/nightly are under way at once"),
        (replace(NIGHTLY, active=("a",)), (), "has been under way for 6 h"),
    ],
)
def test_a_cron_job_says_why_it_does_not_run_as_it_should(
    schedule: CronJobView, runs: tuple[JobView, ...], said: str
) -> None:
    assert said in cause(told("KubeCronJobRunning", {"cronjob": "nightly"}, CronJob=schedule, Jobs=runs))


# --- What limits from outside ---------------------------------------------------------------------

SCALER = AutoscalerView(
    "web", "Deployment", "backend", 2, 5, 5, 5, metrics=(MetricView("cpu", "92 %", "70 %"),)
)


def scaler(**changes: Any) -> Diagnosis:
    return told(
        "KubeHpaMaxedOut", {"horizontalpodautoscaler": "web"}, Autoscalers=(replace(SCALER, **changes),)
    )


def test_an_autoscaler_at_its_maximum_names_its_metric_now_and_its_aim() -> None:
    assert cause(scaler()) == (
        "HPA sre-shop/web runs at its maximum of 5: cpu is at 92 % of an aimed 70 %; raise maxReplicas, "
        "or make a pod do more"
    )


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("no metrics returned from resource metrics API", "metrics-server has no numbers of its pods (yet)"),
        (
            "unable to fetch metrics from resource metrics API: the server could not find the requested resource (get"
            " pods.metrics.k8s.io)",
            "nothing serves the API metrics.k8s.io: metrics-server (or the metrics adapter) is not installed",
        ),
        (
            "the server is currently unable to handle the request (get pods.custom.metrics.k8s.io)",
            "what serves the API custom.metrics.k8s.io does not answer",
        ),
        (
            "failed to get cpu utilization: missing request for cpu in container app of Pod web-7",
            "a container does not request cpu, so its use in percent of that cannot be told",
        ),
        ("something new", "something new"),
    ],
)
def test_an_autoscaler_that_reads_nothing_says_why(said: str, text: str) -> None:
    blind = Condition("ScalingActive", "False", "FailedGetResourceMetric", said)
    found = scaler(conditions=(blind,), metrics=(MetricView("cpu", "", "70 %"),), now=2)
    assert f"cannot read its metrics: {text}" in cause(found)
    assert any(each.light is Light.UNKNOWN for each in found.findings)


def test_an_autoscaler_that_has_fewer_than_it_wants_points_at_the_pods() -> None:
    assert "wants 4 and has 2" in cause(scaler(now=2, wanted=4))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"healthy": 1, "desired": 2, "expected": 3, "allowed": 0}, "has 1 healthy of 2 it needs (3 in all)"),
        ({"healthy": 2, "desired": 2, "expected": 2, "allowed": 0}, "needs all of its 2 pods: it blocks every drain"),
        ({"healthy": 0, "desired": 0, "expected": 0, "allowed": 0}, "finds no pods"),
        ({"healthy": 3, "desired": 2, "expected": 3, "allowed": 1}, "it has recovered"),
    ],
)  # fmt: skip
def test_a_budget_says_what_it_blocks(numbers: dict[str, Any], said: str) -> None:
    budget = BudgetView(Target("PodDisruptionBudget", "sre-shop", "web", "u"), None, **numbers)
    rows = (
        PodRow("sre-shop", "web-1", "Running", "0/1", 0),
        PodRow("sre-shop", "web-2", "Running", "1/1", 0),
    )
    found = told(
        "KubePdbNotEnoughHealthyPods", {"poddisruptionbudget": "web"}, Budgets=(budget,), PodRows=rows
    )
    assert said in cause(found)
    assert found.findings[-1].evidence == ("web-1 Running 0/1",)


def test_a_quota_says_what_of_it_is_used_up() -> None:
    quota = QuotaView("small", {"pods": 10.0, "requests.cpu": 4.0}, {"pods": 2.0, "requests.cpu": 4.0})
    found = told("KubeQuotaFullyUsed", {"resourcequota": "small"}, Quotas=(quota,))
    assert cause(found) == "Quota sre-shop/small is at 100 %: 4 of 4 requests.cpu; nothing more is admitted"


# --- Sources that do not answer -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "labels", "essential"),
    [
        ("KubeDeploymentReplicasMismatch", WEB, "Workload"),
        ("KubeJobFailed", {"job_name": "import"}, "Jobs"),
        ("KubeCronJobRunning", {"cronjob": "nightly"}, "CronJob"),
        ("KubeHpaMaxedOut", {"horizontalpodautoscaler": "web"}, "Autoscalers"),
        ("KubePdbNotEnoughHealthyPods", {"poddisruptionbudget": "web"}, "Budgets"),
        ("KubeQuotaFullyUsed", {}, "Quotas"),
    ],
)
def test_what_cannot_be_read_is_unknown_with_its_reason(
    name: str, labels: dict[str, str], essential: str
) -> None:
    gap = Gap(f"forbidden: list {essential}", "grant it")
    found = told(name, labels, **{essential: gap, "CronJob": gap})
    assert found.cause is None
    assert found.findings[0].light is Light.UNKNOWN
    assert gap.reason in found.findings[0].value


def test_one_source_that_is_silent_does_not_hide_the_others() -> None:
    found = deployment(
        views=(WANTS_MORE,), Members=Gap("no answer in time"), Events=Gap("forbidden: list events")
    )
    unknown = [each.label for each in found.findings if each.light is Light.UNKNOWN]
    assert unknown == ["Pods", "Events"]
    assert found.findings[0].light is Light.RED
