"""Kubelets of another version than the control plane: how many, how far behind, and whether that is allowed."""

from collections import Counter

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted
from commands.reads import EksView, Nodes, NodeView
from commands.site import ClusterSite
from commands.triage.ownword import HEALTH, KEY, asked_of_eks, managed
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import unread


def versions(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Which kubelets are of another version than the control plane, and whether that is allowed."""
    asked = (Nodes(), *asked_of_eks(site))
    seen = yield asked
    nodes: tuple[NodeView, ...] | Gap = seen[Nodes()]
    control = seen[asked[1]] if len(asked) > 1 else None
    said = tuple(managed(seen[each]) for each in asked_of_eks(site))
    if isinstance(nodes, Gap):
        return Diagnosis(None, (unread(KEY, "Kubelets by version", nodes), *said), HEALTH)
    found = Counter(_minor(node.kubelet) for node in nodes)
    lines = tuple(f"{version}: {counted(count, 'node')}" for version, count in found.most_common())
    light = Light.YELLOW if len(found) > 1 else Light.GREEN
    listed = Finding(KEY, "Kubelets by version", light, counted(len(found), "version"), evidence=lines)
    at = _minor(control.version) if isinstance(control, EksView) else ""
    return Diagnosis(_cause_of_mix(found, at), (listed, *said), (Suggestion("Nodes", "node list"),))


def _minor(version: str) -> str:
    return ".".join(version.removeprefix("v").split(".")[:2])


def _behind(version: str, control: str) -> int:
    try:
        return int(control.split(".")[1]) - int(version.split(".")[1])
    except (IndexError, ValueError):
        return 0


def _cause_of_mix(found: Counter[str], control: str) -> Cause | None:
    others = {version: count for version, count in found.items() if version != control}
    if not control and len(found) > 1:
        told = ", ".join(f"{counted(count, 'node')} on {version}" for version, count in found.most_common())
        return Cause(f"an update is under way, or was not finished: {told}", Confidence.LIKELY)
    if not control or not others:
        return None
    oldest = max(others, key=lambda version: _behind(version, control))
    told = ", ".join(f"{counted(count, 'node')} on {version}" for version, count in sorted(others.items()))
    far = _behind(oldest, control)
    allowed = (
        "more than the three versions that are allowed"
        if far > 3
        else "which is allowed, and should not last"
    )
    newer = "newer than the control plane, which is not supported" if far < 0 else allowed
    return Cause(f"the control plane is on {control}, {told}: {newer}", Confidence.CERTAIN)


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeVersionMismatch", "KubernetesVersionMismatch"),
        "Components of the cluster are of different versions.",
        versions,
        (
            "During an update that is so; afterwards somebody has forgotten nodes.",
            "Kubelets may be three minors older, never newer.",
        ),
    ),
)
