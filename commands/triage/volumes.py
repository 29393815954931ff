"""Volumes that fill or fail: used and free, how long it lasts, who mounts it, and whether it can be made larger."""

import re
from collections.abc import Sequence
from math import ceil

from commands.alertreads import QueryRange
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.podreads import Events, EventView
from commands.queries import quoted
from commands.site import ClusterSite
from commands.triage.eventline import event_line
from commands.triage.filling import WINDOW, Growth, gauges, paced, told
from commands.triage.measured import Gauge, Reading, read, size
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triagereads import Claim, ClaimView
from commands.wording import one_line, unread

KEY = "AL-29"
_GIB = 2**30
_AIM = 0.6  # of a volume in use, once it was made larger
_DRIVER = re.compile(r"external provisioner '([^']+)'")
_AHEAD = 24 * 14  # hours of growth that a larger volume takes


def _gauges(kind: str) -> tuple[Gauge, Gauge, Gauge]:
    """Replicas tell the same series."""
    noun, free, total = {
        "bytes": ("Space", "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"),
        "inodes": ("Inodes", "kubelet_volume_stats_inodes_free", "kubelet_volume_stats_inodes"),
    }[kind]
    return gauges(noun, kind, f"1 - min({free}{{$disk}}) / max({total}{{$disk}})", free, total)


def filling(subject: Subject, site: ClusterSite) -> Diagnosing:
    """How full, how long it lasts, who mounts it, and how large it should be."""
    kind = "inodes" if "Inodes" in subject.name else "bytes"
    other = "bytes" if kind == "inodes" else "inodes"
    where = f'namespace="{quoted(subject.namespace)}",persistentvolumeclaim="{quoted(subject.claim)}"'
    wanted = (*_gauges(kind), _gauges(other)[0])
    asked = [gauge.asked({"disk": where}) for gauge in wanted]
    trend = QueryRange(asked[1].expr, WINDOW)
    claim = Claim(subject.namespace, subject.claim)
    events = Events(subject.namespace, "PersistentVolumeClaim", subject.claim)
    seen = yield (*asked, trend, claim, events)
    readings = [read(gauge, seen[query], KEY) for gauge, query in zip(wanted, asked, strict=True)]
    pace = paced(seen[trend], readings[2].value, readings[1])
    view: ClaimView | Gap | None = seen[claim]
    findings = (
        *(readings[n].finding for n in (0, 1, 3)),
        told(KEY, seen[trend], pace, kind),
        _claim(view),
        *(_larger(view, readings, pace) if kind == "bytes" else ()),
        _told(seen[events]),
    )
    return Diagnosis(_cause(subject, readings, pace, view, kind), findings, _steps(view))


def _cause(
    subject: Subject,
    readings: Sequence[Reading],
    pace: Growth | None,
    view: ClaimView | Gap | None,
    kind: str,
) -> Cause | None:
    used, free, *_ = readings
    if not used.top:
        return None
    full = f"is {used.words} full" if kind == "bytes" else f"has {used.words} of its inodes in use"
    left = f", {free.words} left" if free.top else ""
    lasts = f", {pace.words}" if pace else ""
    pods = view.pods if isinstance(view, ClaimView) else ()
    by = f"; mounted by {', '.join(pods[:3])}" if pods else ""
    text = f"volume {subject.namespace}/{subject.claim} {full}{left}{lasts}{by}"
    return Cause(text, Confidence.LIKELY, _steps(view))


def _steps(view: ClaimView | Gap | None) -> tuple[Suggestion, ...]:
    if not isinstance(view, ClaimView):
        return ()
    return tuple(Suggestion(f"Show {pod}", f"pod show {view.namespace}/{pod}") for pod in view.pods[:2])


# --- in words -------------------------------------------------------------------------------------


def _claim(view: ClaimView | Gap | None) -> Finding:
    label = "Claim"
    if isinstance(view, Gap):
        return unread(KEY, label, view)
    if view is None:
        return Finding(KEY, label, Light.YELLOW, "there is no such claim any more")
    zone = f" in {view.zone}" if view.zone else ""
    amount = size(view.capacity) if view.capacity else f"{size(view.requested)} asked for"
    value = f"{view.phase}, {amount}{zone}, {', '.join(view.modes) or 'no mode'}"
    pods = tuple(f"mounted by {pod}" for pod in view.pods) or ("mounted by no pod",)
    light = Light.RED if view.phase != "Bound" else Light.UNKNOWN if view.unread else Light.GREEN
    more = (*((view.resizing,) if view.resizing else ()), *(one_line(gap.reason) for gap in view.unread))
    mend = next((gap.mend for gap in view.unread if gap.mend), "")
    return Finding(KEY, label, light, value, evidence=(*pods, *more), mend=mend)


def _larger(
    view: ClaimView | Gap | None, readings: Sequence[Reading], pace: Growth | None
) -> tuple[Finding, ...]:
    """Whether it can be made larger, how large, and the line that a person types: no verb here does it."""
    label = "Make it larger"
    if not isinstance(view, ClaimView):
        return ()
    if view.resizing:
        return (Finding(KEY, label, Light.YELLOW, f"under way: {one_line(view.resizing)}"),)
    by = view.storage_class or "no StorageClass"
    if view.expandable is False:
        value = f"not as it is: {by} does not allow it (allowVolumeExpansion)"
        return (Finding(KEY, label, Light.RED, value, evidence=("make a larger claim and copy the data",)),)
    if view.expandable is None:
        return (unread(KEY, label, _class_unread(view)),)
    proposed = proposal(view.capacity, readings[0].value * (readings[2].value or view.capacity), pace)
    line = (
        f"kubectl -n {view.namespace} patch pvc {view.name} --type merge -p"
        f' \'{{"spec":{{"resources":{{"requests":{{"storage":"{proposed}Gi"}}}}}}}}\''
    )
    said = (
        f"a person types: {line}",
        "an EBS volume takes this once in six hours, and never gets smaller again",
    )
    return (Finding(KEY, label, Light.GREEN, f"possible ({by}): {proposed} GiB proposed", evidence=said),)


def _class_unread(view: ClaimView) -> Gap:
    return next(
        iter(view.unread), Gap(f"whether {view.storage_class or 'its StorageClass'} allows it is not known")
    )


def proposal(capacity: float, used: float, pace: Growth | None) -> int:
    """Whole GiB: room for two weeks of this growth at 60 % in use, at least a quarter more and at most four times."""
    grown = used + max(pace.per_hour if pace else 0.0, 0.0) * _AHEAD
    wanted = max(grown / _AIM, 1.25 * capacity)
    return ceil(min(wanted, 4 * capacity) / _GIB)


def _told(events: Sequence[EventView] | Gap) -> Finding:
    label = "Events of the claim"
    if isinstance(events, Gap):
        return unread(KEY, label, events)
    bad = [event for event in events if event.type == "Warning"]
    lines = tuple(map(event_line, reversed(events)))[:8]
    light = Light.YELLOW if bad else Light.GREEN
    return Finding(KEY, label, light, f"{len(events)} kept" if events else "none are kept", evidence=lines)


# --- volumes that failed --------------------------------------------------------------------------

_OF = '{persistentvolume="$volume"}'
_PHASE = Gauge(
    "Phase of the volume",
    f"max by (phase) (kube_persistentvolume_status_phase{_OF})",
    lambda value: "yes",
    ("kube_persistentvolume_status_phase",),
    ("phase",),
    none="none",
)
_BOUND = Gauge(
    "Claim of the volume",
    f"max by (claim_namespace, name) (kube_persistentvolume_claim_ref{_OF})"
    f" or 0 * max(kube_persistentvolume_status_phase{_OF})",
    lambda value: "yes",
    ("kube_persistentvolume_claim_ref",),
    ("claim_namespace", "name"),
    none="none",
)
_MADE = Gauge(
    "StorageClass and disk",
    f"max by (storageclass, csi_driver, csi_volume_handle) (kube_persistentvolume_info{_OF})",
    lambda value: "yes",
    ("kube_persistentvolume_info",),
    ("storageclass", "csi_driver", "csi_volume_handle"),
)
_PHASES = {
    "Failed": "could not be taken back or deleted after its claim went away",
    "Pending": "is not made yet",
    "Lost": "has lost the disk behind it",
    "Released": "has lost its claim, and nobody deletes it: its data are still there",
}


def failed(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Why a volume is Failed or Pending: its events, its claim, its disk."""
    name = subject.label("persistentvolume", "volumename")
    wanted = (_PHASE, _BOUND, _MADE)
    asked = [gauge.asked({"volume": quoted(name)}) for gauge in wanted]
    events = Events(kind="PersistentVolume", name=name)
    seen = yield (*asked, events)
    phase, bound, made = [read(gauge, seen[query], KEY) for gauge, query in zip(wanted, asked, strict=True)]
    said: Sequence[EventView] | Gap = seen[events]
    word = subject.label("phase") or phase.name
    warning = next(
        (each for each in reversed(() if isinstance(said, Gap) else said) if each.type == "Warning"), None
    )
    findings = (phase.finding, bound.finding, made.finding, _told(said))
    if not word or word == "Bound":
        return Diagnosis(None, findings)
    of = f" (claim {bound.name})" if bound.top else ""
    text = f"volume {name}{of} is {word}: it {_PHASES.get(word, 'is not bound')}"
    if warning:
        return Diagnosis(Cause(f"{text}: “{one_line(warning.message, 160)}”", Confidence.CERTAIN), findings)
    return Diagnosis(Cause(text, Confidence.LIKELY), findings)


def pending(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Why a claim has no volume: what the provisioner answered."""
    claim = Claim(subject.namespace, subject.claim)
    events = Events(subject.namespace, "PersistentVolumeClaim", subject.claim)
    seen = yield (claim, events)
    view: ClaimView | Gap | None = seen[claim]
    said: Sequence[EventView] | Gap = seen[events]
    found = why_pending(
        f"claim {subject.namespace}/{subject.claim}", view, () if isinstance(said, Gap) else said
    )
    return Diagnosis(found, (_claim(view), _told(said)), (_events_of(subject.namespace),))


def _events_of(namespace: str) -> Suggestion:
    return Suggestion("Events", f"pod events -n {namespace}")


def why_pending(place: str, view: ClaimView | Gap | None, said: Sequence[EventView]) -> Cause | None:
    for event in reversed(said):
        if event.reason == "ProvisioningFailed":
            text = f"{place} gets no volume: “{one_line(event.message, 160)}”"
            return Cause(text, Confidence.CERTAIN)
        if event.reason == "WaitForFirstConsumer":
            text = f"{place} waits for a pod that is scheduled and uses it: its volume is made where that pod runs"
            return Cause(text, Confidence.CERTAIN)
        if event.reason == "ExternalProvisioning":
            driver = _DRIVER.search(event.message)
            text = f"{place} waits for the driver {driver[1] if driver else 'of its class'}, which has made no volume"
            return Cause(f"{text} yet: does its controller run, and may it?", Confidence.LIKELY)
    if isinstance(view, ClaimView) and view.phase == "Pending" and not view.storage_class:
        return Cause(f"{place} names no StorageClass, and there is no default one", Confidence.POSSIBLE)
    return None


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubePersistentVolumeFillingUp", "KubernetesVolumeOutOfDiskSpace", "KubernetesVolumeFullInFourDays"),
        "A volume is nearly full, or will be within days at this pace.",
        filling,
        (
            "See whether it grows, and how long it lasts.",
            "Delete what is not needed, or make the volume larger where its StorageClass allows it.",
            "A database that is full often does not start any more: act before.",
        ),
        needs=("namespace", "claim"),
    ),
    Rule(
        ("KubePersistentVolumeInodesFillingUp",),
        "A volume has nearly as many files as it can hold, whatever their size.",
        filling,
        (
            "Look for many small files: sessions, caches, queues.",
            "A larger ext4 volume has more inodes, too.",
        ),
        needs=("namespace", "claim"),
    ),
    Rule(
        ("KubePersistentVolumeErrors", "KubernetesPersistentvolumeError"),
        "A volume is Failed, or not made yet.",
        failed,
        (
            "Its events say what the storage driver answered.",
            "Failed: its disk may still hold the data; look before you delete.",
        ),
    ),
    Rule(
        ("KubernetesPersistentvolumeclaimPending", "KubePersistentVolumeClaimPending"),
        "A claim has no volume yet, so the pods that use it do not start.",
        pending,
        (
            "Its events say what the provisioner answered.",
            "Is the StorageClass there, and does its driver run?",
        ),
        needs=("namespace", "claim"),
    ),
)
