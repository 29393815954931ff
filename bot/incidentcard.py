"""Pure: the live card of an incident: the one message, pinned in its channel and edited in place, that says it all.

Readable at a glance, at night and on a phone: how grave, what users feel, where it stands, who leads, what is due
next. A card knows no clock: times are Slack's, in each reader's zone. What else is told of an incident is drawn by
bot/incidentthread.py. Called by bot/render.py, with a record whose texts are redacted; every one is escaped here.
"""

from collections.abc import Callable, Iterable

from bot.alertwords import line, person
from bot.blocks import (
    Block,
    Message,
    actions,
    beside,
    bounded,
    button,
    context,
    moment,
    paragraph,
    paragraphs,
    select,
)  # fmt: skip
from bot.incidentthread import announcement, farewells, lines, news
from bot.incidentwords import aloud, headline, is_hidden, is_reply
from commands import checklists
from commands.finding import Suggestion
from commands.phrase import counted, span
from commands.response.incident import (
    ROLE_NAMES,
    WAY,
    AlertLink,
    Incident,
    Item,
    ItemState,
    Milestone,
    Offer,
    Role,
    Status,
)  # fmt: skip

CARD = "card"
_DUE = 4  # open lines of the checklist on the card
_ALERTS = 4
_OFFERS = 4
_SCOPES = 4
_IMPACT, _UPDATE, _ITEM = 600, 500, 200

# Of a status update, and what stands before each.
_PARTS = (("conditions", ""), ("actions", "*doing* "), ("needs", "*needs* "))

# Which of these buttons would do something when pressed: a verb may be planned and not built.
Offered = Callable[[Iterable[Suggestion]], tuple[Suggestion, ...]]


def messages(incident: Incident, offered: Offered = tuple) -> tuple[Message, ...]:
    """None until there is a place for them; the courier makes one. What nobody outside may see is told in a channel of
    its own or not at all, but where it could not have one."""
    room = incident.room
    if not room.channel or (is_hidden(incident) and not (room.is_own or room.lost)):
        return ()
    card = Message(
        CARD, aloud(incident), tuple(bounded(_card(incident, offered))), in_thread=is_reply(incident)
    )
    return (card, *farewells(incident), *lines(incident), *announcement(incident), *news(incident))


def _card(incident: Incident, offered: Offered) -> list[Block]:
    if incident.is_active:
        return _running(incident, offered)
    return _ended(incident, offered) if not incident.is_over else _closed(incident, offered)


def _running(incident: Incident, offered: Offered) -> list[Block]:
    told = [
        headline(incident),
        _impact(incident),
        _where(incident),
        _people(incident),
        *_called(incident),
        *_alerts(incident),
        _cause(incident),
    ]
    return [
        *paragraphs(filter(None, told)),
        *_offers(incident, offered),
        *_checklist(incident, offered),
        *paragraphs(_updates(incident)),
        *actions(*_hands(incident, offered)),
        *_remarks(incident),
    ]


# --- what it says ---


def _impact(incident: Incident) -> str:
    said = line(incident.impact, _IMPACT)
    return f"*Users feel:* {said}" if said else "*Users feel:* nobody has said yet"


def _where(incident: Incident) -> str:
    services = tuple(dict.fromkeys(filter(None, (incident.service, *incident.affected))))
    named = ", ".join(line(each, 60) for each in services[:4]) + (
        f" and {len(services) - 4} more" if services[4:] else ""
    )
    started = incident.at(Milestone.STARTED)
    since = f"began {moment(started)}" if started else f"declared {moment(incident.opened)}"
    return " · ".join(filter(None, (named, line(incident.cluster, 60), since)))


def _people(incident: Incident) -> str:
    """The commander always, the others where there are any."""
    lead = incident.holder(Role.IC)
    told = [f"*Commander:* {person(lead) if lead else 'nobody yet'}"]
    others = (role for role in Role if role is not Role.IC and incident.holder(role))
    told += [f"{ROLE_NAMES[role]} {person(incident.holder(role))}" for role in others]
    return " · ".join(told)


def _called(incident: Incident) -> list[str]:
    """Who was called last, while nobody has answered."""
    waiting = [page for page in incident.pages if page.acked is None]
    if not waiting or any(page.acked for page in incident.pages if page.id == waiting[-1].id):
        return []
    return [f"⏳ {person(waiting[-1].user)} was called {moment(waiting[-1].at)}, no answer yet"]


def _alerts(incident: Incident) -> list[str]:
    firing = incident.firing
    told = [_alert(link) for link in firing[:_ALERTS]]
    return [*told, f"🔥 and {len(firing) - _ALERTS} more fire"] if firing[_ALERTS:] else told


def _alert(link: AlertLink) -> str:
    hidden = " · silenced" if link.is_silenced else ""
    return f"🔥 {line(link.name, 100)} still fires, since {moment(link.started)}{hidden}"


def _cause(incident: Incident) -> str:
    blame = incident.caused_by
    if blame is None:
        return ""
    sure = "Cause" if blame.confidence == "confirmed" else "Suspected cause"
    return f"*{sure}:* {line(blame.change, 200)}"


def _offers(incident: Incident, offered: Offered) -> list[Block]:
    return [_offer(incident, offer, offered) for offer in incident.offers[:_OFFERS]]


def _offer(incident: Incident, offer: Offer, offered: Offered) -> Block:
    told = paragraph(
        f"⏳ {person(offer.user)} is asked to be {ROLE_NAMES[offer.role]}, since {moment(offer.at)}"
    )
    accept = Suggestion("Accept", f"incident accept {offer.role.value} --incident {incident.id}")
    return _with(told, accept, f"submit:accept:{offer.role.value}", offered)


def _checklist(incident: Incident, offered: Offered) -> list[Block]:
    """What is due first; the rest is in `incident status`."""
    due = sorted((item for item in incident.items if item.state is ItemState.OPEN), key=lambda item: item.due)
    if not due:
        return []
    rest = len(due) - _DUE
    done = len(incident.items) - len(due)
    head = f"*Next* · {done} of {len(incident.items)} done" + (
        f" · {counted(rest, 'more line')}" if rest > 0 else ""
    )
    return [paragraph(head), *(_item(incident, item, offered) for item in due[:_DUE])]


def _item(incident: Incident, item: Item, offered: Offered) -> Block:
    """What is done by evidence alone has no button: it is ticked when it is so."""
    told = paragraph(f"☐ {line(item.text, _ITEM)} · {_owner(incident, item.role)} · due {moment(item.due)}")
    if item.evidence:
        return told
    done = Suggestion("Done", f"incident done {item.key} --incident {incident.id}")
    return _with(told, done, f"submit:done:{line(item.key, 60)}", offered)


def _owner(incident: Incident, role: str) -> str:
    holder = checklists.owner(incident, role) if role in tuple(Role) else ""
    return person(holder) if holder else line(checklists.called(role), 40)


def _with(told: Block, suggestion: Suggestion, action: str, offered: Offered) -> Block:
    """With its button at the side, where a press would do something."""
    built = offered((suggestion,))
    return beside(told, button(action, built[0].label, built[0].text)) if built else told


def _updates(incident: Incident) -> list[str]:
    if not incident.updates:
        return []
    last = incident.updates[-1]
    said = " · ".join(
        f"{head}{line(last.parts[name], _UPDATE)}" for name, head in _PARTS if last.parts.get(name)
    )
    told = [f"*Last update* {moment(last.at)} by {person(last.by)}: {said or line(last.text, _UPDATE)}"]
    return [*told, f"Next update due {moment(last.next_due)}"] if last.next_due else told


def _remarks(incident: Incident) -> list[Block]:
    denied = [what for what in incident.scopes if what != incident.room.lost]
    told = [context(line(f"⚠️ Slack: {what}", 300)) for what in denied[:_SCOPES]]
    if incident.room.lost:
        told.append(context(f"Without a channel of its own: {line(incident.room.lost, 300)}"))
    if incident.omitted:
        told.append(
            context(f"{counted(incident.omitted, 'earlier line')} may not be here: `/sre incident timeline`")
        )
    kind = " · security" if incident.is_security else " · private" if incident.is_private else ""
    return [*told, context(f"{incident.id}{kind} · declared by {person(incident.by)}")]


# --- what can be pressed ---


def _hands(incident: Incident, offered: Offered) -> list[Block]:
    made = [
        button(
            f"submit:{n}",
            each.label,
            each.text,
            "primary" if n == 0 and _hand_up(incident) else "",
        )
        for n, each in enumerate(offered(_first(incident)))
    ]
    more = [(each.label, each.text) for each in offered(_more(incident))]
    return [*made, select("submit:more", "More…", more)] if more else made


def _first(incident: Incident) -> tuple[Suggestion, ...]:
    id, status = incident.id, incident.status
    is_felt = WAY.index(status) < WAY.index(Status.MITIGATED)
    told = (
        _hand_up(incident),
        Suggestion("Update…", f"incident update --incident {id}"),
        Suggestion("Mitigated", f"incident mitigate --incident {id}") if is_felt else None,
        Suggestion("Resolve", f"incident resolve --incident {id}"),
    )
    return tuple(filter(None, told))


def _hand_up(incident: Incident) -> Suggestion | None:
    """What is missing first: somebody who looks, then somebody who leads."""
    if not checklists.is_taken(incident):
        return Suggestion("I am on it", f"incident ack --incident {incident.id}")
    if not incident.holder(Role.IC):
        return Suggestion("I take command", f"incident assign ic me --incident {incident.id}")
    return None


def _more(incident: Incident) -> tuple[Suggestion, ...]:
    id = incident.id
    own = (
        ()
        if incident.room.is_own or incident.wants_channel
        else (Suggestion("Make a channel", f"incident promote --incident {id}"),)
    )
    return (
        Suggestion("Severity…", f"incident sev --incident {id}"),
        Suggestion("Assign a role…", f"incident assign --incident {id}"),
        Suggestion("Page somebody…", f"incident page --incident {id}"),
        Suggestion("Note…", f"incident note --incident {id}"),
        Suggestion("Merge into another…", f"incident merge --incident {id}"),
        Suggestion("False alarm…", f"incident false-alarm --incident {id}"),
        *own,
    )


# --- when it is over ---


def _ended(incident: Incident, offered: Offered) -> list[Block]:
    """Calm and short: how long users felt it, who led, and what is still to be done."""
    told = [
        headline(incident),
        f"*Users felt:* {line(incident.impact, _IMPACT)}" if incident.impact else "",
        _felt(incident),
        _people(incident),
    ]
    told += [*_alerts(incident), _cause(incident), _report(incident)]
    id = incident.id
    next_ones = (
        Suggestion("Postmortem", f"incident postmortem {id}"),
        Suggestion("Close", f"incident close --incident {id}"),
        Suggestion("Reopen…", f"incident reopen --incident {id}"),
    )
    made = [button(f"submit:{n}", each.label, each.text) for n, each in enumerate(offered(next_ones))]
    return [
        *paragraphs(filter(None, told)),
        *_checklist(incident, offered),
        *actions(*made),
        *_remarks(incident),
    ]


def _closed(incident: Incident, offered: Offered) -> list[Block]:
    told = [
        headline(incident),
        _felt(incident) if incident.status is Status.CLOSED else "",
        _report(incident),
    ]
    kept = [Suggestion("Postmortem", f"incident postmortem {incident.id}")] if incident.report.version else []
    made = [button(f"submit:{n}", each.label, each.text) for n, each in enumerate(offered(kept))]
    ended = f"{moment(incident.opened)} to {moment(incident.updated)}"
    return [*paragraphs(filter(None, told)), *actions(*made), context(f"{ended} · {incident.id}")]


def _felt(incident: Incident) -> str:
    """From the beginning to the mitigation, where both are known."""
    began, ended = incident.again or incident.at(Milestone.STARTED), incident.at(Milestone.MITIGATED)
    if began and ended and ended >= began:
        again = f" · opened again {counted(incident.reopened, 'time')}" if incident.reopened else ""
        return f"It lasted {span(ended - began)} for users: {moment(began)} to {moment(ended)}{again}"
    resolved = incident.at(Milestone.RESOLVED)
    return f"Resolved {moment(resolved)}" if resolved else ""


def _report(incident: Incident) -> str:
    report = incident.report
    tasks = counted(len(incident.tasks), "action") if incident.tasks else ""
    if report.published:
        said = f"Postmortem published {moment(report.published)}"
    elif report.waived:
        said = f"No postmortem: {line(report.waived, 200)}"
    elif report.drafted:
        said = f"Postmortem drafted {moment(report.drafted)}"
    else:
        said = ""
    return " · ".join(filter(None, (said, tasks)))
