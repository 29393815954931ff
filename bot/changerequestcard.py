"""Pure: the card of a change request, told in the channel of changes and edited in place.

What, when, how it stands, what was looked at, who agreed, and the next buttons. Called by bot/render.py, with a record
whose texts are redacted; every one of them is escaped here. The plan of a single change is drawn in bot/changecard.py.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot.blocks import (
    Block,
    Message,
    actions,
    bounded,
    buttons,
    context,
    cut,
    escape,
    mention,
    moment,
    overflow,
    paragraph,
    paragraphs,
)  # fmt: skip
from commands.changelines import ACCEPTED, NOTIFIED, STANDBY, open_lines, state
from commands.finding import Light, Suggestion
from commands.phrase import counted, span
from commands.response.changerequest import (
    ChangeRequest,
    Checked,
    Linked,
    Risk,
    Stage,
    StepState,
    lines_in,
)  # fmt: skip

CARD = "card"

_ICONS = {
    Stage.DRAFT: "📝",
    Stage.PRECHECKS: "⏳",
    Stage.PENDING: "✋",
    Stage.APPROVED: "👍",
    Stage.EXECUTING: "⏳",
    Stage.VALIDATING: "🔎",
    Stage.ROLLING_BACK: "⚠️",
    Stage.SUCCEEDED: "✅",
    Stage.ROLLED_BACK: "↩️",
    Stage.ROLLBACK_FAILED: "❌",
    Stage.FAILED: "❌",
}
_OTHERS = "🚫"

# Where the name of a stage is no answer to "what now?".
_STANDS = {
    Stage.DRAFT: "not ready yet",
    Stage.PRECHECKS: "is being checked",
    Stage.PENDING: "wants approval",
    Stage.APPROVED: "approved, not begun",
    Stage.EXECUTING: "under way",
    Stage.VALIDATING: "done, is it well?",
    Stage.ROLLING_BACK: "is being taken back",
    Stage.CANCELED: "cancelled",
}

# Whose first button is what the change waits for.
_NEXT = (Stage.PENDING, Stage.APPROVED, Stage.EXECUTING, Stage.VALIDATING)

_TICKS = {Light.GREEN: "✅", Light.YELLOW: "⚠️", Light.RED: "❌", Light.UNKNOWN: "⚪"}

_STEPS = {StepState.BEGUN: "▶️", StepState.DONE: "✅", StepState.FAILED: "❌"}

_LONG = 500  # characters of a text on the card; all of it is in the record

DIGEST = 16  # hex digits of the payload's digest that a button carries


def messages(change: ChangeRequest) -> tuple[Message, ...]:
    card = Message(CARD, _aloud(change), tuple(bounded(list(_card(change)))))
    return (card, *(_line(change, number) for number in range(len(change.lines))))


def _aloud(change: ChangeRequest) -> str:
    return f"{change.id}: {escape(change.payload.what)} · {_stands(change)}"


def _stands(change: ChangeRequest) -> str:
    return _STANDS.get(change.stage, change.stage.value)


def _card(change: ChangeRequest) -> Iterator[Block]:
    payload = change.payload
    icon = _ICONS.get(change.stage, _OTHERS)
    yield paragraph(f"{icon} *{escape(cut(payload.what, 200))}* · {_stands(change)}")
    yield from paragraphs(_facts(change))
    yield from paragraphs(_checks(change))
    yield from paragraphs(_standing(change))
    yield from _pressed(change)
    yield context(_foot(change))


def _facts(change: ChangeRequest) -> Iterator[str]:
    payload = change.payload
    felt = f"users feel it for up to {span(payload.duration)}" if payload.duration else "users feel nothing"
    yield f"{moment(payload.at)} until {moment(payload.until)}, {felt}"
    marks = [
        f"risk {payload.risk.value}",
        f"service {escape(payload.service)}",
        f"asked for by {mention(change.by)}",
    ]
    if payload.is_irreversible:
        marks.append("*cannot be taken back*")
    if payload.is_auto:
        marks.append("rolls back by itself")
    if change.emergency:
        marks.append(f"*emergency* in {escape(change.emergency)}")
    yield " · ".join(marks)
    yield f"*Why:* {escape(cut(payload.why, _LONG))}"
    if payload.rollback:
        yield f"*Way back:* {escape(cut(payload.rollback, _LONG))}"
    if payload.expected:
        yield f"*Expected alerts:* {escape(', '.join(payload.expected))}"


def _checks(change: ChangeRequest) -> Iterator[str]:
    """What is not well line by line, and how many are: as it was found, or as people said of it since."""
    if change.checks is None or change.is_over:
        return
    lines = [replace(line, light=state(change, line)) for line in change.checks.lines]
    fine = sum(line.light is Light.GREEN for line in lines)
    stale = "" if change.checks.digest == change.digest else ", for the payload as it was before"
    yield f"*Pre-checks:* {fine} of {len(lines)} fine, {moment(change.checks.at)}{stale}"
    for light in (Light.RED, Light.UNKNOWN, Light.YELLOW):
        yield from (_check(line) for line in lines if line.light is light)


def _check(line: Checked) -> str:
    return f"{_TICKS[line.light]} {escape(line.label)}: {escape(cut(line.value, 200))}"


def _standing(change: ChangeRequest) -> Iterator[str]:
    if change.stage is Stage.PENDING:
        yield f"*Approvals:* {len(change.agreed)} of {needed(change.payload.risk)}{_by(change)}{_among(change)}"
    elif change.granted and not change.is_over:
        yield f"*Approved*{_by(change)}"
    if change.is_active or (change.is_over and change.steps):
        yield from (_step(change, n, text) for n, text in enumerate(change.payload.steps, 1))
    yield from (_linked(each) for each in change.linked)
    if change.stage is Stage.EXECUTING and change.baseline is None:
        yield "⏳ The baseline is being frozen; the first step follows."
    if change.verdict:
        said = f": {escape(cut(change.verdict_why, 300))}" if change.verdict_why else ""
        yield f"*Against the baseline:* {change.verdict} after {counted(change.samples, 'sample')}{said}"
    if change.is_over and change.ended_why:
        yield f"{escape(cut(change.ended_why, _LONG))}"


def needed(risk: Risk) -> int:
    """How many people must agree."""
    return 2 if risk is Risk.HIGH else 1


def _among(change: ChangeRequest) -> str:
    """Whom a risk asks for besides their number."""
    owned = change.payload.risk is Risk.MEDIUM
    who = "one of them" if needed(change.payload.risk) > 1 else "by"
    return f" · {who} an owner of {escape(change.payload.service)}" if owned else ""


def _typed(change: ChangeRequest) -> str:
    """Who types names what was read, once it was written anew."""
    return f" --digest {change.digest[:DIGEST]}" if change.version > 1 else ""


def _by(change: ChangeRequest) -> str:
    people = ", ".join(mention(each.user) for each in change.agreed)
    return f" by {people}" if people else ""


def _step(change: ChangeRequest, number: int, text: str) -> str:
    mark = change.step(number)
    icon = _STEPS[mark.state] if mark else "▫️"
    said = f" · {mark.state.value} {moment(mark.at)} by {mention(mark.by)}" if mark else ""
    note = f" · {escape(cut(mark.note, 200))}" if mark and mark.note else ""
    return f"{icon} {number}. {escape(cut(text, 200))}{said}{note}"


def _linked(each: Linked) -> str:
    return f"🔗 `{escape(cut(each.line, 120))}` ({escape(each.request)}) {escape(each.state) or 'under way'}"


def _foot(change: ChangeRequest) -> str:
    version = f" · version {change.version}" if change.version > 1 else ""
    typed = f"or type `/sre approve {change.id}{_typed(change)}` · " if change.stage is Stage.PENDING else ""
    return f"{typed}{escape(change.id)}{version} · payload {change.digest[:DIGEST]}"


# --- Buttons --------------------------------------------------------------------------------------


def _pressed(change: ChangeRequest) -> Iterator[Block]:
    """The next step first; what few want behind a menu, once the request waits for people."""
    first, *others = [*_buttons(change)] or [()]
    row = buttons(first, is_first_next=change.stage in _NEXT)
    if change.stage in (Stage.PENDING, Stage.APPROVED):
        seldom = overflow("submit:more", ((each.label, each.text) for each in _again(change)))
        row = actions(*row[0]["elements"], seldom)
    yield from row
    for each in others:
        yield from buttons(each)


def _buttons(change: ChangeRequest) -> tuple[tuple[Suggestion, ...], ...]:
    match change.stage:
        case Stage.DRAFT | Stage.PRECHECKS:
            return (_again(change), _presence(change), _ticks(change))
        case Stage.PENDING:
            digest = f"--digest {change.digest[:DIGEST]}"
            asked = (_do(change, "Approve", "approve", digest), _do(change, "Reject…", "reject", digest))
            return (asked, _presence(change), _ticks(change))
        case Stage.APPROVED:
            return ((_do(change, "Start", "start"),), _presence(change), _ticks(change))
        case Stage.EXECUTING:
            return (_at_work(change), (*_back(change), _do(change, "Users complain", "report")))
        case Stage.VALIDATING:
            accepted = () if ACCEPTED in change.ticks else (_do(change, "Users accept it", "tick", ACCEPTED),)
            closing = (
                _do(change, "Validate", "validate"),
                _do(change, "It worked: close", "close"),
                *accepted,
            )
            return (closing, (*_back(change), _do(change, "Users complain", "report")))
        case Stage.ROLLING_BACK:
            return ((*_back(change), _do(change, "It is taken back", "rollback", "--done")),)
    return ((_do(change, "I looked at it", "review"),),) if change.emergency and not change.reviewed else ()


def _again(change: ChangeRequest) -> tuple[Suggestion, ...]:
    return (
        _do(change, "Check again", "check"),
        _do(change, "Edit…", "edit"),
        _do(change, "Cancel it", "cancel"),
    )


def _presence(change: ChangeRequest) -> tuple[Suggestion, ...]:
    tell = () if change.notified else (_do(change, "Tell the stakeholders", "notify"),)
    there = (_do(change, "I am there", "standby", "yes"), _do(change, "I cannot", "standby", "no"))
    return (*tell, *there)


def _ticks(change: ChangeRequest) -> tuple[Suggestion, ...]:
    """The lines that only people can tick, as long as nobody has."""
    said = (NOTIFIED, STANDBY)  # they have buttons of their own
    left = (line for line in open_lines(change) if line.key not in said and line.light is Light.UNKNOWN)
    return tuple(_do(change, f"Tick: {line.label}", "tick", line.key) for line in left)


def _at_work(change: ChangeRequest) -> tuple[Suggestion, ...]:
    """The step that is next: what of it changes something as buttons of its own, then how it went."""
    number = change.next_step
    if change.baseline is None:
        return ()
    if not number:
        return (_do(change, "All steps are done", "step", "done"),)
    steps = change.payload.steps
    lines = lines_in(steps[number - 1]) if number <= len(steps) else ()
    offered = tuple(_road(change, line, f"step {number}") for line in lines[:2])
    done = _do(change, f"Step {number} done", "step", f"{number} done")
    failed = _do(change, f"Step {number} failed", "step", f"{number} failed")
    begun = () if change.step(number) else (_do(change, f"Begin step {number}", "step", str(number)),)
    return (*begun, *offered, done, failed)


def _back(change: ChangeRequest) -> tuple[Suggestion, ...]:
    lines = lines_in(change.payload.rollback)
    if not lines:
        return (_do(change, "Roll back now", "rollback"),)
    return tuple(_road(change, line, "rollback", "Roll back now: ") for line in lines[:2])


def _road(change: ChangeRequest, line: str, what: str, label: str = "") -> Suggestion:
    """A line on the usual road, with a plan and an approval of its own; the reason links it to this change."""
    why = "" if " --why" in line else f' --why "{change.id} {what}"'
    return Suggestion(f"{label}{line}", f"{line}{why}")


def _do(change: ChangeRequest, label: str, verb: str, rest: str = "") -> Suggestion:
    return Suggestion(label, f"change {verb} {change.id} {rest}".rstrip())


def _line(change: ChangeRequest, number: int) -> Message:
    line = change.lines[number]
    called = f"{mention(line.mention)} " if line.mention else ""
    by = f" · {mention(line.by)}" if line.by else ""
    text = f"{called}{escape(line.text)}{by}"
    return Message(f"line {line.key}", text, tuple(paragraphs([text])), in_thread=True)
