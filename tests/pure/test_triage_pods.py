"""What is found to be the matter with a pod, over made-up answers of the cluster and of Prometheus."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.catalog import Catalog
from commands.finding import Finding, Light
from commands.model import Confidence, Gap
from commands.podreads import ContainerLog, Ending, Events, LogText
from commands.reads import Query, Sample, Vector
from commands.scheduling import BackendView, Taint
from commands.triage import pods, throttling
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import rule_for
from commands.triagereads import ClaimView, ContainerSpec
from commands.workloads import MemberView, ReferredView
from tests.pure.pod_scenes import (
    GAP,
    MI,
    MINUTE,
    NOW,
    POD,
    SITE,
    container,
    event,
    log,
    node,
    pending,
    placed,
    pod,
    probed,
    rollout,
    row,
    running,
    spec,
    subject,
    told,
    waiting,
    world,
)  # fmt: skip

CATALOG = Catalog.load()
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1.5"
LIVENESS = event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", 12)
KILLING = event("Killing", "Container app failed liveness probe, will be restarted", type="Normal")


def found(answers: Mapping[str, Any], about: Subject | None = None) -> Diagnosis:
    diagnosis: Diagnosis = told(pods.diagnose(about or subject(), SITE), answers)
    return diagnosis


def text(diagnosis: Diagnosis) -> str:
    assert diagnosis.cause is not None, diagnosis.findings
    return diagnosis.cause.text


def one(diagnosis: Diagnosis, key: str) -> Finding:
    return next(each for each in diagnosis.findings if each.key == key)


def offered(diagnosis: Diagnosis) -> list[str]:
    return [
        each.text
        for each in (*(diagnosis.cause.suggestions if diagnosis.cause else ()), *diagnosis.suggestions)
    ]


# --- Crashes ----------------------------------------------------------------------------------------------


def memory_and_restarts(read: Query) -> Vector:
    if "restarts_total" in read.expr:
        return Vector((Sample({"namespace": "shop", "pod": POD}, 4.0),))
    return Vector((Sample({"container": "app"}, 255.0 * MI), Sample({"container": "proxy"}, 9.0 * MI)))


def test_a_kill_over_memory_has_limit_last_use_and_count() -> None:
    killed = pod(container(ended=Ending("OOMKilled", 137, NOW - 3 * MINUTE, NOW - 2 * MINUTE)))
    diagnosis = found(world(killed, Query=memory_and_restarts))
    assert text(diagnosis) == (
        f"{POD}/app was killed at its memory limit of 256 MiB; it used 255 MiB, 4 times in the last hour"
    )
    assert diagnosis.cause is not None and diagnosis.cause.confidence is Confidence.CERTAIN
    assert "deploy limits shop/web" in offered(diagnosis)
    assert "the kubelet waits 2m40s before the next start" in one(diagnosis, "AL-23").evidence


def test_a_137_after_a_failed_liveness_probe_is_no_crash_of_its_own() -> None:
    killed = pod(container(ended=Ending("Error", 137, NOW - 3 * MINUTE, NOW - 2 * MINUTE)))
    slow = probed("liveness", period=10, failures=3)
    diagnosis = found(world(killed, Events=(LIVENESS, KILLING), PodSpecOf=slow))
    assert "liveness probe fails" in text(diagnosis) and "says of itself that it is not well" in text(
        diagnosis
    )
    assert one(diagnosis, "T3-4.3").value == "it never came up within 1 min; the liveness probe gives it 30 s"
    assert any(
        "startupProbe: periodSeconds 4, failureThreshold 30" in line
        for line in one(diagnosis, "T3-4.3").evidence
    )


def test_a_137_nobody_explains_is_looked_for_on_the_node() -> None:
    killed = pod(container(ended=Ending("Error", 137, NOW - 3 * MINUTE, NOW - 2 * MINUTE)))
    system = event(
        "SystemOOM", "System OOM encountered, victim process: app", kind="Node", name="n1", namespace=""
    )

    def events(read: Events) -> tuple[Any, ...]:
        return (system,) if read.kind == "Node" else ()

    diagnosis = found(world(killed, Events=events))
    assert "its node ran out of memory" in text(diagnosis)
    assert "node show n1" in offered(diagnosis)


def test_an_application_error_is_quoted_from_the_run_before() -> None:
    said = (
        "2026-11-23T08:27:00Z starting\n2026-11-23T08:27:01Z Traceback (most recent call last):\n"
        '2026-11-23T08:27:01Z   File "/app.py", line 3, in <module>\n'
        "2026-11-23T08:27:01Z KeyError: 'DATABASE_URL'\n"
    )
    diagnosis = found(world(ContainerLog=log(said, "2026-11-23T08:29:00Z starting\n")))
    assert text(diagnosis).startswith(f"{POD}/app ends itself with exit code 1")
    assert "“KeyError: 'DATABASE_URL'” (a setting is missing)" in text(diagnosis)
    assert [file.name for file in diagnosis.attachments] == [
        f"{POD}-app-previous.log",
        f"{POD}-app-current.log",
    ]
    assert diagnosis.table[-1].endswith("KeyError: 'DATABASE_URL'")


def test_a_long_log_is_fifteen_lines_inline_and_whole_in_its_file() -> None:
    said = "".join(f"2026-11-23T08:27:{n:02}Z line {n}\n" for n in range(50))
    diagnosis = found(world(ContainerLog=log(said)))
    assert len(diagnosis.table) == 15
    assert diagnosis.table[-1].endswith("line 49")
    assert diagnosis.attachments[0].content == said


def test_both_runs_are_asked_for_with_lines_and_bytes_bounded() -> None:
    asked: list[ContainerLog] = []

    def said(read: ContainerLog) -> LogText:
        asked.append(read)
        return LogText("")

    found(world(ContainerLog=said))
    assert {read.previous for read in asked} == {True, False}
    assert all(read.lines == 50 and read.limit == 64 * 1024 for read in asked)


def test_the_init_container_that_fails_is_meant_and_not_the_first_container() -> None:
    init = container("migrate", kind="init", ended=Ending("Error", 2, NOW - 3 * MINUTE, NOW - 2 * MINUTE))
    idle = replace(running(), state="waiting", word="PodInitializing", ready=False)
    waited = replace(running("wait"), kind="init", state="terminated", ended=Ending("Completed", 0))
    diagnosis = found(world(pod(waited, init, idle, status="Init:CrashLoopBackOff")))
    assert text(diagnosis).startswith(f"init container migrate of {POD} ends itself with exit code 2")


def test_a_sidecar_that_fails_is_meant() -> None:
    sidecar = container("proxy", kind="sidecar")
    diagnosis = found(world(pod(sidecar, running())))
    assert text(diagnosis).startswith(f"sidecar proxy of {POD} ends")


def test_of_two_that_fail_the_one_the_alert_names_is_meant() -> None:
    diagnosis = found(world(pod(container("proxy"), container("app"))))
    assert text(diagnosis).startswith(f"{POD}/app ")


def test_a_pod_that_runs_between_two_crashes_is_in_a_crash_loop_all_the_same() -> None:
    between = running(restarts=6, ended=replace(Ending("Error", 1), finished=NOW - 4 * MINUTE), ready=True)
    diagnosis = found(world(pod(between, status="Running", ready="1/1", not_ready_since=None)))
    assert "ends itself with exit code 1" in text(diagnosis)


def test_a_pod_that_ends_with_success_again_and_again_is_told() -> None:
    done = pod(container(ended=Ending("Completed", 0, NOW - 3 * MINUTE, NOW - 2 * MINUTE)))
    assert "ends by itself with success, again and again" in text(found(world(done)))


def test_a_command_that_is_not_in_the_image_is_named() -> None:
    message = 'unable to start container process: exec: "serve": executable file not found in $PATH: unknown'
    broken = pod(container(ended=Ending("StartError", 128, message=message)))
    assert "its command is not in the image" in text(found(world(broken)))


def test_a_rollout_shortly_before_is_named_and_can_be_taken_back() -> None:
    diagnosis = found(world(Changes=rollout(65 * MINUTE)))
    assert text(diagnosis).endswith("; revision 7 came 1 h before")
    assert offered(diagnosis)[0] == "deploy rollback shop/web"


@pytest.mark.parametrize("ago", [timedelta(hours=3), timedelta(minutes=30), timedelta(minutes=2)])
def test_a_rollout_long_before_after_the_pod_or_after_the_alert_is_not_blamed(ago: timedelta) -> None:
    diagnosis = found(world(Changes=rollout(ago)))
    assert "revision" not in text(diagnosis)
    assert "deploy rollback shop/web" not in offered(diagnosis)


def test_what_a_log_says_of_permissions_names_the_likely_field() -> None:
    read_only = spec(ContainerSpec("app", "shop/web:1.5", user=1000, read_only_root=True))
    said = "2026-11-23T08:27:00Z Error: EROFS: read-only file system, open '/data/x'\n"
    diagnosis = found(world(ContainerLog=log(said), PodSpecOf=read_only))
    assert one(diagnosis, "T3-2.3").value == "likely readOnlyRootFilesystem"


def test_logs_that_may_not_be_read_are_unknown_and_the_exit_still_shows() -> None:
    diagnosis = found(world(ContainerLog=Gap("pods/log is forbidden", "grant get on pods/log")))
    unread = [each for each in diagnosis.findings if each.light is Light.UNKNOWN]
    assert unread[0].mend == "grant get on pods/log"
    assert "exit code 1" in text(diagnosis)


def test_kills_by_a_probe_are_counted_apart_from_crashes() -> None:
    killed = pod(container(restarts=5, ended=Ending("Error", 137, NOW - 3 * MINUTE, NOW - 2 * MINUTE)))
    diagnosis = found(world(killed, Events=(replace(KILLING, count=3),)))
    assert one(diagnosis, "T3-4.0").value == "at least 3 of 5 restarts by its liveness probe"


def test_an_end_before_the_alert_is_what_it_is_about_although_the_pod_runs_since() -> None:
    long_ago = NOW - timedelta(hours=3)
    since = running(restarts=1, ended=Ending("OOMKilled", 137, long_ago - MINUTE, long_ago))
    well = pod(since, status="Running", ready="1/1", not_ready_since=None)
    assert "memory limit" in text(found(world(well), subject("OOMKilled", since=long_ago + MINUTE)))
    assert found(world(well), subject("OOMKilled", since=NOW - MINUTE)).cause is None


def test_an_init_container_without_an_end_is_what_the_others_wait_for() -> None:
    init = replace(running("wait-for-db", ready=False), kind="init", since=NOW - 20 * MINUTE)
    idle = waiting("PodInitializing")
    stuck_there = pod(init, idle, status="Init:0/1", phase="Pending", restarts=0)
    diagnosis = found(
        world(stuck_there, ContainerLog=log(current="2026-11-23T08:29:00Z waiting for db:5432\n"))
    )
    assert text(diagnosis) == (
        f"init container wait-for-db of {POD} has been running for 20 min, and the others wait for it;"
        " it says “waiting for db:5432”"
    )


def test_a_failed_pod_of_a_job_is_a_crash_and_no_eviction() -> None:
    failed = pod(
        container(state="terminated", word="Error", message="", restarts=0), status="Error", phase="Failed",
        owner="Job/nightly", message="containers with unready status: [app]",
    )  # fmt: skip
    assert "ends itself with exit code 1" in text(found(world(failed)))


# --- Images -----------------------------------------------------------------------------------------------


def pull(said: str, image: str = ECR) -> Any:
    return event("Failed", f'Failed to pull image "{image}": {said}')


def stuck(image: str = ECR) -> Any:
    return pod(
        waiting("ImagePullBackOff", f'Back-off pulling image "{image}"', image=image),
        status="ImagePullBackOff",
    )


def test_a_missing_tag_names_the_nearest_ones() -> None:
    diagnosis = found(world(stuck(), Events=(pull(f"{ECR}: not found"),)))
    assert text(diagnosis) == f"{POD}/app does not start: the registry has no such tag ({ECR})"
    assert "nearest tags: 1.6, 1.4, 1.4.1" in one(diagnosis, "AL-25").evidence[1]


def test_a_registry_without_credentials_says_which_account_and_region() -> None:
    diagnosis = found(world(stuck(), Events=(pull("no basic auth credentials"),)))
    evidence = one(diagnosis, "AL-25").evidence
    assert "the registry is account 123456789012 in eu-central-1" in evidence
    assert "the node is in eu-west-1: another region" in evidence
    assert "the pod names no imagePullSecret" in evidence


def test_a_pull_secret_that_is_not_there_is_named() -> None:
    private = "reg.example.com/web:1"
    answers = world(
        stuck(private), Events=(pull("401 Unauthorized", private),), PodSpecOf=spec(pull_secrets=("reg-key",))
    )
    assert "pull secret reg-key does not exist" in one(found(answers), "AL-25").evidence


def test_a_secret_that_is_none_for_a_registry_is_told() -> None:
    private = "reg.example.com/web:1"
    answers = world(
        stuck(private), Events=(pull("401 Unauthorized", private),), PodSpecOf=spec(pull_secrets=("db",)),
        Referred=ReferredView(True, frozenset({"password"})),
    )  # fmt: skip
    assert any("is none for a registry" in line for line in one(found(answers), "AL-25").evidence)


def test_an_image_of_another_architecture_names_the_nodes() -> None:
    diagnosis = found(world(stuck(), Events=(pull("no match for platform in manifest: not found"),)))
    assert "n1 is arm64; the cluster has arm64" in one(diagnosis, "AL-25").evidence
    assert "node show n1" in offered(diagnosis)


def test_the_words_of_a_newer_kubelet_are_enough_without_an_event() -> None:
    said = f'Back-off pulling image "{ECR}": ErrImagePull: rpc error: 429 Too Many Requests - toomanyrequests: limit'
    diagnosis = found(world(pod(waiting("ImagePullBackOff", said, image=ECR), status="ImagePullBackOff")))
    assert "too many pulls" in text(diagnosis)


# --- Starting ---------------------------------------------------------------------------------------------


def test_a_missing_config_map_is_named_and_looked_for() -> None:
    broken = pod(
        waiting("CreateContainerConfigError", 'configmap "web-config" not found'),
        status="CreateContainerConfigError",
    )
    diagnosis = found(world(broken))
    assert text(diagnosis) == f"{POD}/app cannot start: ConfigMap web-config does not exist"
    assert "ConfigMap web-config is not there" in one(diagnosis, "T3-2.0").evidence


def test_a_missing_key_names_the_keys_there_are() -> None:
    said = "couldn't find key LOG_LEVEL in ConfigMap shop/web-config"
    answers = world(
        pod(waiting("CreateContainerConfigError", said), status="CreateContainerConfigError"),
        Referred=ReferredView(True, frozenset({"LEVEL"})),
    )
    diagnosis = found(answers)
    assert "ConfigMap web-config has no key LOG_LEVEL" in text(diagnosis)
    assert "ConfigMap web-config has the keys LEVEL" in one(diagnosis, "T3-2.0").evidence


def creating(*events: Any) -> Any:
    idle = waiting("ContainerCreating")
    return world(pod(idle, status="ContainerCreating", phase="Pending", restarts=0), Events=events)


def test_an_address_that_is_not_to_be_had_is_told() -> None:
    said = 'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
    diagnosis = found(creating(event("FailedCreatePodSandBox", said, 9)))
    assert "no IP address left" in text(diagnosis)
    assert one(diagnosis, "T3-3.2").light is Light.RED


def test_a_volume_at_another_node_names_who_has_it() -> None:
    said = 'Multi-Attach error for volume "pvc-7" Volume is already used by pod(s) web-0'
    assert "used by web-0" in text(found(creating(event("FailedAttachVolume", said))))


def test_a_start_nothing_was_said_of_is_no_cause() -> None:
    diagnosis = found(creating())
    assert diagnosis.cause is None
    assert diagnosis.findings[0].evidence == ("nothing was said of it yet",)


# --- No node ----------------------------------------------------------------------------------------------

ROOM = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption victims found."


def test_a_pod_without_room_names_the_largest_free_slot() -> None:
    greedy = pending(ROOM)
    greedy = replace(
        greedy,
        containers=tuple(
            replace(each, resources=replace(each.resources, cpu_request=4.0)) for each in greedy.containers
        ),
    )
    diagnosis = found(world(greedy))
    assert text(diagnosis) == (
        f"{POD} finds no node: 0/2 nodes take it: 2 too little CPU left; it asks for 4000m CPU, and the largest free"
        " slot has 1500m CPU (n2)"
    )
    assert one(diagnosis, "T3-3.1").label == "Nearest node n2"
    assert "node top" in offered(diagnosis)


def test_a_closed_node_is_no_free_slot() -> None:
    nodes = (node("n1"), node("n2", unschedulable=True))
    diagnosis = found(world(pending(ROOM), NodeDetails=nodes, Placements=(placed("n1", 1.95),)))
    assert one(diagnosis, "T3-3.1").label == "Nearest node n1"


def test_a_node_with_a_taint_it_does_not_tolerate_is_no_free_slot() -> None:
    nodes = (node("n1"), node("n2", taints=(Taint("dedicated", "gpu", "NoSchedule"),)))
    diagnosis = found(world(pending(ROOM), NodeDetails=nodes, Placements=(placed("n1", 1.95),)))
    assert one(diagnosis, "T3-3.1").label == "Nearest node n1"


def test_taints_that_the_scheduler_only_counts_are_named() -> None:
    said = "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 Insufficient cpu."
    taints = (Taint("dedicated", "gpu", "NoSchedule"), Taint("soft", "", "PreferNoSchedule"))
    nodes = (node("n1"), node("n2", taints=taints))
    answers = world(pending(said), NodeDetails=nodes, Placements=(placed("n1", 1.95),))
    assert "; the taints there: dedicated=gpu:NoSchedule" in text(found(answers))


def test_a_volume_in_a_zone_without_nodes_is_told() -> None:
    said = "0/2 nodes are available: 2 node(s) had volume node affinity conflict."
    claim = ClaimView("shop", "data", "Bound", storage_class="gp3", zone="eu-central-1c")
    diagnosis = found(world(pending(said), PodSpecOf=spec(claims=("data",)), Claim=claim))
    assert (
        "volume of data is in eu-central-1c, and no node there takes pods (nodes in eu-central-1a, eu-central-1b)"
        in text(diagnosis)
    )


def test_a_claim_without_a_volume_is_named() -> None:
    said = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    claim = ClaimView("shop", "data", "Pending", storage_class="gp9")
    diagnosis = found(world(pending(said), PodSpecOf=spec(claims=("data",)), Claim=claim))
    assert text(diagnosis).endswith("(data is Pending)")


def test_the_autoscaler_is_heard() -> None:
    word = event(
        "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", type="Normal"
    )
    diagnosis = found(world(pending(ROOM), Events=(word,)))
    told_by = next(each for each in diagnosis.findings if each.label == "cluster-autoscaler")
    assert told_by.value == "adds no node: 1 max node group size reached"


def test_a_gate_is_no_lack_of_room() -> None:
    gated = pending("Scheduling is blocked due to non-empty scheduling gates", status="SchedulingGated")
    diagnosis = found(world(gated, PodSpecOf=spec(gates=("example.com/quota",))))
    assert "held back on purpose by a scheduling gate (example.com/quota)" in text(diagnosis)


def test_nodes_that_may_not_be_read_leave_the_schedulers_word() -> None:
    diagnosis = found(world(pending(ROOM), NodeDetails=GAP))
    assert "2 too little CPU left" in text(diagnosis)
    assert any(each.light is Light.UNKNOWN and each.label == "Nodes" for each in diagnosis.findings)


# --- Not ready ----------------------------------------------------------------------------------------------


def unready(said: str, **answers: Any) -> Diagnosis:
    about = pod(running(ready=False), status="Running", ready="0/1", restarts=0)
    events = (event("Unhealthy", said, 40),)
    return found(
        world(about, Events=events, **{"PodSpecOf": probed(), **answers}), subject("KubePodNotReady")
    )


def test_a_404_is_the_path() -> None:
    diagnosis = unready("Readiness probe failed: HTTP probe failed with statuscode: 404")
    assert text(diagnosis) == (
        f"{POD}/app is not ready for 20 min: its readiness probe (GET :8080/healthz) fails,"
        " it answers 404: there is no such path"
    )
    assert diagnosis.cause is not None and diagnosis.cause.confidence is Confidence.CERTAIN


def test_a_refused_connection_is_the_port_or_nobody_listens() -> None:
    said = 'Readiness probe failed: Get "http://10.0.1.5:9090/": dial tcp 10.0.1.5:9090: connect: connection refused'
    diagnosis = unready(said, PodSpecOf=probed(target="GET :9090/", port=9090))
    assert "wrong port, or it is not listening" in text(diagnosis)
    ports = [each for each in diagnosis.findings if each.label == "Probe port"]
    assert ports[0].value == "the readiness probe asks port 9090; the container declares 8080"


def test_who_serves_meanwhile_is_counted() -> None:
    said = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    alone = one(unready(said), "TF-2.2")
    assert (alone.label, alone.light) == ("Service web", Light.RED)
    two = tuple(BackendView("shop", "web", f"web-{n}", "n1") for n in range(2))
    assert one(unready(said, Backends=two), "TF-2.2").value == "2 other addresses serve without it"
    assert one(unready(said, Backends=GAP), "TF-2.2").light is Light.UNKNOWN


def test_a_slow_answer_gets_numbers() -> None:
    said = 'Readiness probe failed: Get "http://10.0.1.5:8080/": context deadline exceeded (Client.Timeout exceeded)'
    assert "timeoutSeconds 5" in one(unready(said), "T3-4.1").value


def test_what_answered_before_may_be_restarted() -> None:
    diagnosis = unready("Readiness probe failed: HTTP probe failed with statuscode: 503")
    assert "deploy restart shop/web" in offered(diagnosis)


def test_how_long_others_took_is_set_against_what_the_probe_allows() -> None:
    others = (
        MemberView(
            "web-2",
            "uid-2",
            is_ready=True,
            created=NOW - 60 * MINUTE,
            ready_since=NOW - 60 * MINUTE + timedelta(seconds=45),
        ),
    )
    diagnosis = unready(
        "Liveness probe failed: HTTP probe failed with statuscode: 503",
        PodSpecOf=probed("liveness"),
        Members=others,
    )
    start = one(diagnosis, "T3-4.3")
    assert start.value == "its start takes 45 s; the liveness probe gives it 30 s"
    assert start.evidence[0] == "would do: startupProbe: periodSeconds 3, failureThreshold 30 (up to 90 s)"


def test_a_readiness_gate_is_told() -> None:
    gate = ("target-health.elbv2.k8s.aws/k8s-web", "False", "Target registration is in progress")
    about = pod(running(), status="Running", ready="1/1", conditions=(("Ready", "False", ""), gate))
    diagnosis = found(world(about), subject("KubePodNotReady"))
    assert "its readiness gate target-health.elbv2.k8s.aws/k8s-web is not met" in text(diagnosis)


# --- Evicted, gone, leaving, well ---------------------------------------------------------------------------


def test_an_evicted_pod_says_who_used_how_much() -> None:
    said = (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 2146223336, available: 1894020Ki. "
        "Container app was using 4194304Ki, request is 0, has larger consumption of ephemeral-storage. "
    )
    about = pod(running(state="terminated"), status="Evicted", phase="Failed", message=said)
    diagnosis = found(world(about), subject("KubePodEvicted"))
    assert "was evicted: its node was low on ephemeral-storage (1894020Ki left" in text(diagnosis)
    assert "node show n1" in offered(diagnosis)


def test_the_pod_is_gone_and_a_follower_of_it_is_looked_at() -> None:
    follower = "web-5d9f8c7b6d-bcdfg"
    rows = (row("other-5d9f8c7b6d-bbbbb"), row(follower))
    answers = world(
        PodDetails=lambda read: (replace(pod(), name=follower),) if read.name == follower else (),
        PodRows=rows,
    )
    assert text(found(answers)).startswith(f"{follower}/app")


def test_a_pod_that_is_gone_with_all_of_its_kind_is_unknown() -> None:
    diagnosis = found(world(PodDetails=(), PodRows=()))
    assert diagnosis.cause is None
    assert diagnosis.findings[0].light is Light.UNKNOWN


def test_pods_that_may_not_be_read_are_unknown_with_the_mend() -> None:
    diagnosis = found(world(PodDetails=GAP))
    assert (diagnosis.cause, diagnosis.findings[0].mend) == (None, "grant it")
    assert [each.text for each in diagnosis.suggestions] == [f"pod show shop/{POD}"]


def test_a_pod_that_is_well_again_is_green_and_has_no_cause() -> None:
    diagnosis = found(world(pod(running(), status="Running", ready="1/1", restarts=0, not_ready_since=None)))
    assert diagnosis.cause is None
    assert diagnosis.findings[0].light is Light.GREEN


def test_a_pod_on_its_way_out_is_not_called_a_crash() -> None:
    diagnosis = found(world(pod(deleting=NOW - 30 * MINUTE)))
    assert diagnosis.findings[0].value == f"{POD} has been on its way out for 30 min"


# --- With every diagnosis -----------------------------------------------------------------------------------


def test_the_other_pods_of_the_alert_that_say_the_same_are_counted() -> None:
    others = tuple({"namespace": "shop", "pod": f"web-{n}"} for n in range(5))
    rows = (row(), *(row(f"web-{n}") for n in range(4)), row("web-4", "Running", "1/1"))
    diagnosis = found(world(PodRows=rows), subject(others=others))
    same = one(diagnosis, "AL-12")
    assert same.value == "4 of the 5 other pods of the alert say the same (CrashLoopBackOff)"
    assert same.evidence == ("web-4 Running",)


def test_events_are_told_newest_first_counted_and_at_most_eight() -> None:
    events = tuple(event("BackOff", f"said {n}", n + 1) for n in range(12))
    said = one(found(world(Events=events)), "AL-26")
    assert said.evidence[0] == "BackOff ×12, 1 min ago: said 11"
    assert len(said.evidence) == 8


def test_a_setting_of_a_wrong_form_is_told_beside_the_crash() -> None:
    wrong = spec(ContainerSpec("app", "shop/web:1.5", env={"HTTP_PORT": "eighty"}))
    assert one(found(world(PodSpecOf=wrong)), "T3-2.2").value == "HTTP_PORT is no port number"


def test_what_was_not_read_beside_the_pod_is_said() -> None:
    diagnosis = found(world(Events=GAP, Changes=GAP))
    assert {each.label for each in diagnosis.findings if each.light is Light.UNKNOWN} == {"Events", "Changes"}
    assert "exit code 1" in text(diagnosis)


# --- Throttling -----------------------------------------------------------------------------------------------


def cpu(share: float = 0.4, peak: float = 0.49) -> Any:
    def said(read: Query) -> Vector:
        if "throttled" in read.expr:
            return Vector((Sample({"container": "app"}, share), Sample({"container": "proxy"}, 0.01)))
        if "max_over_time" in read.expr:
            return Vector((Sample({"container": "app"}, peak),))
        return Vector(())

    return said


def throttled(answers: Mapping[str, Any], about: Subject | None = None) -> Diagnosis:
    diagnosis: Diagnosis = told(throttling.diagnose(about or subject("CPUThrottlingHigh"), SITE), answers)
    return diagnosis


def test_throttling_has_share_use_limit_and_a_limit_that_would_do() -> None:
    diagnosis = throttled(world(Query=cpu()))
    assert text(diagnosis) == (
        f"{POD}/app is held back in 40 % of its CPU periods; it used up to 490m of its limit of 500m; 900m would do"
    )
    assert [each.label for each in diagnosis.findings] == ["app", "proxy"]
    assert offered(diagnosis)[0] == "deploy limits shop/web"


def test_a_proposal_is_never_less_than_the_limit_there_is() -> None:
    assert throttling.Held("app", 0.3, 0.01, 0.5).proposal == 0.5


def test_a_limit_as_it_is_is_not_offered_as_one_that_would_do() -> None:
    assert "would do" not in text(throttled(world(Query=cpu(peak=0.03))))


def test_a_pod_without_a_limit_is_not_said_to_be_throttled_by_one() -> None:
    free = running()
    free = replace(free, resources=replace(free.resources, cpu_limit=None))
    diagnosis = throttled(world(pod(free)))
    assert diagnosis.cause is None
    assert "no container" in diagnosis.findings[0].value


def test_a_prometheus_that_is_silent_is_unknown() -> None:
    diagnosis = throttled(world(Query=Gap("no answer in 5 s")))
    assert diagnosis.cause is None
    assert all(each.light is Light.UNKNOWN for each in diagnosis.findings)


# --- Rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "KubePodCrashLooping", "KubePodNotReady", "KubeContainerWaiting", "CPUThrottlingHigh", "ContainerOOMKilled",
        "KubeContainerOOMKilled", "PodOOMKilled", "OOMKilled", "KubePodImagePullBackOff", "KubePodPending", "PodPending",
        "Unschedulable", "KubePodEvicted", "KubernetesPodCrashLooping", "KubernetesContainerOomKiller",
        "KubernetesPodNotHealthy", "PodRestarts",
    ],
)  # fmt: skip
def test_the_usual_alerts_about_pods_have_a_rule(name: str) -> None:
    rule = rule_for(subject(name))
    assert name in rule.names
    assert rule in pods.RULES
    assert rule.means and rule.steps


def test_no_alert_has_two_rules_here() -> None:
    names = [name for rule in pods.RULES for name in rule.names]
    assert len(names) == len(set(names))


def test_without_a_pod_the_labels_decide() -> None:
    assert rule_for(Subject("KubePodCrashLooping", {"namespace": "shop"})) not in pods.RULES


def test_every_suggestion_can_be_typed() -> None:
    answers = (world(Changes=rollout(65 * MINUTE)), world(stuck(), Events=(pull("no basic auth credentials"),)),
               world(pending(ROOM)), creating(event("FailedMount", 'secret "x" not found')))  # fmt: skip
    for each in answers:
        for line in offered(found(each)):
            CATALOG.parse(line)
