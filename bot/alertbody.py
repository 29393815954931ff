"""Pure: an Alertmanager webhook body → what it says.

Takes version "4" of every Alertmanager seen (with and without notification_reason and routeLabels) and Grafana's "1".
What one alert may keep of its texts is bounded here, because the record of its group lives in memory: each
annotation is cut at 2,000 characters and an alert keeps 4,000 of them; a label's value at 1,000, and an alert keeps
6,000, its longest labels going first. What was left out is said in an annotation. Called by bot/intake.py.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from commands.errors import UsageError
from commands.model import Alert, AlertStatus

# Prometheus' dead-man's switch fires always: it is heard, not shown.
WATCHDOG = "Watchdog"

# The annotation that says what an alert does not keep.
LEFT_OUT = "sre-bot/left-out"

_ANNOTATION, _ANNOTATIONS = 2_000, 4_000
_LABEL, _LABELS = 1_000, 6_000
_URL = 4_000  # Grafana's and Prometheus' carry the whole expression; one that is cut leads nowhere

# What Grafana says of an alert beside its annotations, and the annotation it becomes.
_GRAFANA: Mapping[str, str] = {
    "valueString": "value", "dashboardURL": "dashboard_url", "panelURL": "panel_url", "silenceURL": "silence_url",
}  # fmt: skip

_FINGERPRINT = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_FNV_OFFSET, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
# A hash byte by byte is slow, and labels longer than this never came from an Alertmanager without one.
_FNV_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Notification:
    """One webhook body, or what it says of one cluster.

    key: what its group is told from others by, in full. receiver: as its configuration has it. cluster: what the
    label says that all its alerts bear, "" where they bear none or several.
    """

    key: bytes
    receiver: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    external_url: str = ""
    truncated: int = 0
    cluster: str = ""

    @property
    def id(self) -> str:
        """The group's identity: its labels and its cluster, so that twins of an Alertmanager cluster agree.

        Not groupKey, which changes when the route tree is edited.
        """
        named = b"\n" + self.cluster.encode() if self.cluster else b""
        return "A" + hashlib.sha256(self.key + named).hexdigest()[:16]

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def watchdog_fires(self) -> bool:
        return any(alert.name == WATCHDOG for alert in self.firing)

    def without_watchdog(self) -> "Notification":
        """It would keep every group open that it is put into."""
        return replace(self, alerts=tuple(alert for alert in self.alerts if alert.name != WATCHDOG))


def parse(body: bytes) -> Notification:
    """What the body says; raises UsageError with the reason when it is not an Alertmanager body."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("alerts"), list):
        raise UsageError("not an Alertmanager webhook body: it has no list `alerts`")
    if str(data.get("version", "4")) not in ("4", "1"):
        raise UsageError(
            f"webhook version {str(data['version'])[:20]!r} is not known; this bot reads version 4"
        )
    if not all(isinstance(alert, dict) for alert in data["alerts"]):
        raise UsageError("an element of `alerts` is not an object")
    labels = _strings(data.get("groupLabels"))
    receiver = _unquoted(_text(data.get("receiver")))
    return Notification(
        # A group by nothing has no labels; then the receiver tells it from others.
        key=orjson.dumps(sorted(labels.items()) or [("receiver", receiver)]),
        receiver=receiver[:_LABEL],
        group_labels=_bounded(labels, _LABEL, _LABELS),
        alerts=tuple(_once(_alert(alert) for alert in data["alerts"])),
        external_url=_url(data.get("externalURL")),
        truncated=_count(data.get("truncatedAlerts")),
    )


def by_cluster(heard: Notification, label: str) -> tuple[Notification, ...]:
    """What it says of each cluster that its alerts name.

    An Alertmanager that serves several clusters and does not group by them tells of all at once, and now of one and
    then of two: each has a group of its own here, or none of them would ever be whole.
    """
    parted: dict[str, list[Alert]] = {}
    for alert in heard.alerts:
        parted.setdefault(alert.labels.get(label, ""), []).append(alert)
    return tuple(replace(heard, cluster=name, alerts=tuple(own)) for name, own in parted.items())


def _once(alerts: Iterable[Alert]) -> Iterable[Alert]:
    """Each alert once, as it is latest; those that share a fingerprint and are not the same get their own."""
    found: dict[str, Alert] = {}
    for alert in alerts:
        held = found.get(alert.fingerprint)
        if held is not None and held.labels != alert.labels:
            alert = replace(alert, fingerprint=fingerprint(alert.labels))
            held = found.get(alert.fingerprint)
        if held is None or _order(alert) >= _order(held):
            found[alert.fingerprint] = alert
    return found.values()


def _order(alert: Alert) -> tuple[datetime, bool]:
    return alert.starts_at, alert.status == "firing"


def _alert(data: Mapping[str, Any]) -> Alert:
    labels = _strings(data.get("labels"))
    status: AlertStatus = "resolved" if data.get("status") == "resolved" else "firing"
    given = _text(data.get("fingerprint"))
    kept = _bounded(labels, _LABEL, _LABELS)
    return Alert(
        fingerprint=given if _FINGERPRINT.fullmatch(given) else fingerprint(labels),
        status=status,
        labels=kept,
        annotations=_annotations(data, labels, kept),
        starts_at=_time(data.get("startsAt")) or datetime.fromtimestamp(0, UTC),
        ends_at=_time(data.get("endsAt")) if status == "resolved" else None,
        generator_url=_url(data.get("generatorURL")),
    )


def fingerprint(labels: Mapping[str, str]) -> str:
    """As Prometheus and Alertmanager reckon it: FNV-1a of 64 bits over the sorted names and values."""
    said = b"".join(
        name.encode() + b"\xff" + value.encode() + b"\xff" for name, value in sorted(labels.items())
    )
    if len(said) > _FNV_BYTES:
        return hashlib.sha256(said).hexdigest()[:16]
    found = _FNV_OFFSET
    for byte in said:
        found = (found ^ byte) * _FNV_PRIME & _MASK
    return f"{found:016x}"


# --- bounds ---


def _annotations(
    data: Mapping[str, Any], labels: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    said = _strings(data.get("annotations"))
    for key, name in _GRAFANA.items():
        if data.get(key):
            said.setdefault(name, _text(data[key]))
    found = _bounded(said, _ANNOTATION, _ANNOTATIONS)
    lost = len(labels) - len(kept), len(said) - len(found)
    if any(lost):
        found[LEFT_OUT] = f"{lost[0]} of {len(labels)} labels, {lost[1]} of {len(said)} annotations"
    return found


def _bounded(texts: Mapping[str, str], longest: int, whole: int) -> dict[str, str]:
    """In the order given; where all are too many, the short ones, which say what it is about."""
    cut = {name: _cut(text, longest) for name, text in texts.items() if len(name) <= longest}
    room = whole
    for name in sorted(cut, key=lambda name: len(name) + len(cut[name])):
        room -= len(name) + len(cut[name])
        if room < 0:
            del cut[name]
    return cut


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest - 40]}… ({len(text) - longest + 40:,} more characters)"


# --- single values ---


def _strings(data: Any) -> dict[str, str]:
    return {str(name): _text(value) for name, value in data.items()} if isinstance(data, dict) else {}


def _text(value: Any) -> str:
    """A value as a text; senders other than Alertmanager put numbers, truths and nothing where texts belong."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _unquoted(receiver: str) -> str:
    r"""Alertmanager quotes a receiver's name for regular expressions: `sre\.bot` is called sre.bot."""
    return re.sub(r"\\([\\.+*?()|\[\]{}^$])", r"\1", receiver)


def _url(data: Any) -> str:
    text = _text(data)
    return text if len(text) <= _URL else ""


def _count(data: Any) -> int:
    return data if isinstance(data, int) and not isinstance(data, bool) and data > 0 else 0


def _time(data: Any) -> datetime | None:
    """RFC 3339 as Go writes it (up to nine digits, trailing zeros cut) → aware UTC; None for "not yet".

    Alertmanager writes year 1 and some senders 1970 for a time that has not come.
    """
    if not isinstance(data, str) or data.startswith(("0001-", "1970-01-01")):
        return None
    try:
        at = datetime.fromisoformat(data)  # 3.11 reads Go's fractions of any length, cut to microseconds
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no date at all, or one at the end of time
        return None
