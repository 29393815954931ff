"""`alert list`: what fires now, what a silence or another alert hides, whose it is, and what has no category yet.

Alertmanager says what fires; the bot's store says who has it in hand. Where Alertmanager does not answer, the store
speaks alone, and says so. Alerts of one name in one namespace are one line, however many pods they are.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from commands.alert.selection import typed
from commands.alertreads import AmAlert, AmAlerts, OpenGroups
from commands.alertroutes import severity_of
from commands.called import names_of
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light, Link, Suggestion
from commands.matchers import all_find
from commands.model import Alert, AlertGroup, Args, Gap, Inquiry, Reads, Section, Seen, Severity
from commands.numbers.firings import BY_DESIGN
from commands.phrase import counted, span
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import aligned, shown_and_kept, unread

ROWS = 15
_TITLE = "Alerts"
_STATES = ("firing", "silenced", "inhibited")
_GRAVEST = tuple(Severity)
_LIGHTS = {Severity.CRITICAL: Light.RED, Severity.WARNING: Light.YELLOW, Severity.INFO: Light.GREEN}
# What an alert is about, the nearest first.
_ABOUT = (
    "pod", "deployment", "statefulset", "daemonset", "job_name", "persistentvolumeclaim", "node", "service", "instance",
    "job",
)  # fmt: skip
# Alertmanager waits for the rest of a group before it tells anybody.
_SOON = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert as far as a line needs it, from either source. group: the bot's record of it, where it has one."""

    name: str
    severity: Severity
    state: str
    labels: Mapping[str, str]
    since: datetime
    group: AlertGroup | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """Alerts of one name, severity, state and namespace."""

    members: tuple[Shown, ...]

    @property
    def lead(self) -> Shown:
        return min(self.members, key=lambda each: each.since)


def parts(args: Args, site: ClusterSite) -> Parts:
    typed(args)  # says what is wrong with a matcher before anything is read
    return {"list": Part(_TITLE, listed(args, site))}


def listed(args: Args, site: ClusterSite) -> Inquiry:
    chosen = typed(args)
    found, known = AmAlerts(tuple(map(str, chosen))), OpenGroups(site.name)
    seen = yield (found, known, Now())
    alerts, groups, now = seen[found], seen[known], seen[Now()]
    open_groups: tuple[AlertGroup, ...] = () if isinstance(groups, Gap) else groups
    wrong = [unread("AD-1", "Alertmanager", alerts)] if isinstance(alerts, Gap) else []
    wrong += [unread("AD-2.1", "Who has it in hand", groups)] if isinstance(groups, Gap) else []
    if isinstance(alerts, Gap):
        shown = [each for each in _of_store(open_groups, site) if all_find(chosen, each.labels)]
        if isinstance(groups, Gap):
            return Section("list", _TITLE, True, tuple(wrong))
    else:
        shown = _of_alertmanager(alerts, open_groups, site)
    names = yield from _names(shown)
    folds = folded(shown)
    table, files = shown_and_kept(
        _table(folds, now, names) if folds else (), ROWS, "alerts.txt", "All alerts"
    )
    findings = (
        *wrong,
        *_states(folds, is_partial=isinstance(alerts, Gap), link=_link(site, found.matchers)),
        *_untold(shown, now, is_known=not isinstance(alerts, Gap) and not isinstance(groups, Gap)),
        *_uncategorized(open_groups, shown),
    )
    source = (
        "the bot's own store, for Alertmanager does not answer" if isinstance(alerts, Gap) else "Alertmanager"
    )
    return Section("list", _TITLE, True, findings, f"source: {source}", files, table)


# --- what there is --------------------------------------------------------------------------------


def _of_alertmanager(
    alerts: Iterable[AmAlert], groups: Sequence[AlertGroup], site: ClusterSite
) -> list[Shown]:
    own = {alert.fingerprint: group for group in groups for alert in group.firing}
    same = {_labels(alert): group for group in groups for alert in group.firing}
    return [
        Shown(
            each.labels.get("alertname", ""),
            severity_of(site.alerts, each.labels),
            _state(each),
            each.labels,
            each.starts_at,
            own.get(each.fingerprint) or same.get(_labels(each)),
        )
        for each in alerts
        if each.labels.get("alertname") not in BY_DESIGN
    ]


def _labels(alert: AmAlert | Alert) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(alert.labels.items()))


def _state(alert: AmAlert) -> str:
    if alert.silenced_by:
        return "silenced"
    return "inhibited" if alert.inhibited_by else "firing"


def _of_store(groups: Iterable[AlertGroup], site: ClusterSite) -> list[Shown]:
    return [
        Shown(
            alert.name,
            severity_of(site.alerts, alert.labels),
            _told_state(group),
            alert.labels,
            alert.starts_at,
            group,
        )
        for group in groups
        for alert in group.firing
    ]


def _told_state(group: AlertGroup) -> str:
    return "silenced" if any(not each.ended for each in group.care.silences) else "firing"


def folded(shown: Iterable[Shown]) -> tuple[Fold, ...]:
    """By state, then the gravest, then the oldest."""
    found: dict[tuple[str, ...], list[Shown]] = {}
    for each in shown:
        key = (each.state, each.severity.value, each.name, each.labels.get("namespace", ""))
        found.setdefault(key, []).append(each)
    folds = [Fold(tuple(members)) for members in found.values()]
    return tuple(sorted(folds, key=_order))


def _order(fold: Fold) -> tuple[int, int, datetime, str]:
    lead = fold.lead
    return _STATES.index(lead.state), _GRAVEST.index(lead.severity), lead.since, lead.name


# --- how it is said -------------------------------------------------------------------------------


def _names(shown: Iterable[Shown]) -> Generator[Reads, Seen, Mapping[str, str]]:
    """What people call those who have something in hand."""
    cares = [each.group.care for each in shown if each.group]
    return (yield from names_of(user for care in cares for user in (care.owner, care.acked_by)))


def _table(folds: Sequence[Fold], now: datetime | Gap, names: Mapping[str, str]) -> tuple[str, ...]:
    header = ("state", "severity", "alert", "about", "for", "in hand", "id")
    return aligned(header, (_row(fold, now, names) for fold in folds), width=44)


def _row(fold: Fold, now: datetime | Gap, names: Mapping[str, str]) -> tuple[str, ...]:
    lead = fold.lead
    age = "" if isinstance(now, Gap) else span(now - lead.since)
    groups = {each.group.id: each.group for each in fold.members if each.group}
    ids = [*groups, ""][0] + (f" and {len(groups) - 1} more" if len(groups) > 1 else "")
    return (
        lead.state,
        lead.severity.value,
        lead.name or "(no name)",
        _about(fold),
        age,
        _care(groups.values(), names),
        ids,
    )


def _about(fold: Fold) -> str:
    lead, count = fold.lead, len(fold.members)
    namespace = lead.labels.get("namespace", "")
    kind = next((label for label in _ABOUT if lead.labels.get(label)), "")
    if count == 1:
        return "/".join(filter(None, (namespace, lead.labels.get(kind, "")))) or "-"
    noun = {"job_name": "job", "persistentvolumeclaim": "volume"}.get(kind, kind)
    different = len({each.labels.get(kind, "") for each in fold.members})
    if not kind or different == 1:
        return " ".join(filter(None, (namespace, f"× {count}")))
    return ": ".join(filter(None, (namespace, counted(different, noun))))


def _care(groups: Iterable[AlertGroup], names: Mapping[str, str]) -> str:
    """Who has it; a fold is in hand only where each of its groups is."""
    words = {_in_hand(group, names) for group in groups}
    return words.pop() if len(words) == 1 else ("" if not words else "some of it")


def _in_hand(group: AlertGroup, names: Mapping[str, str]) -> str:
    care = group.care
    if care.owner:
        return f"owned by {names.get(care.owner, care.owner)}"
    return f"seen by {names.get(care.acked_by, care.acked_by)}" if care.acked else "nobody"


def _states(folds: Sequence[Fold], *, is_partial: bool, link: Link | None) -> tuple[Finding, ...]:
    firing = [fold for fold in folds if fold.lead.state == "firing"]
    found = [Finding("AD-2.0", "Firing", _light(firing), _counts(firing) or "nothing", link=link)]
    if is_partial and not firing:  # what the store has not heard of may fire all the same
        found = [
            Finding("AD-2.0", "Firing", Light.UNKNOWN, "unknown: none that the bot was told of", link=link)
        ]
    for state, label in (("silenced", "Silenced"), ("inhibited", "Inhibited")):
        hidden = [fold for fold in folds if fold.lead.state == state]
        if hidden:
            is_critical = any(fold.lead.severity is Severity.CRITICAL for fold in hidden)
            light = Light.YELLOW if is_critical else Light.GREEN
            found.append(Finding("AD-1", label, light, _counts(hidden)))
    return tuple(found)


def _light(folds: Sequence[Fold]) -> Light:
    gravest = min((fold.lead.severity for fold in folds), key=_GRAVEST.index, default=Severity.INFO)
    return _LIGHTS[gravest]


def _counts(folds: Sequence[Fold]) -> str:
    """ "3 critical, 41 warning"."""
    tally = {
        severity: sum(len(fold.members) for fold in folds if fold.lead.severity is severity)
        for severity in _GRAVEST
    }
    return ", ".join(f"{count} {severity.value}" for severity, count in tally.items() if count)


def _link(site: ClusterSite, matchers: Sequence[str]) -> Link | None:
    """Alertmanager's page with the same filter."""
    if not site.urls.alertmanager:
        return None
    chosen = f"&filter={quote('{' + ','.join(matchers) + '}', safe='')}" if matchers else ""
    url = f"{site.urls.alertmanager.rstrip('/')}/#/alerts?silenced=false&inhibited=false&active=true{chosen}"
    return Link("Alertmanager", url)


# --- what is to be done ---------------------------------------------------------------------------


def _untold(shown: Iterable[Shown], now: datetime | Gap, *, is_known: bool) -> tuple[Finding, ...]:
    """What fires in Alertmanager and never came here: its route goes elsewhere."""
    if not is_known or isinstance(now, Gap):
        return ()
    late = [e for e in shown if e.state == "firing" and e.group is None and now - e.since > _SOON]
    if not late:
        return ()
    names = sorted({each.name for each in late})
    value = f"{counted(len(late), 'alert')} never came here: {', '.join(names[:5])}"
    mend = "Route them to the bot's receiver in Alertmanager; `alert routes` shows where each goes."
    step = Suggestion("Routes", "alert routes")
    return (Finding("AD-2.2", "Told", Light.YELLOW, value, suggestions=(step,), mend=mend),)


def _uncategorized(groups: Iterable[AlertGroup], shown: Iterable[Shown]) -> tuple[Finding, ...]:
    """The review is done when each alert has a category."""
    meant = {each.group.id for each in shown if each.group}
    own = [group for group in groups if group.id in meant]
    if not own:
        return ()
    left = [group for group in own if not group.care.judged]
    value = f"{len(own) - len(left)} of {counted(len(own), 'group')} marked"
    if not left:
        return (Finding("AD-2.1", "Category", Light.GREEN, value),)
    first = left[0]
    steps = tuple(
        Suggestion(f"{first.name}: {word}", f"alert mark {first.id} {word}")
        for word in ("actionable", "informational", "false-alarm")
    )
    lines = tuple(f"{group.name} ({group.id})" for group in left)
    return (Finding("AD-2.1", "Category", Light.YELLOW, value, evidence=lines, suggestions=steps),)


LIST = Command(
    word="alert",
    verbs=("list",),
    summary="What fires now, what is silenced or inhibited, whose it is; label matchers narrow it down.",
    rows=("AD-1", "AD-2.0", "AD-2.1", "AR-1.1", "AR-2.1", "AR-3.1", "AR-4.1"),
    parts=parts,
    examples=("alert list", 'alert list severity="critical"', 'alert list namespace=~"shop|pay"'),
    names="MATCHER …",
)
