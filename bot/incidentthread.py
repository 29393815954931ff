"""Pure: what is told of an incident beside its card: its lines, its announcement, and where it went.

The lines stand in its channel, or in the thread where it is told. The announcement is one message in the channel of
all incidents; one that nobody outside may see has none. Called by bot/incidentcard.py; every text is escaped here.
"""

from collections.abc import Iterator, Mapping

from bot.alertwords import person
from bot.blocks import (
    Block,
    Message,
    bounded,
    channel_link,
    context,
    escape,
    mention,
    moment,
    paragraph,
    paragraphs,
)
from bot.incidentwords import DRILL, aloud, commander, headline, is_hidden
from commands.ledger import Line
from commands.phrase import counted
from commands.response.incident import Incident, Milestone, Room, StatusUpdate

ANNOUNCEMENT = "announcement"
_LONGEST = 2400  # characters of a line; the timeline has them all


def lines(incident: Incident) -> tuple[Message, ...]:
    return tuple(_line(incident, each) for each in incident.lines)


def _line(incident: Incident, each: Line) -> Message:
    if each.alone:
        return _aside(incident, each)
    drill = f"{DRILL} · " if incident.is_drill else ""
    said = _said(incident, each)
    if each.is_deed and each.by:
        called, said = (f"{mention(each.mention)}: ", f"{person(each.by)} {said}")
    else:
        called, said = (f"{mention(each.mention)} ", f"{said} · {person(each.by)}" if each.by else said)
    text = f"{drill}{called if mention(each.mention) else ''}{said}"
    return Message(f"line {each.key}", text, tuple(paragraphs([text])), in_thread=not incident.room.is_own)


def _said(incident: Incident, each: Line) -> str:
    """A status update stands out, since it is what people look for."""
    parts = next((update.parts for update in incident.updates if update.at == each.at), {})
    if not parts or not each.text.startswith("Conditions:"):
        return escape(_whole(each.text, incident.id))
    return "\n".join(["📣 *Status update*", *_parts(parts, incident.id)])


def _parts(parts: Mapping[str, str], id: str) -> Iterator[str]:
    for name in ("conditions", "actions", "needs"):
        if parts.get(name):
            yield f"*{name.capitalize()}:* {escape(_whole(parts[name], id))}"


def _aside(incident: Incident, each: Line) -> Message:
    """In the direct messages of the one it is for: there it rings, and the room stays quiet."""
    place = f" in {channel_link(incident.room.channel)}" if incident.room.is_own else ""
    text = f"{headline(incident)}{place}\n{escape(_whole(each.text, incident.id))}"
    return Message(f"line {each.key}", text, tuple(paragraphs([text])), channel=f"@{each.mention}")


def _whole(text: str, id: str) -> str:
    left = len(text) - _LONGEST
    if left <= 0:
        return text
    return f"{text[:_LONGEST]}… ({counted(left, 'more character')}: `/sre incident timeline {id}`)"


def announcement(incident: Incident) -> tuple[Message, ...]:
    """In the channel of all incidents, while it has one of its own to lead to."""
    if is_hidden(incident):
        text = f"🔒 {incident.id} is private."
        return (_announced(text, [paragraph(text)], only_edit=True),)
    link = channel_link(incident.room.channel)
    since = f"since {moment(incident.at(Milestone.STARTED) or incident.opened)}"
    said = [headline(incident), " · ".join(filter(None, (link, commander(incident), since)))]
    blocks = [*paragraphs(said), context(incident.id)]
    return (_announced(aloud(incident), blocks, only_edit=not incident.room.is_own),)


def _announced(text: str, blocks: list[Block], *, only_edit: bool) -> Message:
    return Message(ANNOUNCEMENT, text, tuple(bounded(blocks)), channel="incidents", only_edit=only_edit)


def news(incident: Incident) -> tuple[Message, ...]:
    """What the stakeholders were told, each update a message of its own in each of their channels."""
    return tuple(
        _news(incident, number, update, channel)
        for number, update in enumerate(incident.updates, 1)
        for channel in (() if is_hidden(incident) else update.channels)
    )


def _news(incident: Incident, number: int, update: StatusUpdate, channel: str) -> Message:
    """As it was told: a later state of the incident does not rewrite it."""
    said = [f"📣 *{escape(incident.title)}* · {incident.id}", *_parts(update.parts, incident.id)]
    promised = f"next update by {moment(update.next_due)}" if update.next_due else ""
    text = f"📣 {escape(incident.title)}: {escape(update.parts.get('conditions') or update.text)}"
    blocks = [*paragraphs(said), *([context(promised)] if promised else [])]
    return Message(f"update {number} {channel}", text, tuple(bounded(blocks)), channel=channel)


def farewells(incident: Incident) -> tuple[Message, ...]:
    """Its cards where it was told before: each says where it goes on."""
    return tuple(_farewell(incident, number, place) for number, place in enumerate(incident.places, 1))


def _farewell(incident: Incident, number: int, place: Room) -> Message:
    hidden = is_hidden(incident)
    text = f"🔒 {incident.id} is private." if hidden else _gone_on(incident)
    return Message(f"{number} card", text, (paragraph(text),), channel=place.channel, only_edit=True)


def _gone_on(incident: Incident) -> str:
    return f"{headline(incident)}\nIt goes on in {channel_link(incident.room.channel)} · {incident.id}"
