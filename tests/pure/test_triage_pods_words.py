"""Tables of what kubelets, runtimes, registries, schedulers and the API server say, and what is made of it."""

from datetime import timedelta

import pytest

from commands.podreads import ContainerView, Ending, EventView, Resources
from commands.triage import creating, environment, eviction, exits, images, probes, refused
from commands.triage.schedulers import autoscaler, refusals

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1.5"
_PULL = f'Failed to pull image "{ECR}": '
_UNPACK = f'failed to pull and unpack image "{ECR}": failed to resolve reference "{ECR}": '


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            _UNPACK
            + "pull access denied, repository does not exist or may require authorization: authorization failed: no"
            " basic auth credentials",
            "ecr-auth",
        ),
        (
            _UNPACK
            + "unexpected status from HEAD request to https://123456789012.dkr.ecr.eu-central-1.amazonaws.com/v2/"
            "shop/web/manifests/1.5: 403 Forbidden",
            "ecr-403",
        ),
        (
            "rpc error: code = Unknown desc = User: arn:aws:sts::1:assumed-role/node/i-0 is not authorized to perform:"
            " ecr:BatchGetImage on resource: arn:aws:ecr:eu-central-1:1:repository/shop",
            "ecr-403",
        ),
        (f"rpc error: code = NotFound desc = {_UNPACK}{ECR}: not found", "tag"),
        (
            "Error response from daemon: manifest for shop/web:1.5 not found: manifest unknown: manifest unknown",
            "tag",
        ),
        (
            "name unknown: The repository with name 'shop/web' does not exist in the registry with id '123456789012'",
            "repository",
        ),
        (
            _UNPACK.replace("resolve reference", "unpack") + "no match for platform in manifest: not found",
            "platform",
        ),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "platform"),
        (
            "429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate"
            " limit. https://www.docker.com/increase-rate-limit",
            "limit",
        ),
        ("pull QPS exceeded", "limit"),
        ("dial tcp 52.1.2.3:443: i/o timeout", "timeout"),
        ('Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout', "timeout"),
        ("dial tcp 10.0.0.9:5000: connect: connection refused", "timeout"),
        (
            'Head "https://reg.example.com/v2/a/manifests/1": dial tcp: lookup reg.example.com on 10.0.0.2:53: no such host',
            "dns",
        ),
        (
            "write /var/lib/containerd/io.containerd.content.v1.content/ingest/x/data: no space left on device",
            "disk",
        ),
        (
            'Failed to apply default image tag "Shop/Web:": couldn\'t parse image name "Shop/Web:": invalid'
            " reference format",
            "name",
        ),
        (
            "pull access denied for shop/web, repository does not exist or may require 'docker login': denied: requested"
            " access to the resource is denied",
            "denied",
        ),
        (
            "failed to authorize: failed to fetch oauth token: unexpected status from GET request: 401 Unauthorized",
            "denied",
        ),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "tls"),
        ("http: server gave HTTP response to HTTPS client", "tls"),
        ('Container image "shop/web:1" is not present with pull policy of Never', "never"),
        ("denied: Your authorization token has expired. Reauthenticate and try again.", "ecr-auth"),
        ("unexpected status code 503 Service Unavailable", "registry"),
        ("failed to extract layer sha256:ab: unexpected EOF", "broken"),
        ("something quite new", "other"),
    ],
)
def test_a_refused_pull_has_its_cause_and_what_to_do(said: str, kind: str) -> None:
    found = images.refusal(_PULL + said)
    assert found.kind == kind
    assert found.text and found.fix


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        ('configmap "web-config" not found', "object", "ConfigMap web-config does not exist"),
        (
            'MountVolume.SetUp failed for volume "certs" : secret "web-tls" not found',
            "object",
            "Secret web-tls does not exist",
        ),
        (
            "couldn't find key LOG_LEVEL in ConfigMap shop/web-config",
            "key",
            "ConfigMap web-config has no key LOG_LEVEL",
        ),
        ("couldn't find key PASSWORD in Secret shop/db", "key", "Secret db has no key PASSWORD"),
        ("references non-existent config key: app.yaml", "key", "its ConfigMap has no key app.yaml"),
        (
            'container has runAsNonRoot and image will run as root (pod: "web-1_shop(1)", container: app)',
            "root",
            "runAsNonRoot",
        ),
        (
            "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
            "root",
            "runAsNonRoot",
        ),
        (
            'Multi-Attach error for volume "pvc-7" Volume is already used by pod(s) web-0',
            "volume",
            "used by web-0",
        ),
        (
            'Multi-Attach error for volume "pvc-7" Volume is already exclusively attached to one node and can\'t be attached'
            " to another",
            "volume",
            "volume pvc-7 is still attached",
        ),
        (
            'AttachVolume.Attach failed for volume "pvc-7" : rpc error: code = Internal desc = Could not attach volume'
            ' "vol-0" to node "i-0": context deadline exceeded',
            "volume",
            "cannot be attached",
        ),
        (
            'MountVolume.MountDevice failed for volume "pvc-7" : kubernetes.io/csi: attacher.MountDevice failed: driver name'
            " ebs.csi.aws.com not found in the list of registered CSI drivers",
            "volume",
            "ebs.csi.aws.com does not run",
        ),
        (
            "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to"
            " process volumes=[]:"
            " timed out waiting for the condition",
            "volume",
            "not mounted in time",
        ),
        (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox"
            ' "2585": plugin'
            ' type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container',
            "address",
            "no IP address left",
        ),
        (
            'Failed to create pod sandbox: plugin type="aws-cni" failed (add): add cmd: Error received from'
            " AddNetwork gRPC call:"
            ' rpc error: connection error: desc = "transport: Error while dialing dial tcp 127.0.0.1:50051:'
            " connect: connection"
            ' refused"',
            "network",
            "aws-node does not answer",
        ),
        (
            "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
            " message:Network plugin returns error: cni plugin not initialized",
            "network",
            "aws-node",
        ),
        (
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc"
            " create failed: unable"
            ' to start container process: exec: "serve": executable file not found in $PATH: unknown',
            "command",
            "not in the image",
        ),
        (
            'unable to start container process: exec: "/app/run.sh": permission denied: unknown',
            "command",
            "may not be executed",
        ),
        ("exec /app/server: exec format error", "command", "architecture"),
        (
            'error mounting "/var/lib/kubelet/x" to rootfs at "/etc/app": not a directory: unknown',
            "command",
            "mounted over",
        ),
        (
            'failed to reserve container name "app_web-1": name is reserved for "abc"',
            "runtime",
            "does not answer in time",
        ),
        (
            'MountVolume.SetUp failed for volume "cfg" : failed to sync configmap cache: timed out waiting for'
            " the condition",
            "kubelet",
            "API server",
        ),
    ],
)
def test_what_keeps_a_container_from_being_run_is_named(said: str, kind: str, text: str) -> None:
    found = creating.obstacle(said)
    assert found is not None
    assert found.obstacle.kind == kind
    assert text in found.text
    assert "{" not in found.text


def test_words_that_nobody_knows_are_no_obstacle_that_is_known() -> None:
    assert creating.obstacle("Error: something quite new") is None


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (
            'Error creating: pods "web-5f-x7k2p" is forbidden: exceeded quota: compute, requested: requests.cpu=2, used:'
            " requests.cpu=9, limited: requests.cpu=10",
            "quota",
            "quota compute is used up: asked requests.cpu=2, used requests.cpu=9, at most requests.cpu=10",
        ),
        (
            'pods "x" is forbidden: failed quota: compute: must specify limits.cpu for: app',
            "quota",
            "limits.cpu for: app",
        ),
        (
            'Error creating: pods "web-x" is forbidden: violates PodSecurity "restricted:latest":'
            " allowPrivilegeEscalation !="
            ' false (container "app" must set securityContext.allowPrivilegeEscalation=false)',
            "security",
            "restricted:latest",
        ),
        (
            'admission webhook "policy.example.com" denied the request: image not signed',
            "webhook",
            "policy.example.com denies it: image not signed",
        ),
        (
            'Internal error occurred: failed calling webhook "inject.example.com": failed to call webhook: Post'
            ' "https://inject.mesh.svc:443/x": no endpoints available',
            "webhook-down",
            "does not answer",
        ),
        (
            'error looking up service account shop/web: serviceaccount "web" not found',
            "account",
            "service account web does not exist",
        ),
        (
            'pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
            "limits",
            "but limit is 2",
        ),
        ("no PriorityClass with name gold was found", "other", "gold"),
        ("a new word", "other", "a new word"),
    ],
)
def test_a_refused_pod_has_its_reason(said: str, kind: str, text: str) -> None:
    found = refused.refused(said)
    assert found.kind == kind
    assert text in found.text


@pytest.mark.parametrize("name", ["web", "web-5d9f8c7b6d"])
def test_the_refusals_of_a_workload_are_found_by_its_own_name_and_its_replica_sets(name: str) -> None:
    event = EventView(
        "shop",
        "ReplicaSet",
        "web-5d9f8c7b6d",
        "Warning",
        "FailedCreate",
        "exceeded quota: a, requested: b, used: c, limited: d",
    )
    found = refused.latest((event,), name)
    assert found is not None and found[1].kind == "quota"
    assert refused.latest((event,), "backend") is None


_NODE_LOW = (
    "The node was low on resource: ephemeral-storage. Threshold quantity: 2146223336, available: 1894020Ki. "
    "Container app was using 4194304Ki, request is 0, has larger consumption of ephemeral-storage. "
)


def test_an_eviction_has_its_threshold_and_who_used_how_much() -> None:
    found = eviction.parsed(_NODE_LOW)
    assert (found.kind, found.resource, found.threshold) == ("pressure", "ephemeral-storage", "2146223336")
    assert found.available == "1894020Ki"
    assert found.users == (eviction.User("app", "4194304Ki", "0"),)
    assert (
        "low on ephemeral-storage (1894020Ki left, the threshold is 2146223336); app used 4194304Ki"
        in eviction.said(_NODE_LOW)
    )


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            "The node was low on resource: memory. Container app was using 1200Mi, which exceeds its request of 256Mi.",
            "low on memory; app used 1200Mi and had asked for 256Mi",
        ),
        ('Usage of EmptyDir volume "cache" exceeds the limit "1Gi". ', "emptyDir cache grew over 1Gi"),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ", "limit of 2Gi"),
        ('Container app exceeded its local ephemeral storage limit "500Mi". ', "container app wrote more"),
        ("The node had condition: [DiskPressure]. ", "its node had DiskPressure"),
        ("Pod was terminated in response to imminent node shutdown.", "node was shut down"),
        ("Preempted in order to admit critical pod", "higher priority"),
        (
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 1900, capacity: 3920",
            "would not take it",
        ),
        ("Pod was active on the node longer than the specified deadline", "activeDeadlineSeconds"),
    ],
)
def test_other_evictions_are_told_too(said: str, text: str) -> None:
    assert text in eviction.said(said)


@pytest.mark.parametrize(
    ("said", "total", "reasons"),
    [
        (
            "0/3 nodes are available: 2 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: gpu}. preemption: 0/3"
            " nodes are available: 2 No preemption victims found for incoming pod, 1 Preemption is not helpful for"
            " scheduling.",
            3,
            [(2, "room"), (1, "taint")],
        ),
        (
            "0/4 nodes are available: 1 node(s) had taint {node.kubernetes.io/not-ready: }, that the pod didn't tolerate, 3"
            " Insufficient memory.",
            4,
            [(3, "room"), (1, "taint")],
        ),
        (
            "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 node(s) didn't match Pod's node"
            " affinity/selector.",
            3,
            [(2, "affinity"), (1, "zone")],
        ),
        (
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't match PersistentVolume's node"
            " affinity. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for"
            " scheduling.",
            3,
            [(2, "zone"), (1, "taint")],
        ),
        (
            "0/3 nodes are available: 1 node(s) didn't match the requested node name, 2 node(s) unavailable due to one or"
            " more pvc(s) bound to non-existent pv(s).",
            3,
            [(2, "claim"), (1, "affinity")],
        ),
        (
            "0/2 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode"
            " already in-use by another pod, 1 node(s) did not have enough free storage.",
            2,
            [(1, "claim"), (1, "claim")],
        ),
        (
            "0/2 nodes are available: 1 Too many pods, 1 node(s) were unschedulable.",
            2,
            [(1, "pods"), (1, "cordoned")],
        ),
        (
            "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/2 nodes are available:"
            " 2 Preemption is not helpful for scheduling.",
            2,
            [(0, "claim")],
        ),
        ('0/2 nodes are available: persistentvolumeclaim "data" not found.', 2, [(0, "claim")]),
        (
            "0/5 nodes are available: 5 node(s) didn't match pod topology spread constraints.",
            5,
            [(5, "spread")],
        ),
        ("0/5 nodes are available: 5 node(s) didn't match pod anti-affinity rules.", 5, [(5, "apart")]),
        ("0/5 nodes are available: 5 node(s) exceed max volume count.", 5, [(5, "volumes")]),
        (
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
            1,
            [(1, "port")],
        ),
        ("no nodes available to schedule pods", 0, [(0, "none")]),
        ("", 0, []),
    ],
)
def test_the_schedulers_sentence_is_counted_by_reason(
    said: str, total: int, reasons: list[tuple[int, str]]
) -> None:
    found = refusals(said)
    assert found.total == total
    assert [(each.count, each.kind) for each in found.reasons] == reasons


def test_a_taint_is_named_as_it_is_written_elsewhere() -> None:
    found = refusals("0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.")
    assert found.said() == "0/1 nodes take it: 1 a taint it does not tolerate (dedicated=gpu)"


@pytest.mark.parametrize(
    ("reason", "said", "who", "helps", "text"),
    [
        (
            "TriggeredScaleUp",
            "pod triggered scale-up: [{eks-workers-1 3->4 (max: 10)}]",
            "cluster-autoscaler",
            True,
            "grows eks-workers-1 3 → 4",
        ),
        (
            "NotTriggerScaleUp",
            "pod didn't trigger scale-up: 1 max node group size reached, 2 Insufficient cpu",
            "cluster-autoscaler",
            False,
            "1 max node group size reached",
        ),
        (
            "Nominated",
            "Pod should schedule on: nodeclaim/default-x7k2p",
            "Karpenter",
            True,
            "nodeclaim/default-x7k2p",
        ),
        (
            "FailedScheduling",
            'Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={"cpu":"180m"},'
            ' no instance type satisfied resources {"cpu":"90"} and requirements karpenter.sh/capacity-type In [spot]'
            " (no instance type has enough resources)",
            "Karpenter",
            False,
            'incompatible with nodepool "default", no instance type',
        ),
    ],
)
def test_the_autoscalers_word_is_told(reason: str, said: str, who: str, helps: bool, text: str) -> None:
    found = autoscaler((EventView("shop", "Pod", "web-1", "Normal", reason, said),))
    assert found is not None
    assert (found.who, found.helps) == (who, helps)
    assert text in found.text
    assert "karpenter.sh/capacity-type" not in found.text


def test_the_scheduler_is_no_autoscaler() -> None:
    event = EventView(
        "shop", "Pod", "web-1", "Warning", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu."
    )
    assert autoscaler((event,)) is None


_LIMITED = ContainerView("app", "shop/web:1", resources=Resources(memory_limit=256 * 2**20))
_KILLING = EventView(
    "shop", "Pod", "web-1", "Normal", "Killing", "Container app failed liveness probe, will be restarted"
)
_SYSTEM_OOM = EventView(
    "", "Node", "n1", "Warning", "SystemOOM", "System OOM encountered, victim process: java, pid: 1"
)


@pytest.mark.parametrize(
    ("ending", "events", "of_node", "kind", "text"),
    [
        (Ending("OOMKilled", 137), (), (), "oom", "memory limit"),
        (Ending("Error", 137), (_KILLING,), (), "liveness", "did not stop in its grace"),
        (Ending("Error", 143), (_KILLING,), (), "liveness", "143"),
        (Ending("Error", 137), (), (_SYSTEM_OOM,), "node-oom", "its node ran out of memory"),
        (Ending("Error", 137), (), (), "killed", "SIGKILL"),
        (Ending("Error", 143), (), (), "asked", "SIGTERM"),
        (Ending("Error", 1), (), (), "error", "exit code 1"),
        (Ending("Error", 2), (), (), "error", "exit code 2"),
        (Ending("Error", 126), (), (), "command", "cannot execute"),
        (Ending("Error", 127), (), (), "command", "does not find its command"),
        (Ending("Error", 134), (), (), "aborted", "SIGABRT"),
        (Ending("Error", 139), (), (), "aborted", "segmentation"),
        (Ending("Error", 255), (), (), "error", "255"),
        (Ending("Completed", 0), (), (), "done", "again and again"),
        (Ending("StartError", 128), (), (), "start", "could not be started"),
    ],
)
def test_an_exit_code_is_told_apart_by_what_else_was_said(
    ending: Ending, events: tuple[EventView, ...], of_node: tuple[EventView, ...], kind: str, text: str
) -> None:
    found = exits.why(_LIMITED, ending, events, of_node)
    assert found.kind == kind
    assert text in found.text


def test_a_probe_of_another_container_explains_nothing() -> None:
    other = EventView(
        "shop",
        "Pod",
        "web-1",
        "Normal",
        "Killing",
        "Container proxy failed liveness probe, will be restarted",
    )
    assert exits.why(_LIMITED, Ending("Error", 137), (other,)).kind == "killed"


def test_without_a_limit_of_its_own_it_was_the_node() -> None:
    assert exits.why(ContainerView("app", "x"), Ending("OOMKilled", 137), ()).kind == "node-oom"


@pytest.mark.parametrize(
    ("code", "word"), [(137, "SIGKILL"), (143, "SIGTERM"), (159, "signal 31"), (3, "error of its own")]
)
def test_every_exit_code_has_words(code: int, word: str) -> None:
    assert word in exits.explained(code)


def test_the_wait_before_the_next_start_is_read() -> None:
    assert exits.back_off("back-off 5m0s restarting failed container=app pod=web-1_shop(1)") == "5m0s"
    assert exits.back_off("") == ""


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("KeyError: 'DATABASE_URL'", "a setting is missing"),
        (
            "psycopg2.OperationalError: connection to server at 10.0.0.1 failed: Connection refused",
            "takes no connections",
        ),
        ("open /data/x: permission denied", "may not write"),
        ("getaddrinfo ENOTFOUND db.shop", "does not resolve"),
        ("java.lang.OutOfMemoryError: Java heap space", "own heap"),
        ("exec /srv: exec format error", "architecture"),
        ("listen tcp :8080: bind: address already in use", "has that port"),
        ("all is well", ""),
    ],
)
def test_a_last_line_has_its_hint(line: str, text: str) -> None:
    assert text in exits.hint(line)
    assert bool(exits.hint(line)) is bool(text)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("HTTP probe failed with statuscode: 404", "path"),
        ("HTTP probe failed with statuscode: 503", "broken"),
        ("HTTP probe failed with statuscode: 401", "auth"),
        ('Get "http://10.0.1.5:8080/healthz": dial tcp 10.0.1.5:8080: connect: connection refused', "port"),
        (
            'Get "http://10.0.1.5:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
            "timeout",
        ),
        ("dial tcp 10.0.1.5:5432: i/o timeout", "timeout"),
        ('command "cat /tmp/ok" timed out', "timeout"),
        ('Get "https://10.0.1.5:8443/": http: server gave HTTP response to HTTPS client', "tls"),
        ('service unhealthy (responded with "NOT_SERVING")', "broken"),
        ("cat: /tmp/ok: No such file", "other"),
    ],
)
def test_a_probes_words_are_understood(said: str, kind: str) -> None:
    assert probes.meaning(said).kind == kind


def test_a_start_of_45_s_gets_a_startup_probe_of_30_times_3() -> None:
    assert (
        probes.startup_probe(timedelta(seconds=45))
        == "startupProbe: periodSeconds 3, failureThreshold 30 (up to 90 s)"
    )


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"A": " x"}, "A begins or ends with a space"),
        ({"A": "x\n"}, "A ends with a line break"),
        ({"A": '"x"'}, "A is in quotation marks"),
        ({"A": "http://$(HOST)/"}, "A refers to $(HOST), which is not set"),
        ({"A": "${HOME}/x"}, "A has ${HOME}"),
        ({"HTTP_PORT": "eighty"}, "HTTP_PORT is no port number"),
        ({"PORT": "70000"}, "PORT is no port number"),
    ],
)
def test_a_variable_of_a_wrong_form_is_named_and_its_value_is_not(env: dict[str, str], said: str) -> None:
    (found,) = environment.faults(env)
    assert found.startswith(said)


@pytest.mark.parametrize(
    "env", [{"A": "x", "B": "$(A)"}, {"PORT": "8080"}, {"A": "$$(B)"}, {"REPORT": "monthly"}, {"A": ""}]
)
def test_a_variable_of_a_right_form_is_left_alone(env: dict[str, str]) -> None:
    assert environment.faults(env) == ()


def test_what_other_sources_may_set_is_not_called_missing() -> None:
    assert environment.faults({"A": "$(HOST)"}, known=False) == ()
