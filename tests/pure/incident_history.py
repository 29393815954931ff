"""Incidents as events make them: each is folded from drafts, as the record of the bot is."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from commands.ledger import START, Draft, Event, Head, sealed
from commands.numbers.window import Window
from commands.response.events import Kind, draft, written
from commands.response.fold import fold
from commands.response.incident import Incident
from commands.responsereads import ChangeFacts, Outcome

NOVEMBER = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), "Nov 2026")
SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
ALICE, BOB = "U0ALICE0001", "U0BOB000001"


def at(day: int, clock: str) -> datetime:
    """Of November: at(3, "10:02:05")."""
    return datetime.fromisoformat(f"2026-11-{day:02}T{clock}+00:00")


def incident(
    id: str, declared: datetime, severity: int, service: str, *events: Draft, **facts: str
) -> Incident:
    """Declared by Alice; then the events, each written down when it happened or, at the earliest, at the declaration."""
    first = draft(
        Kind.DECLARED, "declared", title=f"{service} is down", severity=str(severity), cluster="training",
        service=service, **facts,
    )  # fmt: skip
    return folded(id, (_at(first, declared, ALICE), *events), declared)


def folded(id: str, drafts: Iterable[Draft], declared: datetime) -> Incident:
    events: list[Event] = []
    head = START
    for number, each in enumerate(drafts):
        told = sealed((each,), head, max(each.at or declared, declared), (f"salt {number}",))
        events += told
        head = Head(told[-1].seq, told[-1].hash)
    return fold(id, events)


def _at(made: Draft, when: datetime, by: str = "") -> Draft:
    return Draft(made.kind, made.text, at=when, by=by, facts=made.facts)


def milestone(name: str, when: datetime, *, about: bool = False) -> Draft:
    facts = {"name": name, "at": written(when), "about": "yes" if about else ""}
    return _at(draft(Kind.MILESTONE, name, **facts), when, ALICE)


def status(to: str, when: datetime) -> Draft:
    return _at(draft(Kind.STATUS, to, to=to), when, ALICE)


def alert(when: datetime, name: str = "HighErrorRate", group: str = "A1", state: str = "firing") -> Draft:
    return _at(draft(Kind.ALERT, name, group=group, name=name, state=state, started=written(when)), when)


def paged(when: datetime, user: str = ALICE, id: str = "P1", rung: int = 0) -> Draft:
    return _at(draft(Kind.PAGED, "paged", id=id, user=user, rung=str(rung)), when)


def answered(when: datetime, by: str = ALICE, id: str = "P1") -> Draft:
    return _at(draft(Kind.PAGE_ACKED, "acknowledged", id=id), when, by)


def commander(when: datetime, user: str = ALICE) -> Draft:
    return _at(draft(Kind.ACCEPTED, "accepted", role="ic", user=user), when, user)


def blamed(change: str, when: datetime, confidence: str = "confirmed") -> Draft:
    return _at(draft(Kind.BLAMED, "cause", change=change, confidence=confidence), when, ALICE)


def reopened(when: datetime) -> Draft:
    return _at(draft(Kind.REOPENED, "again"), when, ALICE)


def over(started: datetime, mitigated: datetime, resolved: datetime) -> tuple[Draft, ...]:
    """The life of one that ended."""
    return (
        milestone("started", started),
        milestone("mitigated", mitigated),
        status("mitigated", max(mitigated, resolved - SECOND)),
        status("resolved", resolved),
    )


def simple(
    number: int, started: datetime, lasted: timedelta, severity: int = 1, service: str = "checkout"
) -> Incident:
    """Felt for so long; declared a minute after it began, resolved when it was mitigated."""
    return incident(
        f"INC-{number}",
        started + MINUTE,
        severity,
        service,
        *over(started, started + lasted, started + lasted),
    )


def change(id: str, outcome: Outcome = Outcome.SUCCEEDED, day: int = 5, **facts: object) -> ChangeFacts:
    made = ChangeFacts(id, "checkout", outcome, at(day, "12:00:00"))
    return ChangeFacts(**{**{name: getattr(made, name) for name in made.__slots__}, **facts})


# --- the golden month -----------------------------------------------------------------------------

CAUSE = "CR-2026-11-03-001"


def golden() -> tuple[Incident, ...]:
    """Seven incidents of November: four count, a drill and a merged one do not, and one is open when it ends."""
    a = incident(
        "A", at(3, "10:06:00"), 1, "checkout",
        alert(at(3, "10:02:00")), paged(at(3, "10:02:05")), answered(at(3, "10:04:35")),
        *over(at(3, "10:00:00"), at(3, "10:42:30"), at(3, "11:30:00")),
        blamed(CAUSE, at(4, "09:00:00")),
    )  # fmt: skip
    b = incident(
        "B", at(10, "01:11:00"), 2, "checkout", *over(at(10, "01:00:00"), at(10, "01:20:00"), at(10, "01:25:00")),
        detection="customer",
    )  # fmt: skip
    c = incident(
        "C", at(10, "01:16:00"), 1, "checkout",
        alert(at(10, "01:12:00"), group="A2"), paged(at(10, "01:12:10")), answered(at(10, "01:13:40")),
        *over(at(10, "01:10:00"), at(10, "01:50:00"), at(10, "02:00:00")),
    )  # fmt: skip
    d = incident(
        "D", at(20, "09:02:00"), 3, "cart",
        alert(at(20, "09:00:10"), group="A3"), paged(at(20, "09:00:15")),
        _at(draft(Kind.ALERT, "silenced", group="A3", state="silenced", started=written(at(20, "09:00:10"))),
            at(20, "09:00:30")),
        *over(at(20, "09:00:00"), at(20, "09:00:45"), at(20, "09:05:00")),
    )  # fmt: skip
    e = incident(
        "E", at(12, "10:00:00"), 1, "checkout", *over(at(12, "10:00:00"), at(12, "10:30:00"), at(12, "10:30:00")),
        drill="yes",
    )  # fmt: skip
    f = incident(
        "F", at(3, "10:07:00"), 1, "checkout", milestone("started", at(3, "10:00:00")),
        _at(draft(Kind.MERGED, "merged", into="A"), at(3, "10:09:00"), ALICE),
    )  # fmt: skip
    g = incident("G", at(30, "22:00:00"), 3, "search", milestone("started", at(30, "21:55:00")))
    return a, b, c, d, e, f, g


def golden_changes() -> tuple[ChangeFacts, ...]:
    return (
        change("CR-1", Outcome.REJECTED),
        change("CR-2", Outcome.EXPIRED),
        *(change(f"CR-{n}") for n in range(3, 8)),
        change("CR-8", hotfix_for="A"),
        change("CR-9", Outcome.ROLLED_BACK),
        change(CAUSE, day=3),
    )
