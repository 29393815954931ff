"""`alert rank`: how often an alert came with users being hurt, against the severity that it bears.

Users are hurt in a Sev1 or Sev2 incident, and where the error budget burns faster than it may (burn rate over 1): the
share of an alert's firings that lie beside such a time, and the share of such times that the alert announced.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from commands.alert.uncovered import hurt, undated
from commands.alertreads import Matrix, QueryRange
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light
from commands.model import Args, Gap, Inquiry, Section, Severity
from commands.numbers.firings import WINDOW, Firing, asked, by_name, merged, missing, of, window_of
from commands.phrase import counted, span
from commands.queries import query
from commands.reads import Now
from commands.response.incident import Incident
from commands.responsereads import Incidents
from commands.site import ClusterSite
from commands.wording import aligned, shown_and_kept, unread

USUAL = timedelta(days=30)
BESIDE = timedelta(minutes=15)
FEWEST = 3  # firings below which a share says nothing
ROWS = 15
_HIGH = 0.5  # of its firings beside a burn, and an alert is about users
_STEP = timedelta(minutes=5)
_PIECE = timedelta(days=10)  # Prometheus gives 11,000 points a series at most
_TITLE = "Alerts against what users felt"

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Rank:
    """hurtful: of its firings, how many beside a burn. announced, burns: of all burns, how many it came with."""

    name: str
    severity: Severity
    firings: int
    hurtful: int
    announced: int
    burns: int

    @property
    def share(self) -> float:
        return self.hurtful / self.firings

    @property
    def advice(self) -> str:
        """ "raise", "lower", or "" where its severity fits, or too little is known."""
        if self.firings < FEWEST or not self.burns:
            return ""
        if self.share >= _HIGH and self.severity is not Severity.CRITICAL:
            return "raise"
        return "lower" if self.severity is Severity.CRITICAL and not self.hurtful else ""


def parts(args: Args, site: ClusterSite) -> Parts:
    return {"rank": Part(_TITLE, inquiry(site, window_of(args, "window", USUAL)))}


def inquiry(site: ClusterSite, window: timedelta) -> Inquiry:
    read, burning = asked(site, window), _burn_reads(site, window)
    seen = yield (read, Now(), *burning)
    page, now = seen[read], seen[Now()]
    gap = next((each for each in (page, now) if isinstance(each, Gap)), None)
    if gap is not None:
        return Section("rank", _TITLE, True, (unread("AM-1", "Alerts", gap),))
    told = Incidents(now - window, now, site.name)
    incidents = (yield (told,))[told]
    said = _incidents(incidents, now - window, now)
    answers = [seen[each] for each in burning]
    dark = next((each for each in answers if isinstance(each, Gap)), None)
    if dark is not None:
        return Section("rank", _TITLE, True, (unread("AM-1", "Error budget", dark), said))
    if not any(series.points for answer in answers for series in answer.series):
        gap = Gap("Prometheus has no points of the error budget", "Check slo.queries.Q-budget.")
        return Section("rank", _TITLE, True, (unread("AM-1", "Error budget", gap), said))
    burns = spans_over(answers)
    harm = burns if isinstance(incidents, Gap) else together((*burns, *hurt(incidents, now - window, now)))
    known = ranks(merged(of(page)), harm)
    short = missing(page, now, window)
    findings = (_burns(burns, window), *_advised(known, harm, short), said)
    header = ("alert", "severity", "firings", "beside a burn", "of burns", "advice")
    rows = aligned(header, map(_row, known))
    table, files = shown_and_kept(rows, ROWS, "rank.txt", "All alerts") if known else ((), ())
    note = f"beside: within {span(BESIDE)} before or after; a burn is an hour's burn rate over 1, or a Sev1 or Sev2"
    return Section("rank", _TITLE, True, findings, f"{note}; {short}" if short else note, files, table)


def _burn_reads(site: ClusterSite, window: timedelta) -> tuple[QueryRange, ...]:
    """The budget spent in an hour, of an hour's budget: 1 spends exactly what there is."""
    burn = query(site, "Q-budget", window=timedelta(hours=1)).expr
    found, ago = [], timedelta()
    while ago < window:
        length = min(_PIECE, window - ago)
        found.append(QueryRange(burn, length, ago, _STEP, most=1))
        ago += length
    return tuple(found)


def spans_over(answers: Iterable[Matrix], level: float = 1.0) -> tuple[Span, ...]:
    """From when to when it was over the level."""
    points = (point for answer in answers for series in answer.series for point in series.points)
    return together((_at(at), _at(at)) for at, value in points if value > level)


def together(spans: Iterable[Span]) -> tuple[Span, ...]:
    """What lies closer together than twice BESIDE is one."""
    found: list[Span] = []
    for begun, ended in sorted(spans):
        if found and begun - found[-1][1] <= 2 * BESIDE:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((begun, ended))
    return tuple(found)


def ranks(firings: Sequence[Firing], burns: Sequence[Span]) -> tuple[Rank, ...]:
    """Those that come with most harm first."""
    found = [_rank(name, own, burns) for name, own in by_name(firings).items()]
    return tuple(sorted(found, key=lambda rank: (-rank.share, -rank.announced, -rank.firings, rank.name)))


def _rank(name: str, own: Sequence[Firing], burns: Sequence[Span]) -> Rank:
    gravest = min((each.severity for each in own), key=tuple(Severity).index)
    hurtful = sum(any(_is_beside(each.starts_at, burn) for burn in burns) for each in own)
    announced = sum(any(_is_beside(each.starts_at, burn) for each in own) for burn in burns)
    return Rank(name, gravest, len(own), hurtful, announced, len(burns))


def _is_beside(at: datetime, burn: Span) -> bool:
    return burn[0] - BESIDE <= at <= burn[1] + BESIDE


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


# --- how it is said -------------------------------------------------------------------------------


def _burns(burns: Sequence[Span], window: timedelta) -> Finding:
    if not burns:
        value = f"burned too fast at no time of the last {span(window)}: nothing to rank alerts by"
        return Finding("AM-1", "Error budget", Light.GREEN, value)
    # A point stands for the time until the next.
    total = sum((ended - begun + _STEP for begun, ended in burns), timedelta())
    value = f"burned too fast {counted(len(burns), 'time')} in {span(window)}, {span(total)} in all"
    lines = tuple(f"{begun:%d %b %H:%M} UTC for {span(ended - begun + _STEP)}" for begun, ended in burns)
    return Finding("AM-1", "Error budget", Light.GREEN, value, evidence=lines)


def _advised(known: Sequence[Rank], burns: Sequence[Span], short: str) -> tuple[Finding, ...]:
    key, label = "AM-1.1", "Severity"
    lines = tuple(_advice(rank) for rank in known if rank.advice)
    if lines:
        value = f"{counted(len(lines), 'alert')} whose severity does not fit"
        return (Finding(key, label, Light.YELLOW, value, evidence=lines),)
    if short or not burns or not known:
        why = short or ("nothing fired" if not known else "nothing burned")
        return (Finding(key, label, Light.UNKNOWN, f"unknown: {why}"),)
    few = sum(rank.firings < FEWEST for rank in known)
    value = f"fits each of {counted(len(known) - few, 'alert')}"
    value += f"; {few} fired fewer than {FEWEST} times" if few else ""
    return (Finding(key, label, Light.GREEN if few < len(known) else Light.UNKNOWN, value),)


def _advice(rank: Rank) -> str:
    share = f"{rank.hurtful} of {rank.firings} firings beside a burn"
    return f"{rank.advice} {rank.name} ({rank.severity.value}): {share}"


def _incidents(found: tuple[Incident, ...] | Gap, start: datetime, now: datetime) -> Finding:
    if isinstance(found, Gap):
        return unread("AM-1", "Incidents", found)
    stretches = hurt(found, start, now)
    lines = tuple(f"{begun:%d %b %H:%M} UTC for {span(ended - begun)}" for begun, ended in stretches)
    if bare := undated(found):
        value = f"unknown: nobody said since when users felt {', '.join(bare)}"
        return Finding("AM-1", "Incidents", Light.UNKNOWN, value, evidence=lines)
    value = (
        f"users were hurt by Sev1 or Sev2 {counted(len(stretches), 'time')}"
        if stretches
        else "no Sev1 or Sev2"
    )
    return Finding("AM-1", "Incidents", Light.GREEN, value, evidence=lines)


def _row(rank: Rank) -> tuple[str, ...]:
    beside = f"{rank.hurtful} = {100 * rank.share:.0f} %"
    if not rank.burns:
        return rank.name, rank.severity.value, str(rank.firings), "-", "-", ""
    of_burns = f"{rank.announced} of {rank.burns} = {100 * rank.announced / rank.burns:.0f} %"
    return rank.name, rank.severity.value, str(rank.firings), beside, of_burns, rank.advice


RANK = Command(
    word="alert",
    verbs=("rank",),
    summary="How often each alert came with users being hurt, against its severity: what to raise, what to lower.",
    rows=("AM-1", "AM-1.1"),
    parts=parts,
    examples=("alert rank", "alert rank --window 7d"),
    flags=(WINDOW,),
)
