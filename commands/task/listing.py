"""`task list` and `task mine`: what is open, the late ones first; mine with what the roles I hold owe an incident, and
the changes that wait for my approval."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from commands.called import names_of
from commands.command import Command, Flag, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Request, Section
from commands.phrase import counted, span
from commands.reads import Now
from commands.response.incident import Incident, Item, ItemState, Role
from commands.response.task import Task
from commands.responsereads import Asker, Awaiting, HouseZone, OpenIncidents, Tasks
from commands.site import ClusterSite
from commands.tasking import TOPIC, lateness
from commands.wording import aligned, one_line, shown_and_kept, unread

KEPT = timedelta(days=90)  # so far back `--all` looks
_ROWS = 25
_BUTTONS = 3


def parts(args: Args, site: ClusterSite) -> Parts:
    if args.verb == "list":
        topic = args.flags.get("topic", "").casefold()
        return {"tasks": Part("Tasks", listed(topic, everything="all" in args.flags))}
    return {"mine": Part("Mine", mine())}


# --- all of them ----------------------------------------------------------------------------------


def listed(topic: str, *, everything: bool) -> Inquiry:
    seen = yield (Now(), HouseZone())
    now, zone = seen[Now()], seen[HouseZone()]
    if isinstance(now, Gap) or isinstance(zone, Gap):
        return Section(
            "tasks", "Tasks", True, (unread("OM-4.6", "Time", now if isinstance(now, Gap) else zone),)
        )
    wanted = Tasks(now - KEPT if everything else None)
    found: tuple[Task, ...] | Gap = (yield (wanted,))[wanted]
    if isinstance(found, Gap):
        return Section("tasks", "Tasks", True, (unread("OM-4.6", "Tasks", found),))
    today = now.astimezone(ZoneInfo(zone)).date()
    shown = in_order((each for each in found if topic in ("", each.topic)), today)
    names = yield from names_of(each.owner for each in shown)
    table, files = shown_and_kept(_table(shown, today, names), _ROWS, "tasks.txt", "All of them")
    return Section("tasks", "Tasks", True, (_standing(shown, today),), "", files, table if shown else ())


def in_order(tasks: Iterable[Task], today: date) -> list[Task]:
    """Those that are open first, the longest due before the others."""
    return sorted(tasks, key=lambda each: (each.is_over, each.due, each.id))


def _standing(tasks: list[Task], today: date) -> Finding:
    open_ = [each for each in tasks if each.is_active]
    late = [each for each in open_ if lateness(each, today)]
    value = f"{counted(len(open_), 'task')} open" + (f", {len(late)} late" if late else "")
    light = Light.YELLOW if late else Light.GREEN
    new = Suggestion("A new task…", "task new")
    return Finding("OM-4.6", "Open", light, value, suggestions=(*map(_done, late[:_BUTTONS]), new))


def _done(task: Task) -> Suggestion:
    return Suggestion(f"Done: {one_line(task.title, 30)}", f"task done {task.id}")


def _table(tasks: Iterable[Task], today: date, names: Mapping[str, str]) -> tuple[str, ...]:
    header = ("id", "owner", "due", "stands", "incident", "title")
    rows = (
        (
            each.id, names.get(each.owner, each.owner), str(each.due), _stands(each, today), each.incident or "-",
            ("drill: " if each.is_drill else "") + one_line(each.title, 80),
        )
        for each in tasks
    )  # fmt: skip
    return aligned(header, rows, width=24)


def _stands(task: Task, today: date) -> str:
    late = lateness(task, today)
    return f"{counted(late, 'day')} late" if late else task.state.value


# --- mine -----------------------------------------------------------------------------------------


def mine() -> Inquiry:
    own = (Now(), HouseZone(), Asker(), Tasks(), OpenIncidents(), Awaiting())
    seen = yield own
    gap = next((seen[each] for each in own if isinstance(seen[each], Gap)), None)
    if gap is not None:
        return Section("mine", "Mine", True, (unread("OM-4.6", "Mine", gap),))
    now, user = seen[Now()], seen[Asker()]
    today = now.astimezone(ZoneInfo(seen[HouseZone()])).date()
    tasks = in_order((each for each in seen[Tasks()] if each.owner == user), today)
    lines = sorted(_owed(seen[OpenIncidents()], user), key=lambda pair: pair[1].due)
    return Section(
        "mine", "Mine", True, (_tasks(tasks, today), *_lines(lines, now), *_approvals(seen[Awaiting()], now))
    )


def _tasks(tasks: list[Task], today: date) -> Finding:
    late = [each for each in tasks if lateness(each, today)]
    value = counted(len(tasks), "task") + (f", {len(late)} late" if late else "")
    told = tuple(
        f"{each.id} due {each.due} ({_stands(each, today)}): {one_line(each.title, 120)}" for each in tasks
    )
    light = Light.YELLOW if late else Light.GREEN
    buttons = tuple(map(_done, tasks[:_BUTTONS])) or (Suggestion("A new task…", "task new"),)
    return Finding("OM-4.6", "Tasks", light, value, evidence=told, suggestions=buttons)


def _owed(incidents: Iterable[Incident], user: str) -> Iterable[tuple[Incident, Item]]:
    """The open lines of the roles that somebody holds."""
    for incident in incidents:
        roles = {role.value for role in Role if incident.holder(role) == user}
        for item in incident.items:
            if item.state is ItemState.OPEN and item.role in roles:
                yield incident, item


def _lines(owed: list[tuple[Incident, Item]], now: datetime) -> tuple[Finding, ...]:
    if not owed:
        return ()
    late = sum(item.due < now for _, item in owed)
    told = tuple(f"{incident.id} {_when(item, now)}: {item.text}" for incident, item in owed)
    buttons = tuple(
        Suggestion(f"Done: {one_line(item.text, 30)}", f"incident done {item.key} --incident {incident.id}")
        for incident, item in owed[:_BUTTONS]
    )
    value = counted(len(owed), "line") + (f", {late} late" if late else "")
    light = Light.YELLOW if late else Light.GREEN
    return (Finding("EM-1.0", "Of my roles", light, value, evidence=told, suggestions=buttons),)


def _approvals(waiting: tuple[Request, ...], now: datetime) -> tuple[Finding, ...]:
    """What others asked for and I may approve: its card shows the plan, and has the button."""
    if not waiting:
        return ()
    told = tuple(f"{each.id} `{each.text}`, asked for {span(now - each.created)} ago" for each in waiting)
    return (
        Finding(
            "CM-2.0", "Wait for an approval", Light.YELLOW, counted(len(waiting), "change"), evidence=told
        ),
    )


def _when(item: Item, now: datetime) -> str:
    return f"{span(now - item.due)} late" if item.due < now else f"in {span(item.due - now)}"


LISTING = Command(
    word="task",
    verbs=("list", "mine"),
    summary="What is open, and what of it is yours.",
    rows=("OM-4.6", "EM-5.3", "KM-4.1"),
    parts=parts,
    examples=("task mine", "task list", "task list --all --topic techtalk"),
    flags=(Flag("all", "also what is done, of the last 90 days"), TOPIC),
    immediate=True,
)
