"""Requests that fail: how many and whose, since when, what came just before, and which known cause it looks like.

The same for an alert and for `debug 5xx`. Three rounds of reads: the numbers and the cluster, the pods, their logs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.alertreads import QueryRange
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap, Seen
from commands.phrase import span
from commands.podreads import PodRow, PodRows
from commands.queries import amounts, error_budget, measured, query, quoted
from commands.reads import Endpoints, Now, Query, Vector
from commands.site import ClusterSite, ServiceSite
from commands.triage import blame, changed, dependencies, onset, saturation, served, signs, tails, wiring
from commands.triage.measured import plain, share
from commands.triage.onset import Onset
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triage.signs import Evidence, Match
from commands.triage.tails import Tails
from commands.triagereads import Changes, ChangeSeen, ChangesSeen
from commands.wording import unread
from commands.workloads import typed

_NOW = timedelta(minutes=5)
NEAR = timedelta(minutes=15)  # T1-4.1: a rollout this near the onset, before or after it
_FLOOR = 0.001  # C73: twice a baseline near zero is no outage
_PATHS = ("path", "route", "uri", "handler")
_LEAK_WINDOW = timedelta(days=7)
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything of the first round."""

    service: ServiceSite
    errors: Query
    rate: Query
    past: QueryRange
    day: QueryRange
    by_status: Query
    by_pod: Query
    by_path: Query
    leak: Query
    pool: Query
    behind: Endpoints
    rows: PodRows
    changes: Changes
    lack: saturation.Asked

    @classmethod
    def of(cls, site: ClusterSite, service: ServiceSite) -> "Asked":
        errors = query(site, "Q-error", service=service, window=_NOW)
        failed = (
            f'rate(http_requests_total{{namespace="{quoted(service.namespace)}",'
            f'service="{quoted(service.service)}",status=~"5.."}}[5m])'
        )
        return cls(
            service,
            errors,
            query(site, "Q-rps", service=service, window=_NOW),
            QueryRange(errors.expr, onset.WINDOW, step=onset.STEP, most=1),
            QueryRange(errors.expr, onset.DAY, step=onset.SLOT, most=1),
            Query(f"sum by (status) ({failed}) > 0"),
            Query(f"sum by (pod) ({failed}) > 0"),
            Query(f"topk(5, sum by ({', '.join(_PATHS)}) ({failed}) > 0)"),
            query(site, "Q-leak", window=_LEAK_WINDOW, namespace=service.namespace),
            query(site, "Q-dbpool", service=service),
            Endpoints(service.namespace, service.service),
            PodRows(service.namespace),
            Changes(service.namespace),
            saturation.Asked.of(site, service),
        )

    @property
    def all(self) -> tuple[Query | QueryRange | Endpoints | PodRows | Changes | Now, ...]:
        numbers = (self.errors, self.rate, self.past, self.day, self.by_status, self.by_pod, self.by_path)
        return (*numbers, self.leak, self.pool, self.behind, self.rows, self.changes, *self.lack.all, Now())


def failing(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Why requests to the service of the labels fail."""
    return (yield from of(served.of(subject, site), subject.since, site))


def of(service: ServiceSite, since: datetime | None, site: ClusterSite) -> Diagnosing:
    service = yield from served.resolved(service, site)
    asked = Asked.of(site, service)
    seen = yield (*asked.all, *dependencies.reads(site))
    rows: Sequence[PodRow] | Gap = seen[asked.rows]
    mine = () if isinstance(rows, Gap) else served.pods(service, rows)
    said = yield from tails.heard(mine)
    return _Told(asked, seen, site, said, since).diagnosis()


# --- What was seen ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Told:
    """Everything that was read, in words."""

    asked: Asked
    seen: Seen
    site: ClusterSite
    said: Tails
    since: datetime | None

    @property
    def service(self) -> ServiceSite:
        return self.asked.service

    @property
    def onset(self) -> Onset | None:
        past = self.seen[self.asked.past]
        return None if isinstance(past, Gap) else onset.onset(onset.points(past), self.since, floor=_FLOOR)

    @property
    def now(self) -> datetime | None:
        return None if isinstance(self.seen[Now()], Gap) else self.seen[Now()]

    @property
    def began(self) -> datetime | None:
        """By the numbers; where they do not say, when the alert began."""
        found = self.onset
        return found.at if found and found.at and not found.is_older else self.since

    def diagnosis(self) -> Diagnosis:
        found, errors = self._matches(), self._errors()
        is_counted = errors.light is not Light.UNKNOWN
        findings = (
            errors,
            blame.split("By status", self.seen[self.asked.by_status], ("status",), is_measured=is_counted),
            self._by_pod(is_counted),
            blame.split("By path", self.seen[self.asked.by_path], _PATHS, is_measured=is_counted),
            self._changed(),
            self._endpoints(),
            *saturation.findings(self.asked.lack, self.seen, self.site),
            *tails.told(self.said),
            *signs.findings(found),
            *dependencies.told(dependencies.answers(self.site, self.seen)),
            self._hourly(),
        )
        offers = (Suggestion("All five layers", f"debug layers {served.place(self.service)}"),)
        return Diagnosis(self._cause(found), findings, offers)

    # --- the numbers

    @property
    def _share(self) -> float | None:
        found = measured(self.site, "Q-error", self.seen[self.asked.errors])
        return None if found.percent is None else float(found.percent) / 100

    def _rate(self) -> str:
        answer: Vector | Gap = self.seen[self.asked.rate]
        found = {} if isinstance(answer, Gap) else amounts(answer, ())
        return f"{plain(found[()])} requests a second" if found else "the requests"

    def _felt(self) -> str:
        """ "20 % of 20 requests a second fail since 2026-11-23 10:04 UTC"."""
        found = self.onset
        when = f" {found.words}" if found and found.words else ""
        return f"{share(self._share or 0.0)} of {self._rate()} fail{when}"

    def _errors(self) -> Finding:
        key, label = "TF-1.1", f"Errors of {self.service.name}"
        objective = self.site.slo.success_rate
        tolerated = 100 * error_budget(self.site)
        threshold = f"≤ {tolerated.normalize():f} %"
        found = measured(self.site, "Q-error", self.seen[self.asked.errors])
        if found.percent is None:
            return unread(key, label, Gap(found.why, found.mend), threshold)
        is_red = float(found.percent) > objective.red_error_rate
        light = Light.RED if is_red else Light.YELLOW if found.percent > tolerated else Light.GREEN
        if found.partial and light is not Light.RED:
            light = Light.UNKNOWN
        return Finding(key, label, light, self._felt(), threshold, tuple(self._before()))

    def _before(self) -> Sequence[str]:
        past, found = self.seen[self.asked.past], self.onset
        if isinstance(past, Gap):
            return (f"since when is unknown: {past.reason}",)
        if found is None:
            return ("since when is unknown: Prometheus has too few points of the last 3 h",)
        went = onset.sparkline(onset.points(past))
        return (f"before: {share(found.usual)}; the last 3 h: {went}",)

    def _by_pod(self, is_counted: bool) -> Finding:
        found = blame.split("By pod", self.seen[self.asked.by_pod], ("pod",), is_measured=is_counted)
        named = self._pod()
        return replace(found, light=Light.RED, value=named) if named else found

    def _pod(self) -> str:
        return blame.pod(self.seen[self.asked.by_pod], self.seen[self.asked.behind])

    # --- what came before

    def _rollout(self) -> ChangeSeen | None:
        """The newest rollout of the service's workload within a quarter of an hour of the onset."""
        found: ChangesSeen | Gap = self.seen[self.asked.changes]
        began = self.began
        if isinstance(found, Gap) or began is None:
            return None
        name = self.service.deployment or self.service.name
        near = (each for each in found.changes if each.revision and each.name == name)
        return next((each for each in near if abs(began - each.at) <= NEAR), None)

    def _changed(self) -> Finding:
        now, name = self.now, self.service.deployment or self.service.name
        if now is None:
            return unread("T1-4.1", "Changed", Gap("the time is not known"))
        found = changed.looked(self.seen[self.asked.changes], self.began, now, name).finding
        change = self._rollout()
        if change is None:
            return replace(found, key="T1-4.1")
        value = f"{self._when(change)} ({found.value})"
        return replace(found, key="T1-4.1", light=Light.RED, value=value, suggestions=_back(change))

    def _when(self, change: ChangeSeen) -> str:
        """ "2 min after revision 7"."""
        began = self.began or change.at
        side = "after" if began >= change.at else "before"
        return f"{span(abs(began - change.at))} {side} revision {change.revision} of {change.name}"

    # --- the rest

    def _endpoints(self) -> Finding:
        return wiring.endpoints(self.service.service or self.service.name, self.seen[self.asked.behind])

    def _hourly(self) -> Finding:
        key, label = "T1-1.1", "Pattern in time"
        day = self.seen[self.asked.day]
        if isinstance(day, Gap):
            return unread(key, label, day)
        if not onset.is_long(onset.points(day)):
            return unread(key, label, Gap("Prometheus has too few hours of it yet"))
        minute = onset.hourly(onset.points(day), _FLOOR)
        blind = ("no data for user or geography: the series bear no such label",)
        if minute is None:
            return Finding(key, label, Light.GREEN, "none by the hour in the last 24 h", evidence=blind)
        words = f"hourly: errors at :{minute:02d} of most hours; what runs then (a job, a backup, a report)?"
        return Finding(key, label, Light.YELLOW, words, evidence=blind)

    def _matches(self) -> tuple[Match, ...]:
        leak = saturation.mine(self.seen[self.asked.leak], self.service)
        pool: Vector | Gap = self.seen[self.asked.pool]
        used = {} if isinstance(pool, Gap) else amounts(pool, ())
        found = Evidence(
            self.said,
            used.get(()),
            None if leak is None else max(leak.values(), default=0.0) / _MB,
            saturation.killed(self.asked.lack, self.seen),
            dependencies.answers(self.site, self.seen),
        )
        return signs.matches(found, self.site.thresholds.trend.leak_mb_per_hour, served.place(self.service))

    # --- the cause

    def _cause(self, found: Sequence[Match]) -> Cause | None:
        felt = self._share
        if felt is None or felt <= float(error_budget(self.site)):
            return None
        reasons, offers, sure = self._reasons(found)
        text = "; ".join((f"{self.service.name}: {self._felt()}", *reasons[:2]))
        return Cause(text, Confidence.LIKELY if sure else Confidence.POSSIBLE, offers)

    def _reasons(self, found: Sequence[Match]) -> tuple[list[str], tuple[Suggestion, ...], bool]:
        """What may be why, the most telling first, with its way out; and whether that is more than a guess."""
        reasons: list[tuple[str, tuple[Suggestion, ...]]] = []
        log = Suggestion("Errors in its log", f"logs {served.place(self.service)} --grep errors")
        change = self._rollout()
        if change:
            reasons.append((f"it began {self._when(change)}", _back(change)))
        named = self._pod()
        if named:
            name = named.split()[1]
            show = Suggestion(f"Show {name}", f"pod show {self.service.namespace}/{name}")
            reasons.append((named, (show,)))
        reasons += [(each.words, each.suggestions) for each in found if each.is_full]
        reasons += [(words, ()) for words in self._lacking()]
        said = self.said.most
        if said:
            reasons.append((f"its logs say “{said[1]}” ({said[0]} times in 15 min)", ()))
        if not reasons:
            nothing = "nothing that was read explains it"
            return [*(each.words for each in found[:1] if each.seen), nothing], (log,), False
        return [text for text, _ in reasons], (*(o for _, offer in reasons for o in offer), log), True

    def _lacking(self) -> list[str]:
        behind = self._endpoints()
        none = ["none of its endpoints is ready"] if behind.light is Light.RED else []
        return [*none, *(words for words, _ in saturation.highest(self.asked.lack, self.seen).values())]


def _back(change: ChangeSeen) -> tuple[Suggestion, ...]:
    ill = typed(change.kind, change.namespace, change.name)
    return (Suggestion(f"Roll back {change.name}", f"deploy rollback {ill}"),) if ill else ()


RULES: tuple[Rule, ...] = (
    Rule(
        (
            "HighErrorRate", "HTTPErrorRate", "HighHTTPErrorRate", "HttpHighErrorRate", "ServiceErrorRateHigh",
            "ErrorBudgetBurn", "SLOErrorBudgetBurn", "ErrorBudgetBurnRate", "SloErrorBudgetBurnRateHigh",
            "KubeServiceHighErrorRate", "NginxHighHttp5xxErrorRate", "TraefikServiceHighErrorRate",
            "IstioHigh5xxErrorRate", "LinkerdHighErrorRate",
        ),
        "More requests to a service fail with a 5xx than the objective allows: users see errors now.",
        failing,
        (
            "Was something rolled out just before? Then go back first, and look afterwards.",
            "One pod, or all of them? One pod can be taken out of the Service and looked at.",
            "Read the errors in the logs by family: traces are the application's own, time-outs are somebody else's.",
            "Check what it needs: database connections, memory, the services it calls.",
        ),
    ),
)  # fmt: skip
