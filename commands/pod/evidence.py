"""`pod evidence`: keep what a pod would take with it: logs of every container and run, its objects, its events.

One file with the hash of each piece goes into the thread and, where one is configured, into the bucket
(workers/keeping.py keeps it and says where). A run that left no log is no failure; what could not be read
is, and then the pod does not count as kept.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime

from commands.command import Command, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.grammar import EVERYWHERE
from commands.model import Args, Attachment, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import counted
from commands.pod import single
from commands.pod.bundle import Piece, bundle
from commands.podreads import ContainerLog, Controller, Document, Events, EventView, LogText, OnePod, PodFacts
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import one_line, worst_first

# What all logs together may come to, and one of them; text is about a tenth of that once it is packed.
ALL_LOGS = 4 * 1024 * 1024
ONE_LOG = 512 * 1024

_KEY = "SI-2.4"
# A controller of a kind that is not read is named in the pod itself.
_READ = ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job")


def parts(args: Args, site: ClusterSite) -> Parts:
    pod = single.wanted(args, site)
    return {"evidence": Part(f"Evidence of {single.typed(pod)}", inquiry(pod, site))}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read of a pod. unread: pieces that were there to be read and were not, with the reason."""

    pieces: tuple[Piece, ...] = ()
    lacking: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    mend: str = ""

    def __add__(self, other: "Gathered") -> "Gathered":
        return Gathered(
            self.pieces + other.pieces,
            self.lacking + other.lacking,
            self.unread + other.unread,
            self.mend or other.mend,
        )


def inquiry(pod: OnePod, site: ClusterSite) -> Inquiry:
    title = f"Evidence of {single.typed(pod)}"
    seen = yield (Now(), pod)
    facts, now = seen[pod], seen[Now()]
    finding = single.wrong(pod, facts)
    if finding is None and isinstance(now, Gap):
        finding = Finding(_KEY, "Evidence", Light.RED, f"the time is not known: {now.reason}")
    if finding:
        return Section("evidence", title, True, (replace(finding, key=_KEY),))
    gathered = yield from _gather(pod, facts)
    return _section(title, site, facts, now, gathered)


def _gather(pod: OnePod, facts: PodFacts) -> Generator[Reads, Seen, Gathered]:
    documents = _documents(pod, facts)
    events = Events(pod.namespace, "Pod", pod.name)
    logs = _logs(pod, facts)
    seen = yield (*documents, events, *logs)
    found = Gathered()
    for name, read in ((_document_name(each), each) for each in documents):
        found += _piece(name, seen[read])
    found += _piece("events.txt", seen[events])
    for log in logs:
        found += _piece(_log_name(log), seen[log])
    return found


def _documents(pod: OnePod, facts: PodFacts) -> tuple[Document, ...]:
    found = [Document("Pod", pod.namespace, pod.name)]
    controller = facts.controller
    if controller and controller.kind in _READ:
        found.append(Document(controller.kind, pod.namespace, controller.name))
        found += _above(pod, facts, controller)
    if facts.node:
        found.append(Document("Node", "", facts.node))
    return tuple(found)


def _above(pod: OnePod, facts: PodFacts, controller: Controller) -> list[Document]:
    """A Deployment names its ReplicaSets after itself and the hash that their pods bear."""
    ending = f"-{facts.labels.get('pod-template-hash', '')}"
    if controller.kind == "ReplicaSet" and ending != "-" and controller.name.endswith(ending):
        return [Document("Deployment", pod.namespace, controller.name.removesuffix(ending))]
    return []


def _logs(pod: OnePod, facts: PodFacts) -> tuple[ContainerLog, ...]:
    limit = min(ONE_LOG, ALL_LOGS // max(2 * len(facts.runs), 1))
    return tuple(
        ContainerLog(pod.namespace, pod.name, run.name, is_previous, limit)
        for run in facts.runs
        for is_previous in (False, True)
    )


def _document_name(read: Document) -> str:
    return f"{read.kind.casefold()}-{read.name}.json"


def _log_name(read: ContainerLog) -> str:
    return f"logs/{read.container}.{'previous' if read.previous else 'current'}.log"


def _piece(name: str, answer: str | LogText | tuple[EventView, ...] | Gap | None) -> Gathered:
    match answer:
        case Gap():
            why = f"{name}: not read, {one_line(answer.reason)}"
            return Gathered(lacking=(why,), unread=(why,), mend=answer.mend)
        case None:
            return Gathered(lacking=(f"{name}: there is no such object any more",))
        case LogText(missing=why) if why:
            return Gathered(lacking=(f"{name}: {why}",))
        case LogText(text, is_cut):
            return Gathered((Piece(name, text, "older lines were cut" if is_cut else ""),))
        case str():
            return Gathered((Piece(name, answer),))
    return Gathered((Piece(name, "".join(f"{_event(each)}\n" for each in answer)),))


def _event(event: EventView) -> str:
    last = f"{event.last:%Y-%m-%dT%H:%M:%SZ}" if event.last else "?"
    first = f" (first {event.first:%Y-%m-%dT%H:%M:%SZ})" if event.first and event.first != event.last else ""
    return f"{last} {event.type} {event.reason} x{event.count}{first} {one_line(event.message, 1000)}"


# --- What is said of it, and the file ---------------------------------------------------------------


def _section(title: str, site: ClusterSite, facts: PodFacts, now: datetime, found: Gathered) -> Section:
    name = f"evidence-{now:%Y%m%d-%H%M}-{facts.target.namespace}-{facts.target.name}.txt"
    attachment = Attachment(
        name,
        f"{title}, {now:%Y-%m-%d %H:%M} UTC",
        content=bundle(_head(site, facts, now), found.pieces, found.lacking),
        keep_in_bucket=True,
        evidence_of=() if found.unread else (facts.target.uid,),
    )
    note = f"pod {facts.target.uid} on {facts.node or 'no node'}; no process list was taken"
    return Section("evidence", title, True, (_judged(facts, found),), note, (attachment,))


def _head(site: ClusterSite, facts: PodFacts, now: datetime) -> tuple[str, ...]:
    images = (
        f"  {run.name}{f' ({run.kind})' if run.kind else ''}: {run.image} {run.digest or 'digest not known'}"
        for run in facts.runs
    )
    return (
        f"Evidence of pod {facts.target.path}",
        f"uid: {facts.target.uid}",
        f"cluster: {site.name}",
        f"node: {facts.node or 'none'}",
        f"owner: {facts.controller or 'none'}",
        f"taken: {now:%Y-%m-%dT%H:%M:%SZ}",
        "images:",
        *images,
    )


def _judged(facts: PodFacts, found: Gathered) -> Finding:
    told = [(Light.UNKNOWN, why) for why in found.unread]
    told += [(Light.YELLOW, f"{piece.name}: {piece.note}") for piece in found.pieces if piece.note]
    told += [(Light.GREEN, why) for why in found.lacking if why not in found.unread]
    told += [(Light.GREEN, f"{run.name}: {run.digest}") for run in facts.runs if run.digest]
    count = f"{counted(len(found.pieces), 'piece')} with their hashes"
    again = Suggestion("Again", f"pod evidence {facts.target.path}")
    if found.unread:
        value = f"incomplete: {count}, {len(found.unread)} not read; the pod does not count as kept"
        return Finding(
            _KEY, "Evidence", Light.UNKNOWN, value, evidence=worst_first(told), mend=found.mend, suggestions=(again,)
        )  # fmt: skip
    light = Light.YELLOW if any(piece.note for piece in found.pieces) else Light.GREEN
    return Finding(_KEY, "Evidence", light, count, evidence=worst_first(told))


EVIDENCE: tuple[Command, ...] = (
    Command(
        word="pod",
        verbs=("evidence",),
        summary="Keep what a pod would take with it: logs of all containers, its objects and events, with hashes.",
        rows=("SI-2.4",),
        parts=parts,
        examples=("pod evidence backend-5d9f8c7b6d-x7k2p",),
        names="POD",
        flags=tuple(flag for flag in EVERYWHERE if flag.name == "namespace"),
    ),
)
