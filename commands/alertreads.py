"""The questions about alerts: to the bot's own store, to Alertmanager and to Prometheus.

Answers are plain facts, as in commands/reads.py. The store's are answered by workers/casebook.py, Alertmanager's by
workers/alertmanager.py, Prometheus's by workers/prometheus.py, the pages of runbooks by workers/runbooks.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from commands.model import Judged, Read, Severity

# --- The bot's own store --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupOf(Read):
    """→ AlertGroup of this id as it stands now, or None when the store has none (any more)."""

    id: str


@dataclass(frozen=True, slots=True)
class OpenGroups(Read):
    """→ tuple[AlertGroup, ...] that fire, of this cluster ("" for all), gravest first, then oldest."""

    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One alert from its start to its end, as Alertmanager told the bot; ends_at None while it fires.

    group, episode: where it was told. judged: what people called that episode, None where nobody did.
    acked: when somebody took notice of it, by whom (user id). oncall: who was on duty when it began (user or
    user-group id, "" where nobody was configured).
    """

    fingerprint: str
    name: str
    labels: Mapping[str, str]
    severity: Severity
    cluster: str
    starts_at: datetime
    ends_at: datetime | None
    group: str
    episode: int
    judged: Judged | None = None
    acked: datetime | None = None
    acked_by: str = ""
    oncall: str = ""


@dataclass(frozen=True, slots=True)
class Occurrences(Read):
    """Every alert that fired at some time of the window before now → OccurrencePage."""

    window: timedelta
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class OccurrencePage:
    """occurrences: by start. since: how far back the store reaches, when that is less than was asked."""

    occurrences: tuple[Occurrence, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Called(Read):
    """What people call these users (or user groups) → Mapping[str, str] of those that are known here."""

    users: tuple[str, ...]


# --- Alertmanager ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AmAlert:
    """An alert as Alertmanager has it now. state: active, suppressed or unprocessed."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    state: str
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class AmAlerts(Read):
    """GET /api/v2/alerts, those that all of these matchers find ('severity="critical"') → tuple[AmAlert, ...]."""

    matchers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SilenceView:
    """state: pending, active or expired. matchers as Alertmanager writes them: 'alertname="X"', 'pod=~"web-.*"'."""

    id: str
    state: str
    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str


@dataclass(frozen=True, slots=True)
class Silences(Read):
    """GET /api/v2/silences → tuple[SilenceView, ...], those that end first come first."""


@dataclass(frozen=True, slots=True)
class RouteNode:
    """A node of Alertmanager's route tree."""

    receiver: str
    matchers: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    goes_on: bool = False
    routes: tuple["RouteNode", ...] = ()


@dataclass(frozen=True, slots=True)
class InhibitRule:
    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertmanagerRoutes:
    """The configuration that is in force; webhooks: receivers that lead to a webhook."""

    root: RouteNode
    inhibits: tuple[InhibitRule, ...] = ()
    receivers: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig(Read):
    """GET /api/v2/status, its config → AlertmanagerRoutes."""


# --- Prometheus -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule that Prometheus has loaded. kind: alerting or recording. state: of an alerting one, inactive, pending
    or firing. health: ok, err or unknown. wait: its `for`. interval: how often its group is evaluated."""

    name: str
    kind: str
    group: str
    file: str
    expr: str
    health: str
    state: str = ""
    wait: timedelta = timedelta(0)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    last_error: str = ""
    took: timedelta = timedelta(0)
    interval: timedelta = timedelta(0)
    evaluated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rules(Read):
    """GET /api/v1/rules → tuple[RuleView, ...], by group and in its order."""


@dataclass(frozen=True, slots=True)
class Series:
    """points: (epoch seconds, value), oldest first; NaN and infinities are left out."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Result of a range query. warnings non-empty means a partial answer. left_out: series over the limit."""

    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class QueryRange(Read):
    """A range query that ends `ago` before the reading → Matrix of at most `most` series.

    step is chosen so that a window has at most 250 points where none is given.
    """

    expr: str
    window: timedelta
    ago: timedelta = timedelta(0)
    step: timedelta = timedelta(0)
    most: int = 20


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """A target that Prometheus scrapes, with what it was discovered by."""

    job: str
    instance: str
    url: str
    health: str  # up | down | unknown
    last_error: str
    labels: Mapping[str, str]
    discovered: Mapping[str, str]
    scraped: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScrapeTargets(Read):
    """Active targets, of this job where one is given → tuple[ScrapeTarget, ...], those that are down first."""

    job: str = ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """A page of the local mirror of runbooks: its title and its first steps, a line each."""

    title: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunbookOf(Read):
    """The page for a runbook URL from the local mirror (`alerts.runbooks`) → Runbook, or None when it has none."""

    url: str
