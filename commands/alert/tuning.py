"""`alert tune`: the false-positive rate of each alert, and a threshold or `for` that would have spared the false ones.

What counts is what people called each card (`alert mark`), because nobody else knows. Few marks say nothing, and
what nobody marked is counted beside the rate instead of being taken for true.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.alert.proposal import Case, Proposal, proposals
from commands.alertreads import Matrix, Occurrence, QueryRange, Rules, RuleView
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Judgement, Reads, Section, Seen
from commands.numbers.firings import WEEK, WINDOW, Told, asked, missing, of, told, window_of
from commands.phrase import counted, span
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage.expression import Level, level, narrowed
from commands.wording import aligned, one_line, shown_and_kept, unread

FEWEST = 5  # marked cards below which a rate says nothing
ROWS = 15
_TITLE = "False alarms"
_RULES = 3  # rules a proposal is worked out for in one run
_CASES = 20  # firings of a rule that Prometheus is asked about
_LONGEST = timedelta(hours=6)  # of one firing that is looked at


@dataclass(frozen=True, slots=True)
class Rate:
    """Of one alert: how often it was told, how many of those somebody marked, how many of these were false."""

    name: str
    cards: tuple[Told, ...]

    @property
    def marked(self) -> tuple[Told, ...]:
        return tuple(card for card in self.cards if card.judgement)

    @property
    def false(self) -> int:
        return sum(card.judgement is Judgement.FALSE_ALARM for card in self.marked)

    @property
    def is_enough(self) -> bool:
        return len(self.marked) >= FEWEST

    @property
    def percent(self) -> float:
        return 100 * self.false / len(self.marked) if self.marked else 0.0

    def is_over(self, limit: float) -> bool:
        """Without the rounding of a share: 5 % exactly is not more than 5 %."""
        return self.is_enough and 100 * self.false > limit * len(self.marked)


def parts(args: Args, site: ClusterSite) -> Parts:
    window = window_of(args, "window", WEEK)
    return {"tune": Part(_TITLE, inquiry(site, window, args.name))}


def inquiry(site: ClusterSite, window: timedelta, name: str = "") -> Inquiry:
    read = asked(site, window)
    seen = yield (read, Now())
    page, now = seen[read], seen[Now()]
    gap = next((each for each in (page, now) if isinstance(each, Gap)), None)
    if gap is not None:
        return Section("tune", _TITLE, True, (unread("AW-1", "Marks", gap),))
    known = rates(told(of(page)))
    chosen = [rate for rate in known if name.casefold() in ("", rate.name.casefold())]
    short = missing(page, now, window)
    limit = site.alerts.false_positive_pct
    over = [rate for rate in chosen if rate.is_over(limit)]
    proposed = yield from _proposed(over[:_RULES], now)
    unknown = (yield from _unknown(name)) if name and not chosen else ()
    findings = (
        *(unknown or (_summary(chosen, over, limit, window, short),)), *proposed, *_left(over[_RULES:]),
    )  # fmt: skip
    rows = aligned(("alert", "told", "marked", "false", "rate", "unmarked"), map(_row, chosen))
    table, files = shown_and_kept(rows, ROWS, "false-alarms.txt", "All alerts") if chosen else ((), ())
    note = "rate = cards marked false alarm / all marked cards; one mark is for one card, however many pods it has"
    return Section("tune", _TITLE, True, findings, note, files, table)


def rates(cards: Iterable[Told]) -> list[Rate]:
    """By alert name, those with most false ones first."""
    found: dict[str, list[Told]] = {}
    for card in cards:
        for name in card.names:
            found.setdefault(name, []).append(card)
    made = [Rate(name, tuple(own)) for name, own in found.items()]
    return sorted(made, key=lambda rate: (-rate.percent * rate.is_enough, -len(rate.cards), rate.name))


def _row(rate: Rate) -> tuple[str, ...]:
    marked, told_ = len(rate.marked), len(rate.cards)
    said = f"{rate.percent:.1f} %" if rate.is_enough else f"too few ({marked} of {FEWEST})"
    return (
        rate.name or "(no name)",
        str(told_),
        str(marked),
        str(rate.false),
        said,
        f"{100 * (told_ - marked) / told_:.0f} %",
    )


def _summary(
    chosen: Sequence[Rate], over: Sequence[Rate], limit: float, window: timedelta, short: str
) -> Finding:
    key, label, threshold = "AW-1", "False-positive rate", f"at most {limit:g} %"
    if not chosen:
        value = f"nothing was told in the last {span(window)}"
        light = Light.UNKNOWN if short else Light.GREEN
        return Finding(key, label, light, f"{value}, and {short}" if short else value, threshold)
    enough = [rate for rate in chosen if rate.is_enough]
    lines = tuple(f"{rate.name}: {rate.false} / {len(rate.marked)} = {rate.percent:.1f} %" for rate in over)
    if over:
        value = f"{counted(len(over), 'alert')} of {len(chosen)} over it"
        return Finding(key, label, Light.YELLOW, value, threshold, lines)
    if len(enough) < len(chosen):
        value = f"unknown: too few marks for {len(chosen) - len(enough)} of {counted(len(chosen), 'alert')}"
        mend = "Mark what comes: the buttons of a card, or `alert mark A… actionable`."
        return Finding(key, label, Light.UNKNOWN, value, threshold, mend=mend)
    return Finding(key, label, Light.GREEN, f"none of {counted(len(chosen), 'alert')} over it", threshold)


def _unknown(name: str) -> Generator[Reads, Seen, tuple[Finding, ...]]:
    """Of a name that was never told: whether there is such a rule at all."""
    rules: tuple[RuleView, ...] | Gap = (yield (Rules(),))[Rules()]
    if isinstance(rules, Gap):
        return (unread("AW-1", "Rules", rules),)
    if any(rule.kind == "alerting" and rule.name.casefold() == name.casefold() for rule in rules):
        return ()
    value = f"unknown: no rule {one_line(name, 60)} is loaded, and no alert of that name was told"
    step = Suggestion("False alarms of all", "alert tune")
    return (Finding("AW-1", "Rule", Light.UNKNOWN, value, suggestions=(step,)),)


def _left(rates: Sequence[Rate]) -> tuple[Finding, ...]:
    if not rates:
        return ()
    names = ", ".join(rate.name for rate in rates)
    steps = tuple(Suggestion(f"Tune {rate.name}", f"alert tune {rate.name}") for rate in rates[:1])
    return (Finding("AW-1.1", "Not worked out here", Light.YELLOW, names, suggestions=steps),)


# --- what would help ------------------------------------------------------------------------------


def _proposed(rates: Sequence[Rate], now: datetime) -> Generator[Reads, Seen, tuple[Finding, ...]]:
    if not rates:
        return ()
    rules: tuple[RuleView, ...] | Gap = (yield (Rules(),))[Rules()]
    if isinstance(rules, Gap):
        return (unread("AW-1.1", "What would help", rules),)
    found = []
    for rate in rates:
        rule = next((r for r in rules if r.kind == "alerting" and r.name == rate.name), None)
        if rule is None:
            value = "no rule of this name is loaded, so there is nothing to tune here"
            found.append(Finding("AW-1.1", rate.name, Light.YELLOW, value))
        else:
            found.append((yield from _of_rule(rate, rule, now)))
    return tuple(found)


def _of_rule(rate: Rate, rule: RuleView, now: datetime) -> Generator[Reads, Seen, Finding]:
    watched = watchable(rule.expr)
    chosen = _chosen(rate)
    reads = {_read(watched, rule, each, now): is_true for is_true, each in chosen}
    seen = yield tuple(reads)
    gap = next((seen[read] for read in reads if isinstance(seen[read], Gap)), None)
    if isinstance(gap, Gap):
        return unread("AW-1.1", rule.name, gap)
    cases = [Case(is_true, _points(seen[read])) for read, is_true in reads.items()]
    step = max(read.step for read in reads)
    found = proposals(cases, watched.op, watched.threshold, rule.wait, step)
    return _said(rate, rule, watched, cases, found)


def watchable(expr: str) -> Level:
    """What its level compares; of an expression with a further condition the whole, whose level is left alone."""
    found = level(expr)
    rest = expr.replace(found.value, "", 1).casefold().split()
    return Level(expr) if {"and", "or", "unless"} & set(rest) else found


def _chosen(rate: Rate) -> list[tuple[bool, Occurrence]]:
    """Of each marked card its first alert of this name, the newest cards first, half of them true and half false."""
    sides: dict[bool, list[Occurrence]] = {True: [], False: []}
    for card in reversed(rate.marked):
        own = min((o for o in card.members if o.name == rate.name), key=lambda o: o.starts_at)
        sides[card.judgement is not Judgement.FALSE_ALARM].append(own)
    return [(is_true, each) for is_true, several in sides.items() for each in several[: _CASES // 2]]


def _read(watched: Level, rule: RuleView, each: Occurrence, now: datetime) -> QueryRange:
    """From before it was pending to its end: Prometheus counts the start from the end of `for`."""
    begun = each.starts_at - rule.wait - timedelta(minutes=1)
    ended = min(each.ends_at or now, each.starts_at + _LONGEST)
    step = max(timedelta(seconds=15), (ended - begun) / 200)
    # What the rule itself writes on its alerts is not on its series.
    own = {label: value for label, value in each.labels.items() if label not in rule.labels}
    return QueryRange(narrowed(watched.value, own), ended - begun, now - ended, step, most=1)


def _points(found: Matrix) -> tuple[tuple[float, float], ...]:
    return found.series[0].points if found.series else ()


def _said(
    rate: Rate, rule: RuleView, watched: Level, cases: Sequence[Case], found: Sequence[Proposal]
) -> Finding:
    key, label = "AW-1.1", rule.name
    true, false = sum(c.is_true for c in cases), sum(not c.is_true for c in cases)
    if not true:
        value = f"none of {len(rate.marked)} marked was a true one: is the rule needed at all?"
        return Finding(key, label, Light.YELLOW, value)
    blind = [case for case in cases if not case.points]
    if blind and not found:
        value = f"unknown: Prometheus has no points for {len(blind)} of {counted(len(cases), 'firing')}"
        return Finding(key, label, Light.UNKNOWN, value)
    if not found:
        value = f"no threshold and no `for` keeps {counted(true, 'true alert')} and spares a false one"
        return Finding(key, label, Light.YELLOW, value, evidence=(one_line(rule.expr),))
    lines = tuple(_words(each, watched, rule, false) for each in found)
    value = (
        f"{lines[0]}; all {true} true ones looked at still fire"
        if true > 1
        else f"{lines[0]}; the true one still fires"
    )
    return Finding(key, label, Light.YELLOW, value, evidence=(*lines[1:], one_line(rule.expr)))


def _words(each: Proposal, watched: Level, rule: RuleView, false: int) -> str:
    spared = f"would have spared {each.spares} of {false} false ones"
    if each.wait is not None:
        return f"`for: {span(each.wait)}` instead of {span(rule.wait)} {spared}"
    return f"{watched.op} {each.threshold:.12g} instead of {watched.op} {watched.threshold:.12g} {spared}"


TUNE = Command(
    word="alert",
    verbs=("tune",),
    summary="The false-positive rate of each alert, and a threshold that would have spared the false ones.",
    rows=("AW-1", "AW-1.1"),
    parts=parts,
    examples=("alert tune", "alert tune HighErrorRate --window 30d"),
    flags=(WINDOW,),
    names="RULE",
)
