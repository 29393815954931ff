"""A whole Sev1 as its events tell it: an alert, a rollback, a message that was edited and one that was deleted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from commands.ledger import START, Draft, Event, Evidence, Head, sealed
from commands.postmortem.facts import Facts
from commands.response import fold
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident
from commands.response.task import Task

ID = "INC-2026-11-23-001"
ALICE, BOB, CAROL = "U0ALICE0001", "U0BOB000001", "U0CAROL0001"
NAMES = {ALICE: "Alice", BOB: "Bob", CAROL: "Carol"}
T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def said(kind: Kind, minutes: float, text: str, by: str = "", source: str = "command", **facts: str) -> Draft:
    return replace(draft(kind, text, **facts), at=at(minutes), by=by, source=source)


def message(minutes: float, text: str, ts: str, by: str = CAROL) -> Draft:
    evidence = Evidence("C0INC000001", ts, permalink=f"https://slack.example/{ts}")
    return replace(said(Kind.MESSAGE, minutes, text, by, "slack"), evidence=evidence)


def about(kind: Kind, minutes: float, ts: str, text: str = "") -> Draft:
    return said(kind, minutes, text, CAROL, "slack", of=f"C0INC000001 {ts}")


def declared(severity: str = "1", **facts: str) -> Draft:
    told = {
        "title": "checkout is down",
        "severity": severity,
        "cluster": "training",
        "service": "checkout",
        **facts,
    }
    return said(Kind.DECLARED, 6, f"declared Sev{severity}: {told['title']}", ALICE, **told)


def milestone(name: str, minutes: float, by: str = ALICE) -> Draft:
    return said(Kind.MILESTONE, minutes, f"{name} at {minutes:g}", by, name=name, at=written(at(minutes)))


def whole() -> tuple[Draft, ...]:
    return (
        declared(),
        said(Kind.ALERT, 2, "HighErrorRate fires: 3 alerts", source="audit", group="A1", name="HighErrorRate",
             state="firing", started=written(at(2))),
        milestone("started", 0), milestone("detected", 2),
        said(Kind.PAGED, 6.5, "📟 page P1", source="timer", id="P1", user=BOB),
        said(Kind.PAGE_ACKED, 8, "answered the page", BOB, id="P1"),
        said(Kind.ACCEPTED, 9, "takes command", BOB, role="ic", user=BOB),
        said(Kind.ACCEPTED, 12, "takes operations", CAROL, role="ops", user=CAROL),
        said(Kind.FIELD, 12, "impact: every third payment fails", BOB, name="impact", value="every third payment fails"),
        said(Kind.UPDATE, 15, "Conditions: payments fail", BOB, conditions="payments fail", audience="channel"),
        said(Kind.ROLLOUT, 1, "deployment checkout was rolled out: image v2.0", source="audit", object="checkout"),
        message(18, "pool is exhausted, says Alice", "1.1"),
        about(Kind.REVISED, 19, "1.1", "pool is exhausted since v2.0, says Alice"),
        message(20, "password is wrong, do not tell", "1.2"),
        about(Kind.REMOVED, 21, "1.2"),
        milestone("identified", 22),
        said(Kind.RUN, 25, "`deploy rollback checkout` is done", CAROL, "audit", id="R1", state="succeeded",
             line="deploy rollback checkout", changes="yes"),
        said(Kind.BLAMED, 26, "cause: CR-2026-11-23-004", BOB, change="CR-2026-11-23-004", confidence="confirmed"),
        said(Kind.SEVERITY, 30, "Sev2: it recovers", BOB, to="2"),
        said(Kind.STATUS, 42.5, "users no longer feel it", BOB, to="mitigated"),
        said(Kind.ALERT, 50, "HighErrorRate is resolved", source="audit", group="A1", name="HighErrorRate",
             state="resolved", ended=written(at(50))),
        said(Kind.STATUS, 90, "resolved", BOB, to="resolved"),
    )  # fmt: skip


def recorded(*drafts: Draft) -> tuple[Incident, tuple[Event, ...]]:
    """Each written down when it happened."""
    events: tuple[Event, ...] = ()
    head = START
    for number, each in enumerate(drafts):
        (event,) = sealed([each], head, max(each.at or T0, at(6)), [f"salt{number}"])
        events, head = (*events, event), Head(event.seq, event.hash)
    return fold.fold(ID, events), events


def section(name: str, text: str, minutes: float = 120, by: str = BOB) -> Draft:
    return said(Kind.REPORT, minutes, f"wrote the {name}", by, step="section", name=name, said=text)


def drafted(
    seq: int, minutes: float = 130, stored: str = "F1:postmortem:0", sha256: str = "ab" * 32
) -> Draft:
    return said(
        Kind.REPORT,
        minutes,
        "drafted",
        source="answer",
        step="drafted",
        seq=str(seq),
        stored=stored,
        sha256=sha256,
    )


def task(title: str = "limit every pool", **changes: Any) -> Task:
    made = Task("TSK-2026-11-23-001", title, CAROL, date(2026, 12, 1), at(95), at(95), BOB, incident=ID)
    return replace(made, **changes)


def facts(*drafts: Draft, tasks: tuple[Task, ...] = (), names: Mapping[str, str] = NAMES) -> Facts:
    incident, events = recorded(*drafts)
    return Facts(incident, events, BERLIN, tasks, names)
