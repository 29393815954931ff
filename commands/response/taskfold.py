"""From events to the task they make: the one way in which a `Task` comes to be or changes.

Replaying the events gives the record again, field for field; a kind that nobody knows changes nothing but the head.
"""

from dataclasses import replace
from datetime import date

from commands.ledger import Event
from commands.response.events import read
from commands.response.folding import line_of, told
from commands.response.incident import Timer
from commands.response.task import Kind, Task, TaskState


def begun(id: str, event: Event) -> Task:
    """Raises ValueError for an event that opens none."""
    if event.kind != Kind.OPENED:
        raise ValueError(f"{id} does not begin with its opening")
    facts = event.facts
    made = Task(
        id=id, title=facts.get("title", ""), owner=facts["owner"], due=date.fromisoformat(facts["due"]),
        opened=event.at, updated=event.recorded, by=event.by, cluster=facts.get("cluster", ""),
        incident=facts.get("incident", ""), topic=facts.get("topic", ""), channel=facts.get("channel", ""),
        owners=(facts["owner"],), is_drill=facts.get("drill") == "yes", is_private=facts.get("private") == "yes",
    )  # fmt: skip
    return told(made, event, line_of(event))


def after(task: Task, event: Event) -> Task:
    facts = event.facts
    match event.kind:
        case Kind.ASSIGNED:
            task = replace(task, owner=facts["owner"], owners=(*task.owners, facts["owner"]))
        case Kind.DUE:
            task = replace(task, due=date.fromisoformat(facts["due"]))
        case Kind.DONE:
            task = replace(
                task,
                state=TaskState.DONE,
                finished=event.at,
                finished_by=event.by,
                done=task.done or event.at,
                why="",
            )
        case Kind.SKIPPED:
            task = replace(
                task,
                state=TaskState.SKIPPED,
                finished=event.at,
                finished_by=event.by,
                why=facts.get("why", ""),
            )
        case Kind.REOPENED:
            task = replace(
                task, state=TaskState.OPEN, finished=None, finished_by="", why=facts.get("why", ""),
                reopened=task.reopened + 1,
            )  # fmt: skip
        case Kind.TIMER:
            due = read(facts.get("due", ""))
            task = replace(task, timer=Timer("remind", due) if due else None)
        case Kind.REMINDED if task.timer:
            task = replace(task, timer=replace(task.timer, fired=event.at))
    return told(task, event, line_of(event))
