"""How `debug` tells a diagnosis: what is the matter comes first, what it rests on after it."""

from dataclasses import replace

from commands.finding import Finding, Light
from commands.model import Confidence, Inquiry, Section
from commands.triage.rule import Diagnosing, Diagnosis

LABEL = "Verdict"
_SAID = {Confidence.CERTAIN: "", Confidence.LIKELY: "likely: ", Confidence.POSSIBLE: "perhaps: "}


def told(found: Diagnosis, key: str, title: str, row: str) -> Section:
    """The cause as the first line, where there is one."""
    if found.cause is None:
        return found.section(key, title)
    value = f"{_SAID[found.cause.confidence]}{found.cause.text}"
    first = Finding(row, LABEL, Light.RED, value)
    return replace(found, findings=(first, *found.findings)).section(key, title)


def inquiry(asking: Diagnosing, key: str, title: str, row: str) -> Inquiry:
    """A diagnosis as a part of an answer."""
    return told((yield from asking), key, title, row)
