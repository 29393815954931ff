"""`change step`, `rollback`, `close`, `report` and `review`: a change while it is done, and its end.

Nothing here touches the cluster: a step that changes something is a button on the usual road, with its own plan and its
own approval. What is typed here is what people say of it.
"""

import re

from commands.changelines import may_approve
from commands.changes.meant import NOTHING, about, demand, did, entered, named, said
from commands.changes.new import is_author
from commands.command import Command, Flag
from commands.entry import Entry, Given
from commands.errors import Denied, Stale, UsageError
from commands.form import Field, Form, NeedsForm
from commands.ledger import Draft
from commands.model import Args
from commands.response.changeevents import Kind
from commands.response.changemoves import Move
from commands.response.changerequest import ChangeRequest, Stage, StepState, lines_in

PASSED, FAILED = "pass", "fail"  # as commands/watchverdict.py says it

_NUMBERED = re.compile(r"(?:(\d{1,3})\b)?\s*(done|failed)?\b\s*(.*)", re.IGNORECASE | re.DOTALL)


def step(given: Given) -> Entry:
    """A step begins, is done, or failed. What it only looks at runs by itself."""
    change = about(given)
    if change.stage is not Stage.EXECUTING:
        raise Stale(
            f"{change.id} is {change.stage.value}: only a change that has begun has steps to do. {NOTHING}"
        )
    _demand_hand(given, change)
    if change.baseline is None:
        raise Stale(
            f"The baseline of {change.id} is still being frozen. {NOTHING} Try again in a few seconds."
        )
    found = _NUMBERED.fullmatch(given.args.rest.strip())
    count = max(len(change.payload.steps), 1)
    number = int(found[1]) if found and found[1] else change.next_step or count
    word, note = (found[2] or "").casefold() if found else "", (found[3] if found else "").strip()
    if not 1 <= number <= count:
        raise UsageError(f"{change.id} has steps 1 to {count}. {NOTHING}")
    mark = {"done": StepState.DONE, "failed": StepState.FAILED}.get(word, StepState.BEGUN)
    return _marked(given, change, number, mark, note)


def _marked(given: Given, change: ChangeRequest, number: int, mark: StepState, note: str) -> Entry:
    signs = {StepState.BEGUN: "▶️", StepState.DONE: "✅", StepState.FAILED: "❌"}
    text = f"{signs[mark]} step {number} {mark.value}{': ' + note if note else ''}"
    told = did(given, Kind.STEP, text, number=str(number), state=mark, note=note)
    if mark is StepState.BEGUN:
        return _begun(given, change, number, told)
    if mark is StepState.FAILED:
        answer = f"Step {number} failed. Roll it back, or give it up: `/sre change close {change.id} --failed --why TEXT`."
        return entered(change, answer, (told,))
    if change.next_step not in (0, number) or _others_left(change, number):
        return entered(change, f"Step {number} is done.", (told,))
    finished = did(
        given, Kind.MOVED, "all steps are done; it is validated at +5, +15 and +60 min", move=Move.FINISH
    )
    runs = tuple(line for text in change.payload.verify for line in lines_in(text))
    return entered(change, f"All steps of {change.id} are done.", (told, finished), *runs)


def _others_left(change: ChangeRequest, number: int) -> bool:
    marks = (change.step(n) for n in range(1, max(len(change.payload.steps), 1) + 1) if n != number)
    return any(mark is None or mark.state is not StepState.DONE for mark in marks)


def _begun(given: Given, change: ChangeRequest, number: int, told: Draft) -> Entry:
    steps = change.payload.steps
    lines = lines_in(steps[number - 1]) if number <= len(steps) else ()
    looks: list[str] = []
    changing: list[str] = []
    for line in lines:
        (looks if given.road(line) == "looks" else changing).append(line)
    offered = (
        f" Its card offers {', '.join(f'`{line}`' for line in changing)}, to be approved as usual."
        if changing
        else ""
    )
    return entered(change, f"Step {number} begins.{offered}", (told,), *looks)


def _demand_hand(given: Given, change: ChangeRequest) -> None:
    person = given.site.person
    if not (is_author(given, change) or person(given.actor.user) == person(change.started_by)):
        raise Denied(f"{change.id} is done by who asked for it, or began it. {NOTHING}")


# --- The way back, and the end --------------------------------------------------------------------


def rollback(given: Given) -> Entry:
    """It is being taken back; with --done it is, and whether that helped is looked at."""
    change = about(given)
    _demand_way_back(given, change)
    if "done" in given.args.flags:
        if change.stage is not Stage.ROLLING_BACK:
            raise Stale(f"{change.id} is {change.stage.value}, and not being taken back. {NOTHING}")
        told = did(
            given,
            Kind.RUN,
            "↩️ taken back by hand",
            id="by hand",
            line="by hand",
            state="succeeded",
            back="yes",
        )
        return entered(change, f"Whether {change.payload.service} recovers is looked at now.", (told,))
    demand(change, Move.ROLL_BACK)
    if change.payload.is_irreversible:
        raise Stale(f"{change.id} cannot be taken back, its request says. {NOTHING} Declare an incident.")
    why = said(given)
    text = f"⏪ is taken back{': ' + why if why else ''}. The plan: {change.payload.rollback}"
    told = did(given, Kind.MOVED, text, move=Move.ROLL_BACK, why=why)
    lines = lines_in(change.payload.rollback)
    how = (
        "Its card offers the line."
        if lines
        else f"When it is done: `/sre change rollback {change.id} --done`."
    )
    return entered(change, f"{change.id} is being taken back. {how}", (told,))


def _demand_way_back(given: Given, change: ChangeRequest) -> None:
    """Who is called for it, too. Anybody else may say that users complain, or ask for the line on its card."""
    person, user = given.site.person, given.actor.user
    is_hand = is_author(given, change) or person(user) == person(change.started_by)
    if not (is_hand or "oncall" in given.roles or may_approve(change, given.roles, given.site)):
        raise Denied(
            f"{change.id} is taken back by who asked for it, began it or may approve it, or is on call. Say what you see: "
            f"`/sre change report {change.id} TEXT`. {NOTHING}"
        )


def close(given: Given) -> Entry:
    """It worked; or with --failed it did not, and nobody takes it back."""
    change = about(given)
    if "failed" in given.args.flags:
        return _give_up(given, change)
    demand(change, Move.PASS)
    if not (is_author(given, change) or may_approve(change, given.roles, given.site)):
        raise Denied(f"{change.id} is for who asked for it, or may approve it, to close. {NOTHING}")
    if change.verdict == FAILED:
        raise Stale(
            f"{change.id} is worse than its baseline: {change.verdict_why}. Roll it back, or close it with `--failed "
            f"--why TEXT`. {NOTHING}"
        )
    why = said(given)
    if change.verdict != PASSED and not why:
        asked = Field("why", "How do you know that it worked?", "text")
        window = Form(
            "Close the change", "Close", Args("change", "close", change.id), (asked,), named(change)
        )
        so_far = change.verdict or "nothing yet"
        raise NeedsForm(window, f"Its samples say {so_far}: close it with `--why TEXT`. {NOTHING}")
    text = f"✅ closed{': ' + why if why else ''}"
    told = did(given, Kind.MOVED, text, move=Move.PASS, why=why)
    return entered(change, f"{change.id} is closed. It is watched for another hour.", (told,))


def _give_up(given: Given, change: ChangeRequest) -> Entry:
    demand(change, Move.BREAK, Move.GIVE_UP)
    _demand_hand(given, change)
    why = said(given)
    if not why:
        raise UsageError(f"Say what failed: `/sre change close {change.id} --failed --why TEXT`. {NOTHING}")
    move = Move.BREAK if change.stage is Stage.EXECUTING else Move.GIVE_UP
    return entered(
        change, f"{change.id} has failed, and says so.",
        (did(given, Kind.MOVED, f"❌ failed: {why}", move=move, why=why),),
    )  # fmt: skip


def report(given: Given) -> Entry:
    """Users complain; three people who say so within ten minutes fail it."""
    change = about(given)
    if not change.is_active and change.stage is not Stage.SUCCEEDED:
        raise Stale(f"{change.id} is {change.stage.value}: nothing of it is being watched. {NOTHING}")
    text = f"📢 users complain{': ' + said(given) if said(given) else ''}"
    return entered(change, f"Noted on {change.id}.", (did(given, Kind.REPORTED, text),))


def review(given: Given) -> Entry:
    """A second person looked at what was done without an approval."""
    change = about(given)
    if not change.emergency or change.reviewed:
        raise Stale(
            f"{change.id} needs no review{': ' + change.reviewed + ' looked at it' if change.reviewed else ''}. {NOTHING}"
        )
    if is_author(given, change) or given.site.person(given.actor.user) == given.site.person(
        change.started_by
    ):
        raise Denied(f"Somebody else must look at {change.id} than who did it. {NOTHING}")
    note = said(given)
    told = did(given, Kind.REVIEWED, f"👀 looked at it{': ' + note if note else ''}", note=note)
    return entered(change, f"Reviewed: {change.id}.", (told,))


_WHY = Flag("why", "what it is for", "TEXT")

STEP = Command(
    word="change",
    verbs=("step",),
    summary="Begin a step, or say that it is done or failed.",
    rows=("CM-2.0", "CM-2.2"),
    examples=("change step CR-2026-11-23-001 1", "change step CR-2026-11-23-001 1 done"),
    names="CR-… NUMBER DONE|FAILED NOTE",
    entry=step,
)
ROLLBACK = Command(
    word="change",
    verbs=("rollback",),
    summary="Take a running change back.",
    rows=("CM-4.0",),
    examples=("change rollback CR-2026-11-23-001", "change rollback CR-2026-11-23-001 --done"),
    flags=(Flag("done", "it is taken back: look whether that helped"), _WHY),
    names="CR-… REASON",
    entry=rollback,
)
CLOSE = Command(
    word="change",
    verbs=("close",),
    summary="Say that a change worked, or that it failed.",
    rows=("CM-3.0", "CM-3.5"),
    examples=("change close CR-2026-11-23-001",),
    flags=(Flag("failed", "it did not work, and is not taken back"), _WHY),
    names="CR-… REASON",
    entry=close,
)
REPORT = Command(
    word="change",
    verbs=("report",),
    summary="Say that users complain since a change began.",
    rows=("CM-4.4",),
    examples=("change report CR-2026-11-23-001",),
    names="CR-… WHAT",
    entry=report,
)
REVIEW = Command(
    word="change",
    verbs=("review",),
    summary="Say that you looked at a change that nobody had approved.",
    rows=("CM-2.0",),
    examples=("change review CR-2026-11-23-001",),
    names="CR-… NOTE",
    entry=review,
)
