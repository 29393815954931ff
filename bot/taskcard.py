"""Pure: a task in Slack: one message that is edited in place, and the reminders of its owner under it.

An action of an incident is told under that one's card. What is told in direct messages has a card for each owner: who
gave it away sees to whom. Called by bot/render.py, with a record whose texts are redacted; every one is escaped here.
"""

from bot.alertwords import line, person
from bot.blocks import Block, Message, bounded, buttons, context, escape, mention, paragraph, paragraphs
from commands.finding import Suggestion
from commands.response.task import Task, TaskState

_SIGNS = {TaskState.OPEN: "☐", TaskState.DONE: "✅", TaskState.SKIPPED: "⚪"}
_TITLE, _WHY = 300, 300


def messages(task: Task) -> tuple[Message, ...]:
    is_reply = bool(task.under)
    card = Message(_key(task, task.owner), _aloud(task), tuple(bounded(_card(task))), in_thread=is_reply)
    return (card, *_lines(task), *_farewells(task))


def _key(task: Task, owner: str) -> str:
    return "card" if task.under or task.channel else f"{owner} card"


def _aloud(task: Task) -> str:
    drill = "🧪 " if task.is_drill else ""
    return f"{drill}{_SIGNS[task.state]} {line(task.title, _TITLE)} · due {task.due}"


def _card(task: Task) -> list[Block]:
    drill = "🧪 " if task.is_drill else ""
    owner = person(task.owner)
    told = [
        f"{drill}{_SIGNS[task.state]} *{line(task.title, _TITLE)}* · {owner} · due {task.due:%a %-d %b %Y}"
    ]
    if task.state is not TaskState.OPEN:
        why = f": {line(task.why, _WHY)}" if task.why else ""
        told.append(f"{task.state.value} by {person(task.finished_by)}{why}")
    about = " · ".join(filter(None, (task.id, line(task.incident, 40), line(task.topic, 40))))
    return [*paragraphs(told), *buttons(_ways(task)), context(f"{about} · asked for by {person(task.by)}")]


def _ways(task: Task) -> tuple[Suggestion, ...]:
    if task.state is not TaskState.OPEN:
        return (Suggestion("Open again…", f"task reopen {task.id}"),)
    return (
        Suggestion("Done", f"task done {task.id}"),
        Suggestion("Give it to somebody…", f"task assign {task.id}"),
        Suggestion("Leave it out…", f"task skip {task.id}"),
    )


def _lines(task: Task) -> tuple[Message, ...]:
    return tuple(
        _line(task, each.key, f"{mention(each.mention)} {escape(each.text)}".strip(), each.by)
        for each in task.lines
    )


def _line(task: Task, key: str, said: str, by: str) -> Message:
    text = f"{said} · {person(by)}" if by else said
    return Message(f"line {key}", text, (paragraph(text),), in_thread=True)


def _farewells(task: Task) -> tuple[Message, ...]:
    """The cards of those who had it before, where each has one."""
    if _key(task, task.owner) == "card":
        return ()
    text = f"☐ {line(task.title, _TITLE)} · now {person(task.owner)}'s"
    others = dict.fromkeys(each for each in task.owners if each != task.owner)
    return tuple(Message(_key(task, each), text, (paragraph(text),), only_edit=True) for each in others)
