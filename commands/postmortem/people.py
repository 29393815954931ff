"""The sections of a postmortem that people write, and the actions: theirs stands there as they wrote it.

Each stands between two marks, so that who edits the file elsewhere sees what is theirs. What nobody wrote yet is said
to be missing, with who is to write it and the line that takes it.
"""

from commands.model import Gap
from commands.phrase import counted
from commands.postmortem.facts import Cast, Facts
from commands.postmortem.record import Lines
from commands.response.incident import ROLE_NAMES, Incident, Role
from commands.response.task import Task, TaskState

# What people write, by name: what the window asks, and who is to write it.
SECTIONS = {
    "summary": ("What happened, in a few sentences that anybody understands?", Role.IC),
    "factors": ("What contributed to it? Conditions, not people.", Role.OPS),
    "well": ("What went well?", Role.IC),
    "badly": ("What went badly, or well by luck only?", Role.IC),
    "lessons": ("What was learned?", Role.IC),
    "data": ("Which data, of whom, how much is lost (scope, RPO, RTO)?", Role.OPS),
}


def written(name: str, facts: Facts) -> Lines:
    """What people wrote, byte for byte, between its marks."""
    text = facts.incident.section(name)
    missing = f"_To be written by the {ROLE_NAMES[SECTIONS[name][1]]}: `/sre incident postmortem --{name}`._"
    return (f"<!-- {name}: written by people -->", text or missing, f"<!-- end of {name} -->")


def is_written(incident: Incident, name: str) -> bool:
    return bool(incident.section(name).strip())


def has_lost_data(incident: Incident) -> bool:
    """Whether it says so of itself, or might by its kind."""
    said = f"{incident.title} {incident.impact}".casefold()
    named = any(word in said for word in ("data loss", "dataloss", "lost data", "data lost"))
    return incident.is_security or named or is_written(incident, "data")


# --- actions --------------------------------------------------------------------------------------


def actions(facts: Facts, cast: Cast) -> Lines:
    if isinstance(facts.tasks, Gap):
        return (f"Unknown: the actions could not be read ({cast.told(facts.tasks.reason)}).",)
    if facts.tasks:
        return tuple(_action(task, cast) for task in facts.tasks)
    if facts.incident.no_tasks:
        return (f"None: {cast.told(facts.incident.no_tasks)}",)
    return (
        f'_To be written by the {ROLE_NAMES[Role.IC]}: `/sre incident action "…" --owner @somebody --due 14d`, or '
        "`/sre incident action --none REASON`._",
    )


def _action(task: Task, cast: Cast) -> str:
    box = {TaskState.OPEN: "[ ]", TaskState.DONE: "[x]", TaskState.SKIPPED: "[-]"}[task.state]
    ended = (
        "" if task.is_active else f", {task.state.value}" + (f": {cast.told(task.why)}" if task.why else "")
    )
    again = f", opened again {counted(task.reopened, 'time')}" if task.reopened else ""
    return f"- {box} {task.id} {cast.told(task.title)}: {cast.of(task.owner)}, due {task.due}{ended}{again}"
