"""What is to be done in an incident of each severity, by whom and until when: the manual's phases as data.

Times count from the declaration, those after the end from the resolution. Sev2 has twice the time of Sev1; Sev3 and
Sev4 have three lines. A line with evidence is ticked by it alone, never because its time came (evidence names:
`is_shown`). Source of the lines: the manual's Severity 1 procedure and its Sev1 contract.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.response.incident import ROLE_NAMES, Incident, Milestone, Role

FIRST, SECOND, THIRD, AFTER = "first 15 min", "15 to 60 min", "1 to 4 h", "afterwards"
ONCALL, BOT = "oncall", "bot"


@dataclass(frozen=True, slots=True)
class Line:
    """after: since the declaration, or since the resolution where phase is AFTER. role: a Role, "oncall" or "bot"."""

    key: str
    phase: str
    after: timedelta
    text: str
    role: str
    evidence: str = ""


def _m(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


_SEV1 = (
    Line("ack", FIRST, _m(1), "somebody is on it", ONCALL, "acknowledged"),
    Line("ic", FIRST, _m(3), "an incident commander leads", ONCALL, "commander"),
    Line("facts", FIRST, _m(5), "faulty service and impact are said", Role.IC, "facts"),
    Line("changes", FIRST, _m(5), "what changed in the last 2 h is posted", BOT, "changes"),
    Line("roles", FIRST, _m(10), "communications and scribe are named", Role.IC, "roles"),
    Line("update", FIRST, _m(15), "the first status update is out", Role.COMMS, "update"),
    Line("rollback", SECOND, _m(20), "rolling back is decided, if a change is suspected", Role.IC, "blamed"),
    Line("lead", SECOND, _m(30), "the SRE lead knows; escalate if it is not mitigated", Role.IC),
    Line(
        "ideas", SECOND, _m(45), "two ideas of the cause, each with an owner and a test that could disprove it", Role.OPS,
        "two actions",
    ),
    Line("case", THIRD, _m(60), "a case at AWS or the vendor, or why none is needed", Role.OPS),
    Line("relief", THIRD, _m(120), "the commander is offered relief", Role.DEPUTY, "handover"),
    Line("data", THIRD, _m(180), "how far it reaches, and whether data is whole, is looked at again", Role.OPS),
    Line("handover", THIRD, _m(240), "the commander has handed over, or says why not", Role.DEPUTY, "handover"),
)  # fmt: skip

_REPORT = (
    Line("draft", AFTER, _m(1), "the postmortem is drafted", BOT, "drafted"),
    Line("milestones", AFTER, _m(1440), "all milestones are known and in order", Role.IC, "milestones"),
    Line("published", AFTER, _m(2880), "the postmortem is published", Role.IC, "published"),
    Line("actions", AFTER, _m(2880), "what follows has an owner and a date", Role.IC, "actions"),
)

_SMALL = (
    Line("ack", FIRST, _m(15), "somebody is on it", ONCALL, "acknowledged"),
    Line("facts", FIRST, _m(60), "faulty service and impact are said", Role.IC, "facts"),
)

# How often people outside hear of it, by severity: at first, and after the second of these.
_CADENCE: Mapping[int, tuple[timedelta, timedelta, timedelta]] = {
    1: (_m(15), _m(60), _m(30)),
    2: (_m(30), _m(120), _m(60)),
    3: (_m(1440), _m(1440), _m(1440)),
    4: (_m(1440), _m(1440), _m(1440)),
}


def lines(severity: int) -> tuple[Line, ...]:
    """Of an incident of this severity, in the order of their times."""
    if severity == 1:
        return (*_SEV1, *_REPORT)
    if severity == 2:
        return tuple(replace(line, after=line.after * 2) for line in _SEV1) + _REPORT
    return _SMALL


def due(line: Line, incident: Incident) -> datetime | None:
    """When it is; None for one that begins with the end, while it has not ended."""
    begun = incident.at(Milestone.RESOLVED) if line.phase == AFTER else incident.opened
    return begun + line.after if begun else None


def next_update(incident: Incident, now: datetime) -> datetime:
    """When people outside should hear of it again."""
    often, until, then = _CADENCE[incident.severity]
    return now + (often if now - incident.opened < until else then)


def owner(incident: Incident, role: str) -> str:
    """The user who holds it; who leads where nobody does, "" where nobody does that either."""
    held = incident.holder(Role(role)) if role in tuple(Role) else ""
    return held or incident.holder(Role.IC)


def called(role: str) -> str:
    """A role in words."""
    return ROLE_NAMES[Role(role)] if role in tuple(Role) else "on call" if role == ONCALL else "the bot"


# --- evidence -------------------------------------------------------------------------------------


def is_shown(evidence: str, incident: Incident) -> bool:
    """Whether the record shows by itself what a line asks for."""
    look = _SHOWN.get(evidence)
    return look is not None and look(incident)


def is_taken(incident: Incident) -> bool:
    """Whether somebody is on it: who leads is, without saying so."""
    return Milestone.ACKNOWLEDGED in incident.milestones or Milestone.COMMANDED in incident.milestones


def _has_roles(incident: Incident) -> bool:
    return bool(incident.holder(Role.COMMS) and incident.holder(Role.SCRIBE))


def _has_changed_hands(incident: Incident) -> bool:
    led, begun = incident.roles.get(Role.IC), incident.at(Milestone.COMMANDED)
    return led is not None and begun is not None and led.since > begun


def _is_complete(incident: Incident) -> bool:
    wanted = (
        Milestone.STARTED,
        Milestone.DETECTED,
        Milestone.DECLARED,
        Milestone.MITIGATED,
        Milestone.RESOLVED,
    )
    return all(each in incident.milestones for each in wanted)


_SHOWN: Mapping[str, Callable[[Incident], bool]] = {
    "acknowledged": is_taken,
    "commander": lambda i: bool(i.holder(Role.IC)),
    "facts": lambda i: bool(i.service and i.impact),
    "changes": lambda i: "changes" in i.shown,
    "roles": _has_roles,
    "update": lambda i: bool(i.updates),
    "blamed": lambda i: i.caused_by is not None or bool(i.changes),
    "two actions": lambda i: len(i.tasks) >= 2,
    "handover": _has_changed_hands,
    "drafted": lambda i: i.report.drafted is not None,
    "milestones": _is_complete,
    "published": lambda i: i.report.published is not None or bool(i.report.waived),
    "actions": lambda i: bool(i.tasks or i.no_tasks),
}
