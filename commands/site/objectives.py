"""The SLO with its budget and burn rates, and the thresholds and limits that answers are judged by.

A part of the site (commands/site/__init__.py), of nothing but values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Literal

from commands.site.values import Amount, Count, Factor, Name, Percent, Several, Shape, Share, Span, Within


@dataclass(frozen=True, slots=True)
class Availability:
    """Green above target, red below red_below, yellow between; percent."""

    target: Percent = 99.9
    red_below: Percent = 99.0


@dataclass(frozen=True, slots=True)
class SuccessRate:
    """Green from target up; red when more than red_error_rate percent of requests fail."""

    target: Percent = 99.9
    red_error_rate: Percent = 1.0


@dataclass(frozen=True, slots=True)
class Latency:
    quantile: Share = 0.95
    target_ms: Amount = 200


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """Percent consumed: yellow from, red above. More than 100 is possible and so allowed."""

    yellow_from: Amount = 50
    red_above: Amount = 75


@dataclass(frozen=True, slots=True)
class CpuObjective:
    """CPU used of CPU requested in the service's namespace; may exceed 100 %."""

    green_below: Amount = 50
    red_above: Amount = 80


# The manual's named queries, built or not: a misspelt one would replace nothing, and nobody would know.
_QUERY_NAMES = """
avail success error budget burn p95 rps rps-peak slocpu nodecpu nodemem cpu7d leak restarts oom throttle
cpulimit memlimit p90cpu p90mem maxmem pvc pvcfull disk nodeio netdrop dns ruleslow ruleeval engine firing
targets gc heap dbpool spread hpaflap nodeidle grow podcpu podmem requests bad healthy servicecpu servicemem
"""
QUERIES = tuple(f"Q-{name}" for name in _QUERY_NAMES.split())


@dataclass(frozen=True, slots=True)
class BurnRate:
    """Somebody must act when so much of the budget is gone within `over`, at the rate of all of it and of its last
    twelfth. to: act at once, or within the working day."""

    budget_pct: Annotated[float, Within(0, 100, above=True)]
    over: Annotated[timedelta, Within(60)]
    to: Literal["page", "ticket"] = "page"


def _usual_burns() -> tuple[BurnRate, ...]:
    hour, day = timedelta(hours=1), timedelta(days=1)
    return (
        BurnRate(2, hour), BurnRate(5, 6 * hour), BurnRate(10, day, "ticket"), BurnRate(10, 3 * day, "ticket"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slo:
    """queries: named queries (Q-avail …) to PromQL that replaces the built-in text. burn: how fast is too fast."""

    window: Span = timedelta(days=30)
    availability: Availability = Availability()
    success_rate: SuccessRate = SuccessRate()
    latency: Latency = Latency()
    error_budget: ErrorBudget = ErrorBudget()
    cpu: CpuObjective = CpuObjective()
    burn: tuple[BurnRate, ...] = field(default_factory=_usual_burns)
    queries: Mapping[str, Annotated[str, Shape("query")]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeThresholds:
    """CPU and memory are red from this percentage up, the disk is yellow: red is DiskPressure itself."""

    cpu_pct: Percent = 80
    memory_pct: Percent = 85
    disk_pct: Percent = 85


@dataclass(frozen=True, slots=True)
class TrendThresholds:
    cpu_7d_avg_pct: Percent = 70
    restarts_7d: Count = 3
    leak_mb_per_hour: Amount = 1


@dataclass(frozen=True, slots=True)
class PvcThresholds:
    yellow_pct: Percent = 85
    full_within: Span = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class CertDays:
    yellow: Count = 30
    red: Count = 7


@dataclass(frozen=True, slots=True)
class Thresholds:
    node: NodeThresholds = NodeThresholds()
    trend: TrendThresholds = TrendThresholds()
    pvc: PvcThresholds = PvcThresholds()
    throttle_pct: Percent = 25
    cert_days: CertDays = CertDays()
    image_max_age_days: Several = 90


@dataclass(frozen=True, slots=True)
class Rightsizing:
    window: Span = timedelta(days=7)
    quantile: Share = 0.9
    memory_buffer: Factor = 1.2
    cpu_limit_factor: Factor = 5
    memory_limit_factor: Factor = 2
    limit_over_peak: Factor = 1.1


@dataclass(frozen=True, slots=True)
class PoolMetrics:
    active: str = "db_connections_active"
    idle: str = "db_connections_idle"
    wait: str = "db_connection_wait_time"


@dataclass(frozen=True, slots=True)
class DbPool:
    """max: a number, or "cores*2"."""

    metrics: PoolMetrics = PoolMetrics()
    max: Annotated[str, Shape("pool")] = "cores*2"
    max_example: Several = 20
    min_idle: Count = 5
    timeout: Annotated[timedelta, Within(0.001)] = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ScaleUp:
    stabilization_s: Annotated[int, Within(0, 3600)] = 60
    percent: Several = 100
    period_s: Annotated[int, Within(1, 1800)] = 60


@dataclass(frozen=True, slots=True)
class ScaleDown:
    stabilization_s: Annotated[int, Within(0, 3600)] = 300
    percent: Several = 25
    period_s: Annotated[int, Within(1, 1800)] = 60


@dataclass(frozen=True, slots=True)
class Hpa:
    target_cpu: Annotated[int, Within(1)] = 70
    scale_up: ScaleUp = ScaleUp()
    scale_down: ScaleDown = ScaleDown()


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """The Cluster Autoscaler's own flag names, so its YAML keys are hyphenated."""

    deployment: Name = "cluster-autoscaler"
    scale_down_delay_after_add: Span = field(
        default=timedelta(minutes=10), metadata={"key": "scale-down-delay-after-add"}
    )
    scale_down_unneeded_time: Span = field(
        default=timedelta(minutes=10), metadata={"key": "scale-down-unneeded-time"}
    )
    scale_down_utilization_threshold: Share = field(
        default=0.7, metadata={"key": "scale-down-utilization-threshold"}
    )


@dataclass(frozen=True, slots=True)
class Drain:
    """parallel: whether two drains of one cluster may run at the same time."""

    parallel: bool = False
