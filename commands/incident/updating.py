"""`incident update`: tell people how it stands, by one window: in the channel, to the stakeholders, on the status page.

What was said the last time stands in the window already, so only what changed is typed. `incident done` and `incident
skip` tick the lines of the checklist that no evidence ticks.
"""

from dataclasses import replace

from commands.checklists import next_update
from commands.command import Command, Flag
from commands.entry import Entry, Given
from commands.errors import Denied, Stale, UsageError
from commands.form import Field, Form, NeedsForm
from commands.grammar import duration
from commands.incident.about import NOTHING, WHY, aloud, event, lines, live, reason, text, unset, write
from commands.ledger import Draft
from commands.phrase import span
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident, Item, ItemState

LONGEST = 2000  # characters of each of the three
CHANNEL, STAKEHOLDERS, PUBLIC = "channel", "stakeholders", "public"

_AUDIENCES = (
    (CHANNEL, "Only here"),
    (STAKEHOLDERS, "Here and to the stakeholders"),
    (PUBLIC, "Here, to the stakeholders and on the status page"),
)
_NEXT = (
    ("15m", "in 15 minutes"),
    ("30m", "in 30 minutes"),
    ("1h", "in an hour"),
    ("4h", "in 4 hours"),
    ("24h", "tomorrow"),
)


def update(given: Given) -> Entry:
    """One update: what is the case, what is done, what is needed."""
    incident = live(given)
    flags = given.args.flags
    conditions = lines(flags.get("conditions", "") or text(given))
    if not conditions:
        raise NeedsForm(
            _form(given, incident),
            'Say how it stands: `/sre incident update "half of the payments fail" --actions "rolling back" --next 30m`. '
            f"{NOTHING}",
        )
    audience = flags.get("to", "") or CHANNEL
    if audience not in dict(_AUDIENCES):
        raise UsageError(f"`--to` is one of {', '.join(dict(_AUDIENCES))}. {NOTHING}")
    _demand_voice(given, incident, audience)
    following = given.now + duration(flags["next"]) if flags.get("next") else next_update(incident, given.now)
    parts = {"Conditions": conditions, "Actions": flags.get("actions", ""), "Needs": flags.get("needs", "")}
    said = "\n".join(f"{name}: {each[:LONGEST]}" for name, each in parts.items() if each)
    told = event(
        given, Kind.UPDATE, said, conditions=conditions[:LONGEST], actions=parts["Actions"][:LONGEST],
        needs=parts["Needs"][:LONGEST], audience=audience, next=written(following),
        channels=" ".join(_channels(given, incident, audience)),
    )  # fmt: skip
    drafts = (aloud(told), *_published(given, incident, audience))
    answer = (
        f"{_told(given, incident, audience)} The next update is due in {span(following - given.now)}."
        f"{_on_page(given, incident, audience)}"
    )
    return Entry(answer, write(incident, *drafts))


def _demand_voice(given: Given, incident: Incident, audience: str) -> None:
    """What people outside read comes from somebody who is in it."""
    own = {incident.by, *incident.people, *(held.user for held in incident.roles.values())}
    if audience != CHANNEL and given.actor.user not in own and "comms" not in given.roles:
        raise Denied(
            f"Who tells people outside how it stands is in it: `/sre incident join {incident.id}`, and then again. {NOTHING}"
        )


def _channels(given: Given, incident: Incident, audience: str) -> tuple[str, ...]:
    """Of an exercise, or of what nobody outside may see, the stakeholders hear nothing."""
    if audience == CHANNEL or incident.is_private or incident.is_drill:
        return ()
    return given.site.channels.stakeholders


def _told(given: Given, incident: Incident, audience: str) -> str:
    """Who hears it now; and where somebody was meant to who does not, why."""
    if audience == CHANNEL:
        return "Told here."
    channels = _channels(given, incident, audience)
    if channels:
        return f"Told here and in {', '.join(channels)}."
    kind = "a drill" if incident.is_drill else "private" if incident.is_private else ""
    why = f"this is {kind}" if kind else "no channel of theirs is configured (`channels.stakeholders`)"
    return f"Told here, and not to the stakeholders: {why}."


def _published(given: Given, incident: Incident, audience: str) -> tuple[Draft, ...]:
    """What goes on the status page goes there by a worker, once, at once."""
    if audience != PUBLIC or incident.is_private or incident.is_drill or not _webhook(given, incident):
        return ()
    number = len(incident.updates) + 1
    return (draft(Kind.TIMER, "the status page is told", key=f"statuspage:{number}", due=written(given.now)),)


def _webhook(given: Given, incident: Incident) -> str:
    return given.site.clusters.get(incident.cluster, given.site).urls.status_page_webhook


def _on_page(given: Given, incident: Incident, audience: str) -> str:
    """Of the status page: that a worker posts it, or that nobody but a person can, for none is configured."""
    if audience != PUBLIC:
        return ""
    if _published(given, incident, audience):
        return " The status page has it in a few seconds."
    if _webhook(given, incident):
        return ""  # a drill, or private: what was said of the stakeholders holds for it, too
    return " No status page is configured (`urls.status_page_webhook`): write it there by hand."


def _form(given: Given, incident: Incident) -> Form:
    last = incident.updates[-1] if incident.updates else None
    said = last.parts if last else {}
    is_public = bool(_webhook(given, incident)) and not incident.is_private
    audiences = _AUDIENCES if is_public else _AUDIENCES[:1] if incident.is_private else _AUDIENCES[:2]
    fields = (
        Field("conditions", "How does it stand?", "text", "What users feel, and how many",
              said.get("conditions", incident.impact), most=LONGEST),
        Field("actions", "What is being done?", "text", "", said.get("actions", ""), is_optional=True, most=LONGEST),
        Field("needs", "What is needed?", "text", "Of whom", said.get("needs", ""), is_optional=True, most=LONGEST),
        Field("next", "When do people hear again?", "choice", "", _usual(given, incident), _NEXT),
        Field("to", "Who is told?", "choice", "", audiences[-1][0] if last else audiences[0][0], audiences),
    )  # fmt: skip
    title = f"Update {incident.id[-14:]}"
    return Form(title, "Send", replace(given.args, name="", rest="", flags={**given.args.flags, "incident": incident.id}),
                fields)  # fmt: skip


def _usual(given: Given, incident: Incident) -> str:
    after = next_update(incident, given.now) - given.now
    return next((key for key, _ in _NEXT if duration(key) >= after), "24h")


def done(given: Given) -> Entry:
    return _tick(given, ItemState.DONE)


def skip(given: Given) -> Entry:
    if not reason(given, given.args.rest):
        raise UsageError(f"Say why: `/sre incident skip {given.args.name or 'LINE'} --why …`. {NOTHING}")
    return _tick(given, ItemState.SKIPPED)


def _tick(given: Given, state: ItemState) -> Entry:
    incident = live(given)
    item = _item(given, incident)
    if item.state is not ItemState.OPEN:
        raise Stale(f"`{item.key}` is {item.state.value} already. {NOTHING}")
    if item.evidence and state is ItemState.DONE:
        raise UsageError(
            f"`{item.key}` ({item.text}) ticks itself when the record shows it. If it is not needed: "
            f"`/sre incident skip {item.key} --why …`. {NOTHING}"
        )
    why = reason(given, given.args.rest)
    told = event(given, Kind.ITEM, f"{item.text}: {state.value}" + (f" ({why})" if why else ""),
                 key=item.key, state=state.value, why=why)  # fmt: skip
    return Entry(f"{item.text}: {state.value}.", write(incident, told, unset(given, f"item:{item.key}")))


def _item(given: Given, incident: Incident) -> Item:
    found = next((item for item in incident.items if item.key == given.args.name.casefold()), None)
    if found is None:
        still = [f"`{item.key}` {item.text}" for item in incident.items if item.state is ItemState.OPEN]
        listed = "; ".join(still[:8]) or "none is open"
        raise UsageError(f"Which line? {listed}. {NOTHING}")
    return found


UPDATE = Command(
    word="incident",
    verbs=("update",),
    summary="Tell people how it stands: what is the case, what is done, what is needed.",
    rows=("EM-1.2", "EM-4.4", "IN-31"),
    examples=(
        "incident update",
        'incident update "half of the payments fail" --actions "rolling back" --next 30m',
    ),
    flags=(
        Flag("conditions", "what is the case", "TEXT"),
        Flag("actions", "what is being done", "TEXT"),
        Flag("needs", "what is needed, and of whom", "TEXT"),
        Flag("next", "when people hear again", "30m"),
        Flag("to", "channel, stakeholders or public", "AUDIENCE"),
    ),
    names="IN YOUR WORDS",
    entry=update,
)
DONE = Command(
    word="incident",
    verbs=("done",),
    summary="A line of the checklist is done.",
    rows=("EM-1.0", "IN-28"),
    examples=("incident done case 4711 at AWS",),
    flags=(WHY,),
    names="LINE NOTE",
    entry=done,
)
SKIP = Command(
    word="incident",
    verbs=("skip",),
    summary="A line of the checklist is left out, with the reason.",
    rows=("IN-28",),
    examples=('incident skip case --why "AWS is not involved"',),
    flags=(WHY,),
    names="LINE",
    entry=skip,
)
