"""`task new`, `done`, `assign`, `skip`, `reopen`: what becomes of a task. Every member of the workspace may.

A task is told where it was asked for, or under the card of its incident; its owner is reminded there.
"""

from commands.command import Command, Flag
from commands.entry import TASK, Entry, Given, Write
from commands.errors import Stale, UsageError
from commands.finding import Suggestion
from commands.form import Field, Form, NeedsForm
from commands.grammar import visible
from commands.ledger import Draft
from commands.model import Args
from commands.response.task import Kind, Task, draft
from commands.tasking import DUE, NOTHING, OWNER, TOPIC, WORD, day, opened, owner, today, wished
from commands.wording import one_line

_WHY = Flag("why", "the reason, for the record", "TEXT")
_REASON = 500


def new(given: Given) -> Entry:
    wish = wished(given, "A new task")
    of = f" of {given.incident.id}" if given.incident else ""
    answer = (
        f"{{id}}{of} is written down: {wish.title}, due {wish.due}. Its owner is reminded two days before."
    )
    return Entry(answer, opened(given, wish, given.incident))


def done(given: Given) -> Entry:
    task = _open(given)
    told = draft(Kind.DONE, f"☑ {task.id} is done", given.actor.user, is_told=True)
    return _entered(task, f"{task.id} is done: {task.title}.", told)


def skip(given: Given) -> Entry:
    task, why = _open(given), _reason(given)
    if not why:
        raise _asked(given, task, "Leave it out", "Why is it left out?")
    told = draft(Kind.SKIPPED, f"{task.id} is left out: {why}", given.actor.user, is_told=True, why=why)
    return _entered(task, f"{task.id} is left out, and your reason stands in the record.", told)


def reopen(given: Given) -> Entry:
    task = _meant(given)
    if task.is_active:
        raise Stale(f"{task.id} is open. {NOTHING}")
    why = _reason(given)
    because = f": {why}" if why else ""
    told = draft(
        Kind.REOPENED,
        f"{task.id} is open again{because}",
        given.actor.user,
        is_told=True,
        mention=_called(task),
        why=why,
    )
    return _entered(task, f"{task.id} is open again, due {task.due}.", told)


def assign(given: Given) -> Entry:
    """Somebody else does it, or until another day."""
    task, flags = _open(given), given.args.flags
    said = flags.get("owner", "") or given.args.rest.partition(" ")[0]
    if not said and "due" not in flags:
        raise _given_away(given, task)
    drafts: list[Draft] = []
    whose = owner(given, said) if said else task.owner
    if whose != task.owner:
        mention = "" if task.is_drill else whose
        text = f"{task.id} is yours now: {task.title}, due {task.due}"
        drafts.append(
            draft(Kind.ASSIGNED, text, given.actor.user, is_told=True, mention=mention, owner=whose)
        )
    until = day(flags["due"], today(given.now, given.site)) if flags.get("due") else task.due
    if until != task.due:
        drafts.append(
            draft(Kind.DUE, f"{task.id} is due {until}, not {task.due}", given.actor.user, is_told=True,
                  due=until.isoformat())
        )  # fmt: skip
    if not drafts:
        raise Stale(f"{task.id} is so already. {NOTHING}")
    return _entered(task, f"{task.id}: {'; '.join(each.text for each in drafts)}.", *drafts)


# --- which, and why -------------------------------------------------------------------------------


def _meant(given: Given) -> Task:
    if given.task is not None:
        return given.task
    shown = one_line(visible(given.args.name), 40).replace("`", "")
    there = (
        f"There is no task `{shown}`."
        if shown
        else "Name the task, as in `/sre task done TSK-2026-11-23-001`."
    )
    raise UsageError(f"{there} `/sre task list` shows the open ones. {NOTHING}")


def _open(given: Given) -> Task:
    task = _meant(given)
    if task.is_active:
        return task
    raise Stale(
        f"{task.id} is {task.state.value} already. `/sre task reopen {task.id}` opens it again. {NOTHING}"
    )


def _reason(given: Given) -> str:
    return one_line(visible(f"{given.args.flags.get('why', '')} {given.args.rest}"), _REASON).strip()


def _asked(given: Given, task: Task, title: str, question: str) -> NeedsForm:
    args = Args(WORD, given.args.verb, task.id)
    form = Form(
        title, title, args, (Field("why", question, most=_REASON),), one_line(f"{task.id}: {task.title}", 140)
    )
    return NeedsForm(form, f"Say why: `/sre task {given.args.verb} {task.id} REASON`. {NOTHING}")


def _given_away(given: Given, task: Task) -> NeedsForm:
    fields = (
        Field("owner", "Who does it?", "person", initial=task.owner),
        Field("due", "Until which day?", "date", initial=task.due.isoformat()),
    )
    form = Form(
        "Give it to somebody", "Give it", Args(WORD, "assign", task.id), fields, one_line(task.title, 140)
    )
    return NeedsForm(
        form, f"Say who: `/sre task assign {task.id} @somebody`, with `--due` another day. {NOTHING}"
    )


def _called(task: Task) -> str:
    return "" if task.is_drill else task.owner


def _entered(task: Task, answer: str, *drafts: Draft) -> Entry:
    mine = Suggestion("My tasks", "task mine")
    return Entry(answer, (Write(drafts, task.id, WORD),), suggestions=(mine,))


NEW = Command(
    word=WORD, verbs=("new",), summary="Something to do, by whom and until when; in an incident's channel an action of it.",
    rows=("OM-4.6", "EM-3.3", "EM-4.1", "EM-5.4", "KM-4.2"),
    examples=('task new "raise the pool limit" --owner me --due 3d', "task new"),
    flags=(OWNER, DUE, TOPIC), names="TITLE REST…", entry=new,
)  # fmt: skip
ENTERING = (
    Command(
        word=WORD, verbs=("done",), summary="It is done.", rows=("OM-4.6",), examples=("task done TSK-2026-11-23-001",),
        names=TASK, entry=done,
    ),
    Command(
        word=WORD, verbs=("assign",), summary="Give it to somebody, or another day.", rows=("OM-4.6",),
        examples=("task assign TSK-2026-11-23-001 me", "task assign TSK-2026-11-23-001 --due 2w"),
        flags=(OWNER, DUE), names=f"{TASK} PERSON…", entry=assign,
    ),
    Command(
        word=WORD, verbs=("skip",), summary="It is left out; say why.", rows=("OM-4.6",),
        examples=("task skip TSK-2026-11-23-001 another team does it",), flags=(_WHY,), names=f"{TASK} REASON…",
        entry=skip,
    ),
    Command(
        word=WORD, verbs=("reopen",), summary="It is not done after all.", rows=("OM-4.6",),
        examples=("task reopen TSK-2026-11-23-001 it came back",), flags=(_WHY,), names=f"{TASK} REASON…", entry=reopen,
    ),
)  # fmt: skip
