"""The main job on real parts: a signed `/sre health`, and a real Alertmanager's alert from firing to resolved.

The threads that result are kept in tests/golden/ as they read in Slack; UPDATE_GOLDEN=1 writes them anew.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox import envtest, monitoring
from sandbox.slack import SlackStandIn
from tests.stories.real_world import RealWorld

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.monitoring,
    pytest.mark.skipif(
        "KUBEBUILDER_ASSETS" not in os.environ, reason="KUBEBUILDER_ASSETS is unset: see `make envtest`"
    ),
    pytest.mark.skipif(
        not monitoring.available(), reason=f"not installed: {', '.join(monitoring.lacking())}"
    ),
]

GOLDEN = Path(__file__).parents[1] / "golden"

# What differs from run to run and is not the point: ids, moments, durations, addresses, pod suffixes.
_VARIABLE = [
    (r"<!date\^\d+\^[^|]*\|[^>]*>", "<moment>"),
    (r"\b[RWE][2-9A-HJ-NP-Z]{8}\b", "<id>"),
    (r"\bA[0-9a-f]{16}\b", "<group>"),
    (r"127\.0\.0\.1:\d+", "<address>"),
    (r"\b(backend|traffic-generator)-[a-z0-9]+-[a-z0-9]{5}\b", r"\1-<pod>"),
    (r"\b\d+(\.\d+)? (ms|s|min|h)\b(?! of)", "<span>"),
    (r"(?<=CPU).*\d+(\.\d+)? %", " <share>"),
    (r"(?<=memory).*\d+(\.\d+)? %", " <share>"),
]  # fmt: skip


def as_kept(text: str) -> str:
    for pattern, shown in _VARIABLE:
        text = re.sub(pattern, shown, text)
    return text


def compare(name: str, transcript: str) -> None:
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(as_kept(transcript))
    assert as_kept(transcript) == file.read_text()


@pytest.fixture(scope="module")
def world() -> Iterator[RealWorld]:
    assert envtest.present()
    with RealWorld() as world:
        yield world


def card(slack: SlackStandIn, channel: str, words: str) -> dict[str, Any]:
    """The one message of the channel whose text holds these words, once it does."""

    def found() -> dict[str, Any] | None:
        return next((m for m in slack.messages(channel) if words in m["text"]), None)

    return slack.wait_for(found, timeout=60) or {}


@pytest.mark.timeout(300)
def test_health_of_a_real_cluster_reads_as_kept(world: RealWorld) -> None:
    slack = world.slack
    world.watchdog()
    delivery = slack.command("alice", "#sre-daily", "health")
    assert delivery.status == 200 and delivery.elapsed < 3, "Slack waits no longer"
    root = card(slack, "#sre-daily", "green")  # answered: "n/4 green", whatever n is
    slack.wait_for(lambda: len(slack.thread("#sre-daily", root["ts"])) == 5, timeout=60)
    assert "4/4 green" in root["text"], slack.transcript("#sre-daily")
    compare("transcript-health.txt", slack.transcript("#sre-daily", ephemerals=False))


@pytest.mark.timeout(120)
def test_an_alert_of_a_real_alertmanager_fires_and_resolves_in_place(world: RealWorld) -> None:
    slack = world.slack
    labels = {"alertname": "KubePodCrashLooping", "namespace": "sre-shop", "severity": "critical"}
    notes = {"summary": "Pod backend keeps crashing", "runbook_url": "https://runbooks.example/crash"}
    began = datetime.now(UTC) - timedelta(minutes=12)
    for pod in ("backend-1", "backend-2"):
        world.alertmanager.alert({**labels, "pod": pod}, notes, starts_at=began)
    root = card(slack, "#sre-alerts", "2 firing")
    diagnosed = card(slack, "#sre-alerts", "What changed")
    assert diagnosed["thread_ts"] == root["ts"]
    for pod in ("backend-1", "backend-2"):
        world.alertmanager.alert({**labels, "pod": pod}, notes, starts_at=began, ends_at=datetime.now(UTC))
    resolved = card(slack, "#sre-alerts", "KubePodCrashLooping: resolved after")
    assert resolved["ts"] == root["ts"], "the card was edited in place"
    card(slack, "#sre-alerts", "✅ all 2 resolved after")
    compare("transcript-alert.txt", "".join(f"{text}\n" for text in told_of_the_alert(slack)))


def told_of_the_alert(slack: SlackStandIn) -> list[str]:
    """Its card and its lines, in the order of Slack; the diagnosis comes when it is ready, between any of them. Whether
    the second alert came with the first or just after is Alertmanager's."""
    mine = [m for m in slack.messages("#sre-alerts") if (m.get("metadata") or {}).get("event_payload")]
    told = [m["text"] for m in mine if m["metadata"]["event_payload"]["card"].startswith("alert:")]
    return [text for text in told if "also firing" not in text]
