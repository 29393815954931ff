"""`change recent`: what changed lately, announced or not, the nearest to the trouble first.

Rollouts, scalings and nodes of the cluster; ConfigMaps and Secrets by who wrote when; AWS by CloudTrail and EKS. Each of the
three is read and told by itself, and the first section says which change of all of them came nearest. Typed by people,
and by itself for the service of an incident. Nothing that was not looked at is called quiet.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from commands.changereads import CloudChanges, CloudChangesSeen, EksUpdates
from commands.changes.happened import Happened, in_cloud, in_cluster, nearest_first
from commands.command import Command, Flag, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.grammar import duration
from commands.model import Args, Gap, Inquiry, Read, Section, Seen
from commands.phrase import counted, span
from commands.reads import Now
from commands.site import ClusterSite, ServiceSite
from commands.triage import served
from commands.triagereads import Changes, ChangeSeen, ChangesSeen
from commands.wording import aligned, one_line, shown_and_kept, unread

ROLLOUTS, CONFIG, INFRA = "rollouts", "config", "infra"
_ROWS = {ROLLOUTS: "EM-2.4", CONFIG: "EM-2.6", INFRA: "EM-2.5"}
_TITLES = {
    ROLLOUTS: "Rollouts, scalings and nodes",
    CONFIG: "ConfigMaps and Secrets",
    INFRA: "Infrastructure in AWS",
}
_WRITTEN = ("ConfigMap", "Secret")
_LONGEST = timedelta(days=7)
_SHOWN = 12
_NO_BACKUP = (
    "who wrote and when is known, and not what stood there before: this version keeps no backup of ConfigMaps to "
    "compare with · of a Secret its name and its time only"
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was typed. began: "" for now. service: None for all, of the namespace where that is given. kinds: the
    sections to read."""

    site: ClusterSite
    since: timedelta
    began: str
    service: ServiceSite | None
    namespace: str
    kinds: tuple[str, ...]

    @property
    def is_now(self) -> bool:
        return not self.began

    @property
    def title(self) -> str:
        return f"What changed · {served.place(self.service) if self.service else self.namespace or self.site.name}"


def parts(args: Args, site: ClusterSite) -> Parts:
    asked = _asked(args, site)
    found = {"nearest": Part(asked.title, _nearest(asked))}
    return found | {kind: Part(_TITLES[kind], _told(asked, kind)) for kind in asked.kinds}


def _asked(args: Args, site: ClusterSite) -> _Asked:
    since = duration(args.flags.get("since", "24h"))
    if since > _LONGEST:
        raise UsageError(f"`change recent` looks back {span(_LONGEST)} at most.")
    began = args.flags.get("at", "")
    if began and not (_CLOCK.fullmatch(began) or _instant(began)):
        raise UsageError(
            f"`{one_line(began, 40)}` is no time. Type 14:32 (UTC, the last time it was that late) or 2026-03-02T14:32Z."
        )
    wanted = [kind for kind in (CONFIG, INFRA) if kind in args.flags]
    if INFRA in wanted and not site.eks_name:
        raise UsageError(f"`--infra` is about AWS, and {site.name} is not on EKS (`cluster.eks`).")
    kinds = tuple(wanted or (ROLLOUTS, CONFIG, *((INFRA,) if site.eks_name else ())))
    service = served.typed(args, site) if args.name else None
    given = args.flags.get("namespace", "")
    return _Asked(site, since, began, service, "" if service or given == "all" else given, kinds)


# --- When -----------------------------------------------------------------------------------------

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def trouble(text: str, now: datetime) -> datetime:
    """When the trouble began: now where nobody said; never later."""
    if not text:
        return now
    clock = _CLOCK.fullmatch(text)
    if clock:
        today = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)
    return min(_instant(text) or now, now)


# --- What is read ---------------------------------------------------------------------------------


def _window(asked: _Asked, now: datetime) -> timedelta:
    """Reads look back from now, so as much longer as the trouble is past; in whole minutes, so that two parts of one
    answer ask the same."""
    past = now - trouble(asked.began, now)
    return asked.since + timedelta(minutes=-(-past // timedelta(minutes=1)))


def _reads(asked: _Asked, kind: str, window: timedelta) -> tuple[Read, ...]:
    if kind == INFRA:
        return CloudChanges(window), EksUpdates(asked.site.eks_name, asked.site.nodegroups, window)
    return tuple(Changes(place, window) for place in dict.fromkeys(_places(asked, kind)))


def _places(asked: _Asked, kind: str) -> tuple[str, ...]:
    """Rollouts of everywhere too, where a service is meant: what it calls may have changed."""
    if asked.namespace:
        return (asked.namespace,)
    own = (asked.service.namespace,) if asked.service else ()
    if kind == ROLLOUTS:
        return (*own, *asked.site.namespaces.watched)
    return own or tuple(each.namespace for each in asked.site.services.values())


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read of one kind. blind: what was not, each with its reason. withheld: what takes a right that nobody
    has by default. is_unread: nothing at all was read."""

    changes: tuple[Happened, ...]
    blind: tuple[Gap, ...] = ()
    withheld: tuple[Gap, ...] = ()
    is_unread: bool = False


def _found(asked: _Asked, kind: str, reads: Iterable[Read], seen: Seen, since: datetime) -> _Found:
    answers = [seen[read] for read in reads]
    gaps = [each for each in answers if isinstance(each, Gap)]
    told = [each for each in answers if not isinstance(each, Gap)]
    changes = tuple(each for each in _happened(asked, kind, told) if each.at >= since)
    blind = dict.fromkeys((*gaps, *(gap for each in told for gap in each.unread)))
    inside = (each for each in told if isinstance(each, ChangesSeen) and kind == CONFIG)
    withheld = dict.fromkeys(each.secrets for each in inside if each.secrets)
    return _Found(changes, tuple(blind), tuple(withheld), is_unread=not told)


def _happened(asked: _Asked, kind: str, told: Iterable[ChangesSeen | CloudChangesSeen]) -> Iterator[Happened]:
    inside: list[ChangeSeen] = []
    for each in told:
        if isinstance(each, ChangesSeen):
            inside += [change for change in each.changes if (change.kind in _WRITTEN) is (kind == CONFIG)]
        else:
            yield from in_cloud(each.changes, own=asked.service is None)
    yield from in_cluster(inside, asked.service)


# --- The nearest ----------------------------------------------------------------------------------


def _nearest(asked: _Asked) -> Inquiry:
    now: datetime = (yield (Now(),))[Now()]
    began, window = trouble(asked.began, now), _window(asked, now)
    reads = {kind: _reads(asked, kind, window) for kind in asked.kinds}
    seen = yield tuple(dict.fromkeys(read for own in reads.values() for read in own))
    found = [_found(asked, kind, own, seen, began - asked.since) for kind, own in reads.items()]
    ordered = nearest_first((change for each in found for change in each.changes), began)
    return Section("nearest", asked.title, True, (_leading(asked, ordered, found, began),))


def _leading(asked: _Asked, ordered: list[Happened], found: list[_Found], began: datetime) -> Finding:
    row, label = "EM-2.4", "Nearest" if asked.is_now else f"Nearest to {_clock(began)}"
    blind = [gap for each in found for gap in each.blind]
    gaps = (*blind, *(gap for each in found for gap in each.withheld))
    missing = tuple(f"not looked at: {one_line(gap.reason)}" for gap in gaps)
    quiet = Light.UNKNOWN if blind else Light.GREEN
    known = [each for each in ordered if not each.is_routine]
    if not known:
        mend = next((gap.mend for gap in blind if gap.mend), "")
        value = f"nothing since {_clock(began - asked.since)}"
        return Finding(row, label, quiet, value, "", missing, mend=mend)
    first, *others = known
    value = f"{first.subject}: {one_line(first.what)}{first.author}, {first.when(began, is_now=asked.is_now)}"
    is_suspect = first.is_suspect(began)
    then = tuple(
        f"then {each.subject}: {one_line(each.what)}, {each.when(began, is_now=asked.is_now)}"
        for each in others[:3]
    )
    evidence = (*(one_line(line) for line in first.differences[:4]), *missing, *then)
    back = (first.back,) if first.back and is_suspect else ()
    light = Light.YELLOW if is_suspect else quiet
    return Finding(row, label, light, value, "", evidence, suggestions=(*back, *_again(asked)))


def _again(asked: _Asked) -> tuple[Suggestion, ...]:
    """What to look at next: the service, where one is meant."""
    if asked.service is None:
        return ()
    place = served.place(asked.service)
    return (Suggestion("History", f"deploy history {place}"), Suggestion("Debug", f"debug layers {place}"))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


# --- A section of its own -------------------------------------------------------------------------


def _told(asked: _Asked, kind: str) -> Inquiry:
    now: datetime = (yield (Now(),))[Now()]
    began, title = trouble(asked.began, now), _TITLES[kind]
    reads = _reads(asked, kind, _window(asked, now))
    seen = yield reads
    found = _found(asked, kind, reads, seen, began - asked.since)
    findings = [unread(_ROWS[kind], "Not looked at", gap) for gap in found.blind]
    findings += [unread(_ROWS[kind], "Secrets", gap) for gap in found.withheld]
    if not found.is_unread:
        findings.insert(0, _counted(kind, found, began - asked.since))
    ordered = nearest_first(found.changes, began)
    table = _table(asked, ordered, began) if ordered else ()
    shown, files = shown_and_kept(table, _SHOWN, f"changes-{kind}.txt", title)
    note = _NO_BACKUP if kind == CONFIG else ""
    return Section(kind, title, True, tuple(findings), note, files, shown)


def _counted(kind: str, found: _Found, since: datetime) -> Finding:
    row, label, when = _ROWS[kind], "Changes", f"since {_clock(since)}"
    if found.changes:
        number = counted(sum(each.times for each in found.changes), "change")
        return Finding(row, label, Light.GREEN, f"{number} {when}")
    if found.blind:
        return Finding(row, label, Light.UNKNOWN, f"none {when}, as far as was looked")
    return Finding(row, label, Light.GREEN, f"none {when}")


def _table(asked: _Asked, ordered: Iterable[Happened], began: datetime) -> tuple[str, ...]:
    rows = (
        (
            each.when(began, is_now=asked.is_now),
            f"{each.at.astimezone(UTC):%m-%d %H:%M}",
            one_line(each.subject),
            f"{one_line(each.what)}{each.author}{_difference(each)}",
        )
        for each in ordered
    )
    return aligned(("WHEN", "UTC", "WHAT", "CHANGE"), rows)


def _difference(change: Happened) -> str:
    if not change.differences:
        return ""
    more = f" and {len(change.differences) - 1} more" if len(change.differences) > 1 else ""
    return f"; {one_line(change.differences[0], 100)}{more}"


RECENT = Command(
    word="change",
    verbs=("recent",),
    summary="What changed lately, announced or not: rollouts, nodes, ConfigMaps and Secrets, AWS; the nearest first.",
    rows=("EM-2.4", "EM-2.5", "EM-2.6", "C78"),
    parts=parts,
    examples=(
        "change recent",
        "change recent backend --since 2h",
        "change recent --since 24h --infra",
        "change recent --config --at 14:32",
    ),
    flags=(
        Flag("since", "how far back to look", "1h"),
        Flag("at", "when the trouble began, in UTC; now where it is left out", "14:32"),
        Flag("infra", "AWS alone"),
        Flag("config", "ConfigMaps and Secrets alone"),
        Flag("namespace", "where the service is", "NAMESPACE", "n"),
    ),
    names="SERVICE",
)
