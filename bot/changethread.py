"""Pure: the thread of a change: the whole plan, who agreed, what did not go well, and the line that ends it.

Each is a message of its own with a key that never changes, so the thread is the change's history: a plan
that had to be shown again is another message, and the earlier one stays. Called by bot/render.py, with a
record whose texts are redacted.
"""

from collections.abc import Callable, Iterable

from bot.blocks import (
    Block,
    Message,
    bounded,
    buttons,
    context,
    cut,
    moment,
    paragraph,
    paragraphs,
    preformatted,
)
from bot.changecard import GO, against, next_buttons, what_came_of_it
from bot.changewords import LINE, icon, line, outcome, person, title, typed_id
from bot.findings import judged_lines
from commands.model import Request, State
from commands.phrase import counted
from commands.plan import Approval, Asking, Plan, Standing, Step

# Characters of each part of a plan: together less than one message takes (bot/blocks.py, TEXT).
_FACTS, _FINDINGS, _STEPS, _STAYS, _DIFF, _REHEARSAL, _BEFORE = 900, 2400, 3300, 1000, 1600, 800, 500
_CHANGED = 800
# Characters of a page of what is longer, and how many pages there may be: ten nodes with 110 pods each fit, for
# nobody should agree to what nobody can read.
_PAGE, _PAGES = 8500, 24
_RESULTS = 6000
_UID = 8  # characters of a uid

_STANDING = {
    Standing.PLANNED: ("⚪", "not begun"),
    Standing.TRYING: ("⏳", "sent, its outcome is not known"),
    Standing.BLOCKED: ("🟡", "held back"),
    Standing.APPLIED: ("⏳", "taken, its result is not proved"),
    Standing.FAILED: ("❌", "failed"),
}
_PROPOSED = {State.AWAITING, State.BLOCKED, State.ANSWERED}
_WAITED_FOR = {
    State.BLOCKED, State.SUCCEEDED, State.PARTIAL, State.FAILED, State.REJECTED, State.EXPIRED, State.CANCELLED,
}  # fmt: skip


def thread(request: Request) -> tuple[Message, ...]:
    messages = [*_plan(request), *_approvals(request), *_results(request), *_closing(request)]
    return tuple(messages)


# --- the plan ---


def _plan(request: Request) -> list[Message]:
    """The plan; its steps and its difference on pages of their own where they are long."""
    plan, turn = request.plan, request.asking.turn if request.asking else 1
    if plan is None or not (plan.steps or any(finding.evidence for finding in plan.findings)):
        return []  # the card has all there is to say
    digest = [context(f"digest `{request.asking.digest}`")] if request.asking else []
    head = [paragraph(f"*Plan {typed_id(request)}*  ·  {GO[plan.go]}"), *digest]
    steps, lines = _steps(plan), [cut(each, LINE) for each in plan.diff]
    has_room, has_width = _size(steps) <= _STEPS, _size(lines) <= _DIFF
    changed = request.asking.changed if request.asking else ()
    body = [
        *_part("Changed since it was last shown", _bullets(changed), _CHANGED),
        *_facts(plan),
        *_findings(request.state, plan),
        *(paragraphs(steps) if has_room else []),
        *_part("Stays", _bullets(plan.stays), _STAYS),
        *(_difference(lines) if has_width else []),
        *_part("The API server's own dry run", _bullets(plan.rehearsal), _REHEARSAL),
        *_part("Before", _bullets(f"{what}: {value}" for what, value in plan.before), _BEFORE),
    ]
    whole = _said_long(f"plan:{turn}", f"The whole plan of {title(request)}", [*head, *body])
    more = [] if has_room else _pages(f"plan:{turn}:steps", "Steps", steps, paragraphs)
    more += [] if has_width else _pages(f"plan:{turn}:difference", "Difference", lines, preformatted)
    return [whole, *more]


def _facts(plan: Plan) -> list[Block]:
    kept = _fitting([line(fact) for fact in plan.facts], _FACTS)
    return [context("\n".join(kept))] if kept else []


def _pages(
    key: str, name: str, lines: list[str], drawn: Callable[[Iterable[str]], list[Block]]
) -> list[Message]:
    """As many messages as it takes, up to _PAGES."""
    pages: list[list[str]] = []
    left = lines
    while left and len(pages) < _PAGES:
        kept = _fitting(left, _PAGE)
        pages.append(kept)
        left = left[len(kept) :]
    rest = [context(f"… and {counted(len(left), 'more line')}")] if left else []
    heads = [f"{name}, page {number} of {len(pages)}" for number in range(1, len(pages) + 1)]
    bodies = [[paragraph(f"*{head}*"), *drawn(page)] for head, page in zip(heads, pages, strict=True)]
    bodies[-1] += rest
    return [_said_long(f"{key}:{n}", heads[n], body) for n, body in enumerate(bodies)]


def _said_long(key: str, text: str, body: list[Block]) -> Message:
    return Message(key, text, tuple(bounded(body)), in_thread=True)


def _findings(state: State, plan: Plan) -> list[Block]:
    """All of them with their evidence; what they suggest is offered while it is still of use."""
    grave = against(plan)
    fine = [finding for finding in plan.findings if finding not in grave]
    offered = tuple(each for finding in grave for each in finding.suggestions if state in _PROPOSED)[:5]
    return [*_part("", judged_lines((*grave, *fine)), _FINDINGS), *buttons(offered)]


def _steps(plan: Plan) -> list[str]:
    lines: list[str] = []
    for number, wave in enumerate(plan.waves, 1):
        lines += [f"*{number}. {line(wave.title)}*", *(f"      • {_step(step)}" for step in wave.steps)]
    return lines


def _step(step: Step) -> str:
    target = step.effect.target
    named = "" if target.path in step.text or target.name in step.text else f"  {line(str(target))}"
    uid = f"  ·  {line(target.uid[:_UID])}" if target.uid else ""
    return f"{line(step.text)}{named}{uid}"


def _difference(lines: list[str]) -> list[Block]:
    return [paragraph("*Difference*"), *preformatted(lines)] if lines else []


def _bullets(texts: Iterable[str]) -> list[str]:
    return [f"      • {line(each)}" for each in texts]


def _part(head: str, lines: list[str], room: int) -> list[Block]:
    """Lines under a head, as many as fit, and how many did not."""
    if not lines:
        return []
    kept = _fitting(lines, room)
    left = len(lines) - len(kept)
    return paragraphs(
        [*([f"*{head}*"] if head else []), *kept, *([f"… and {left} more lines"] if left else [])]
    )


def _size(lines: list[str]) -> int:
    return sum(len(each) + 1 for each in lines)


def _fitting(lines: list[str], room: int) -> list[str]:
    kept: list[str] = []
    for each in lines:
        room -= len(each) + 1
        if room < 0:
            return kept
        kept.append(each)
    return kept


# --- what happened ---


def _approvals(request: Request) -> list[Message]:
    asking = request.asking
    if asking is None:
        return []
    return [
        _said(f"approval:{asking.turn}:{n}", _approved(n, asking, approval))
        for n, approval in enumerate(asking.approvals, 1)
    ]


def _approved(number: int, asking: Asking, approval: Approval) -> str:
    if asking.own:
        return f"✅ confirmed by {person(approval.user)} · {moment(approval.at)}"
    if asking.broken_by == approval.user and number == len(asking.approvals):
        return f"🔨 approved by {person(approval.user)} alone, break-glass · {moment(approval.at)}"
    count = f" ({number} of {asking.needed})" if asking.needed > 1 else ""
    own = ", the requester, because `approvals.self_approve` is on" if approval.is_self else ""
    return f"✅ approved{count} by {person(approval.user)}{own} · {moment(approval.at)}"


def _said(key: str, text: str, *more: Block) -> Message:
    return Message(key, text, (paragraph(text), *more), in_thread=True)


def _results(request: Request) -> list[Message]:
    """After the end: every step whose result was not seen in the cluster, and why."""
    progress, plan = request.progress, request.plan
    if progress is None or plan is None or request.is_open:
        return []
    open_steps = [step for step in plan.steps if progress.standing(step) is not Standing.PROVED]
    lines = [_result(request, step) for step in open_steps]
    if not lines:
        return []
    head = f"{len(lines)} of {len(plan.steps)} not proved"
    return [_said_long("steps", head, _part(head, lines, _RESULTS))]


def _result(request: Request, step: Step) -> str:
    assert request.progress
    mark = request.progress.marks.get(step.key)
    sign, word = _STANDING[request.progress.standing(step)]
    note = f": {line(mark.note)}" if mark and mark.note else ""
    tries = f" (tried {mark.tries} times)" if mark and mark.tries > 1 else ""
    return f"{sign} {line(step.text)}  ·  {word}{note}{tries}"


def _closing(request: Request) -> list[Message]:
    """The one line that mentions somebody: an edited card notifies nobody. None where nobody had to wait."""
    if request.asking is None or request.state not in _WAITED_FOR:
        return []
    who = f"{person(request.actor.user)} " if request.actor.user else ""
    text = f"{who}{icon(request)} {title(request)}: {outcome(request)}"
    blocks = [paragraph(text), *what_came_of_it(request), *next_buttons(request)]
    return [_said_long("closing", text, blocks)]
