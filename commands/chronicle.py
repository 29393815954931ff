"""What the audit trail says, as events of an incident: so that its timeline writes itself.

Every command, approval, change and acknowledgement is in the audit already, in order and exactly once; a line that
concerns an incident becomes one event of it. Pure; workers/chronicle.py follows the trail and finds out whom a line
concerns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from commands.ledger import Draft
from commands.model import AlertGroup, Request
from commands.phrase import counted
from commands.reads import AuditLine
from commands.response.events import Kind, draft, written
from commands.response.incident import AlertLink
from commands.triagereads import ChangeSeen
from commands.wording import one_line

_LONGEST = 300  # characters of a sentence

# What a change came to, in words; of these the incident's changes are counted.
_ENDED = {
    "succeeded": "is done",
    "partial": "is done in part",
    "failed": "failed",
    "cancelled": "was cancelled",
    "rejected": "was refused",
    "expired": "expired: nobody agreed in time",
    "blocked": "is not possible",
}
_CHANGED = ("succeeded", "partial", "failed")
_ASKED = ("R", "F", "T")  # what the ids of requests begin with


def is_news(line: AuditLine) -> bool:
    """Whether a line of this kind is ever told. What was entered into a record is there already."""
    id = line.facts.get("id", "")
    return line.what in (_ALERT if id.startswith("A") else _REQUEST if id[:1] in _ASKED else ())


def of_request(line: AuditLine, request: Request) -> Draft | None:
    """Of a line about something that was asked for in the incident's room; None where it is no news."""
    say = _REQUEST.get(line.what)
    if say is None or (request.args.word == "incident" and request.args.verb in _LOOKS):
        return None
    text = say(line, request)
    changes = "yes" if line.what in _CHANGED and request.plan else ""
    told = draft(
        Kind.RUN, one_line(text, _LONGEST), id=request.id, line=request.text, state=line.what, changes=changes
    )
    return _at(told, line)


def _why(line: AuditLine) -> str:
    why = line.facts.get("reason") or line.facts.get("why") or ""
    return f": {why}" if why else ""


def _planned(line: AuditLine, request: Request) -> str:
    verdict = line.facts.get("go", "").casefold()
    changed = line.facts.get("changed", "")
    return f"planned `{request.text}`: {verdict}" + (f"; it changed: {changed}" if changed else "")


# Who looks at the record adds nothing to it.
_LOOKS = ("status", "brief", "list", "timeline", "export", "verify", "postmortem")
_LIGHTS = {
    "green": "all is well",
    "yellow": "something needs a look",
    "red": "something is wrong",
    "unknown": "not all of it could be read",
}


def _answered(line: AuditLine, request: Request) -> str:
    light = line.facts.get("light", "")
    causes = [section.cause.text for section in request.sections if section.cause]
    found = f": {causes[0]}" if causes else f": {_LIGHTS[light]}" if light in _LIGHTS else " is answered"
    return f"`{request.text}`{found}"


def _ended(line: AuditLine, request: Request) -> str:
    after = line.facts.get("after", "")
    said = f": {after}" if after and line.what in _CHANGED else _why(line)
    return f"`{request.text}` {_ENDED[line.what]}{said}"


_REQUEST: Mapping[str, Callable[[AuditLine, Request], str]] = {
    "submitted": lambda line, request: f"asked for `{request.text}`{_why(line)}",
    "answered": _answered,
    "planned": _planned,
    "agreed": lambda line, request: f"agreed to `{request.text}`, which needs one more",
    "approved": lambda line, request: f"approved `{request.text}`{_why(line)}",
    "queued": lambda line, request: (
        f"`{request.text}` waits behind {line.facts.get('behind', 'another change')}"
    ),
    "applying": lambda line, request: f"`{request.text}` begins",
    "stopping": lambda line, request: f"is stopping `{request.text}`{_why(line)}",
    "refused": lambda line, request: (
        f"was not let {line.facts.get('act', 'do that')} `{request.text}`{_why(line)}"
    ),
    **dict.fromkeys(_ENDED, _ended),
}


# --- alerts ---


def of_group(line: AuditLine, group: AlertGroup, known: AlertLink | None) -> Draft | None:
    """Of a line about an alert group that belongs to the incident; None where it is no news. By what people do about
    an alert that is over already it does not come to belong to one."""
    if line.what in _FIRES:
        return _fired(line, group, known)
    text = _CARE.get(line.what)
    if text is None or (known is None and not group.firing):
        return None
    to = f" to {line.facts['to']}" if line.facts.get("to") else ""
    said = f"{text} {group.name}{to}{_mark(line)}"
    state, started = _STATE.get(line.what, "told"), written(group.lead.starts_at)
    return _at(draft(Kind.ALERT, said, group=group.id, name=group.name, state=state, started=started), line)


_FIRES = ("alert", "alert gone")
_CARE = {
    "acked": "acknowledged",
    "owned": "has in hand",
    "handed over": "handed over",
    "snoozed": "snoozed",
    "marked": "marked",
    "reminded": "reminded of",
}
_STATE = {"acked": "acked", "owned": "acked"}
_ALERT = (*_FIRES, *_CARE)


def _mark(line: AuditLine) -> str:
    return f" as {line.facts['judgement']}" if line.facts.get("judgement") else ""


def _fired(line: AuditLine, group: AlertGroup, known: AlertLink | None) -> Draft | None:
    """Repeats and partial ends are no news: what counts is whether it fires."""
    firing = int(line.facts.get("firing", "0") or 0)
    is_known = known is not None and (known.ended is None) == bool(firing)
    if is_known:
        return None
    if firing:
        again = " again" if known else ""
        started = group.lead.starts_at
        text = f"{group.name} fires{again}: {counted(firing, 'alert')}"
        told = draft(
            Kind.ALERT, text, group=group.id, name=group.name, state="firing", started=written(started)
        )
        return _at(told, line)
    text = f"{group.name} is resolved"
    return _at(
        draft(Kind.ALERT, text, group=group.id, name=group.name, state="resolved", ended=written(line.at)),
        line,
    )


# --- what changed in the cluster ---

_MOST = 50  # of one look; a cluster in which more changes has another story

# What the bot writes itself is in the timeline by its own request.
_OWN = "sre-bot"


def of_changes(seen: Sequence[ChangeSeen], since: datetime) -> tuple[Draft, ...]:
    """Of changes that were seen in the cluster, those of others, oldest first."""
    told = [change for change in seen if change.at >= since and not change.by.startswith(_OWN)]
    return tuple(_changed(change) for change in reversed(told[:_MOST]))


def _changed(change: ChangeSeen) -> Draft:
    path = f"{change.namespace}/{change.name}" if change.namespace else change.name
    by = f" by {change.by}" if change.by else ""
    how = f" ({'; '.join(change.differences[:3])})" if change.differences else ""
    text = one_line(f"{change.kind} {path}: {change.what}{by}{how}", _LONGEST)
    told = draft(Kind.ROLLOUT, text, object=f"{change.kind.lower()}/{path}")
    key = f"seen {change.kind} {path} {change.what} {change.at.isoformat()}"
    return replace(told, at=change.at, source="cluster", key=key)


def is_of(group: AlertGroup, service: str, cluster: str) -> bool:
    """Whether an alert is about this service: it says so, or its workload bears the name."""
    labels = group.lead.labels
    said = (
        labels.get(name, "") for name in ("service", "deployment", "statefulset", "daemonset", "app", "job")
    )
    return bool(service) and group.cluster == cluster and service in said


def _at(told: Draft, line: AuditLine) -> Draft:
    """The sentence and the actor of the line, at its time, known by its number."""
    return replace(told, at=line.at, by=line.facts.get("by", ""), source="audit", key=f"audit:{line.entry}")
