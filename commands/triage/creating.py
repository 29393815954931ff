"""A container that was never run: volumes, network, settings, or a command that cannot be started.

What the kubelet, the CSI and CNI drivers and the runtime say, as a table tried in order. An object that is missing
is named with its key; whether it is there is read, its content never. Used by pods.py and `debug startup`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commands.finding import Finding, Light, Suggestion
from commands.model import Confidence, Gap, Seen
from commands.phrase import span
from commands.podreads import ContainerView
from commands.triage.knownwords import Meaning, Table, known
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


_TABLE: Table = (
    (r"couldn't find key (?P<key>\S+) in (?P<kind>ConfigMap|Secret) (?:\S+/)?(?P<name>[\w.-]+)",
     Meaning("key", "{kind} {name} has no key {key}", "add the key, or correct its name in the pod", "T3-2.0")),
    (r"references non-existent (?P<kind>config|secret) key: (?P<key>\S+)",
     Meaning("key", "its {kind} has no key {key}", "add the key, or correct its name in the volume", "T3-2.0")),
    (r"(?P<kind>configmap|secret) \"(?P<name>[\w.-]+)\" not found",
     Meaning("object", "{kind} {name} does not exist", "create it in this namespace, or correct its name", "T3-2.0")),
    (r"(?P<kind>persistentvolumeclaim) \"(?P<name>[\w.-]+)\" not found",
     Meaning("object", "{kind} {name} does not exist", "create it, or correct its name", "T3-2.0")),
    (r"(?P<kind>serviceaccounts?) \"(?P<name>[\w.-]+)\" not found",
     Meaning("object", "{kind} {name} does not exist", "create it, or correct its name", "T3-2.0")),
    (r"runAsNonRoot and image (?:will run as root|has non-numeric user)",
     Meaning("root", "it must not run as root (runAsNonRoot), and its image does",
              "set runAsUser to a number, or build the image with one", "T3-3.3")),
    (r"Multi-Attach error for volume \"(?P<name>[^\"]+)\"(?P<rest>.*)",
     Meaning("volume", "volume {name} is still attached to another node{rest}",
              "wait for the old pod to go (6 min after its node is lost), or end it", "AL-27")),
    (r"AttachmentLimitExceeded|exceed(?:s|ed)? max volume count|[Vv]olume limit",
     Meaning("volume", "its node takes no more volumes", "let it run on another node", "AL-27")),
    (r"driver name (?P<name>\S+) not found in the list of registered CSI drivers",
     Meaning("volume", "the CSI driver {name} does not run on its node", "look at the driver's DaemonSet", "AL-27")),
    (r"could not attach volume|AttachVolume\.Attach failed for volume \"(?P<name>[^\"]+)\"",
     Meaning("volume", "volume {name} cannot be attached to its node",
              "look at the EBS CSI controller, its role, and the volume's zone", "AL-27")),
    (r"failed to prepare subPath|subPath",
     Meaning("volume", "a subPath of its volume cannot be prepared", "correct the subPath", "AL-27")),
    (r"wrong fs type|structure needs cleaning|fsck",
     Meaning("volume", "its volume's file system is damaged", "check the volume, or restore a snapshot", "AL-27")),
    (r"failed to sync (?:configmap|secret) cache|failed to fetch token",
     Meaning("kubelet", "its kubelet does not get its settings from the API server in time",
              "it is tried again; if it stays, look at the node's way to the API server", "AL-27")),
    (r"mount(?:\.nfs4?)?: .*(?:timed out|Connection timed out)|EFS|efs",
     Meaning("volume", "its network file system does not answer",
              "check the mount targets and security groups (NFS, port 2049)", "AL-27")),
    (r"Unable to attach or mount volumes.*|timed out waiting for the condition",
     Meaning("volume", "its volumes are not mounted in time",
              "look at the events of its claims and of the CSI driver", "AL-27")),
    (r"InsufficientFreeAddressesInSubnet|failed to assign an IP address|no available IP addresses|no free ip",
     Meaning("address",
              "there is no IP address left for it: the subnet is used up, or its node has all it may have",
              "free addresses, add a subnet, or turn prefix delegation on (VPC CNI)", "T3-3.2")),
    (r"127\.0\.0\.1:50051|cni (?:plugin|config) (?:not initialized|uninitialized)|network plugin is not ready",
     Meaning("network", "the network of its node is not ready: aws-node does not answer",
              "look at the DaemonSet aws-node on that node", "AL-27")),
    (r"(?:failed to (?:setup|set up)|FailedCreatePodSandBox|plugin type=)",
     Meaning("network", "its node cannot set its network up", "look at aws-node and the CNI's log on that node", "AL-27")),
    (r"executable file not found in \$PATH|exec: \"[^\"]*\".*(?:not found|no such file)|stat \S+: no such file",
     Meaning("command", "its command is not in the image", "correct command, args or the image", "T3-2.0")),
    (r"exec format error",
     Meaning("command", "its image is of another processor architecture than its node",
              "build the image for both, or bind the pod to kubernetes.io/arch", "T3-2.0")),
    (r"(?:exec|starting container process).*permission denied",
     Meaning("command", "its command may not be executed",
              "set the file's x bit in the image, or correct the user", "T3-2.3")),
    (r"not a directory: unknown|mount.*(?:over a file|file onto a directory)|read-only file system",
     Meaning("command", "a volume is mounted over what the container needs", "correct the mount paths", "T3-2.0")),
    (r"failed to reserve container name|context deadline exceeded",
     Meaning("runtime", "the container runtime of its node does not answer in time",
              "look at the node's disk and load", "AL-27")),
    (r"Exec lifecycle hook|PostStartHookError|FailedPostStartHook",
     Meaning("hook", "its postStart hook fails", "correct the hook", "T3-2.0")),
    (r"invalid capabilities|seccomp|apparmor|SELinux",
     Meaning("security", "its security settings are not to be had on its node", "correct the securityContext", "T3-3.3")),
)  # fmt: skip
_KINDS = {
    "configmap": "ConfigMap", "secret": "Secret", "config": "ConfigMap", "persistentvolumeclaim": "PersistentVolumeClaim",
    "serviceaccount": "ServiceAccount", "serviceaccounts": "ServiceAccount",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """An obstacle with what the words name: text is filled in."""

    obstacle: Meaning
    text: str
    kind: str = ""
    name: str = ""
    key: str = ""


def obstacle(said: str) -> Named | None:
    found = known(_TABLE, said, longest=120)
    return _filled(*found) if found else None


def _filled(found: Meaning, named: Mapping[str, str]) -> Named:
    kind = named.get("kind", "")
    words = {**named, "kind": _KINDS.get(kind.casefold(), kind), "rest": _rest(named.get("rest", ""))}
    text = " ".join(found.naming(words).text.split())
    return Named(found, text, words["kind"], words.get("name", ""), words.get("key", ""))


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
