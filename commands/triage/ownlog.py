"""What a component says in its own log: the newest of its lines that are errors, for alerts that mean nothing else.

A configuration that does not load, a receiver that refuses, a right that is missing: the log says it in words, and
no metric does.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from commands.finding import Finding, Light, Suggestion
from commands.loglines import Entry, spoken
from commands.model import Cause, Confidence, Gap
from commands.podreads import ContainerLog, LogText
from commands.triage.measured import Gauge, Reading, matchers, plain, read
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import one_line, unread

KEY = "AR-5"
_BYTES = 64 * 1024
_SHOWN = 5
_STAMP = re.compile(r"^\S+T\S+Z\s+")  # the time that the kubelet puts before each line
# logfmt, as Prometheus and its family write it: err="…" says what is wrong, msg="…" of what.
_ERROR = re.compile(r'\b(?:err|error)=("(?:[^"\\]|\\.)*"|\S+)')


@dataclass(frozen=True, slots=True)
class Own:
    """container: whose log, where the alert names none. pattern: which of its lines are about the alert. sentence:
    of the cause, in which {who} is the pod, {n} the first number, {which} what it is counted by."""

    container: str
    pattern: re.Pattern[str]
    sentence: str
    gauges: tuple[Gauge, ...] = ()

    def text(self, subject: Subject, readings: Sequence[Reading]) -> str:
        first = readings[0] if readings else None
        return self.sentence.format(
            who=subject.pod or subject.instance or self.container,
            n=(first.words if first else "") or "some",
            which=(first.name if first else "") or "something",
        )


def rule(
    names: tuple[str, ...],
    means: str,
    steps: tuple[str, ...],
    container: str,
    pattern: str,
    sentence: str,
    *gauges: Gauge,
) -> Rule:
    """A rule that is diagnosed by a component's own log, and by numbers beside it."""
    own = Own(container, re.compile(pattern, re.IGNORECASE), sentence, gauges)
    return Rule(names, means, lambda subject, site: _diagnose(own, subject), steps)


_METRIC = re.compile(r"\b[a-z_]+(?=\{\$here)")
SOME = 1e-9  # a number that should be zero


def gauge(
    label: str, template: str, unit: Callable[[float], str], *by: str, bad: float | None = SOME
) -> Gauge:
    return Gauge(label, template, unit, tuple(dict.fromkeys(_METRIC.findall(template))), by, bad)


def increase(label: str, metric: str, *by: str) -> Gauge:
    """How often it happened in a quarter of an hour; 0 is an answer, no series is none."""
    grouped = f" by ({', '.join(by)})" if by else ""
    return gauge(label, f"sum{grouped} (increase({metric}{{$here}}[15m]))", plain, *by)


def _diagnose(own: Own, subject: Subject) -> Diagnosing:
    log = _log(own, subject)
    words = {"here": matchers(subject, "namespace", "pod", "instance", "job")}
    asked = [gauge.asked(words) for gauge in own.gauges]
    seen = yield (*asked, *log)
    readings = [read(gauge, seen[query]) for gauge, query in zip(own.gauges, asked, strict=True)]
    answer: LogText | Gap = seen[log[0]] if log else Gap("the alert does not say which pod")
    lines = _lines(answer, own.pattern)
    findings = (_told(own, answer, lines), *(reading.finding for reading in readings))
    return Diagnosis(_cause(own, subject, readings, lines), findings, _steps(subject))


def _log(own: Own, subject: Subject) -> tuple[ContainerLog, ...]:
    if not (subject.namespace and subject.pod):
        return ()
    return (ContainerLog(subject.namespace, subject.pod, subject.container or own.container, limit=_BYTES),)


def _lines(answer: LogText | Gap, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Newest first, each kind of error once."""
    text = "" if isinstance(answer, Gap) else answer.text
    found = [_STAMP.sub("", line) for line in reversed(text.splitlines()) if pattern.search(line)]
    return tuple({error(line): line for line in reversed(found[:200])}.values())[::-1][:_SHOWN]


def error(line: str) -> str:
    """What a line of logfmt says went wrong, or a line in JSON; the whole line where it is neither."""
    named = _ERROR.search(line)
    return named[1].strip('"').replace('\\"', '"') if named else spoken(Entry(line))


def _told(own: Own, answer: LogText | Gap, lines: Sequence[str]) -> Finding:
    label = f"Log of {own.container}"
    if isinstance(answer, Gap):
        return unread(KEY, label, answer)
    if answer.missing:
        return unread(KEY, label, Gap(answer.missing))
    if not lines:
        return Finding(KEY, label, Light.GREEN, "no such error in its latest lines")
    return Finding(KEY, label, Light.RED, one_line(error(lines[0])), evidence=tuple(map(one_line, lines)))


def _cause(own: Own, subject: Subject, readings: Sequence[Reading], lines: Sequence[str]) -> Cause | None:
    text = own.text(subject, readings)
    if lines:
        return Cause(f"{text}: “{one_line(error(lines[0]), 200)}”", Confidence.CERTAIN, _steps(subject))
    measured = any(reading.top and reading.value > 0 for reading in readings[:1])
    return Cause(text, Confidence.LIKELY, _steps(subject)) if measured else None


def _steps(subject: Subject) -> tuple[Suggestion, ...]:
    if not (subject.namespace and subject.pod):
        return (Suggestion("Monitoring", "health monitoring"),)
    place = f"{subject.namespace}/{subject.pod}"
    return (Suggestion(f"Logs of {subject.pod}", f"logs {place}"), Suggestion("Show it", f"pod show {place}"))
