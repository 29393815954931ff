"""Pure: a change's card: one message that shows where a change stands, and the buttons that move it.

What would happen and what may go wrong while people are asked; how far it is while it is applied; what
became of it at the end. The long version is its thread (bot/changethread.py). Called by bot/render.py,
with a record whose texts are redacted; every one of them is escaped here.
"""

from bot.blocks import (
    Ask,
    Block,
    Message,
    actions,
    bounded,
    button,
    buttons,
    context,
    cut,
    fields,
    moment,
    paragraph,
    paragraphs,
    preformatted,
)
from bot.changewords import (
    LINE,
    counts,
    has_touched,
    icon,
    is_nothing,
    line,
    outcome,
    person,
    tally,
    title,
    typed_id,
)
from bot.findings import ICON, one_line, severity, top_lines
from commands.finding import Finding, Light, Suggestion
from commands.model import Request, State
from commands.phrase import counted, shortly, span
from commands.plan import Asking, Go, Plan, Progress, Wave

_FINDINGS, _FACTS, _STEPS, _WAVES, _DIFF, _WAITING, _LEFT = 6, 3, 3, 4, 8, 4, 6  # lines of each on a card
_BAR = 10

GO = {Go.GO: "🟢 GO", Go.RISK: "🟡 GO WITH RISK", Go.BLOCKED: "🔴 BLOCKED", Go.NOTHING: "🟢 NOTHING TO DO"}


def card(request: Request) -> Message:
    headline = f"{icon(request)} {title(request)}: {outcome(request)}"
    body = [paragraph(f"*{headline}*"), *_body(request)]
    origin = [*_footer(request), context(_origin(request))]
    return Message("card", _aloud(request, headline), tuple(bounded([*body, *origin])))


def _aloud(request: Request, headline: str) -> str:
    """For a notification and a screen reader: the headline, what speaks against it, and what to type."""
    said = [headline]
    if request.plan and request.state in (State.AWAITING, State.BLOCKED):
        said += top_lines(against(request.plan))[:1]
    if request.state is State.AWAITING:
        word = "confirm" if request.asking and request.asking.own else "approve"
        said.append(f"To {word}, type /sre approve {typed_id(request)}")
    if request.state is State.APPLYING and request.progress:
        said += [f"Waiting for {line(waiting)}" for waiting in request.progress.waiting[:1]]
    return ". ".join(each.replace("*", "") for each in said)


# --- the body, by where it stands ---


def _body(request: Request) -> list[Block]:
    plan = request.plan
    if plan is None:
        return []
    match request.state:
        case State.AWAITING | State.ANSWERED | State.BLOCKED | State.READING:
            return _proposal(request, plan)
        case State.APPROVED:
            return [*_facts(plan), *_terms(request, plan)]
        case State.APPLYING if request.progress:
            return _progress(request, plan, request.progress)
    return _result(request)


def _proposal(request: Request, plan: Plan) -> list[Block]:
    blocks = [*_facts(plan), *_changed(request.asking), *_verdict(plan)]
    if request.state is State.BLOCKED:
        return [*blocks, *buttons(tuple(s for finding in against(plan) for s in finding.suggestions)[:3])]
    if is_nothing(request):
        return blocks
    blocks += _touched(plan) + _diff(plan)
    if request.state is State.ANSWERED:
        return [*blocks, *_rehearsed(plan), *_terms(request, plan)]
    return [*blocks, *_terms(request, plan), *_weakened(request.asking)]


def _facts(plan: Plan) -> list[Block]:
    return [context("\n".join(line(fact) for fact in plan.facts[:_FACTS]))] if plan.facts else []


def _changed(asking: Asking | None) -> list[Block]:
    if asking is None or asking.turn == 1:
        return []
    news = [f"      • {line(each)}" for each in asking.changed[:_FINDINGS]] + _more(asking.changed, _FINDINGS)
    return paragraphs(["🔔 *Changed since it was last shown*; earlier approvals count no more", *news])


def against(plan: Plan) -> list[Finding]:
    """What is not green, worst first."""
    grave = [finding for finding in plan.findings if finding.light is not Light.GREEN]
    return sorted(grave, key=lambda finding: severity(finding.light))


def _verdict(plan: Plan) -> list[Block]:
    fine = tuple(finding for finding in plan.findings if finding.light is Light.GREEN)
    if plan.go is Go.NOTHING:  # the headline says that; here is why
        return paragraphs(top_lines(list(fine)))
    lines: list[str] = []
    mends: set[str] = set()
    for finding in against(plan)[:_FINDINGS]:
        lines += [one_line(finding), *_worst_case(finding)]
        mend = finding.mend.split("\n")[0]
        lines += [f"      → {line(mend)}"] if mend and mend not in mends else []
        mends.add(mend)
    lines += _more(against(plan), _FINDINGS)
    if fine:
        names = ", ".join(dict.fromkeys(finding.label for finding in fine))
        lines.append(f"{ICON[Light.GREEN]} Fine: {line(names)}")
    head = [] if plan.go is Go.BLOCKED else [paragraph(f"*{GO[plan.go]}*")]  # the headline says blocked
    return [*head, *paragraphs(lines)]


def _worst_case(finding: Finding) -> list[str]:
    if not finding.evidence or finding.value in ("", "unknown"):  # its line has it already
        return []
    left = len(finding.evidence) - 1
    return [f"      • {line(finding.evidence[0])}{f', and {left} more' if left else ''}"]


def _touched(plan: Plan) -> list[Block]:
    """Every wave with its first steps."""
    lines: list[str] = []
    for number, wave in enumerate(plan.waves[:_WAVES], 1):
        lines += _wave(number, wave)
    rest = plan.waves[_WAVES:]
    if rest:
        steps = sum(len(wave.steps) for wave in rest)
        lines.append(f"and {counted(len(rest), 'more wave')} with {counted(steps, 'step')}, in the thread")
    return paragraphs(lines)


def _wave(number: int, wave: Wave) -> list[str]:
    if len(wave.steps) == 1:  # the step says all that its wave could
        said = wave.steps[0].text
        return [f"*{number}.* {line(said[:1].upper() + said[1:])}"]
    head = f"*{number}. {line(wave.title)}*"
    # What comes after a colon are details; the thread has them.
    shown = [f"      • {line(step.text.partition(': ')[0])}" for step in wave.steps[:_STEPS]]
    return [f"{head}  {counted(len(wave.steps), 'step')}", *shown, *_more(wave.steps, _STEPS)]


def _more(things: object, shown: int) -> list[str]:
    count = len(things) if isinstance(things, tuple | list) else 0
    return [f"      • and {count - shown} more, in the thread"] if count > shown else []


def _diff(plan: Plan) -> list[Block]:
    if not plan.diff:
        return []
    left = len(plan.diff) - _DIFF
    rest = [context(f"and {counted(left, 'more line')} of difference, in the thread")] if left > 0 else []
    return [*preformatted([cut(each, LINE) for each in plan.diff[:_DIFF]]), *rest]


def _rehearsed(plan: Plan) -> list[Block]:
    said = [line(each) for each in plan.rehearsal[:_FACTS]]
    more = f"\nand {len(plan.rehearsal) - _FACTS} more, in the thread" if len(plan.rehearsal) > _FACTS else ""
    return [paragraph(f"*The API server's own dry run*\n{chr(10).join(said)}{more}")] if said else []


def _terms(request: Request, plan: Plan) -> list[Block]:
    asking = request.asking
    lasts = f"about {span(plan.estimate)}, given up after {span(plan.timeout)}"
    undo = f"`/sre {line(plan.undo)}`" if plan.undo else "no command takes it back"
    why = line(request.why) or "no reason was given"
    told = [("Why", why), ("Takes", lasts), ("Undo", undo)]
    if asking and request.state is State.AWAITING:
        told.append(_decided_by(request, asking))
    return [fields(told)]


def _decided_by(request: Request, asking: Asking) -> tuple[str, str]:
    if not asking.own:
        return "May approve", f"{_approvers(asking)}, until {moment(asking.expires)}"
    roles = " or ".join(f"`{line(role)}`" for role in asking.roles)
    others = f", or anybody with the role {roles}" if roles else ""
    return "May confirm", f"{person(request.actor.user)}, who asked{others}, until {moment(asking.expires)}"


def _approvers(asking: Asking) -> str:
    roles = " or ".join(f"`{line(role)}`" for role in asking.roles)
    among = f" with the role {roles}" if roles else ""
    if asking.needed == 1:
        return f"{'anybody' if asking.self_approve else 'somebody else'}{among}"
    return f"{asking.needed} {'' if asking.self_approve else 'other '}people{among}"


def _weakened(asking: Asking | None) -> list[Block]:
    if asking is None or asking.own or not asking.self_approve:
        return []
    may = "approve this alone" if asking.needed == 1 else f"be one of the {asking.needed} who approve this"
    return [paragraph(f"⚠️ `approvals.self_approve` is on: the requester may {may}")]


def _progress(request: Request, plan: Plan, progress: Progress) -> list[Block]:
    elapsed = f"{span(progress.at - progress.started)} of about {span(plan.estimate)}" if progress.at else ""
    bar = _bar(*tally(request)) if len(plan.steps) > 1 else ""
    lines = ["  ·  ".join(each for each in (bar, elapsed) if each), counts(request)]
    blocks = paragraphs([each for each in lines if each])
    if progress.waiting:
        waits = [f"      • {line(each)}" for each in progress.waiting[:_WAITING]]
        rest = len(progress.waiting) - _WAITING
        more = [f"      • and {rest} more"] if rest > 0 else []
        blocks += paragraphs(["*Waiting for*", *waits, *more])
    if progress.cancelled_by:
        why = f" ({line(request.ended_why)})" if request.ended_why else ""
        stop = f"✋ {person(progress.cancelled_by)} cancelled{why}: no further step begins"
        blocks.append(paragraph(stop))
    return blocks


def _bar(done: int, total: int) -> str:
    filled = done * _BAR // total
    return f"{'▰' * filled}{'▱' * (_BAR - filled)}  *{done} of {total}*"


def _result(request: Request) -> list[Block]:
    standings = "" if request.state is State.SUCCEEDED else counts(request)
    return [*([paragraph(standings)] if standings else []), *what_came_of_it(request), *next_buttons(request)]


def what_came_of_it(request: Request) -> list[Block]:
    """The verdict in words: the sentence, what is left, what was found, and who ended it for what reason."""
    verdict = request.verdict
    lines = [line(verdict.summary)] if verdict and verdict.summary else []
    if request.ended_why:
        lines.append(f"Reason: {line(request.ended_why)}")
    if verdict and verdict.left:
        lines += ["*Left*", *(f"      • {line(each)}" for each in verdict.left[:_LEFT])]
        lines += [f"      • and {len(verdict.left) - _LEFT} more"] if len(verdict.left) > _LEFT else []
    grave = [f for f in verdict.findings if f.light is not Light.GREEN] if verdict else []
    return paragraphs(lines + top_lines(sorted(grave, key=lambda f: severity(f.light)))[:_FINDINGS])


def next_buttons(request: Request) -> list[Block]:
    """What the verdict suggests, and the way back where something was changed."""
    offered = request.verdict.suggestions if request.verdict else ()
    undo = request.plan.undo if request.plan and has_touched(request) else ""
    if undo and undo not in {suggestion.text for suggestion in offered}:
        offered = (*offered, Suggestion("Undo", undo))
    return buttons(offered)


# --- buttons that move it, and the small print ---


def _footer(request: Request) -> list[Block]:
    asking, plan = request.asking, request.plan
    if asking is None or plan is None:
        return []
    value = f"{request.id} {asking.turn} {asking.digest}"
    if request.state is State.AWAITING:
        said = f"Plan `{asking.digest[:8]}`  ·  or type  `/sre approve {typed_id(request)}`"
        word = "Confirm" if asking.own else "Approve"
        approve = button("approve", word, value, "primary", _approve_ask(plan, word))
        return [*actions(approve, button("reject", "Reject…", value), _cancel(request, value)), context(said)]
    if request.state is State.APPROVED:
        return actions(_cancel(request, value))
    if request.state is State.APPLYING and request.progress and not request.progress.cancelled_by:
        return actions(_cancel(request, value))
    return []


def _approve_ask(plan: Plan, word: str) -> Ask:
    grave = top_lines(against(plan))
    touches = f"It touches {counted(len(plan.targets), 'object')} and takes about {span(plan.estimate)}."
    risk = f"\n{cut(grave[0], 180)}" if grave else ""
    more = f"\nand {counted(len(grave) - 1, 'more risk')}" if len(grave) > 1 else ""
    return Ask(cut(shortly(f"{plan.title}?"), 100), f"{touches}{risk}{more}", word)


def _cancel(request: Request, value: str) -> Block:
    if request.state is not State.APPLYING:
        ask = Ask(
            "Cancel this change?", "Nothing was changed, and nothing will be.", "Cancel it", is_danger=True
        )
        return button("cancel", "Cancel", value, ask=ask)
    done, total = tally(request)
    said = f"No further step begins; what was done stays ({done} of {counted(total, 'step')})."
    return button(
        "cancel", "Stop", value, "danger", Ask("Stop this change?", said, "Stop it", is_danger=True)
    )


def _origin(request: Request) -> str:
    told = [f"asked by {person(request.actor.user)}", moment(request.created)]
    if request.asking and request.asking.approvals:
        names = ", ".join(person(approval.user) for approval in request.asking.approvals)
        own = " (their own request)" if any(each.is_self for each in request.asking.approvals) else ""
        told.append(f"{'confirmed' if request.asking.own else 'approved'} by {names}{own}")
    return " · ".join([*told, request.id])
