"""Pure: the live card of an incident, pinned in its channel and edited in place.

Readable at a glance, at night and on a phone: how grave, what, where it stands, who leads, what is due next. Called by
bot/render.py, with a record whose texts are redacted; every one of them is escaped here.
"""

from bot.blocks import Block, Message, bounded, buttons, context, escape, mention, moment, paragraphs
from commands.finding import Suggestion
from commands.response.incident import Incident, Milestone, Role, Status

_ICON = {1: "🔴", 2: "🟠", 3: "🟡", 4: "🔵"}
CARD = "card"


def messages(incident: Incident) -> tuple[Message, ...]:
    """None until there is a place for them; the courier makes one."""
    if not incident.room.channel and not incident.alert:
        return ()
    in_thread = not incident.room.is_own and bool(incident.alert or incident.room.thread)
    card = Message(CARD, _aloud(incident), tuple(bounded(_card(incident))), in_thread=in_thread)
    return (card, *(_line(incident, number) for number in range(len(incident.lines))))


def headline(incident: Incident) -> str:
    drill = "🧪 DRILL · " if incident.is_drill else ""
    icon = (
        "✅"
        if incident.status in (Status.RESOLVED, Status.POSTMORTEM, Status.CLOSED)
        else _ICON[incident.severity]
    )
    return f"{icon} {drill}*Sev{incident.severity} · {escape(incident.title)}* · {incident.status.value}"


def _aloud(incident: Incident) -> str:
    return f"Sev{incident.severity}: {escape(incident.title)} · {incident.status.value} · {incident.id}"


def _card(incident: Incident) -> list[Block]:
    ic = incident.holder(Role.IC)
    started = incident.at(Milestone.STARTED) or incident.opened
    lines = [
        headline(incident),
        f"Impact: {escape(incident.impact)}" if incident.impact else "Impact: nobody has said yet",
        f"Commander: {mention(ic)}" if ic else "Commander: nobody yet",
        f"since {moment(started)}",
    ]
    return [*paragraphs(lines), *buttons(_steps(incident)), context(incident.id)]


def _steps(incident: Incident) -> tuple[Suggestion, ...]:
    id = incident.id
    if not incident.is_active:
        return ()
    return (Suggestion("I am on it", f"incident ack {id}"), Suggestion("Resolve", f"incident resolve {id}"))


def _line(incident: Incident, number: int) -> Message:
    line = incident.lines[number]
    called = f"{mention(line.mention)} " if line.mention else ""
    by = f" · {mention(line.by)}" if line.by else ""
    text = f"{called}{escape(line.text)}{by}"
    return Message(f"line {line.key}", text, tuple(paragraphs([text])), in_thread=not incident.room.is_own)
