"""What replacing pods may break: outages, strategies that stall, quotas without room for extra pods, images
that are gone. Each function answers one question with the findings it makes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from commands.deploy.rollout import margins, troubled
from commands.deploy.telling import told
from commands.differences import images
from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Seen
from commands.phrase import counted
from commands.quantity import quantity
from commands.reads import DryRun, Rehearsal
from commands.site import ClusterSite
from commands.wording import one_line, unread
from commands.workloads import ImageInRegistry, MemberView, QuotaView, WorkloadView, on_ecr

Findings = tuple[Finding, ...]


def paused(view: WorkloadView) -> Findings:
    if not view.is_paused:
        return ()
    name, space = view.target.name, view.target.namespace
    mend = f"kubectl rollout resume deployment/{name} -n {space}"
    return (
        Finding("deploy.paused", "Paused", Light.RED, "its rollouts are paused; resume it first", mend=mend),
    )


def leaving(view: WorkloadView) -> Findings:
    if not view.is_leaving:
        return ()
    return (Finding("deploy.leaving", "Going away", Light.RED, f"{view.target} is being deleted"),)


def outage(view: WorkloadView) -> Findings:
    """Whether for a moment nobody would be there."""
    room = margins(view)
    if not view.replicas or view.strategy.type == "OnDelete" or view.target.kind == "DaemonSet":
        return ()
    if view.strategy.type == "Recreate":
        value = f"Recreate: all {counted(view.replicas, 'pod')} end before a new one starts"
    elif room.unavailable >= view.replicas:
        pods = "its only pod is" if view.replicas == 1 else f"all {view.replicas} pods are"
        value = f"{pods} replaced without another one ready before"
    else:
        return ()
    return (Finding("deploy.outage", "Outage", Light.YELLOW, value),)


def stall(view: WorkloadView, members: Sequence[MemberView] | Gap, now: datetime) -> Findings:
    """Where a StatefulSet would not go on, or not all the way."""
    findings = []
    if view.strategy.partition > 0:
        value = f"partition {view.strategy.partition}: only ordinals from {view.strategy.partition} up change"
        findings.append(Finding("deploy.partition", "Partition", Light.YELLOW, value))
    if view.strategy.is_ordered and not isinstance(members, Gap):
        broken = [each for each in members if not each.is_ready]
        if broken:
            findings.append(_broken(view, broken, now))
    return tuple(findings)


def _broken(view: WorkloadView, broken: list[MemberView], now: datetime) -> Finding:
    name = broken[0].name
    return Finding(
        "deploy.stall",
        "May stall",
        Light.YELLOW,
        f"OrderedReady waits for {name}, which is not ready: it may have to be deleted afterwards",
        evidence=troubled(broken, now),
        suggestions=(Suggestion(f"Delete {name}", f"pod delete {name} --namespace {view.target.namespace}"),),
    )


def on_delete(view: WorkloadView, light: Light) -> Findings:
    if view.strategy.type != "OnDelete":
        return ()
    value = "OnDelete: no pod is replaced until somebody deletes it"
    return (Finding("deploy.ondelete", "OnDelete", light, value, mend="Delete its pods one by one."),)


# --- Images ---------------------------------------------------------------------------------------


def image_reads(site: ClusterSite, template: Mapping[str, Any]) -> tuple[ImageInRegistry, ...]:
    """Questions to ECR, where AWS is asked at all; any other registry is not, and nothing is said of it."""
    if not site.eks_name:
        return ()
    return tuple(ImageInRegistry(each) for each in dict.fromkeys(images(template).values()) if on_ecr(each))


def image_findings(reads: Iterable[ImageInRegistry], seen: Seen) -> Findings:
    findings = []
    for read in reads:
        answer = seen[read]
        if isinstance(answer, Gap):
            gap = Gap(f"whether {read.image} is still there: {one_line(answer.reason)}", answer.mend)
            findings.append(unread("deploy.image", "Image", gap))
        elif not answer:
            value = f"{read.image} is gone from its registry"
            findings.append(Finding("deploy.image", "Image", Light.RED, value))
    return tuple(findings)


def mutable(template: Mapping[str, Any]) -> Findings:
    """A new pod may get another image under the same name."""
    spec = template.get("spec") or {}
    containers = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
    loose = [str(each.get("image", "")) for each in containers if _is_pulled_anew(each)]
    if not loose:
        return ()
    value = f"{', '.join(dict.fromkeys(loose))} may be another image than when the running pods pulled it"
    return (
        Finding("deploy.mutable", "Mutable tag", Light.YELLOW, value, mend="Name a version or a digest."),
    )


def _is_pulled_anew(container: Mapping[str, Any]) -> bool:
    image = str(container.get("image", ""))
    return is_mutable(image) or (container.get("imagePullPolicy") == "Always" and "@" not in image)


def is_mutable(image: str) -> bool:
    if "@" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"


# --- Room -----------------------------------------------------------------------------------------


def asked(template: Mapping[str, Any]) -> dict[str, float]:
    """What one pod counts for in a quota, under the names quotas use; "cpu" is short for "requests.cpu".

    Init containers run one after the other, so of them the largest counts, if it is larger than the rest.
    """
    spec = template.get("spec") or {}
    total: dict[str, float] = {}
    for container in spec.get("containers") or ():
        for name, value in _amounts(container):
            total[name] = total.get(name, 0.0) + value
    for container in spec.get("initContainers") or ():
        for name, value in _amounts(container):
            total[name] = max(total.get(name, 0.0), value)
    short = {
        name.removeprefix("requests."): value for name, value in total.items() if name.startswith("requests.")
    }
    return {**total, **short, "pods": 1.0, "count/pods": 1.0}


def _amounts(container: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for kind in ("requests", "limits"):
        for name, value in ((container.get("resources") or {}).get(kind) or {}).items():
            try:
                yield f"{kind}.{name}", quantity(value)
            except ValueError:  # the API server would not have it either
                continue


def quota(quotas: Sequence[QuotaView] | Gap, extra: int, each: Mapping[str, float], why: str) -> Findings:
    """Whether the namespace's quotas leave room for so many more pods."""
    if extra <= 0:
        return ()
    if isinstance(quotas, Gap):
        gap = Gap(
            f"whether quotas leave room for {counted(extra, 'pod')}: {one_line(quotas.reason)}", quotas.mend
        )
        return (unread("deploy.quota", "Quota", gap),)
    short = [line for one in quotas if not one.is_partial for line in _short(one, extra, each)]
    if not short:
        return ()
    value, lines = told(short, "limits of quotas are in the way")
    room = f"no room for {counted(extra, 'more pod')} {why}: {value}"
    return (Finding("deploy.quota", "Quota", Light.YELLOW, room, evidence=lines),)


def _short(one: QuotaView, extra: int, each: Mapping[str, float]) -> list[str]:
    lines = []
    for name, hard in one.hard.items():
        wanted = extra * each.get(name, 0.0)
        free = hard - one.used.get(name, 0.0)
        if wanted > free:
            lines.append(
                f"ResourceQuota {one.name} leaves {free:g} of {hard:g} {name}, {wanted:g} are needed"
            )
    return lines


# --- The server's own word ------------------------------------------------------------------------


def rehearsed(read: DryRun, seen: Seen) -> tuple[Findings, tuple[str, ...]]:
    """What the dry run says: a refusal stops, warnings are shown, silence is unknown."""
    answer: Rehearsal | Gap = seen[read]
    if isinstance(answer, Gap):
        gap = Gap(f"what the API server would say: {one_line(answer.reason)}", answer.mend)
        return (unread("deploy.dryrun", "Dry run", gap),), ()
    if not answer.would:
        value = f"the API server would refuse it: {one_line(answer.said, 300)}"
        return (Finding("deploy.dryrun", "Dry run", Light.RED, value),), answer.warnings
    return (), (answer.said or "the API server would take it", *answer.warnings)
