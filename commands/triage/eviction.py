"""Pods that their node put out or would not take: why, with the threshold and who used how much.

The kubelet's sentences, taken apart. Used by pods.py.
"""

import re
from dataclasses import dataclass

from commands.finding import Finding, Light, Suggestion
from commands.model import Confidence
from commands.podreads import PodDetail
from commands.triage.rule import Diagnosis
from commands.triage.scene import Scene, cause, node
from commands.wording import one_line


@dataclass(frozen=True, slots=True)
class User:
    """A container that used more than it had asked for."""

    container: str
    used: str
    request: str


@dataclass(frozen=True, slots=True)
class Eviction:
    """kind: pressure, limit, volume, condition, shutdown, preempted, admission or other. resource: what was short;
    threshold, available: as the kubelet writes them, "" where it does not."""

    kind: str
    resource: str = ""
    threshold: str = ""
    available: str = ""
    users: tuple[User, ...] = ()


_LOW = re.compile(
    r"The node was low on resource: (?P<resource>[\w./\[\]-]+)\."
    r"(?:\s*Threshold quantity: (?P<threshold>[^,]+), available: (?P<available>\S+?)\.(?:\s|$))?"
)
_USER = re.compile(
    r"[Cc]ontainer (?P<name>\S+) was using (?P<used>[^,]+), "
    r"(?:which exceeds its request of (?P<over>[\w.]+)|request is (?P<request>[^,.]+))"
)
_OF_ITS_OWN: tuple[tuple[str, str, str], ...] = (
    (r"Usage of EmptyDir volume \"(?P<what>[^\"]+)\" exceeds (?:the|its) (?:total )?limit \"?(?P<limit>[\w.]+)", "volume",
     "its emptyDir {what} grew over {limit}"),
    (r"Container (?P<what>\S+) exceeded its local ephemeral storage limit \"?(?P<limit>[\w.]+)", "limit",
     "container {what} wrote more than its ephemeral-storage limit of {limit}"),
    (r"ephemeral local storage usage exceeds the total limit of containers \"?(?P<limit>[\w.]+)", "limit",
     "it wrote more than its ephemeral-storage limit of {limit}"),
    (r"The node had condition: \[?(?P<what>[\w, ]+)", "condition", "its node had {what}"),
    (r"node shutdown|shut down|shutting down", "shutdown", "its node was shut down"),
    (r"[Pp]reempt", "preempted", "a pod of higher priority took its place"),
    (r"Predicate \w+ failed|Pod was rejected|didn't have enough resource|UnexpectedAdmissionError|Allocate failed",
     "admission", "its node would not take it when it came"),
    (r"[Tt]aint", "taint", "a taint of its node that it does not tolerate put it out"),
    (r"longer than (?:the )?specified deadline|activeDeadline", "deadline",
     "it was not done within its activeDeadlineSeconds"),
)  # fmt: skip


def parsed(message: str) -> Eviction:
    low = _LOW.search(message)
    if low is None:
        kind = next((kind for words, kind, _ in _OF_ITS_OWN if re.search(words, message)), "other")
        return Eviction(kind)
    users = tuple(
        User(each["name"], each["used"].strip(), (each["over"] or each["request"] or "").strip().rstrip("."))
        for each in _USER.finditer(message)
    )
    resource = low["resource"].strip("[]")
    return Eviction("pressure", resource, low["threshold"] or "", low["available"] or "", users)


def is_one(pod: PodDetail) -> bool:
    """A failed pod that was put out, and not one whose container failed."""
    return pod.status == "Evicted" or parsed(pod.message).kind != "other"


def said(message: str) -> str:
    """One clause: what put it out."""
    found = parsed(message)
    if found.kind == "pressure":
        left = f" ({found.available} left, the threshold is {found.threshold})" if found.threshold else ""
        most = found.users[0] if found.users else None
        used = f"; {most.container} used {most.used} and had asked for {most.request}" if most else ""
        return f"its node was low on {found.resource}{left}{used}"
    for words, _, text in _OF_ITS_OWN:
        match = re.search(words, message)
        if match:
            return text.format(**{key: value.strip() for key, value in match.groupdict().items()})
    return one_line(message, 200)


def diagnosed(scene: Scene) -> Diagnosis:
    pod, found = scene.pod, parsed(scene.pod.message)
    word = "was evicted" if pod.status == "Evicted" else f"failed ({pod.status})"
    text = (
        f"{pod.name} {word}: {said(pod.message)}" if pod.message else f"{pod.name} {word}, without a word why"
    )
    facts = (
        *(f"{each.container} used {each.used}, its request is {each.request}" for each in found.users),
        _advice(found),
        one_line(pod.message, 380),
    )
    finding = Finding(
        "AL-22",
        "Eviction",
        Light.YELLOW,
        said(pod.message) or pod.status,
        evidence=tuple(filter(None, facts)),
    )
    confidence = Confidence.CERTAIN if pod.message and found.kind != "other" else Confidence.POSSIBLE
    return Diagnosis(cause(scene, text, confidence, *_steps(scene, found)), (finding,))


def _advice(found: Eviction) -> str:
    match found.kind:
        case "pressure" | "limit" | "volume":
            resource = found.resource or "ephemeral-storage"
            return f"request as much {resource} as it uses, and limit it: who uses more than asked for goes first"
        case "preempted":
            return "raise its priorityClass, or give the cluster more room"
        case "shutdown":
            return "nothing to do where its owner has made it again elsewhere"
    return ""


def _steps(scene: Scene, found: Eviction) -> tuple[Suggestion, ...]:
    limits = (
        (Suggestion("Limits that fit", f"deploy limits {scene.typed_owner}"),) if scene.typed_owner else ()
    )
    return (*node(scene), *(limits if found.kind == "pressure" else ()))
