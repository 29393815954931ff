"""Pure: the Home tab of one person: what is on, what waits for them, how it stood when it was last looked at.

It says only what the bot's own records say; a page knows no clock, so times are Slack's, in each reader's zone. Nothing
is decided here: what waits for an approval leads to the card that shows what is approved. Called by bot/render.py, with
texts that are redacted; every one of them is escaped here. What a person may see is for bot/homeview.py to say.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar

from bot.alertwords import ICON as ALERT_ICON
from bot.alertwords import code, icon, line, name, person, where
from bot.blocks import (
    Block,
    buttons,
    channel_link,
    context,
    cut,
    escape,
    heading,
    home,
    link,
    moment,
    paragraph,
    paragraphs,
)  # fmt: skip
from bot.findings import ICON, severity, top_lines
from bot.incidentwords import commander, grave, standing, title
from commands.finding import Light, Suggestion
from commands.model import AlertGroup, Request, Severity
from commands.phrase import counted
from commands.reads import RunView, WhoamiView
from commands.response.changerequest import ChangeRequest
from commands.response.incident import Incident, Item
from commands.response.task import Task
from commands.tasking import lateness

# How many lines of each part are shown; of the rest it is said where they are.
ALERTS, INCIDENTS, WAITING, TASKS, RUNS = 20, 10, 8, 8, 5
_GLANCE = 3  # findings of a cluster
_LINES = 8  # changes that somebody may ask for
_TEXT = 120

_UNREAD = ICON[Light.UNKNOWN]

# The roles of the configuration (commands/site/people.py), as one says what somebody is there.
ROLE_WORDS = {
    "oncall": "on call", "approvers": "approver", "two_person": "approver where it takes two",
    "sre-lead": "SRE lead", "security": "security", "platform": "platform",
    "service-owner": "service owner", "db-owner": "database owner", "comms": "communications",
}  # fmt: skip

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Told(Generic[R]):
    """A record as its card shows it. url: of that card, "" where Slack has none yet. is_mine: the person's own."""

    record: R
    url: str = ""
    is_mine: bool = False


@dataclass(frozen=True, slots=True)
class Few(Generic[R]):
    """The first of many, and how many there are in all."""

    shown: tuple[R, ...] = ()
    count: int = 0

    @classmethod
    def of(cls, many: Iterable[R], most: int) -> "Few[R]":
        found = tuple(many)
        return cls(found[:most], len(found))


@dataclass(frozen=True, slots=True)
class Glance:
    """A cluster. counts: how many alerts of it fire, by how grave. deaf: why no alert of it may have arrived, "" where
    nothing speaks for that. health: the last answer to all four questions of it; age: how many whole days ago, where
    that is so long that it says nothing of now."""

    cluster: str
    counts: tuple[tuple[Severity, int], ...] = ()
    deaf: str = ""
    health: Told[Request] | None = None
    age: int = 0


@dataclass(frozen=True, slots=True)
class Shift:
    """Somebody's time on call; until: None where nobody comes after them."""

    user: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Home:
    """What one person's Home tab shows. sentence: all that is said to who may see nothing else. channel: their direct
    messages with the bot, where a press on the page is answered."""

    user: str
    channel: str
    sentence: str = ""
    alerts: Few[Told[AlertGroup]] = Few()
    incidents: Few[Told[Incident]] = Few()
    waiting: Few[Told[Request]] = Few()
    changes: Few[Told[ChangeRequest]] = Few()
    clusters: tuple[Glance, ...] = ()
    tasks: Few[Task] = Few()
    owed: Few[tuple[str, Item]] = Few()
    runs: tuple[RunView, ...] = ()
    shifts: tuple[Shift, ...] = ()
    who: WhoamiView = field(default_factory=WhoamiView)
    today: date = date.min


Headline = Callable[[Request], str]


def view(page: Home, headline: Headline) -> Block:
    """headline: how the first line of an answer reads (bot/render.py)."""
    if page.sentence:
        return home(page.channel, [paragraph(escape(page.sentence))])
    parts = (
        _waiting(page), _incidents(page), _alerts(page), _clusters(page, headline), _tasks(page), _duty(page),
        _schedule(page), _rights(page),
    )  # fmt: skip
    return home(page.channel, [*buttons(_WAYS), *(block for part in parts for block in part)])


_WAYS = (
    Suggestion("Health", "health"),
    Suggestion("Alerts", "alert list"),
    Suggestion("Declare an incident…", "incident declare"),
    Suggestion("My tasks", "task mine"),
    Suggestion("Help", "help"),
)


def _part(head: str, lines: Iterable[str], more: str = "") -> list[Block]:
    return [heading(head), *paragraphs(lines), *([context(more)] if more else [])]


def _more(few: Few[R], way: str) -> str:
    left = few.count - len(few.shown)
    return f"and {left} more: `/sre {way}`" if left else ""


def _card(told: Told[R], label: str) -> str:
    return link(told.url, label) if told.url else f"*{escape(label)}*"


def _way(told: Told[R]) -> str:
    return link(told.url, "open") if told.url else ""


# --- what waits for them ---


def _waiting(page: Home) -> list[Block]:
    """A change is approved on its card, which shows what it would do, and nowhere else."""
    if not (page.waiting.count or page.changes.count):
        return []
    left = page.waiting.count + page.changes.count - len(page.waiting.shown) - len(page.changes.shown)
    more = f"and {left} more, in their channels · " if left else ""
    lines = [*map(_request, page.waiting.shown), *map(_change, page.changes.shown)]
    return _part("For you to approve", lines, f"{more}Its card shows the plan, and has the buttons.")


def _request(told: Told[Request]) -> str:
    asked = told.record
    why = f" · {line(asked.why, _TEXT)}" if asked.why else ""
    what = f"{_card(told, asked.id)} {_typed(asked.text)}"
    return f"✋ {what} · asked for by {person(asked.actor.user)} {moment(asked.created)}{why}"


def _change(told: Told[ChangeRequest]) -> str:
    asked = told.record
    what = f"{_card(told, asked.id)} {line(asked.payload.what, _TEXT)}"
    return f"✋ {what} · asked for by {person(asked.by)}, to begin {moment(asked.payload.at)}"


def _typed(text: str) -> str:
    return f"`{code(cut(' '.join(text.split()), _TEXT))}`"


# --- what is on ---


def _incidents(page: Home) -> list[Block]:
    if not page.incidents.count:
        return [heading("Incidents"), paragraph("None is going on that you may know of.")]
    return _part("Incidents", map(_incident, page.incidents.shown), _more(page.incidents, "incident list"))


def _incident(told: Told[Incident]) -> str:
    one, room = told.record, told.record.room
    secret = "🔒 " if one.is_private else ""
    place = channel_link(room.channel) if room.is_own else _way(told)
    said = (f"{secret}{grave(one)}", f"*{title(one)}*", standing(one), commander(one), place, escape(one.id))
    return " · ".join(filter(None, said))


def _alerts(page: Home) -> list[Block]:
    if not page.alerts.count:
        return [heading("Open alerts"), paragraph("None that the bot was told of.")]
    mine = sum(each.is_mine for each in page.alerts.shown)
    head = f"Open alerts: {page.alerts.count}" + (f", {mine} yours" if mine else "")
    return _part(head, map(_alert, page.alerts.shown), _more(page.alerts, "alert list"))


def _alert(told: Told[AlertGroup]) -> str:
    group = told.record
    hand = "yours" if told.is_mine else f"owner {person(group.care.owner)}" if group.care.owner else ""
    taken = "" if hand or not group.care.acked else f"acknowledged by {person(group.care.acked_by)}"
    parts = (
        f"{icon(group)} *{name(group)}*", where(group), f"since {moment(group.opened)}", hand, taken, _way(told),
    )  # fmt: skip
    return " · ".join(filter(None, parts))


# --- the clusters ---


def _clusters(page: Home, headline: Headline) -> list[Block]:
    return [heading("At a glance"), *(block for each in page.clusters for block in _glance(each, headline))]


def _glance(glance: Glance, headline: Headline) -> list[Block]:
    lines = [f"*{line(glance.cluster, 80)}* · {_firing(glance)}", *_health(glance, headline)]
    if glance.health is not None and not glance.age:
        return paragraphs(lines)
    read = Suggestion("Read it now", f"health --cluster {glance.cluster}")
    return [*paragraphs(lines), *buttons((read,))]


def _firing(glance: Glance) -> str:
    """That nothing fires is worth nothing where nothing may arrive."""
    told = [f"{ALERT_ICON[grade]} {count} {grade.value}" for grade, count in glance.counts if count]
    if glance.deaf:
        return ", ".join([*told, f"{_UNREAD} whether alerts arrive is unknown: {line(glance.deaf)}"])
    return ", ".join(told) or "no alert fires"


def _health(glance: Glance, headline: Headline) -> Iterator[str]:
    if glance.health is None:
        yield f"{_UNREAD} health was never read"
        return
    request = glance.health.record
    read = request.finished or request.created
    said, way = headline(request), _way(glance.health)
    if glance.age:
        then = said.partition(" ")[2]  # without its colour
        said = f"{_UNREAD} read {counted(glance.age, 'day')} ago, which says nothing of now; it was: {then}"
    yield " · ".join(filter(None, (said, f"read {moment(read)}", way)))
    if not glance.age:
        yield from _facts(request)


def _facts(request: Request) -> Iterator[str]:
    """What of the cluster itself is worth a look, the gravest first."""
    found = [
        finding for section in request.sections if section.key == "cluster" for finding in section.findings
    ]
    grave = sorted((f for f in found if f.light is not Light.GREEN), key=lambda f: severity(f.light))
    yield from top_lines(grave or found)[:_GLANCE]


# --- theirs ---


def _tasks(page: Home) -> list[Block]:
    if not (page.tasks.count or page.owed.count):
        return []
    lines = [
        *(_owed(id, item) for id, item in page.owed.shown),
        *(_task(page, each) for each in page.tasks.shown),
    ]
    left = page.tasks.count + page.owed.count - len(page.tasks.shown) - len(page.owed.shown)
    return _part("Your tasks", lines, f"and {left} more: `/sre task mine`" if left else "")


def _owed(id: str, item: Item) -> str:
    return f"☐ {line(item.text, _TEXT)} · {escape(id)}, due {moment(item.due)}"


def _task(page: Home, task: Task) -> str:
    days = lateness(task, page.today)
    late = f" · ⚠️ {counted(days, 'day')} late" if days else ""
    drill = "🧪 " if task.is_drill else ""
    return f"☐ {drill}{line(task.title, _TEXT)} · {escape(task.id)}, due {task.due:%a %-d %b}{late}"


# --- the house ---


def _duty(page: Home) -> list[Block]:
    """By the rota; a page mentions nobody: nobody is called by it."""
    if not page.shifts:
        return [
            heading("On call"),
            paragraph("Nobody is on call: `roles.oncall` of the configuration names nobody."),
        ]
    now, *then = page.shifts
    until = f" until {moment(now.until)}" if now.until else ""
    you = " · that is you" if now.user == page.user else ""
    after = f" · then {person(then[0].user)}" if then else ""
    return _part("On call", [f"{person(now.user)}{until}{you}{after}"])


def _schedule(page: Home) -> list[Block]:
    if not page.runs:
        return [heading("What runs next"), paragraph(f"{_UNREAD} No scheduler has told yet what runs next.")]
    return _part("What runs next", map(_run, page.runs), "All of it: `/sre help schedule`")


def _run(run: RunView) -> str:
    when = "⚠️ overdue since" if run.overdue else ""
    last = f" · ⚠️ last time {line(run.result, 40)}" if run.result in ("failed", "missed") else ""
    return f"{_typed(run.text)} {when} {moment(run.next_due)}{last}".replace("  ", " ")


def _rights(page: Home) -> list[Block]:
    who = page.who
    roles = ", ".join(map(_role, who.roles)) or "none"
    lines = [f"Roles: {roles}"]
    if who.unsure:
        unsure = ", ".join(map(_role, who.unsure))
        lines.append(
            f"{_UNREAD} Slack has not told lately who is in the user groups of these roles: {unsure}"
        )
    changes = sorted(who.changes)
    told = ", ".join(f"`{code(each)}`" for each in changes[:_LINES])
    more = f" and {len(changes) - _LINES} more" if changes[_LINES:] else ""
    lines.append(
        f"Look at everything, and ask for {told}{more}" if told else "Look at everything, change nothing"
    )
    return _part("What you may do", lines, "In words: `/sre help whoami`")


def _role(name: str) -> str:
    return ROLE_WORDS.get(name) or f"`{code(name)}`"
