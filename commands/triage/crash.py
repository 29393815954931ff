"""A container that ends again and again: how it ended, why, and what it said last.

Memory kills are told with the limit and what was used before; kills by a probe apart from crashes. Used by
pods.py and `debug startup`.
"""

from dataclasses import dataclass
from datetime import timedelta

from commands.finding import Finding, Light, Suggestion
from commands.loglines import entries, telling
from commands.model import Cause, Gap, Seen
from commands.phrase import counted, mebibytes, span
from commands.podreads import ContainerView, Ending, Events, EventView
from commands.queries import amounts, query
from commands.reads import Query, Vector
from commands.triage import creating, exits, lastlog, probes
from commands.triage.exits import Why
from commands.triage.lastlog import Words
from commands.triage.rule import Diagnosing, Diagnosis
from commands.triage.scene import Scene, cause, named, node
from commands.wording import one_line, unread

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Ended:
    """A container and how it ended last. used: the most memory it was seen to use before, None where unknown."""

    scene: Scene
    container: ContainerView
    ending: Ending
    why: Why
    words: Words
    used: float | None = None
    restarts: float | None = None
    gaps: tuple[Finding, ...] = ()

    @property
    def telling(self) -> str:
        """The line it comes down to: what it left as its termination message, which no log has to be read for."""
        return telling(entries(self.ending.message)) or self.words.telling


def diagnose(scene: Scene, container: ContainerView) -> Diagnosing:
    ending = container.ended
    if ending is None:
        return (yield from _not_yet(scene, container))
    memory, restarts, of_node = _memory(scene, ending), _restarts(scene), _node_events(scene, ending)
    logs = lastlog.reads(scene.pod, container)
    seen = yield (*logs, memory, restarts, *of_node)
    said: tuple[EventView, ...] | Gap = next((seen[read] for read in of_node), ())
    events, silent = (
        ((), (unread("AL-23", "Events of its node", said),)) if isinstance(said, Gap) else (said, ())
    )
    found = Ended(
        scene, container, ending,
        exits.why(container, ending, scene.events, events),
        lastlog.heard(scene.pod, container, seen),
        _of(seen, memory, scene, container), _of(seen, restarts, scene, None),
        (*silent, *(_unread(seen, memory) if ending.reason == "OOMKilled" else ())),
    )  # fmt: skip
    return _told(found)


def _not_yet(scene: Scene, container: ContainerView) -> Diagnosing:
    """It was restarted, and nothing says how it had ended."""
    seen = yield lastlog.reads(scene.pod, container)
    words = lastlog.heard(scene.pod, container, seen)
    text = (
        f"{named(scene, container)} was restarted {container.restarts} times; how it ended is no longer known"
    )
    fact = Finding("AL-23", "End", Light.UNKNOWN, text)
    return Diagnosis(None, (fact, *words.findings), table=words.table, attachments=words.attachments)


def _memory(scene: Scene, ending: Ending) -> Query:
    """From before the kill until now: its samples are a minute apart."""
    ago = scene.age_of(ending.finished)
    window = timedelta(minutes=(ago + timedelta(minutes=20)) // timedelta(minutes=1))
    return query(scene.site, "Q-maxmem", window=window, namespace=scene.pod.namespace, pod=scene.pod.name)


def _restarts(scene: Scene) -> Query:
    return query(scene.site, "Q-restarts", window=_HOUR, namespace=scene.pod.namespace, pod=scene.pod.name)


def _node_events(scene: Scene, ending: Ending) -> tuple[Events, ...]:
    """Only an end that nothing else explains is looked for there."""
    is_open = scene.pod.node and exits.may_be_its_nodes(ending)
    return (Events(kind="Node", name=scene.pod.node),) if is_open else ()


def _of(seen: Seen, read: Query, scene: Scene, container: ContainerView | None) -> float | None:
    answer: Vector | Gap = seen[read]
    if isinstance(answer, Gap):
        return None
    if container is None:
        return amounts(answer, ("pod",)).get((scene.pod.name,))
    return amounts(answer, ("container",)).get((container.name,))


def _unread(seen: Seen, memory: Query) -> tuple[Finding, ...]:
    answer = seen[memory]
    return (unread("AL-23", "Memory before the kill", answer),) if isinstance(answer, Gap) else ()


# --- Telling --------------------------------------------------------------------------------------------


def _told(found: Ended) -> Diagnosis:
    if found.why.kind == "start":
        message = found.ending.message or found.container.message
        return creating.not_started(found.scene, found.container, message)
    extra: tuple[Finding, ...] = ()
    if found.why.kind in ("liveness", "startup"):
        extra = (*_by_probe(found), *probes.advice(found.scene, found.container, found.why.kind))
    return Diagnosis(
        _cause(found),
        (_end(found), *extra, *_permission(found), *found.words.findings, *found.gaps),
        table=found.words.table,
        attachments=found.words.attachments,
    )


def _cause(found: Ended) -> Cause:
    scene, kind = found.scene, found.why.kind
    text = f"{named(scene, found.container)} {_with_numbers(found)}"
    line = found.telling
    if kind in ("error", "aborted", "command") and line:
        text += f": “{one_line(line, 160)}”"
        hint = exits.hint(line)
        text += f" ({hint})" if hint else ""
    if kind in ("liveness", "startup"):
        said = probes.last_failure(scene, kind)
        text += f": it {said}" if said else ""
    return cause(scene, text, found.why.confidence, *_steps(found))


def _with_numbers(found: Ended) -> str:
    """ "was killed at its memory limit of 256 MiB; it used 255 MiB, 4 times in the last hour"."""
    text = found.why.text
    if found.why.kind == "oom":
        text += f" of {mebibytes(found.container.resources.memory_limit or 0)}"
        text += f"; it used {mebibytes(found.used)}" if found.used is not None else ""
    often = round(found.restarts) if found.restarts else 0
    if often > 1:
        text += f", {often} times in the last hour"
    elif found.container.restarts > 1:
        text += f", {counted(found.container.restarts, 'restart')} so far"
    return text


def _end(found: Ended) -> Finding:
    ending, container, scene = found.ending, found.container, found.scene
    ago = f" {span(scene.age_of(ending.finished))} ago" if scene.now and ending.finished else ""
    lived = f" after {span(ending.finished - ending.started)}" if ending.started and ending.finished else ""
    value = f"{ending.reason or 'ended'} ({ending.code}){ago}{lived}: {_meaning(ending)}"
    wait = exits.back_off(container.message)
    facts = [
        f"the kubelet waits {wait} before the next start" if wait else "",
        _memory_said(found) if found.why.kind in ("oom", "node-oom") else "",
        f"image {container.image}",
        one_line(ending.message, 300),
    ]
    label = f"End of {container.kind + ' ' if container.kind else ''}{container.name}"
    return Finding("AL-23", label, Light.RED, value, evidence=tuple(filter(None, facts)))


def _meaning(ending: Ending) -> str:
    return (
        "the kernel killed it over memory" if ending.reason == "OOMKilled" else exits.explained(ending.code)
    )


def _memory_said(found: Ended) -> str:
    limit, request = found.container.resources.memory_limit, found.container.resources.memory_request
    most = f"limit {mebibytes(limit)}" if limit else "no memory limit"
    asked = f"request {mebibytes(request)}" if request else "no request"
    used = (
        f"used up to {mebibytes(found.used)}" if found.used is not None else "its use before was not measured"
    )
    return f"{most}, {asked}, {used}, {counted(found.container.restarts, 'restart')} in all"


def _by_probe(found: Ended) -> tuple[Finding, ...]:
    """Kills by a probe, counted apart from crashes."""
    kills = sum(
        event.count for event in found.scene.said("Killing") if exits.probed(found.container.name, (event,))
    )
    value = f"at least {kills} of {counted(max(found.container.restarts, kills), 'restart')} by its {found.why.kind} probe"
    return (Finding("T3-4.0", "Restarts", Light.RED, value),)


def _permission(found: Ended) -> tuple[Finding, ...]:
    """Which field it likely is, where the log says that something is not permitted."""
    line = found.telling
    declared = found.scene.declared(found.container.name)
    if declared is None or not exits.is_about_permission(line):
        return ()
    group = found.scene.spec.fs_group if found.scene.spec else None
    facts = (
        f"runAsUser {'not set' if declared.user is None else declared.user}",
        f"fsGroup {'not set' if group is None else group}",
        f"readOnlyRootFilesystem {'true' if declared.read_only_root else 'not set'}",
    )
    likely = (
        "readOnlyRootFilesystem"
        if "read-only" in line.casefold() or declared.read_only_root
        else "runAsUser or fsGroup"
    )
    return (Finding("T3-2.3", "File permissions", Light.YELLOW, f"likely {likely}", evidence=facts),)


def _steps(found: Ended) -> tuple[Suggestion, ...]:
    place, owner = found.scene.pod.place, found.scene.typed_owner
    logs = Suggestion("Logs before the crash", f"logs {place} --previous --container {found.container.name}")
    limits = (Suggestion("Limits that fit", f"deploy limits {owner}"),) if owner else ()
    match found.why.kind:
        case "oom":
            return (*limits, logs)
        case "node-oom":
            return (*node(found.scene), *limits, logs)
        case "reboot":
            return (*node(found.scene), logs)
        case "killed" | "asked":
            return (logs, *node(found.scene))
    return (logs,)
