"""What a silence is to hide: a group of alerts by its id, or the label matchers that were typed; and for how long.

Pure reading of what was typed. A silence that narrows nothing down is told apart here, because it would hide all
there is. Used by commands/alert/silence.py and commands/alert/unsilence.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from commands import matchers, silences
from commands.errors import UsageError
from commands.grammar import duration
from commands.matchers import Matcher
from commands.model import AlertGroup, Args
from commands.phrase import span

GROUP = re.compile(r"[Aa][0-9a-fA-F]{16}")

# More names than that make a matcher nobody can read; the group's own labels find them, too.
_NAMES = 20

_VALUE = r'"(?:[^"\\]|\\.)*"'
_ONE = re.compile(
    rf'[\s{{,]*((?:[A-Za-z_:][A-Za-z0-9_:]*|{_VALUE})\s*(?:=~|!~|!=|=)\s*(?:{_VALUE}|[^\s",{{}}]+))[\s}},]*'
)
# Whatever matches each of these matches anything.
_ANYTHING = ("x", "Zq0 -/:é.")
_LITERAL = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """group: its id, "" where there are matchers alone; matchers: as typed, of a group what narrows it down."""

    group: str
    matchers: tuple[Matcher, ...]
    length: timedelta


def wanted(args: Args) -> Wanted:
    """Raises UsageError that says what to type."""
    length = _length(args)
    only = _listed(args.flags["only"]) if "only" in args.flags else ()
    typed = f"{args.name} {args.rest}".strip()
    if not typed:
        raise UsageError(
            "Say which alert: `alert silence A…` with the id that stands under its card, or label matchers such as "
            '`alert silence alertname="X" namespace="shop"`. In the thread of an alert its id may be left out.'
        )
    if GROUP.fullmatch(args.name):
        if args.rest:
            raise UsageError(
                f"`{args.rest}` means nothing behind the id of an alert. To hide a part of it, add "
                "`--only pod=…`; a reason of several words goes into quotes."
            )
        return Wanted("A" + args.name[1:].lower(), only, length)
    return Wanted("", (*_listed(typed), *only), length)


def typed(args: Args) -> tuple[Matcher, ...]:
    """Label matchers in place of a name, none where nothing is typed."""
    return _listed(f"{args.name} {args.rest}".strip())


def _length(args: Args) -> timedelta:
    length = duration(args.flags["for"]) if "for" in args.flags else silences.USUAL
    if length > silences.LONGEST:
        raise UsageError(
            f"A silence hides alerts from everybody, so it lasts {span(silences.LONGEST)} at most. What has to be "
            "quiet for longer wants its rule changed, or a mute time in Alertmanager's routes."
        )
    if length < silences.SHORTEST:
        raise UsageError(f"A silence lasts {span(silences.SHORTEST)} at least.")
    return length


def _listed(text: str) -> tuple[Matcher, ...]:
    """Matchers with blanks or commas between, in braces or without, as they are copied from anywhere."""
    return tuple(dict.fromkeys(_each(text)))


def _each(text: str) -> Iterator[Matcher]:
    position = 0
    while position < len(text):
        found = _ONE.match(text, position)
        if found is None:
            yield matchers.parse(text[position:])  # which says what is wrong with it
            return
        yield matchers.parse(found[1])
        position = found.end()


def of_group(group: AlertGroup) -> tuple[Matcher, ...]:
    """What finds the group: its labels, and the names of its alerts where they are not among them."""
    labels = dict(group.group_labels)
    names = sorted({alert.name for alert in (group.firing or group.alerts) if alert.name})
    own = tuple(Matcher(label, "=", value) for label, value in sorted(labels.items()))
    if "alertname" in labels or not 0 < len(names) <= _NAMES:
        return own
    if len(names) == 1:
        return (Matcher("alertname", "=", names[0]), *own)
    return (Matcher("alertname", "=~", "|".join(map(re.escape, names))), *own)


def narrows(matcher: Matcher) -> bool:
    """Whether it leaves anything out: not "whatever but X", and not "anything at all"."""
    if matcher.finds_absent:
        return False
    return not all(matcher.finds({matcher.label: text}) for text in _ANYTHING)


def namespace(chosen: tuple[Matcher, ...]) -> str:
    """The one namespace that the matchers stay in, "" where they name none."""
    own = (each for each in chosen if each.label == "namespace" and each.op in ("=", "=~"))
    return next((each.value for each in own if _LITERAL.fullmatch(each.value)), "")
