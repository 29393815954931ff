"""What the services call outside, as the configuration names it under `dependencies`: each is asked once, now.

An address that the configuration does not name is never asked. Used by the diagnoses of errors and of latency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from commands.finding import Finding, Light
from commands.model import Gap, Seen
from commands.reads import Http
from commands.site import ClusterSite, Dependency
from commands.triage.rule import Diagnosing, Diagnosis
from commands.triagereads import Fetch
from commands.wording import took, unread

KEY = "T1-7.1"
_BROKEN = 500  # from here on it is the dependency that fails, and not the question


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of them said. light: RED where it fails, YELLOW where it is slower than promised."""

    about: Dependency
    light: Light
    words: str
    gap: Gap | None = None

    @property
    def host(self) -> str:
        return host(self.about.url)


def host(url: str) -> str:
    return urlsplit(url).hostname or ""


def reads(site: ClusterSite) -> tuple[Fetch, ...]:
    return tuple(dict.fromkeys(Fetch(each.url) for each in site.dependencies))


def answers(site: ClusterSite, seen: Seen) -> tuple[Answer, ...]:
    return tuple(_answer(each, seen[Fetch(each.url)]) for each in site.dependencies)


def _answer(about: Dependency, found: Http | Gap) -> Answer:
    if isinstance(found, Gap):
        # Silence from a dependency is a failure of it; a question that may not be asked says nothing of it.
        return Answer(about, Light.RED if found.silent else Light.UNKNOWN, found.reason, found)
    if found.status >= _BROKEN:
        return Answer(about, Light.RED, f"answers {found.status} in {took(found.took)}")
    slow = found.took > timedelta(milliseconds=about.p95_ms)
    return Answer(about, Light.YELLOW if slow else Light.GREEN, f"{found.status} in {took(found.took)}")


def told(found: Sequence[Answer]) -> tuple[Finding, ...]:
    if not found:
        mend = "Name what the services call under `dependencies` in sre-bot.yaml: name, url, sla, p95_ms."
        return (Finding(KEY, "Dependencies", Light.UNKNOWN, "none configured", mend=mend),)
    return tuple(_finding(each) for each in found)


def _finding(each: Answer) -> Finding:
    label, threshold = f"Dependency {each.about.name}", f"≤ {each.about.p95_ms:g} ms"
    if each.gap and each.light is Light.UNKNOWN:
        return unread(KEY, label, each.gap, threshold)
    return Finding(KEY, label, each.light, each.words, threshold)


def diagnose(site: ClusterSite) -> Diagnosing:
    """By itself, as the fourth part of the search for lost time."""
    asked = reads(site)
    found = answers(site, (yield asked) if asked else Seen({}))
    cdn = Finding("T2-4.2", "CDN", Light.GREEN, "no CDN is configured")
    return Diagnosis(None, (*told(found), cdn))
