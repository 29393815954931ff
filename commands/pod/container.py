"""One container of a pod, judged: what it does, how it ended the last time, and what it may use."""

from collections.abc import Sequence
from datetime import datetime

from commands import podstatus
from commands.finding import Finding, Light
from commands.model import Gap
from commands.phrase import counted, mebibytes, millicores, span
from commands.podreads import ContainerView, Ending, PodDetail
from commands.queries import amounts
from commands.reads import Vector
from commands.wording import one_line

OOM = "OOMKilled"


def judged(each: ContainerView, pod: PodDetail, now: datetime | None, before: Vector | Gap | None) -> Finding:
    facts = [text for text in (each.message and one_line(each.message),) if text]
    if each.ended:
        facts.append(end(each.ended, now))
    if each.ended and each.ended.reason == OOM:
        facts.append(_memory(each, before))
    facts += [resources(each), *each.probes]
    title = f"{each.kind.capitalize() or 'Container'} {each.name}"
    return Finding("TF-3.2", title, light(each, pod), state(each, now), evidence=tuple(facts))


def light(each: ContainerView, pod: PodDetail) -> Light:
    if each.ended and each.ended.reason == OOM:
        return Light.RED
    if each.state == "terminated":
        return Light.GREEN if each.ended and each.ended.code == 0 else Light.RED
    if each.state == "waiting":
        return podstatus.status_light(each.word) or (Light.YELLOW if pod.restarts else Light.GREEN)
    return Light.GREEN if each.ready or each.kind == "init" else Light.YELLOW


def state(each: ContainerView, now: datetime | None) -> str:
    """ "running for 3 h, 7 restarts", "waiting: CrashLoopBackOff"."""
    word = {"running": "running", "waiting": "waiting", "terminated": "ended"}.get(each.state, "not started")
    if each.state == "running" and not each.ready and each.kind != "init":
        word = "running, not ready"
    lasted = f" for {span(now - each.since)}" if now and each.since and each.state == "running" else ""
    reason = f": {each.word}" if each.word else ""
    restarts = f", {counted(each.restarts, 'restart')}" if each.restarts else ""
    return f"{word}{reason}{lasted}{restarts}"


def end(ended: Ending, now: datetime | None) -> str:
    """ "last end: OOMKilled (137) 3 min ago, after 20 s"."""
    ago = f" {span(now - ended.finished)} ago" if now and ended.finished else ""
    lived = ""
    if ended.started and ended.finished:
        lived = f", after {span(ended.finished - ended.started)}"
    said = f": {one_line(ended.message)}" if ended.message else ""
    return f"last end: {ended.reason or 'exit'} ({ended.code}){ago}{lived}{said}"


def _memory(each: ContainerView, before: Vector | Gap | None) -> str:
    """The limit, what was used at the kill as far as it was measured, and how often it happened."""
    limit = each.resources.memory_limit
    said = f"limit {mebibytes(limit)}" if limit else "no limit of its own, so its node ran out of memory"
    used = "use not known" + (f" ({one_line(before.reason, 80)})" if isinstance(before, Gap) else "")
    if isinstance(before, Vector):
        found = amounts(before, ("container",)).get((each.name,))
        used = f"used up to {mebibytes(found)}" if found is not None else "use not measured"
    return f"killed over memory: {said}, {used}, {counted(each.restarts, 'restart')} so far"


def resources(each: ContainerView) -> str:
    """ "CPU 100m, limit 500m · memory 64 MiB, limit 128 MiB"."""
    found = each.resources
    sides = []
    for word, request, limit, said in (
        ("CPU", found.cpu_request, found.cpu_limit, millicores),
        ("memory", found.memory_request, found.memory_limit, mebibytes),
    ):
        asked = said(request) if request is not None else "no request"
        most = f"limit {said(limit)}" if limit is not None else "no limit"
        sides.append(f"{word} {asked}, {most}")
    return " · ".join(sides)


def last_killed(pod: PodDetail) -> datetime | None:
    """When a container of it was killed over memory last."""
    ends: Sequence[Ending] = [
        each.ended for each in pod.containers if each.ended and each.ended.reason == OOM
    ]
    return max((ended.finished for ended in ends if ended.finished), default=None)
