"""Numbers that a diagnosis asks Prometheus for: the question, how its answer is said, and what it says together.

A gauge is one question about the alert's object. `measured` makes a whole diagnosis of some gauges and a sentence;
the topics (machines.py, monitoring.py, controlplane.py) say which. No series is never "all is well": it is said
which metric is missing.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap, Reads, Seen
from commands.queries import PARTIAL_MEND, amounts, partial, quoted
from commands.reads import Query, Vector
from commands.site import ClusterSite
from commands.triage.rule import Diagnosing, Diagnosis, Subject
from commands.wording import one_line, unread

SHOWN = 5  # series of a gauge that are told
EVERYTHING = 'job!=""'  # the matcher for an alert that names no object: `{,x="y"}` would be no PromQL

# --- how numbers are said -------------------------------------------------------------------------


def share(value: float) -> str:
    """ "91 %", "2.4 %"."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"


def size(amount: float) -> str:
    """Bytes in the unit that fits: "512 MiB", "12 GiB", "1.5 TiB"."""
    for unit, scale in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if amount >= scale:
            number = amount / scale
            return f"{number:.0f} {unit}" if number >= 10 or number == int(number) else f"{number:.1f} {unit}"
    return f"{amount / 2**10:.0f} KiB"


def plain(value: float) -> str:
    """ "3", "1,200", "0.25"."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def each_second(value: float) -> str:
    return f"{plain(value)} a second"


def seconds(value: float) -> str:
    # Half a millisecond goes up, as people round: 0.2345 is 235 ms.
    return f"{int(1000 * value + 0.5 + 1e-9)} ms" if value < 1 else f"{value:.1f} s"


def cores(value: float) -> str:
    return f"{value:.1f} cores"


# --- one number -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gauge:
    """label: what is measured, in plain words. template: PromQL, in which $here stands for the matchers of the
    alert's object. metrics: named where no series matches. by: the labels that tell its series apart. bad: from
    here on it is part of what is wrong; None for a fact that is not judged. none: what it is called where every
    series is zero, and then zeros are left out; "" where zero is a number like any other. No series is never "none":
    nothing is known then, so a template names a series that is always there ("or 0 * …") beside one that need not be."""

    label: str
    template: str
    say: Callable[[float], str]
    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    bad: float | None = None
    none: str = ""

    def asked(self, words: Mapping[str, str]) -> Query:
        return Query(Template(self.template).safe_substitute(words))


@dataclass(frozen=True, slots=True)
class Reading:
    """top: the series by the labels of the gauge, the largest first."""

    gauge: Gauge
    finding: Finding
    top: tuple[tuple[tuple[str, ...], float], ...] = ()

    @property
    def value(self) -> float:
        return self.top[0][1] if self.top else 0.0

    @property
    def words(self) -> str:
        """The largest, in words; "" where there is none."""
        return self.gauge.say(self.value) if self.top else ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the largest."""
        return self.top[0][0] if self.top else ("",) * len(self.gauge.by)

    @property
    def name(self) -> str:
        return "/".join(label for label in self.labels if label)


def read(gauge: Gauge, answer: Vector | Gap, key: str = "AR-5") -> Reading:
    """What the answer says, as a finding of its own."""
    if isinstance(answer, Gap):
        return Reading(gauge, unread(key, gauge.label, answer))
    found = {labels: value for labels, value in amounts(answer, gauge.by).items() if value or not gauge.none}
    top = tuple(sorted(found.items(), key=lambda each: (-each[1], each[0])))[:SHOWN]
    if not top:
        return Reading(gauge, _nothing(gauge, answer, key))
    lines = tuple(f"{'/'.join(filter(None, labels))}: {gauge.say(value)}" for labels, value in top)
    missing = partial(answer)
    light = _light(gauge, top[0][1], missing)
    told = Finding(key, gauge.label, light, _first(gauge, lines, top), evidence=lines if gauge.by else ())
    if not missing:
        return Reading(gauge, told, top)
    said = (*told.evidence, f"partial answer: {one_line(missing)}")
    return Reading(gauge, Finding(key, gauge.label, light, told.value, evidence=said, mend=PARTIAL_MEND), top)


def _nothing(gauge: Gauge, answer: Vector, key: str) -> Finding:
    if gauge.none and amounts(answer, gauge.by) and not partial(answer):
        return Finding(key, gauge.label, Light.GREEN, gauge.none)
    if answer.samples:
        return unread(key, gauge.label, Gap("no number: nothing was counted in that time"))
    mend = f"Prometheus has no matching series of {', '.join(gauge.metrics)}: is it scraped?"
    return unread(key, gauge.label, Gap("no data", mend))


def _light(gauge: Gauge, value: float, missing: str) -> Light:
    if gauge.bad is not None and value >= gauge.bad:
        return Light.RED
    return Light.UNKNOWN if missing else Light.GREEN


def _first(gauge: Gauge, lines: tuple[str, ...], top: tuple[tuple[tuple[str, ...], float], ...]) -> str:
    return lines[0] if gauge.by else gauge.say(top[0][1])


# --- a whole diagnosis ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """What is measured. name: as people call it. words: what the $names of a template stand for. findings: what
    else was seen of it."""

    name: str
    words: Mapping[str, str] = field(default_factory=lambda: {"here": EVERYTHING})
    findings: tuple[Finding, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


Locating = Generator[Reads, Seen, Place]
Locate = Callable[[Subject, ClusterSite], Locating]
# The place's name and the readings, in the order of the gauges; "" where they name no cause.
Sentence = Callable[[str, Sequence[Reading]], str]
Steps = Callable[[Sequence[Reading]], tuple[Suggestion, ...]]


def no_steps(readings: Sequence[Reading]) -> tuple[Suggestion, ...]:
    return ()


def measured(
    locate: Locate,
    gauges: tuple[Gauge, ...],
    sentence: Sentence,
    steps: Steps = no_steps,
    confidence: Confidence = Confidence.LIKELY,
) -> Callable[[Subject, ClusterSite], Diagnosing]:
    """A diagnosis by numbers: the first gauge is the alert's own, and without it there is no cause."""

    def diagnose(subject: Subject, site: ClusterSite) -> Diagnosing:
        place = yield from locate(subject, site)
        asked = [gauge.asked(place.words) for gauge in gauges]
        seen = yield tuple(asked)
        readings = [read(gauge, seen[query]) for gauge, query in zip(gauges, asked, strict=True)]
        text = sentence(place.name, readings) if readings[0].top else ""
        cause = Cause(text, confidence, steps(readings)) if text else None
        findings = (*(reading.finding for reading in readings), *place.findings)
        return Diagnosis(cause, findings, place.suggestions)

    return diagnose


def pod_steps(readings: Sequence[Reading]) -> tuple[Suggestion, ...]:
    """A look at the largest of the first gauge whose series are pods."""
    for reading in readings:
        if reading.gauge.by == ("namespace", "pod") and reading.top:
            return (Suggestion(f"Show {reading.labels[1]}", f"pod show {reading.name}"),)
    return ()


def matchers(subject: Subject, *names: str) -> str:
    """The alert's own labels of these names as PromQL matchers; everything where it has none of them."""
    held = [(name, subject.labels.get(name, "")) for name in names]
    return ",".join(f'{name}="{quoted(value)}"' for name, value in held if value) or EVERYTHING
