"""Every window that asks for what a line lacks, as its form: for what Slack takes, and for the pictures of the sandbox."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from bot import careviews, forms, render
from bot.alertcard import silence_view
from bot.blocks import Block
from commands.changes.deciding import reject
from commands.changes.new import edit, new
from commands.changes.ready import tick
from commands.changes.steps import close
from commands.entry import Entry, Given
from commands.form import Form, NeedsForm
from commands.ledger import START, Event, sealed
from commands.model import Args, Place
from commands.response.changerequest import Stage
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from commands.response.task import Task, TaskState
from commands.site import Site
from commands.task import COMMANDS as TASKS
from tests import build
from tests.build import ALICE, BOB, INCIDENT, NOW, VERBS, decided, given, incident
from tests.pure.change_world import given as of_change
from tests.pure.change_world import standing

LONG = "checkout <is> & stays down " * 7  # a title nearly as long as they may be

OTHER = replace(incident(title=LONG), id="INC-2026-11-23-002")

LED = incident(draft(Kind.ACCEPTED, "took it", role="ic", user=ALICE.user), title=LONG)

MITIGATED = incident(draft(Kind.STATUS, "mitigated", to="mitigated"), title=LONG)

RESOLVED = incident(draft(Kind.STATUS, "resolved", to="resolved"), title=LONG)

CHANGE = replace(build.change_request(build.plan()), id="R1A2B", place=Place("C0INCROOM01"))

FIRES = build.group(*(build.alert(f"Alert{n}", pod="x" * 60) for n in range(40)))


def noted() -> Event:
    (made,) = sealed((replace(draft(Kind.NOTE, "hunter2"), by=BOB.user),), START, NOW, ("salt",))
    return replace(made, seq=3)


NOTED = noted()

# What was typed, in which incident, with what else: and the fields as somebody fills them in.
CASES: dict[str, tuple[Incident | None, dict[str, Any], dict[str, str]]] = {
    "declare": (None, {}, {"title": "it is down", "severity": "1", "from": "customer"}),
    "declare --alert ATEST": (None, {"groups": (FIRES,)}, {}),
    "security": (None, {}, {"title": "a key is public"}),
    "assign": (LED, {}, {"name": "ops", "rest": BOB.user}),
    "assign ic me": (LED, {"by": BOB}, {"why": "she is away"}),
    "sev": (LED, {}, {"name": "2", "why": "reads work"}),
    "sev 3": (LED, {}, {"why": "one node"}),
    "identify": (MITIGATED, {}, {"why": "errors are back"}),
    "set": (LED, {}, {"name": "impact", "rest": "a third fails\nof all"}),
    "set started": (LED, {}, {"rest": "09:02"}),
    "set detection": (LED, {}, {"rest": "customer"}),
    "set title": (LED, {}, {"rest": "it is down"}),
    "note": (LED, {}, {"rest": "09:02 it fell"}),
    "page": (LED, {}, {"name": f"@{BOB.user}", "why": "it is your queue"}),
    "resolve --force": (LED, {"groups": (FIRES,)}, {"why": "old pods"}),
    "reopen": (RESOLVED, {}, {"why": "it is back"}),
    "cancel": (LED, {}, {"why": "a mistake"}),
    "waive": (RESOLVED, {}, {"why": "the same as before"}),
    "merge": (LED, {"open": (LED, OTHER)}, {"name": OTHER.id}),
    "redact 3": (LED, {"event": NOTED}, {"why": "a password"}),
    "postmortem --lessons": (RESOLVED, {}, {"rest": "limits\nfor all"}),
    "action": (LED, {}, {"rest": "limit every pool", "owner": BOB.user, "due": "2026-12-01"}),
    "action limit --owner me": (LED, {}, {"due": "2026-12-01"}),
    "action --none": (RESOLVED, {}, {"why": "the vendor mends it"}),
    "break-glass R1A2B": (LED, {"request": CHANGE}, {"confirm": "R1A2B", "why": "nobody is awake"}),
}


def asked(line: str) -> Form:
    known, more, _ = CASES[line]
    with pytest.raises(NeedsForm) as needed:
        decided(line, known, **more)
    assert "Nothing was done." in str(needed.value)
    return needed.value.form


# --- what the gallery shows: names as they are, and nothing longer than it usually is


def of(entry: Callable[[Given], Entry], typed: Given) -> Block:
    with pytest.raises(NeedsForm) as needed:
        entry(typed)
    return forms.view(needed.value.form, typed.place)


def incident_window(line: str, known: Incident | None = None, **more: Any) -> Block:
    return of(lambda typed: entry_of(typed)(typed), given(line, known, **more))


def entry_of(typed: Given) -> Callable[[Given], Entry]:
    found = next(each.entry for each in VERBS if typed.args.verb in each.verbs)
    assert found is not None
    return found


def task_window(verb: str, **more: Any) -> Block:
    open_or_done = replace(TASK, state=TaskState.DONE) if verb == "reopen" else TASK
    about = None if verb == "new" else open_or_done
    typed = Given(
        Args("task", verb, TASK.id if about else ""), ALICE, PLACE, NOW, Site(), "training", task=about
    )
    return of(next(each.entry for each in TASKS if verb in each.verbs and each.entry), replace(typed, **more))


PLACE = Place("C0SREDAILY1")
IS_LED = incident(draft(Kind.ACCEPTED, "took it", role="ic", user=ALICE.user), title="Checkout is down")
IS_OVER = incident(draft(Kind.STATUS, "resolved", to="resolved"), title="Checkout is down")
TASK = Task(
    "TSK-2026-11-20-001",
    "limit every pool",
    ALICE.user,
    date(2026, 12, 1),
    NOW,
    NOW,
    BOB.user,
    incident=INCIDENT,
)
MAY = frozenset({"approvers", "service-owner"})
PENDING, VALIDATING = standing(Stage.PENDING), standing(Stage.VALIDATING)
ALERT = "A1B2C3D4E5F607182 1"

# By the file that makes the window, so that a file with a window that is not here is found out.
WINDOWS: dict[str, dict[str, Callable[[], Block]]] = {
    "bot/alertcard.py": {"alert-silence": lambda: silence_view(ALERT)},
    "bot/careviews.py": {
        "window-hand-over": lambda: careviews.view("hand", ALERT),
        "window-mark": lambda: careviews.view("mark", ALERT),
    },
    "bot/render.py": {
        "window-reject": lambda: render.reject_view("R7K2M 1 0"),
        "window-why": lambda: render.why_view("R7K2M 1 0"),
    },
    "commands/incident/declare.py": {
        "window-declare": lambda: incident_window("declare"),
        "window-security": lambda: incident_window("security"),
    },
    "commands/incident/updating.py": {"window-update": lambda: incident_window("update", IS_LED)},
    "commands/incident/about.py": {
        "window-assign": lambda: incident_window("assign", IS_LED),
        "window-severity": lambda: incident_window("sev", IS_LED),
        "window-note": lambda: incident_window("note", IS_LED),
        "window-page": lambda: incident_window("page", IS_LED),
        "window-merge": lambda: incident_window("merge", IS_LED, open=(IS_LED, OTHER)),
        "window-reopen": lambda: incident_window("reopen", IS_OVER),
    },
    "commands/tasking.py": {
        "window-action": lambda: incident_window("action", IS_LED),
        "window-task": lambda: task_window("new"),
    },
    "commands/task/entering.py": {
        "window-give": lambda: task_window("assign"),
        "window-leave-out": lambda: task_window("skip"),
    },
    "commands/changes/draft.py": {
        "window-change": lambda: of(new, of_change("new", flags={"title": "checkout 2.0"})),
        "window-edit": lambda: of(edit, of_change("edit", PENDING)),
    },
    "commands/changes/deciding.py": {
        "window-change-reject": lambda: of(reject, of_change("reject", PENDING, BOB, roles=MAY))
    },
    "commands/changes/ready.py": {"window-tick": lambda: of(tick, of_change("tick staging", PENDING))},
    "commands/changes/steps.py": {"window-close": lambda: of(close, of_change("close", VALIDATING))},
}
