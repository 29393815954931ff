"""Alerts about a kubelet's own work: too many pods, a slow runtime, slow starts, its certificates."""

from collections.abc import Sequence
from datetime import timedelta

from commands.model import Confidence
from commands.phrase import span
from commands.triage import machine
from commands.triage.load import WAIT
from commands.triage.measured import Gauge, Reading, measured, plain, seconds, share
from commands.triage.rule import Rule

_ACTIVE = 'on (namespace, pod) group_left () max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"} == 1)'
_PODS = Gauge(
    "Pods of those that fit",
    '(count(max by (namespace, pod) (kube_pod_info{node="$node"}) * ' + _ACTIVE + ")"
    ' / max(kube_node_status_allocatable{node="$node",resource="pods"}))',
    share,
    ("kube_pod_info", "kube_node_status_allocatable"),
    bad=0.95,
)
_FIT = Gauge(
    "Pods that fit",
    'max(kube_node_status_allocatable{node="$node",resource="pods"})',
    plain,
    ("kube_node_status_allocatable",),
)
_BY_NAMESPACE = Gauge(
    "Pods by namespace",
    'topk(5, count by (namespace) (max by (namespace, pod) (kube_pod_info{node="$node"}) * ' + _ACTIVE + "))",
    plain,
    ("kube_pod_info",),
    ("namespace",),
)


def _full(where: str, readings: Sequence[Reading]) -> str:
    used, fit, _ = readings
    of = f" of the {fit.words} pods it can take" if fit.top else " of the pods it can take"
    return f"{where} holds {used.words}{of}: an EC2 instance has so many addresses for pods (prefix delegation gives more)"


def _quantile(label: str, metric: str, bad: float, *by: str) -> Gauge:
    grouped = f"le, {', '.join(by)}" if by else "le"
    template = f"histogram_quantile(0.99, sum by ({grouped}) (rate({metric}_bucket{{$here}}[10m])))"
    return Gauge(label, template, seconds, (f"{metric}_bucket",), by, bad)


_RELIST = _quantile("Time to look at all containers (99 %)", "kubelet_pleg_relist_duration_seconds", 10)
_RUNTIME = _quantile(
    "Runtime's time by operation (99 %)", "kubelet_runtime_operations_duration_seconds", 10, "operation_type"
)
_STARTS = _quantile(
    "Time from a pod's arrival to its start (99 %)", "kubelet_pod_worker_duration_seconds", 60
)
_PULLS = _quantile("Time to pull an image (99 %)", "kubelet_image_pull_duration_seconds", 60)


def _relist(where: str, readings: Sequence[Reading]) -> str:
    relist, runtime, wait = readings
    slow = f"; slowest: {runtime.name}, {runtime.words}" if runtime.top else ""
    disk = f", while {wait.words} of its CPU wait for a disk" if wait.value >= 0.2 else ""
    return f"the kubelet of {where} takes {relist.words} to look at its containers{slow}{disk}"


def _starts(where: str, readings: Sequence[Reading]) -> str:
    starts, pulls, _, wait = readings
    if pulls.value >= 60:
        return f"pods start late on {where} ({starts.words}): pulling an image takes {pulls.words}"
    disk = f", while {wait.words} of its CPU wait for a disk" if wait.value >= 0.2 else ""
    return f"pods start late on {where}: {starts.words}{disk}"


# --- certificates ---------------------------------------------------------------------------------


def lasting(value: float) -> str:
    """How long a certificate is still good."""
    return span(timedelta(seconds=value)) if value else "expired"


def _expiry(side: str) -> tuple[Gauge, Gauge]:
    left = f"kubelet_certificate_manager_{side}_ttl_seconds"
    errors = {
        "client": "kubelet_certificate_manager_client_expiration_renew_errors",
        "server": "kubelet_server_expiration_renew_errors",
    }[side]
    return (
        Gauge(
            f"{side.capitalize()} certificate is good for",
            f"clamp_min(min({left}{{$here}}), 0)",
            lasting,
            (left,),
        ),
        Gauge(
            f"Failed renewals of the {side} certificate in an hour",
            f"max(increase({errors}{{$here}}[1h]))",
            plain,
            (errors,),
            bad=1,
        ),
    )


def _certificates(side: str) -> tuple[Rule, Rule]:
    left, errors = _expiry(side)

    def expiring(where: str, readings: Sequence[Reading]) -> str:
        found, failed = readings
        why = f", and {failed.words} renewals failed in an hour" if failed.value >= 1 else ""
        good = f"is good for {found.words}" if found.value else "has expired"
        return f"the {side} certificate of the kubelet of {where} {good}{why}"

    def failing(where: str, readings: Sequence[Reading]) -> str:
        failed, found = readings
        good = f"; it is good for another {found.words}" if found.value else ""
        return f"the kubelet of {where} failed {failed.words} times in an hour to renew its {side} certificate{good}"

    name = side.capitalize()
    steps = (
        "List the certificate signing requests: some may wait for somebody's approval, or be refused.",
        "On EKS the control plane approves them by itself: a node that is not in aws-auth or an access entry is refused.",
        "When in doubt, replace the node: a new one gets new certificates.",
    )
    return (
        Rule(
            (f"Kubelet{name}CertificateExpiration",),
            f"A kubelet's {side} certificate ends soon; then nobody talks with it any more.",
            measured(machine.place, (left, errors), expiring),
            steps,
        ),
        Rule(
            (f"Kubelet{name}CertificateRenewalErrors",),
            f"A kubelet fails to renew its {side} certificate.",
            measured(machine.place, (errors, left), failing),
            steps,
        ),
    )


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeletTooManyPods", "KubernetesOutOfCapacity"),
        "A node holds nearly as many pods as it can.",
        measured(machine.place, (_PODS, _FIT, _BY_NAMESPACE), _full, confidence=Confidence.CERTAIN),
        (
            "On EKS it follows from the instance's network addresses: a larger type or prefix delegation gives more.",
            "Cordon the node, so that new pods go elsewhere; add a node where all are full.",
        ),
    ),
    Rule(
        ("KubeletPlegDurationHigh",),
        "A kubelet takes long to look at its containers: the runtime or the disk under it is slow.",
        measured(machine.place, (_RELIST, _RUNTIME, WAIT), _relist),
        (
            "See the disk and the number of pods of the node.",
            "A runtime that hangs: drain the node and replace it.",
        ),
    ),
    Rule(
        ("KubeletPodStartUpLatencyHigh",),
        "Pods take more than a minute to start on a node.",
        measured(machine.place, (_STARTS, _PULLS, _RUNTIME, WAIT), _starts),
        (
            "Large images on a new node are the usual reason; then a slow disk.",
            "See the events of a pod that starts.",
        ),
    ),
    *_certificates("client"),
    *_certificates("server"),
)
