"""A pod in lines of text: at most fifteen, the most telling first. What `kubectl describe` says in fifty."""

from collections.abc import Sequence
from datetime import datetime

from commands.phrase import counted, span
from commands.pod import container
from commands.podreads import EventView, PodDetail
from commands.wording import one_line

LINES = 15
_SHORT = 4  # lines of what is wrong, where many pods are told of


def headline(pod: PodDetail, now: datetime | None) -> str:
    """ "CrashLoopBackOff, 0/1 ready, 7 restarts, 3 h old, on ip-10-0-1-10"."""
    facts = [pod.status, f"{pod.ready} ready"]
    facts += [counted(pod.restarts, "restart")] if pod.restarts else []
    facts += [f"{span(now - pod.created)} old"] if now and pod.created else []
    facts += [f"on {pod.node}" if pod.node else "on no node yet"]
    facts += [f"on its way out for {span(now - pod.deleting)}"] if now and pod.deleting else []
    return ", ".join(facts)


def reasons(pod: PodDetail) -> tuple[str, ...]:
    """Its own words, and the conditions that do not hold."""
    unmet = [
        f"{kind} is {status}" + (f": {one_line(said)}" if said else "")
        for kind, status, said in pod.conditions
        if status != "True" and pod.phase not in ("Succeeded",) and said != pod.message
    ]
    return tuple(text for text in (one_line(pod.message), *unmet) if text)


def about(pod: PodDetail) -> str:
    facts = [
        pod.owner.replace("/", " ", 1) if pod.owner else "made by nobody: nothing replaces it",
        pod.address,
        pod.qos,
        f"account {pod.account}" if pod.account else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def event(found: EventView, now: datetime | None) -> str:
    """ "BackOff × 50, 12 s ago: Back-off restarting failed container"."""
    ago = f", {span(now - found.last)} ago" if now and found.last else ""
    times = f" × {found.count}" if found.count > 1 else ""
    return f"{found.reason}{times}{ago}: {one_line(found.message)}"


def troubles(pod: PodDetail, events: Sequence[EventView], now: datetime | None) -> tuple[str, ...]:
    """What is wrong with it, in a few lines."""
    ends = [
        f"{each.name}: {container.end(each.ended, now)}"
        for each in pod.containers
        if each.ended and (each.restarts or each.ended.code)
    ]
    told = [event(each, now) for each in events[:2]]
    return tuple((*ends[:2], *reasons(pod)[:2], *told))[:_SHORT]


def lines(pod: PodDetail, events: Sequence[EventView], now: datetime | None) -> list[str]:
    """All of it for the file: containers and events share what the fixed lines leave."""
    head = [
        f"{pod.place}: {headline(pod, now)}",
        f"  {about(pod)}",
        *(f"  {text}" for text in reasons(pod)[:2]),
    ]
    room = LINES - len(head)
    told = [f"  event {event(each, now)}" for each in events[: max(2, room // 3)]]
    own: list[str] = []
    for each in pod.containers:
        own.append(f"  {each.kind or 'container'} {each.name}: {container.state(each, now)}, {each.image}")
        own += [f"    {container.end(each.ended, now)}"] if each.ended else []
        own.append(f"    {container.resources(each)}")
    left = room - len(told)
    if len(own) > left:
        own = [*own[: left - 1], f"  … {counted(len(own) - left + 1, 'more line')} about its containers"]
    return [*head, *own, *told]
