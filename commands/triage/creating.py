"""A container that was never run: volumes, network, settings, or a command that cannot be started.

What the kubelet, the CSI and CNI drivers and the runtime say, as a table tried in order. An object that is missing
is named with its key; whether it is there is read, its content never. Used by pods.py and `debug startup`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from commands.finding import Finding, Light, Suggestion
from commands.model import Confidence, Gap, Seen
from commands.phrase import span
from commands.podreads import ContainerView
from commands.triage.rule import Diagnosing, Diagnosis
from commands.triage.scene import Scene, cause, named, node
from commands.wording import one_line, unread
from commands.workloads import Referred, ReferredView

# The words of a container that waits for what it is made of.
WORDS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
_REASONS = (
    "FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "FailedPostStartHook", "Failed",
    "NetworkNotReady", "FailedValidation", "FailedCreatePodContainer", "FailedToRetrieveImagePullSecret",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Obstacle:
    """row: the manual's row. text: what is the matter, with {object} for what the words name."""

    kind: str
    row: str
    text: str
    fix: str


_TABLE: tuple[tuple[str, Obstacle], ...] = (
    (r"couldn't find key (?P<key>\S+) in (?P<kind>ConfigMap|Secret) (?:\S+/)?(?P<name>[\w.-]+)",
     Obstacle("key", "T3-2.0", "{kind} {name} has no key {key}", "add the key, or correct its name in the pod")),
    (r"references non-existent (?P<kind>config|secret) key: (?P<key>\S+)",
     Obstacle("key", "T3-2.0", "its {kind} has no key {key}", "add the key, or correct its name in the volume")),
    (r"(?P<kind>configmap|secret) \"(?P<name>[\w.-]+)\" not found",
     Obstacle("object", "T3-2.0", "{kind} {name} does not exist", "create it in this namespace, or correct its name")),
    (r"(?P<kind>persistentvolumeclaim) \"(?P<name>[\w.-]+)\" not found",
     Obstacle("object", "T3-2.0", "{kind} {name} does not exist", "create it, or correct its name")),
    (r"(?P<kind>serviceaccounts?) \"(?P<name>[\w.-]+)\" not found",
     Obstacle("object", "T3-2.0", "{kind} {name} does not exist", "create it, or correct its name")),
    (r"runAsNonRoot and image (?:will run as root|has non-numeric user)",
     Obstacle("root", "T3-3.3", "it must not run as root (runAsNonRoot), and its image does",
              "set runAsUser to a number, or build the image with one")),
    (r"Multi-Attach error for volume \"(?P<name>[^\"]+)\"(?P<rest>.*)",
     Obstacle("volume", "AL-27", "volume {name} is still attached to another node{rest}",
              "wait for the old pod to go (6 min after its node is lost), or end it")),
    (r"AttachmentLimitExceeded|exceed(?:s|ed)? max volume count|[Vv]olume limit",
     Obstacle("volume", "AL-27", "its node takes no more volumes", "let it run on another node")),
    (r"driver name (?P<name>\S+) not found in the list of registered CSI drivers",
     Obstacle("volume", "AL-27", "the CSI driver {name} does not run on its node", "look at the driver's DaemonSet")),
    (r"could not attach volume|AttachVolume\.Attach failed for volume \"(?P<name>[^\"]+)\"",
     Obstacle("volume", "AL-27", "volume {name} cannot be attached to its node",
              "look at the EBS CSI controller, its role, and the volume's zone")),
    (r"failed to prepare subPath|subPath",
     Obstacle("volume", "AL-27", "a subPath of its volume cannot be prepared", "correct the subPath")),
    (r"wrong fs type|structure needs cleaning|fsck",
     Obstacle("volume", "AL-27", "its volume's file system is damaged", "check the volume, or restore a snapshot")),
    (r"failed to sync (?:configmap|secret) cache|failed to fetch token",
     Obstacle("kubelet", "AL-27", "its kubelet does not get its settings from the API server in time",
              "it is tried again; if it stays, look at the node's way to the API server")),
    (r"mount(?:\.nfs4?)?: .*(?:timed out|Connection timed out)|EFS|efs",
     Obstacle("volume", "AL-27", "its network file system does not answer",
              "check the mount targets and security groups (NFS, port 2049)")),
    (r"Unable to attach or mount volumes.*|timed out waiting for the condition",
     Obstacle("volume", "AL-27", "its volumes are not mounted in time",
              "look at the events of its claims and of the CSI driver")),
    (r"InsufficientFreeAddressesInSubnet|failed to assign an IP address|no available IP addresses|no free ip",
     Obstacle("address", "T3-3.2",
              "there is no IP address left for it: the subnet is used up, or its node has all it may have",
              "free addresses, add a subnet, or turn prefix delegation on (VPC CNI)")),
    (r"127\.0\.0\.1:50051|cni (?:plugin|config) (?:not initialized|uninitialized)|network plugin is not ready",
     Obstacle("network", "AL-27", "the network of its node is not ready: aws-node does not answer",
              "look at the DaemonSet aws-node on that node")),
    (r"(?:failed to (?:setup|set up)|FailedCreatePodSandBox|plugin type=)",
     Obstacle("network", "AL-27", "its node cannot set its network up", "look at aws-node and the CNI's log on that node")),
    (r"executable file not found in \$PATH|exec: \"[^\"]*\".*(?:not found|no such file)|stat \S+: no such file",
     Obstacle("command", "T3-2.0", "its command is not in the image", "correct command, args or the image")),
    (r"exec format error",
     Obstacle("command", "T3-2.0", "its image is of another processor architecture than its node",
              "build the image for both, or bind the pod to kubernetes.io/arch")),
    (r"(?:exec|starting container process).*permission denied",
     Obstacle("command", "T3-2.3", "its command may not be executed",
              "set the file's x bit in the image, or correct the user")),
    (r"not a directory: unknown|mount.*(?:over a file|file onto a directory)|read-only file system",
     Obstacle("command", "T3-2.0", "a volume is mounted over what the container needs", "correct the mount paths")),
    (r"failed to reserve container name|context deadline exceeded",
     Obstacle("runtime", "AL-27", "the container runtime of its node does not answer in time",
              "look at the node's disk and load")),
    (r"Exec lifecycle hook|PostStartHookError|FailedPostStartHook",
     Obstacle("hook", "T3-2.0", "its postStart hook fails", "correct the hook")),
    (r"invalid capabilities|seccomp|apparmor|SELinux",
     Obstacle("security", "T3-3.3", "its security settings are not to be had on its node", "correct the securityContext")),
)  # fmt: skip
_KINDS = {
    "configmap": "ConfigMap", "secret": "Secret", "config": "ConfigMap", "persistentvolumeclaim": "PersistentVolumeClaim",
    "serviceaccount": "ServiceAccount", "serviceaccounts": "ServiceAccount",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """An obstacle with what the words name: text is filled in."""

    obstacle: Obstacle
    text: str
    kind: str = ""
    name: str = ""
    key: str = ""


def obstacle(said: str) -> Named | None:
    for words, found in _TABLE:
        match = re.search(words, said, re.DOTALL)
        if match:
            return _filled(found, match)
    return None


def _filled(found: Obstacle, match: re.Match[str]) -> Named:
    parts = {key: one_line(value or "", 120) for key, value in match.groupdict().items()}
    kind = _KINDS.get(parts.get("kind", "").casefold(), parts.get("kind", ""))
    known = {
        "kind": kind,
        "name": parts.get("name", ""),
        "key": parts.get("key", ""),
        "rest": _rest(parts.get("rest", "")),
    }
    text = found.text.format(**known)
    return Named(found, " ".join(text.split()), kind, known["name"], known["key"])


def _rest(text: str) -> str:
    """Which pod holds the volume: "Volume is already used by pod(s) web-1"."""
    holder = re.search(r"used by pod\(s\) (.+)", text)
    return f", used by {holder[1]}" if holder else ""


# --- Telling --------------------------------------------------------------------------------------------


def diagnose(scene: Scene, container: ContainerView | None) -> Diagnosing:
    """container: the one that waits; None where the pod as a whole does."""
    texts = tuple(_said(scene, container))
    found = next((each for each in map(obstacle, texts) if each), None)
    if found is None:
        return _unclear(scene, container, texts)
    reads = _referred(scene, found)
    seen = (yield reads) if reads else Seen({})
    return _told(scene, container, found, texts, seen)


def _said(scene: Scene, container: ContainerView | None) -> Iterable[str]:
    if container and container.message:
        yield container.message
    yield from (event.message for event in scene.said(*_REASONS))
    if scene.pod.message:
        yield scene.pod.message


def _referred(scene: Scene, found: Named) -> tuple[Referred, ...]:
    """The object that is said to lack something: is it there (by now), and with which keys?"""
    if found.kind in ("ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim") and found.name:
        return (Referred(scene.pod.namespace, found.kind, found.name),)
    return ()


def _told(
    scene: Scene, container: ContainerView | None, found: Named, texts: tuple[str, ...], seen: Seen
) -> Diagnosis:
    facts, gaps = _there(found, seen)
    said = f"{named(scene, container)} cannot start: {found.text}"
    finding = Finding(
        found.obstacle.row, "What it waits for", Light.RED, found.text,
        evidence=(f"what to do: {found.obstacle.fix}", *facts, one_line(_source(found, texts), 380)),
    )  # fmt: skip
    return Diagnosis(cause(scene, said, Confidence.CERTAIN, *_steps(scene, found)), (finding, *gaps))


def _source(found: Named, texts: tuple[str, ...]) -> str:
    return next((each for each in texts if (told := obstacle(each)) and told.obstacle is found.obstacle), "")


def _there(found: Named, seen: Seen) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    for answer in seen.values():
        if isinstance(answer, Gap):
            return (), (unread("T3-2.1", f"{found.kind} {found.name}", answer),)
        if isinstance(answer, ReferredView):
            return (_state(found, answer),), ()
    return (), ()


def _state(found: Named, view: ReferredView) -> str:
    what = f"{found.kind} {found.name}"
    if not view.exists:
        return f"{what} is not there"
    if found.key and view.keys is not None:
        has = (
            "has it by now"
            if found.key in view.keys
            else f"has the keys {', '.join(sorted(view.keys)) or '(none)'}"
        )
        return f"{what} {has}"
    return f"{what} is there by now: the kubelet tries again within minutes"


def _unclear(scene: Scene, container: ContainerView | None, texts: tuple[str, ...]) -> Diagnosis:
    word = container.word if container and container.word else scene.pod.status
    lasted = span(scene.age_of(scene.pod.created))
    value = f"{word}, the pod is {lasted} old" if scene.pod.created else word
    facts = tuple(one_line(each, 380) for each in texts[:3])
    finding = Finding(
        "AL-27", "What it waits for", Light.YELLOW, value, evidence=facts or ("nothing was said of it yet",)
    )
    if not facts:
        return Diagnosis(None, (finding,), node(scene))
    text = f"{named(scene, container)} has not started ({word}): {one_line(texts[0], 200)}"
    return Diagnosis(cause(scene, text, Confidence.POSSIBLE, *node(scene)), (finding,))


def not_started(scene: Scene, container: ContainerView, message: str) -> Diagnosis:
    """The runtime tried, and the process did not even begin."""
    found = obstacle(message)
    if found is None:
        return _unclear(scene, container, tuple(filter(None, (message,))))
    return _told(scene, container, found, (message,), Seen({}))


def _steps(scene: Scene, found: Named) -> tuple[Suggestion, ...]:
    if found.obstacle.kind in ("volume", "address", "network", "runtime", "kubelet"):
        return node(scene)
    owner = scene.typed_owner
    return (Suggestion("What it needs", f"deploy show {owner}"),) if owner else ()
