"""`incident page`: call somebody, and along the rota whoever comes next, until one of them answers.

The whole plan is told with the page, what is still to come included. `incident ack` ends it, whoever types it; when
nobody does in time, the clock calls the next (commands/clockwork.py).
"""

import re

from commands.clockwork import ANSWER
from commands.command import Command
from commands.entry import Entry, Given
from commands.errors import Stale, UsageError
from commands.form import Field
from commands.incident.about import (
    NOTHING,
    REASON,
    WHICH,
    WHY,
    active,
    aloud,
    ask,
    clock,
    event,
    line,
    name,
    reason,
    text,
    write,
)  # fmt: skip
from commands.response import escalation
from commands.response.events import Kind, written
from commands.response.incident import Incident, Page, Role
from commands.site import ROLES, ClusterSite

_MEMBER = re.compile(r"@?([UWS][A-Z0-9]{4,})")


def page(given: Given) -> Entry:
    incident = active(given)
    who, _, rest = text(given).partition(" ")
    why = reason(given, rest)
    if not (who and why):
        raise _whom(given, who)
    user = _user(given, incident, who)
    _refuse_twice(given, incident, user)
    id = f"P{incident.head.seq + 1}"
    ladder = (*given.site.rota(given.now), *given.site.roles.sre_lead)
    plan = escalation.plan([Page(id, user, given.now)], ladder, ANSWER)
    drill = "drill, nobody is called: " if incident.is_drill else ""
    told = event(
        given, Kind.PAGED, f"{drill}you are needed: {why}. Answer with `/sre incident ack`.{_next(given, plan)}",
        id=id, user=user, rung="0", why=why,
    )  # fmt: skip
    timer = event(
        given,
        Kind.TIMER,
        f"an answer to {id} is due",
        key=escalation.key(id),
        due=written(given.now + ANSWER),
    )
    return Entry(
        f"{name(given, user)} is called to {incident.id}.{_next(given, plan)}",
        write(incident, aloud(told, user, drill=incident.is_drill), timer),
    )


def _next(given: Given, plan: tuple[escalation.Rung, ...]) -> str:
    to_come = [f"{clock(given, rung.at)} {name(given, rung.user)}" for rung in plan if not rung.is_done]
    return f" Without an answer: {', '.join(to_come)}." if to_come else " Nobody is called after that."


def _whom(given: Given, who: str) -> Exception:
    return ask(
        given, "Call somebody", "Call", "Type whom and why: `/sre incident page oncall the database is read-only`.",
        Field("name", "Whom?", hint="oncall, a role, a service, or an id", initial=who or "oncall", most=100),
        Field("why", "What for?", hint="It is all they read at first.", most=REASON),
    )  # fmt: skip


def _refuse_twice(given: Given, incident: Incident, user: str) -> None:
    for id in escalation.waiting(incident):
        called = next((each for each in incident.pages if each.id == id and each.user == user), None)
        if called is not None:
            raise Stale(
                f"{name(given, user)} was called at {clock(given, called.at)} already and has not answered. The next one "
                f"is called by itself. {NOTHING}"
            )


# --- who is meant ---------------------------------------------------------------------------------


def _cluster(given: Given, incident: Incident) -> ClusterSite:
    return given.site.clusters.get(incident.cluster) or next(iter(given.site.clusters.values()))


def _user(given: Given, incident: Incident, who: str) -> str:
    """A mention, who is on call, a role of the incident, a role of the house, or the owner of a service."""
    found = _MEMBER.fullmatch(who)
    if found is not None:
        return found[1]
    asked = who.removeprefix("@").casefold()
    known = _known(given, incident)
    if asked not in known:
        listed = ", ".join(f"`{each}`" for each in known)
        raise UsageError(
            f"`{line(who, 40).replace('`', '')}` is nobody the bot can call: mention them, or name one of {listed}. "
            f"{NOTHING}"
        )
    if not known[asked]:
        raise Stale(
            f"Nobody is `{asked}` now: set it under `roles` in the configuration, or mention somebody. {NOTHING}"
        )
    return known[asked]


def _known(given: Given, incident: Incident) -> dict[str, str]:
    site = given.site
    roles = {each: next(iter(site.role_members(each)), "") for each in ROLES}
    services = {
        each.name.casefold(): next(iter(site.role_members(each.owner)), "")
        for each in _cluster(given, incident).services.values()
    }
    held = {each.value: incident.holder(each) for each in Role if incident.holder(each)}
    return {**services, **roles, **held, "oncall": site.oncall(given.now)}


PAGE = Command(
    word="incident", verbs=("page",),
    summary="Call somebody: a person, a group, `oncall`, a role, or a service's owner; then the next on the rota.",
    rows=("EM-1.3",),
    examples=("incident page oncall the database is read-only", "incident page @U0ALICE0001 you know this queue"),
    flags=(WHICH, WHY), names="WHO REASON…", entry=page,
)  # fmt: skip
