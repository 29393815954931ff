"""`alert order`: which alert comes first where several fire together, and (--inhibit) which could hide which.

Together is: in one namespace, begun within ten minutes. People are hurt by symptoms, so a cause that always fires
before its symptom says that the symptom's rule is slow, or that the one makes the other superfluous.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations
from statistics import median

from commands.alert import inhibition
from commands.alertreads import AlertmanagerConfig, AlertmanagerRoutes
from commands.command import Command, Flag, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Attachment, Gap, Inquiry, Section
from commands.numbers.firings import WINDOW, Firing, asked, merged, missing, of, window_of
from commands.phrase import counted, span
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import aligned, shown_and_kept, unread

USUAL = timedelta(days=30)
TOGETHER = timedelta(minutes=10)
FEWEST = 3  # times two alerts fired together, below which an order says nothing
ROWS = 15
_MOSTLY = 0.75
_SAME = timedelta(seconds=30)  # rules are evaluated so often: closer than that is no order
_TITLE = "Which alerts come first"


@dataclass(frozen=True, slots=True)
class Lead:
    """How often one alert began before another in all the times they fired together, and by how much (median)."""

    first: str
    then: str
    times: int
    together: int
    by: timedelta


def parts(args: Args, site: ClusterSite) -> Parts:
    window = window_of(args, "window", USUAL)
    found = {"order": Part(_TITLE, inquiry(site, window))}
    if "inhibit" in args.flags:
        found["inhibit"] = Part("What could hide what", _inhibited(site, window))
    return found


def inquiry(site: ClusterSite, window: timedelta) -> Inquiry:
    read = asked(site, window)
    seen = yield (read, Now())
    page, now = seen[read], seen[Now()]
    gap = next((each for each in (page, now) if isinstance(each, Gap)), None)
    if gap is not None:
        return Section("order", _TITLE, True, (unread("AM-2.1", "Alerts", gap),))
    firings = merged(of(page))
    bunches, kinds = clusters(firings), _kinds(firings, site)
    short = missing(page, now, window)
    found = leads(bunches)
    findings = (_causes_first(found, kinds, bunches, short),)
    rows = aligned(("first", "then", "how often", "before by"), (_row(lead, kinds) for lead in found))
    table, files = shown_and_kept(rows, ROWS, "order.txt", "All pairs") if found else ((), ())
    note = f"together: in one namespace, begun within {span(TOGETHER)}; kinds by the rule label `kind`, or the manual's"
    return Section("order", _TITLE, True, findings, f"{note}; {short}" if short else note, files, table)


def clusters(firings: Iterable[Firing]) -> tuple[tuple[Firing, ...], ...]:
    """What began within ten minutes of the first in its namespace, where that is more than one alert."""
    found: list[list[Firing]] = []
    latest: dict[str, list[Firing]] = {}
    for each in sorted(firings, key=lambda f: (f.starts_at, f.fingerprint)):
        bunch = latest.get(each.namespace)
        if bunch is None or each.starts_at - bunch[0].starts_at > TOGETHER:
            bunch = latest[each.namespace] = []
            found.append(bunch)
        bunch.append(each)
    return tuple(tuple(bunch) for bunch in found if len({each.name for each in bunch}) > 1)


def leads(bunches: Sequence[Sequence[Firing]]) -> tuple[Lead, ...]:
    """Pairs of which one mostly comes first, the most frequent first."""
    apart: dict[tuple[str, str], list[timedelta]] = {}
    for bunch in bunches:
        starts: dict[str, datetime] = {}
        for each in bunch:
            starts.setdefault(each.name, each.starts_at)
        for one, two in permutations(starts, 2):
            apart.setdefault((one, two), []).append(starts[two] - starts[one])
    found = (_lead(one, two, gaps) for (one, two), gaps in apart.items() if len(gaps) >= FEWEST)
    return tuple(sorted(filter(None, found), key=lambda lead: (-lead.times, lead.first, lead.then)))


def _lead(one: str, two: str, gaps: Sequence[timedelta]) -> Lead | None:
    before = [gap for gap in gaps if gap >= _SAME]
    if len(before) < _MOSTLY * len(gaps):
        return None
    by = timedelta(seconds=median(gap.total_seconds() for gap in before))
    return Lead(one, two, len(before), len(gaps), by)


def _kinds(firings: Iterable[Firing], site: ClusterSite) -> dict[str, str]:
    """Of each alert whether it is about users or about what may hurt them; "" where nobody says."""
    groups = {"slo_violations": "symptom", "resource_exhaustion": "cause", "": ""}
    manual = {name: groups[rule.group] for name, rule in site.alerts.rules.items()}
    said = {each.name: each.labels.get("kind", "").casefold() for each in firings}
    return {
        name: kind if kind in ("symptom", "cause") else manual.get(name, "") for name, kind in said.items()
    }


def _causes_first(
    found: Sequence[Lead], kinds: dict[str, str], bunches: Sequence[object], short: str
) -> Finding:
    key, label, threshold = "AM-2.1", "Causes before symptoms", "symptoms first"
    wrong = [lead for lead in found if (kinds[lead.first], kinds[lead.then]) == ("cause", "symptom")]
    if wrong:
        lines = tuple(_sentence(lead) for lead in wrong)
        mend = "Shorten the `for` of the symptom's rule, or let it hide the cause: `alert order --inhibit`."
        step = Suggestion("What could hide what", "alert order --inhibit")
        value = f"{counted(len(wrong), 'pair')}: the cause is told before the symptom"
        return Finding(key, label, Light.YELLOW, value, threshold, lines, suggestions=(step,), mend=mend)
    if not bunches:
        light = Light.UNKNOWN if short else Light.GREEN
        return Finding(key, label, light, short or "no alerts fired together", threshold)
    unclear = [lead for lead in found if not kinds[lead.first] or not kinds[lead.then]]
    if unclear or short:
        value = short or f"of {counted(len(unclear), 'pair')} nobody says which is the cause"
        mend = "" if short else "Give the rules a label `kind: symptom` or `kind: cause`."
        return Finding(key, label, Light.UNKNOWN, f"unknown: {value}", threshold, mend=mend)
    value = f"none, {counted(len(bunches), 'time')} that alerts fired together"
    return Finding(key, label, Light.GREEN, value, threshold)


def _sentence(lead: Lead) -> str:
    return f"{lead.first} fires {span(lead.by)} before {lead.then} in {lead.times} of {lead.together}"


def _row(lead: Lead, kinds: dict[str, str]) -> tuple[str, ...]:
    named = [f"{name} ({kinds[name]})" if kinds[name] else name for name in (lead.first, lead.then)]
    return *named, f"{lead.times} of {lead.together}", span(lead.by)


# --- what could hide what -------------------------------------------------------------------------


def _inhibited(site: ClusterSite, window: timedelta) -> Inquiry:
    title, key = "What could hide what", "AM-2.2"
    read = asked(site, window)
    seen = yield (read, Now(), AlertmanagerConfig())
    page, now, tree = seen[read], seen[Now()], seen[AlertmanagerConfig()]
    gap = next((each for each in (page, now) if isinstance(each, Gap)), None)
    if gap is not None:
        return Section("inhibit", title, True, (unread(key, "Alerts", gap),))
    known: AlertmanagerRoutes | None = None if isinstance(tree, Gap) else tree
    firings = merged(of(page))
    pairs = inhibition.pairs(firings, now)
    fresh = [
        pair for pair in pairs if known is None or not inhibition.is_known(pair, known.inhibits, firings)
    ]
    wrong = (unread(key, "Rules that exist", tree),) if isinstance(tree, Gap) else ()
    found = _proposal(fresh, len(pairs) - len(fresh), missing(page, now, window))
    if not fresh:
        return Section("inhibit", title, True, (*wrong, found))
    text = inhibition.text(fresh)
    file = Attachment("inhibit-rules.yaml", "Rules for Alertmanager", text)
    table = tuple(text.rstrip("\n").split("\n"))
    kept, files = shown_and_kept(table, ROWS, file.name, file.title)
    note = "to be added to Alertmanager's configuration by hand; check with `amtool check-config`"
    return Section("inhibit", title, True, (*wrong, found), note, files or (file,), kept)


def _proposal(fresh: Sequence[inhibition.Pair], known: int, short: str) -> Finding:
    key, label, threshold = "AM-2.2", "Fire together", "more than 80 %"
    said = f"; {known} hidden already by a rule" if known else ""
    if not fresh:
        light = Light.UNKNOWN if short else Light.GREEN
        return Finding(key, label, light, f"no further pair{said}{f'; {short}' if short else ''}", threshold)
    lines = tuple(
        f"{pair.target} fired with {pair.source} {pair.together} of {pair.firings} times" for pair in fresh
    )
    return Finding(key, label, Light.YELLOW, f"{counted(len(fresh), 'pair')}{said}", threshold, lines)


ORDER = Command(
    word="alert",
    verbs=("order",),
    summary="Which alert comes first where several fire together; --inhibit proposes rules that hide the others.",
    rows=("AM-2.1", "AM-2.2"),
    parts=parts,
    examples=("alert order", "alert order --inhibit --window 7d"),
    flags=(WINDOW, Flag("inhibit", "also rules for Alertmanager by which one alert hides another")),
)
