"""Object mothers: whole, plausible values with one keyword per thing a test cares about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.finding import Finding, Light
from commands.model import Actor, Alert, AlertGroup, Args, Place, Request, Section, Whisper

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
TEAM = "T0EMULATED1"
ALICE = Actor("U0ALICE0001", TEAM)


def finding(light: Light = Light.GREEN, **changes: Any) -> Finding:
    return replace(Finding("DH-1.5", "Availability", light, value="99.95 %", threshold="> 99.9 %"), **changes)


def section(key: str = "slo", *findings: Finding, **changes: Any) -> Section:
    return replace(Section(key, key.upper(), True, findings or (finding(),)), **changes)


def request(id: str = "RTEST0001", **changes: Any) -> Request:
    pending = tuple(Section(key, key) for key in ("slo", "cluster"))
    made = Request(
        id, "health", Args("health"), ALICE, Place("C0SREDAILY1"), "training", NOW, sections=pending
    )
    return replace(made, **changes)


def alert(name: str = "PodCrashLooping", *, ends_after: timedelta | None = None, **labels: str) -> Alert:
    said = {"alertname": name, "severity": "critical", **labels}
    return Alert(
        fingerprint=f"{hash(tuple(sorted(said.items()))) & 0xFFFFFFFFFFFFFFFF:016x}",
        status="resolved" if ends_after else "firing",
        labels=said,
        annotations={"summary": f"{name} {' '.join(labels.values())}".strip()},
        starts_at=NOW,
        ends_at=NOW + ends_after if ends_after else None,
    )


def group(*alerts: Alert, **changes: Any) -> AlertGroup:
    made = AlertGroup(
        id="ATEST", group_labels={"alertname": "PodCrashLooping"}, receiver="sre-bot", channel="#sre-alerts",
        alerts=alerts or (alert(),), episode=1, opened=NOW, updated=NOW,
    )  # fmt: skip
    return replace(made, **changes)


def audit_lines(state: Any) -> list[dict[str, str]]:
    """Every audit line, oldest first."""
    return [
        {k.decode(): v.decode() for k, v in fields.items()} for _, fields in state.redis.xrange("sre:audit")
    ]


def whisper(text: str = "no", user: str = ALICE.user) -> Whisper:
    return Whisper("WTEST", user, Place("C0SREDAILY1"), text)
