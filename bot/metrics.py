"""Every metric of this process, in one table: its name, what it counts, its labels. docs/metrics.md explains each.

Labels are words of this house or of a vendor, never a name or an id from outside: their number is bounded. What must
survive a restart is counted in the store, and told by bot/vitals.py. Counted where it happens; served by bot/web.py
and workers/port.py.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from commands.version import VERSION

CONTENT_TYPE = CONTENT_TYPE_LATEST

_ACKS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1, 3)  # after three seconds Slack tells its user that it failed
_CALLS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROADS = (0.1, 0.5, 1, 2, 5, 10, 20, 60)
_HUMAN = (10, 30, 60, 120, 300, 600, 1800, 3600)

# --- what comes in ---
HTTP_TOOK = Histogram("sre_bot_http_seconds", "Time to answer, by route", ["route"], buckets=_ACKS)
RESPONSES = Counter(
    "sre_bot_http_responses_total", "HTTP answers by route and class of status", ["route", "status"]
)
WEBHOOKS = Counter("sre_bot_alert_webhooks_total", "Alertmanager webhooks by outcome", ["outcome"])
SLACK_ACK = Histogram(
    "sre_bot_slack_ack_seconds", "From what Slack sent to its acknowledgement", ["kind", "outcome"],
    buckets=_ACKS,
)  # fmt: skip

# --- what goes to Slack ---
SLACK_CALLS = Counter(
    "sre_bot_slack_calls_total", "Calls to Slack by method and outcome", ["method", "outcome"]
)
SLACK_TOOK = Histogram("sre_bot_slack_call_seconds", "Time of a call to Slack", ["method"], buckets=_CALLS)
SLACK_WAIT = Counter(
    "sre_bot_slack_wait_seconds_total", "Seconds that Slack asked to wait with its 429", ["method"]
)

# --- jobs ---
QUEUE_WAIT = Histogram("sre_bot_queue_wait_seconds", "From the queue to a worker", buckets=_ROADS)
JOB_TOOK = Histogram(
    "sre_bot_job_seconds", "Work of one turn at a request, by command and phase", ["command", "phase"],
    buckets=_ROADS,
)  # fmt: skip
ANSWER_TOOK = Histogram(
    "sre_bot_answer_seconds", "From the request to its whole answer", ["word"], buckets=_ROADS
)
EFFECTS = Counter(
    "sre_bot_effects_total", "Effects that were tried, by kind and outcome", ["kind", "outcome"]
)
TAKEOVERS = Counter("sre_bot_takeovers_total", "Requests whose worker was gone and that were enqueued again")
SCHEDULE_LATE = Histogram(
    "sre_bot_schedule_late_seconds", "How late a line of the calendar was started", buckets=(1, 2, 5, 15, 60, 300, 3600)
)  # fmt: skip

# --- sources ---
SOURCE_READS = Counter(
    "sre_bot_source_reads_total", "Reads by source and outcome", ["source", "outcome"]
)  # fmt: skip
SOURCE_TOOK = Histogram("sre_bot_source_seconds", "Time of a read, by source", ["source"], buckets=_CALLS)

# --- people ---
APPROVALS = Counter("sre_bot_approvals_total", "What people decided about changes", ["outcome"])
APPROVAL_TOOK = Histogram(
    "sre_bot_approval_seconds", "From the plan that was shown to its approval", buckets=_HUMAN
)

# --- this process ---
BUGS = Counter(
    "sre_bot_bugs_total", "Exceptions that nobody expected, each with a reference in the log", ["where"]
)
BUILD = Gauge("sre_bot_build_info", "The version that runs, and as what", ["part", "version"])


def page(*more: CollectorRegistry) -> bytes:
    """The text that Prometheus reads: of this process, and of what else is given."""
    return generate_latest() + b"".join(generate_latest(registry) for registry in more)


def started(part: str) -> None:
    """Say what runs: "bot" or "worker". What alerts look at stands at 0 from the start: Prometheus sees no increase in
    a series that begins with 1."""
    BUILD.labels(part, VERSION).set(1)
    for where in ("card", "listener") if part == "bot" else ("job", "part"):
        BUGS.labels(where)
    if part == "bot":
        for outcome in ("stored", "malformed", "too_large", "unauthorized", "unavailable"):
            WEBHOOKS.labels(outcome)
        for route in ("/alerts", "/slack/events"):
            RESPONSES.labels(route, "5xx")


@contextmanager
def phase(command: str, name: str) -> Iterator[None]:
    """Time one phase of a turn at a request."""
    began = time.monotonic()
    try:
        yield
    finally:
        JOB_TOOK.labels(command, name).observe(time.monotonic() - began)
