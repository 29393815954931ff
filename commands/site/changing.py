"""How a change is watched and taken back, and when nothing may be changed.

A part of the site (commands/site/__init__.py), of nothing but values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from commands.site.values import Amount, Count, Factor, Percent, Several, Shape, Span, Users, Words


@dataclass(frozen=True, slots=True)
class Rollback:
    """When a watched change has gone wrong (commands/watch.py); auto: roll back without asking.

    samples of `among`, or in_a_row: how many breaches of one measure are too many. interval: of the samples, and what
    each looks back on, so that no two share a moment. hard_factor, availability_pct: too bad to wait for another sample.
    recovered_factor: of the baseline, within recovered_within of a rollback. strict: without floors, as the manual
    says it to the letter.
    """

    error_factor: Factor = 2.0
    error_floor_pct: Percent = 0.1
    latency_increase_pct: Amount = 50
    latency_floor_ms: Amount = 20
    min_requests: Count = 100
    min_errors: Count = 5
    in_a_row: Several = 2
    samples: Several = 3
    among: Several = 5
    critical_in_a_row: Several = 3
    hard_factor: Factor = 10
    availability_pct: Percent = 50
    initial_delay: Span = timedelta(minutes=2)
    interval: Span = timedelta(minutes=1)
    bake: Span = timedelta(minutes=15)
    recovered_factor: Factor = 1.2
    recovered_within: Span = timedelta(minutes=10)
    strict: bool = False
    auto: bool = False


@dataclass(frozen=True, slots=True)
class Validation:
    """What a finished change may have done to the baseline at most."""

    error_increase_pct: Amount = 10
    tolerance_pct: Amount = 20


@dataclass(frozen=True, slots=True)
class FreezePeriod:
    """A time in which nothing is changed on purpose. begins, ends: local times. spared: services that may change."""

    name: str
    begins: datetime = field(metadata={"key": "from"})
    ends: datetime = field(metadata={"key": "to"})
    spared: Words = field(default=(), metadata={"key": "except"})


@dataclass(frozen=True, slots=True)
class Change:
    """id: strftime fields of the day, and {n}, the change's number in that day. pending: how long approvals are waited
    for; use_within: so soon an approved change is begun once it may be. checks_within: how old the pre-checks may be
    then. teams: who works together; a high risk needs approvers of two of them, where any are named."""

    id: Annotated[str, Shape("change id")] = "CR-%Y-%m-%d-{n:03d}"
    pending: Span = timedelta(hours=4)
    use_within: Span = timedelta(hours=1)
    checks_within: Span = timedelta(minutes=10)
    freezes: tuple[FreezePeriod, ...] = ()
    teams: Mapping[str, Users] = field(default_factory=dict)
    availability_after: Span = timedelta(hours=2)
    rollback: Rollback = Rollback()
    validation: Validation = Validation()
