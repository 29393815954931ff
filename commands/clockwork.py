"""What is due of an incident at a moment, as events: nobody asked, the clock did.

Every timer that is due fires once, and says so when it is late. Whatever a timer is about (the first part of its key)
adds what that means: a checklist line to be reminded of, an offer nobody took, a page nobody answered. Only who is
to act is called; reminders that come late together are one message, and a page is always one of its own. Pure;
workers/timers.py asks it, and compare-and-set makes each happen once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from commands import checklists
from commands.checklists import called
from commands.consequences import PHASES, QUIET, REVIEW, set_timer
from commands.ledger import Draft
from commands.phrase import counted, span
from commands.response.events import Kind, draft
from commands.response.incident import ROLE_NAMES, Incident, Item, ItemState, Role, Timer
from commands.response.seeing import SECURITY, may_see
from commands.site import Site

# A timer that fires later than that says so: the house was away, or busy.
LATE = timedelta(minutes=1)

ANSWER = timedelta(minutes=5)  # to answer a page before the next one is called
_LISTED = 5
_BELL = "⏰ "

AGAIN = timedelta(hours=24)  # until what one person approved alone is asked for again

# Fired by who posts there, once the page has it (workers/statuspage.py).
STATUS_PAGE = "statuspage:"

# How a reminder that is late says it.
_SINCE = "was due"

Due = Callable[[Incident, Timer, datetime, Site], Iterator[Draft]]


def due(incident: Incident, now: datetime, site: Site) -> tuple[Draft, ...]:
    """The events of all timers that are due, the longest due first; what reminds late comes behind them."""
    waiting = (t for t in incident.timers if t.fired is None and not t.key.startswith(STATUS_PAGE))
    ripe = sorted((t for t in waiting if t.due <= now), key=lambda t: t.due)
    told: list[Draft] = []
    late: list[Draft] = []
    for timer in ripe:
        for each in _fired(incident, timer, now, site):
            (late if each.kind == Kind.NUDGE and now - timer.due > LATE else told).append(each)
    return tuple(_spared(each, incident) for each in (*told, *_together(incident, late)))


def _fired(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    late = now - timer.due
    said = span(late) if late > LATE else ""
    fired = draft(
        Kind.FIRED, f"{timer.key} was due" + (f", {said} ago" if said else ""), key=timer.key, late=said
    )
    yield replace(fired, source="timer")
    about = _DUE.get(timer.key.partition(":")[0])
    if about is not None and (not incident.is_over or timer.key.startswith(REVIEW)):
        for told in (_discreet(incident, each, site) for each in about(incident, timer, now, site)):
            is_said = (told.is_told or bool(told.mention)) and said and _SINCE not in told.text
            text = f"{told.text} ({_SINCE} {said} ago)" if is_said else told.text
            yield replace(told, source="timer", text=text)


def _together(incident: Incident, reminders: Iterable[Draft]) -> Iterator[Draft]:
    """What is told late to the same ones, as one: after the bot was away nobody reads six in a row."""
    told: dict[tuple[bool, str], list[Draft]] = {}
    for each in reminders:
        is_aside = not each.is_told and not _is_spared(each, incident)
        called = "" if _is_spared(each, incident) else each.mention
        told.setdefault((is_aside, called), []).append(each)
    for first, *more in told.values():
        yield replace(first, text=_listed((first, *more))) if more else first


def _listed(reminders: Sequence[Draft]) -> str:
    lines = (f"• {each.text.removeprefix(_BELL)}" for each in reminders)
    return "\n".join((f"{_BELL}{len(reminders)} reminders are overdue, the oldest first:", *lines))


def _spared(told: Draft, incident: Incident) -> Draft:
    """Of a drill nobody hears but who takes part; whoever would be called is left out, in the room."""
    if not _is_spared(told, incident):
        return told
    return replace(told, is_told=True, mention="", text=f"drill, nobody is called: {told.text}")


def _is_spared(told: Draft, incident: Incident) -> bool:
    is_part = told.mention in (incident.by, *incident.people)
    return incident.is_drill and bool(told.mention) and not is_part


def _discreet(incident: Incident, told: Draft, site: Site) -> Draft:
    """Of what is private nobody outside hears: it is said in its room, in one of security to the security team. Who is
    called by a page is let in."""
    team = site.role_members(SECURITY)
    is_in = told.mention in team or may_see(incident, told.mention, ())
    if not told.mention or is_in or told.kind == Kind.PAGED:
        return told
    return replace(told, is_told=True, mention=next(iter(team), "") if incident.is_security else told.mention)


def _say(text: str, mention: str = "") -> Draft:
    return replace(draft(Kind.NUDGE, text), is_told=True, mention=mention)


def _ask(text: str, whom: str) -> Draft:
    """Said to one person alone; to a group, or where nobody is known, in the room."""
    if not whom.startswith(("U", "W")):
        return _say(text, whom)
    return replace(draft(Kind.NUDGE, text), mention=whom)


def _those(incident: Incident, about: str) -> list[Timer]:
    return [timer for timer in incident.timers if timer.key.startswith(about)]


def _about(timer: Timer) -> str:
    return timer.key.partition(":")[2]


# --- the checklist --------------------------------------------------------------------------------


def _line(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    item = next((each for each in incident.items if each.key == _about(timer)), None)
    if item is None or item.state is not ItemState.OPEN or item.role == checklists.BOT:
        return
    if item.key == "ic":
        yield from _leaderless(incident, now, site)
        return
    text = f"{_BELL}{_when(timer, now)}: {item.text} ({called(item.role)})"
    yield _ask(text, _whom(incident, item, now, site))
    lead = next(iter(site.roles.sre_lead), "")
    if item.key == "published" and lead:
        yield _ask(text, lead)


def _when(timer: Timer, now: datetime) -> str:
    late = now - timer.due
    return f"{_SINCE} {span(late)} ago" if late > LATE else "is due now"


def _whom(incident: Incident, item: Item, now: datetime, site: Site) -> str:
    return checklists.owner(incident, item.role) or site.oncall(now)


def _leaderless(incident: Incident, now: datetime, site: Site) -> Iterator[Draft]:
    """The deputy, else the next on call, and three minutes later the SRE lead."""
    whom = incident.holder(Role.DEPUTY) or site.second_oncall(now) or site.oncall(now)
    yield _say("nobody leads this incident yet: `/sre incident assign ic me` takes command", whom)
    yield set_timer("lead:ic", now + timedelta(minutes=3))


def _lead(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    if not incident.holder(Role.IC):
        yield _say(
            "still nobody leads this incident: `/sre incident assign ic` names somebody",
            next(iter(site.roles.sre_lead), ""),
        )


def _phase(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    """What of the lines until now is still open, for who leads; where a later phase ends as well, that says it all."""
    if any(each.fired is None and timer.due < each.due <= now for each in _those(incident, "phase:")):
        return
    still = [
        i
        for i in incident.items
        if i.state is ItemState.OPEN and i.due <= timer.due and i.role != checklists.BOT
    ]
    if not still:
        return
    left = "; ".join(item.text for item in still[:_LISTED])
    more = f"; and {len(still) - _LISTED} more" if len(still) > _LISTED else ""
    names = dict(zip(PHASES, (checklists.FIRST, checklists.SECOND, checklists.THIRD), strict=True))
    lines = counted(len(still), "line")
    text = f"the {names.get(_about(timer), _about(timer))} are over, {lines} still open: {left}{more}"
    yield _say(text, incident.holder(Role.IC) or site.oncall(now))


# --- people ---------------------------------------------------------------------------------------


def _offer(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    offer = next((each for each in incident.offers if each.role.value == _about(timer)), None)
    if offer is None:
        return
    deputy = incident.holder(Role.DEPUTY)
    whom = next((each for each in (deputy, *site.rota(now)) if each and each != offer.user), offer.by)
    text = f"the role of {ROLE_NAMES[offer.role]} was offered {span(now - offer.at)} ago and nobody accepted"
    yield _say(f"{text}: take it with `/sre incident assign {offer.role.value} me`", whom)


def _page(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    """Nobody answered: the next of the rota is called, and at its end the SRE lead, once."""
    id = _about(timer)
    called = [page for page in incident.pages if page.id == id]
    if not called or any(page.acked for page in called):
        return
    ladder = dict.fromkeys((*site.rota(now), *site.roles.sre_lead))
    following = next((user for user in ladder if user not in {page.user for page in called}), "")
    if not following:
        yield _say(f"page {id}: {counted(len(called), 'call')}, and nobody answered")
        return
    silent = span(now - called[-1].at)
    text = f"📟 page {id}: nobody answered in {silent}, you are next. Answer with `/sre incident ack`"
    paged = draft(Kind.PAGED, text, id=id, user=following, rung=str(len(called)))
    yield replace(paged, is_told=True, mention="" if incident.is_drill else following)
    yield set_timer(timer.key, now + ANSWER)


def _review(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    """Every day until somebody has looked, also when all else is over."""
    glass = next((each for each in incident.glass if each.request == _about(timer)), None)
    if glass is None or glass.reviewed is not None:
        return
    text = f"{glass.request} was approved by one person alone {span(now - glass.at)} ago, and nobody has reviewed it"
    whom = next((each for each in (*site.roles.sre_lead, *site.rota(now)) if each != glass.by), "")
    yield _say(f"{text}: `/sre incident review {glass.request}`", whom)
    yield set_timer(timer.key, now + AGAIN)


def _quiet(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    """Somebody is on it and nothing is heard: they are asked, and then the next on call is called."""
    if not incident.is_active:
        return
    silent = now - (incident.heard or incident.opened)
    if silent < QUIET:
        yield set_timer("quiet:ask", now + QUIET - silent)
    elif _about(timer) == "ask":
        yield _say(
            f"nothing was heard for {span(silent)}: is somebody still on it?",
            checklists.owner(incident, Role.IC),
        )
        yield set_timer("quiet:page", now + ANSWER)
    else:
        yield _say(
            f"nothing was heard for {span(silent)}: please look into it",
            site.second_oncall(now) or site.oncall(now),
        )
        yield set_timer("quiet:ask", now + QUIET)


def _stable(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    """Without an alert for as long as it is watched it may be over; else it is looked at again by then."""
    last = max((link.ended or now for link in incident.alerts), default=timer.due - QUIET)
    if now - last < QUIET:
        yield set_timer(timer.key, last + QUIET)
        return
    lead = checklists.owner(incident, Role.IC) or site.oncall(now)
    yield _ask(f"no alert of it fired for {span(QUIET)}: if users are well, `/sre incident resolve`", lead)


# --- status updates -------------------------------------------------------------------------------


def _update(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    """First who writes them, then the deputy, then the SRE lead; an update ends it."""
    if not incident.is_active:
        return
    step = _about(timer)
    promised = incident.updates[-1].next_due if incident.updates else None
    late = now - promised if promised else timedelta()
    text = f"a status update {_SINCE} {span(late)} ago" if late > LATE else "a status update is due now"
    text += ": `/sre incident update`"
    if step == "due":
        yield _ask(text, checklists.owner(incident, Role.COMMS) or site.oncall(now))
        yield set_timer("update:deputy", now + timedelta(minutes=5))
        yield set_timer("update:lead", now + timedelta(minutes=10))
    elif step == "deputy":
        yield _ask(text, incident.holder(Role.DEPUTY) or site.second_oncall(now))
    else:
        yield _say(text, next(iter(site.roles.sre_lead), ""))


# By the first part of a timer's key.
_DUE: Mapping[str, Due] = {
    "item": _line,
    "lead": _lead,
    "phase": _phase,
    "offer": _offer,
    "page": _page,
    "review": _review,
    "quiet": _quiet,
    "stable": _stable,
    "update": _update,
}
