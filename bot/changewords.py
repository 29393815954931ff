"""Pure: what is said of a change in one line: what it is, where it stands, how far it came.

Used by its card (bot/changecard.py) and by its thread (bot/changethread.py), so that both say the same.
"""

from datetime import timedelta

from bot.blocks import cut, escape
from commands.model import Request, State
from commands.phrase import shortly, span
from commands.plan import Asking, Go, Standing

LINE = 300  # characters of one line of outside text: a namespace and a name may have 317

_ICON = {
    State.READING: "⏳",
    State.ANSWERED: "🔍",
    State.AWAITING: "✋",
    State.BLOCKED: "⛔",
    State.APPROVED: "⏳",
    State.APPLYING: "⏳",
    State.SUCCEEDED: "✅",
    State.PARTIAL: "⚠️",
    State.FAILED: "❌",
    State.REJECTED: "🚫",
    State.EXPIRED: "🚫",
    State.CANCELLED: "🚫",
}
_NOTHING_DONE = (Standing.PLANNED, Standing.BLOCKED)  # of a step that changed nothing, for certain
# Sign, what it is called while it goes on and at the end, and which steps it counts.
_COUNTED = (
    ("✅", "done", "done", (Standing.PROVED,)),
    ("⏳", "under way", "not proved", (Standing.TRYING, Standing.APPLIED)),
    ("🟡", "held back", "held back", (Standing.BLOCKED,)),
    ("❌", "failed", "failed", (Standing.FAILED,)),
    ("⚪", "to come", "not begun", (Standing.PLANNED,)),
)


def title(request: Request) -> str:
    """What is changed where: "Drain node-7 · training"."""
    named = request.plan.title if request.plan else request.text
    where = f" · {request.cluster}" if request.cluster and "cluster" not in request.args.flags else ""
    return line(f"{named}{where}")


def icon(request: Request) -> str:
    if request.state is State.ANSWERED and is_nothing(request):
        return "✅"
    return _ICON[request.state]


def outcome(request: Request) -> str:
    """Where it stands, in a few words."""
    match request.state:
        case State.READING:
            return "planning…"
        case State.ANSWERED:
            return "nothing to do" if is_nothing(request) else "dry run, nothing was changed"
        case State.AWAITING:
            return _wanted(request.asking)
        case State.BLOCKED:
            return "blocked, nothing was changed"
        case State.APPROVED:
            return f"approved, queued behind {_ahead(request)}" if request.behind else "approved"
        case State.APPLYING:
            return _under_way(request)
        case State.REJECTED:
            return f"rejected by {person(request.ended_by)}, nothing was changed"
        case State.EXPIRED:
            why = "it could not begin in time" if is_granted(request) else "nobody decided in time"
            return f"expired, {why}; nothing was changed"
    return _over(request)


def _ahead(request: Request) -> str:
    what = f" ({line(request.behind_what)} by {person(request.behind_by)})" if request.behind_what else ""
    return f"{line(request.behind)}{what}"


def is_granted(request: Request) -> bool:
    return request.asking is not None and request.asking.is_granted


def _wanted(asking: Asking | None) -> str:
    if asking is None or not asking.approvals:
        return "wants a confirmation" if asking and asking.own else "wants approval"
    return f"approved by {asking.agreed} of {asking.needed}"


def _under_way(request: Request) -> str:
    is_stopping = request.progress and request.progress.cancelled_by
    return f"{'stopping' if is_stopping else 'applying'}{_so_far(request)}"


def _over(request: Request) -> str:
    """Of a change that ended, with what stands."""
    after = f" after {span(took(request))}" if request.progress else ""
    if request.state is State.SUCCEEDED:
        return f"done in {span(took(request))}"
    if request.state is State.PARTIAL:
        return f"partly done{after}{_so_far(request)}"
    named = f" (reference {line(request.reference)})" if request.reference else ""
    word = "failed" if request.state is State.FAILED else f"cancelled by {person(request.ended_by)}"
    if not has_touched(request):
        return f"{word}, nothing was changed{named}"
    return f"{word}{after}{_so_far(request)}{named}"


def _so_far(request: Request) -> str:
    done, total = tally(request)
    return f", {done} of {total} steps done" if total > 1 else ""


def person(user: str) -> str:
    return f"<@{user}>" if user else "nobody"


def took(request: Request) -> timedelta:
    """How long it was, or is, applied."""
    progress = request.progress
    until = request.finished or (progress and progress.at)
    return until - progress.started if progress and until else timedelta()


def tally(request: Request) -> tuple[int, int]:
    """Steps that are proved, and all steps."""
    steps = request.plan.steps if request.plan else ()
    progress = request.progress
    return sum(progress.standing(step) is Standing.PROVED for step in steps) if progress else 0, len(steps)


def has_touched(request: Request) -> bool:
    if request.progress is None or request.plan is None:
        return False
    return any(request.progress.standing(step) not in _NOTHING_DONE for step in request.plan.steps)


def is_nothing(request: Request) -> bool:
    return request.plan is not None and request.plan.go is Go.NOTHING


def line(text: str) -> str:
    """Outside text as one line."""
    return escape(cut(shortly(text.replace("\n", " ")), LINE))


def typed_id(request: Request) -> str:
    """How the plan is named when it is typed: another turn is another plan."""
    turn = request.asking.turn if request.asking else 1
    return request.id if turn == 1 else f"{request.id}.{turn}"


def counts(request: Request) -> str:
    """ "✅ 3 done   ⏳ 2 under way"; "" of a single step, which the headline tells."""
    if request.plan is None or request.progress is None or len(request.plan.steps) == 1:
        return ""
    now = [request.progress.standing(step) for step in request.plan.steps]
    found = [
        (sign, sum(each in among for each in now), goes_on if request.is_open else ended)
        for sign, goes_on, ended, among in _COUNTED
    ]
    return "   ".join(f"{sign} {count} {word}" for sign, count, word in found if count)
