"""What a fault of the zoo is, and how the alert about it is diagnosed: by the real clients, without Prometheus and AWS.

A fault is a function that breaks something in its cage (cage.py) and returns the labels of the alert that would
fire; declared with the pieces of the cause that has to be found, how sure it is, and what is offered first.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cage import Cage, Labels

from commands.errors import Unreachable
from commands.model import Cause, Confidence, Gap, Read, Reads, Seen
from commands.reads import Now
from commands.site import ClusterSite, Monitoring, Prometheus
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import rule_for
from workers.aws import Aws
from workers.reader import Reader
from workers.signals import Signals
from workers.walk import walk

SITE = ClusterSite(name="zoo", eks=False, monitoring=replace(Monitoring(), prometheus=Prometheus(url="")))


@dataclass(frozen=True)
class Fault:
    """says: pieces of the cause's sentence, each in it; first: the first thing offered. {space}, and every label of
    the alert, may stand in them. since: so many minutes it has been firing; with 0, since after what was done here."""

    alert: str
    break_it: Callable[[Cage], Labels]
    says: tuple[str, ...]
    sure: Confidence
    first: str
    since: float = 5.0

    def __str__(self) -> str:
        return self.break_it.__name__.replace("_", " ")


FAULTS: list[Fault] = []
_Building = Callable[[Cage], Labels]


def fault(
    alert: str, *says: str, first: str, sure: Confidence = Confidence.CERTAIN, since: float = 5.0
) -> Callable[[_Building], _Building]:
    def declared(build_it: _Building) -> _Building:
        FAULTS.append(Fault(alert, build_it, says, sure, first, since))
        return build_it

    return declared


# --- Asking ---------------------------------------------------------------------------------------------


class _NoAws:
    """The zoo is not on AWS: what AWS is asked stays unknown."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return Aws(SITE).lanes()

    def read(self, read: Read, deadline: float) -> Any:
        raise Unreachable("AWS does not answer here")


class _Clock:
    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now,),)

    def read(self, read: Read, deadline: float) -> Any:
        return datetime.now(UTC)


class Asked:
    """A reader that remembers what was answered, to ask again with less."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.answers: dict[Read, Any] = {}

    def see(self, reads: Reads, deadline: float) -> Seen:
        seen = self._reader.see(reads, deadline)
        self.answers.update(seen)
        return seen


class Without:
    """The same answers, but of some reads nothing is told."""

    HIDDEN = Gap("forbidden: may not read it", "Let the bot read it.")

    def __init__(self, answers: Mapping[Read, Any], hidden: Callable[[Read], bool]) -> None:
        self._answers, self._hidden = answers, hidden

    def see(self, reads: Reads, deadline: float) -> Seen:
        return Seen({
            read: self.HIDDEN if self._hidden(read) else self._answers.get(read, self.HIDDEN) for read in reads
        })  # fmt: skip


def subject(fault: Fault, cage: Cage, labels: Labels) -> Subject:
    """As kube-prometheus fires it."""
    usual = {
        "alertname": fault.alert,
        "severity": "warning",
        "namespace": cage.space,
        "prometheus": "monitoring/k8s",
    }
    known = {**usual, "job": "kube-state-metrics", "instance": "10.20.9.9:8080", **labels}
    since = datetime.now(UTC) - timedelta(minutes=fault.since)
    return Subject(fault.alert, {k: v for k, v in known.items() if v}, since=since)


def diagnosed(about: Subject, cage: Cage) -> tuple[Diagnosis, dict[Read, Any]]:
    """What the alert is told to be, by the real clients; and every answer they got."""
    signals = Signals(SITE, cage.cluster)
    asked = Asked(Reader((cage.cluster, signals, _NoAws(), _Clock()), timedelta(seconds=15)))
    try:
        return walk(rule_for(about).diagnose(about, SITE), asked, time.monotonic() + 60), asked.answers
    finally:
        signals.close()


def with_less(about: Subject, answers: Mapping[Read, Any]) -> Iterator[tuple[str, Diagnosis]]:
    """The same diagnosis where one kind of read is forbidden, kind by kind; at last, all of them."""
    for kind in {type(read) for read in answers} - {Now}:
        reader = Without(answers, lambda read, kind=kind: type(read) is kind)  # type: ignore[misc]
        yield kind.__name__, walk(rule_for(about).diagnose(about, SITE), reader, 0.0)
    dark = Without(answers, lambda read: type(read) is not Now)
    yield "everything", walk(rule_for(about).diagnose(about, SITE), dark, 0.0)


def offered(found: Diagnosis, cause: Cause) -> list[str]:
    return [each.text for each in (*cause.suggestions, *found.suggestions)]
