"""Around an alert: what changed before it, what fires beside it, and what its runbook says first."""

from collections.abc import Iterable
from datetime import datetime

from commands.alertreads import AmAlert, AmAlerts, Runbook, RunbookOf
from commands.finding import Finding, Light, Link
from commands.model import AlertGroup, Gap, Inquiry, Section
from commands.phrase import counted, span
from commands.podreads import PodDetail, PodDetails, workload
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage import changed
from commands.triage.rule import Rule, Subject
from commands.triage.table import rule_for
from commands.triagereads import Changes, ChangesSeen
from commands.wording import one_line, unread

_TITLE = "What changed, and what else fires"
_SHOWN = 8
# What two alerts have in common when they are about the same thing, the nearest first.
_SHARED = ("pod", "node", "instance", "persistentvolumeclaim", "service", "namespace")


def told(group: AlertGroup, site: ClusterSite) -> Inquiry:
    if not group.firing:
        yield ()
        return Section("context", _TITLE, True)
    subject, now = Subject.of(group), Now()
    changes, firing = Changes(subject.namespace), AmAlerts()
    book = RunbookOf(subject.annotations.get("runbook_url", ""))
    pod = (PodDetails(subject.namespace, subject.pod),) if subject.namespace and subject.pod else ()
    seen = yield (changes, firing, book, now, *pod)
    own = workload_of(subject) or _behind(subject, seen[changes])
    born = next((each.created for read in pod for each in _known(seen[read])), None)
    looked = changed.looked(seen[changes], subject.since, seen[now], own, born)
    if not _may_be_a_rollout(subject):
        looked = looked.without_blame
    findings = (
        looked.finding,
        neighbours(seen[firing], subject, seen[now]),
        *_runbook(seen[book], book.url, rule_for(subject)),
    )
    return Section("context", _TITLE, True, findings, cause=looked.cause)


def workload_of(subject: Subject) -> str:
    """The name of the workload it is about, "" where no label says."""
    _, name = subject.workload
    return name or (workload(subject.pod) if subject.pod else "") or subject.autoscaler or subject.budget


def _behind(subject: Subject, found: ChangesSeen | Gap) -> str:
    """The workload that bears the name of the Service it is about, where that changed."""
    names = () if isinstance(found, Gap) else {change.name for change in found.changes}
    return subject.service if subject.service in names else ""


def _known(pods: tuple[PodDetail, ...] | Gap) -> tuple[PodDetail, ...]:
    return () if isinstance(pods, Gap) else pods


def _may_be_a_rollout(subject: Subject) -> bool:
    """A rollout of something else explains no node, volume, job or quota, and undoing it mends none."""
    of_none = (subject.claim, subject.job, subject.cronjob, subject.label("resourcequota"))
    return bool(subject.namespace and (workload_of(subject) or not any(of_none)))


def neighbours(found: tuple[AmAlert, ...] | Gap, subject: Subject, now: datetime) -> Finding:
    """What else fires, those that share most with it first."""
    if isinstance(found, Gap):
        return unread("AL-33", "Also firing", found)
    own = {tuple(sorted(labels.items())) for labels in (subject.labels, *subject.others)}
    others = [
        alert for alert in found
        if alert.state == "active" and tuple(sorted(alert.labels.items())) not in own
        and alert.labels.get("alertname") not in ("Watchdog", "InfoInhibitor")
    ]  # fmt: skip
    near = sorted(others, key=lambda alert: (_distance(alert, subject), alert.starts_at))
    related = [alert for alert in near if _distance(alert, subject) < len(_SHARED)]
    lines = tuple(_lines(related or near, now))[:_SHOWN]
    if not others:
        return Finding("AL-33", "Also firing", Light.GREEN, "nothing else")
    where = f"{len(related)} about the same" if related else "none of them about the same"
    return Finding(
        "AL-33", "Also firing", Light.YELLOW, f"{counted(len(others), 'alert')}, {where}", evidence=lines
    )


def _distance(alert: AmAlert, subject: Subject) -> int:
    """How near they are: the place in _SHARED of the first thing they have in common, its length for none."""
    foreign = _of_exporter(subject)
    same = (
        n
        for n, name in enumerate(_SHARED)
        if name not in foreign and subject.label(name) and alert.labels.get(name) == subject.label(name)
    )
    return next(same, len(_SHARED))


def _of_exporter(subject: Subject) -> tuple[str, ...]:
    """Labels that are an exporter's own, where it tells of something else; node-exporter's address is its machine's."""
    if not subject.is_of_exporter:
        return ()
    address = () if "node-exporter" in subject.scrape_job else ("instance",)
    return ("pod", "service", *address, *(() if subject.namespace else ("namespace",)))


def _lines(alerts: Iterable[AmAlert], now: datetime) -> Iterable[str]:
    """Of those of one name in one namespace, the nearest, and how many are like it."""
    alike: dict[tuple[str, str], list[AmAlert]] = {}
    for alert in alerts:
        key = (alert.labels.get("alertname", ""), alert.labels.get("namespace", ""))
        alike.setdefault(key, []).append(alert)
    for same in alike.values():
        more = f", and {len(same) - 1} more like it" if len(same) > 1 else ""
        yield _line(same[0], now) + more


def _line(alert: AmAlert, now: datetime) -> str:
    told = (alert.labels.get(name, "") for name in ("namespace", "pod", "node", "instance"))
    where = " ".join(filter(None, told))
    name = alert.labels.get("alertname", "an alert without a name")
    return one_line(f"{name} {where}".strip()) + f", for {span(now - alert.starts_at)}"


def _runbook(book: Runbook | Gap | None, url: str, rule: Rule) -> Iterable[Finding]:
    """The page of the mirror, else the first steps that the rule itself knows; the link whatever was found."""
    link = Link("Runbook", url) if url else None
    if isinstance(book, Gap):
        yield unread("AL-36", "Runbook", book)
    if isinstance(book, Runbook):
        yield Finding("AL-36", "Runbook", Light.GREEN, one_line(book.title), evidence=book.steps, link=link)
    elif rule.steps or rule.means or link:
        means = rule.means or "none known here: see its runbook"
        yield Finding("AL-36", "First steps", Light.GREEN, means, evidence=_numbered(rule.steps), link=link)


def _numbered(steps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{n}. {step}" for n, step in enumerate(steps, 1))
