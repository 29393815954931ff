"""Every kind of incident card there is, as a record: for the golden files, and for the pictures of the sandbox.

Each is made of events and of what follows from them by the rules, as the record of the bot is.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from commands import consequences
from commands.ledger import START, Draft, Head, sealed
from commands.response import fold
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident
from commands.site import Site
from tests import build

ID, NAME = "INC-2026-11-23-001", "inc-20261123-001-checkout-is-down"
ROOM, SECURITY, INCIDENTS = "C0INCROOM01", "C0SECURITY1", "C0INCIDENTS"
ALICE, BOB, CAROL = build.ALICE.user, build.BOB.user, "U0CAROL0001"
HOSTILE = "<!channel> <@U0BOB000001> <https://evil|https://bank> & *_~` \u202egnp.exe"


def after(minutes: float) -> datetime:
    return build.NOW + timedelta(minutes=minutes)


def by(user: str, minutes: float, told: Draft) -> Draft:
    return replace(told, by=user, at=after(minutes))


def incident(*events: Draft, title: str = "Checkout is down", severity: int = 1, **facts: str) -> Incident:
    """Declared by Alice, with its channel unless `channel` is ""; then the events."""
    told = {"title": title, "severity": str(severity), "cluster": "training", "channel": "yes", **facts}
    first = by(ALICE, 0, draft(Kind.DECLARED, "declared", **told))
    place = () if not told["channel"] else (OWN,)
    return folded(first, *place, *events)


def folded(*drafts: Draft) -> Incident:
    record: Incident | None = None
    head: Head = START
    for told in drafts:
        record, head = _with(record, told, head)
    assert record is not None
    return record


def _with(before: Incident | None, told: Draft, head: Head) -> tuple[Incident, Head]:
    """With one event more, and all that follows from it."""
    now = max(told.at or build.NOW, before.updated if before else build.NOW)
    record = _plain(before, (told,), head, now)
    while more := tuple(consequences.of(before, record, now, Site())):
        before, record = record, _plain(record, more, record.head, now)
    return record, record.head


def _plain(record: Incident | None, told: tuple[Draft, ...], head: Head, now: datetime) -> Incident:
    for event in sealed(told, head, now, ("salt",) * len(told)):
        record = fold.after(record, event) if record else fold.begun(ID, event)
    assert record is not None
    return record


OWN = draft(Kind.ROOM, "its channel", channel=ROOM, name=NAME, own="yes")
LOST = "may not create channels: scope channels:manage is missing"


def alert(name: str, minutes: float, state: str = "firing", group: str = "A1", ended: float = 0) -> Draft:
    times = {
        "started": written(after(minutes)),
        "ended": written(after(ended)) if state == "resolved" else "",
    }
    return by(
        "",
        max(minutes, 0),
        draft(Kind.ALERT, f"{name} {state}", group=group, name=name, state=state, **times),
    )


def took(role: str, user: str, minutes: float) -> Draft:
    return by(user, minutes, draft(Kind.ACCEPTED, f"{role} is taken", role=role, user=user))


def status(to: str, minutes: float) -> Draft:
    return by(BOB, minutes, draft(Kind.STATUS, to, to=to))


def says(name: str, value: str, minutes: float) -> Draft:
    return by(BOB, minutes, draft(Kind.FIELD, f"{name} is said", name=name, value=value))


STARTED = draft(Kind.MILESTONE, "it began", name="started", at=written(after(-6)))
FIRES = alert("HighErrorRate", -5)
LED = (
    STARTED, FIRES, alert("TargetDown", -2, group="A2"),
    took("ic", BOB, 2),
    says("impact", "about a third of all orders fail; the shop says “try again”", 4), says("service", "backend", 4),
    took("scribe", CAROL, 6),
    by(BOB, 7, draft(Kind.OFFERED, "asked to be communications", role="comms", user=ALICE)),
    by(BOB, 9, draft(Kind.BLAMED, "suspected", change="rollout of shop/backend to 1.42.0", confidence="suspected")),
    by(ALICE, 14, draft(Kind.UPDATE, "A third of all orders fail. We roll back the release.", next=written(after(29)))),
)  # fmt: skip
QUIET = (
    alert("HighErrorRate", -5, "resolved", ended=33),
    alert("TargetDown", -2, "resolved", "A2", ended=31),
)
MITIGATED = (*LED, status("identified", 22), status("mitigated", 31))
RESOLVED = (*MITIGATED, *QUIET, status("resolved", 48))
DRAFTED = by("", 48, draft(Kind.REPORT, "drafted", step="drafted", stored="x"))
CALLED = by("", 1, draft(Kind.PAGED, "called", id="P1", user=BOB))


def thread(text: str, minutes: float, user: str = "") -> Draft:
    return replace(by(user, minutes, draft(Kind.NOTE, text)), is_told=True)


IN_ALERT = {"channel": "", "alert": "alert:ATEST 1:card", "severity": "3"}
KINDS: dict[str, Incident] = {
    "incident-declared": incident(FIRES, CALLED, service="backend"),
    "incident-led": incident(*LED, thread("rolled back shop/backend to 1.41.3", 16, BOB)),
    "incident-sev2": incident(STARTED, severity=2, title="Login is slow", service="frontend"),
    "incident-mitigated": incident(*MITIGATED),
    "incident-resolved": incident(*RESOLVED, DRAFTED),
    "incident-closed": incident(*RESOLVED, DRAFTED, by(BOB, 900, draft(Kind.REPORT, "out", step="published", version="1")),
                                by(BOB, 1000, draft(Kind.TASK, "an action", id="T1")), status("closed", 1500)),
    "incident-reopened": incident(*RESOLVED, by(BOB, 60, draft(Kind.REOPENED, "errors are back", why="errors are back"))),
    "incident-false-alarm": incident(FIRES, status("false alarm", 12)),
    "incident-merged": incident(by(BOB, 5, draft(Kind.MERGED, "the same", into="INC-2026-11-23-002"))),
    "incident-drill": incident(FIRES, took("ic", BOB, 2), thread("the database of the drill is stopped", 3), drill="yes"),
    "incident-thread": incident(
        draft(Kind.ROOM, "told there", channel="#sre-alerts"), FIRES, thread("node-7 swaps", 3, BOB),
        title="Node 7 is slow", severity=3, channel="", alert="alert:ATEST 1:card",
    ),
    "incident-promoted": incident(
        draft(Kind.ROOM, "told there", channel=INCIDENTS), thread("node-7 swaps", 3, BOB), OWN,
        title="Node 7 is slow", severity=3, channel="",
    ),
    "incident-security": incident(
        took("ic", CAROL, 2), title="A token of ci stood in a public repository", private="yes", security="yes",
    ),
    "incident-scopes": incident(
        draft(Kind.SCOPE, "x", what="may not pin its card: scope pins:write is missing"),
        draft(Kind.SCOPE, "x", what="may not put its links over its channel: scope bookmarks:write is missing"),
        service="backend",
    ),
    "incident-lost": incident(
        draft(Kind.ROOM, "told there", channel=INCIDENTS, lost=LOST), draft(Kind.SCOPE, "x", what=LOST),
        thread("we look at the database", 4, BOB), channel="",
    ),
    "incident-hostile": incident(
        says("impact", HOSTILE * 60, 1), says("service", HOSTILE, 1), says("affected", ", ".join([HOSTILE] * 9), 1),
        draft(Kind.ALERT, "x", group=HOSTILE, name=HOSTILE * 9, state="firing"), thread(HOSTILE * 200, 2, BOB),
        draft(Kind.BLAMED, "x", change=HOSTILE), draft(Kind.SCOPE, "x", what=HOSTILE * 9),
        by(BOB, 3, draft(Kind.UPDATE, HOSTILE * 99)), title=HOSTILE * 9,
    ),
}  # fmt: skip
