"""Whatever is entered into an incident in whatever order, by a real store: the record is what its events make, no rule
runs on for ever, and what is due fires once."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.state import State
from commands.ledger import Draft, Evidence, Kept, faults
from commands.response import fold
from commands.response.events import Kind as K
from commands.response.events import written
from commands.response.incident import Milestone, Role, Status
from tests.build import ALICE, BOB, NOW
from tests.edges.test_incident_clock import Clock

TEXTS = st.text(max_size=30) | st.sampled_from(["<!channel>", "token: hunter2", "a\nb", "é漢"])
USERS = st.sampled_from(["", ALICE.user, BOB.user])
ROLES = st.sampled_from(list(Role)).map(str)
TIMES = st.datetimes(NOW.replace(tzinfo=None) - timedelta(days=1), NOW.replace(tzinfo=None)).map(
    lambda at: at.replace(tzinfo=NOW.tzinfo)
)
FILES = st.builds(Kept, name=TEXTS, mimetype=st.just("text/plain"), size=st.integers(0, 9))
EVIDENCE = st.builds(
    Evidence, channel=st.just("C1"), ts=st.just("1.2"), files=st.lists(FILES, max_size=2).map(tuple)
)


def facts(kind: K, **each: st.SearchStrategy[str]) -> st.SearchStrategy[Draft]:
    return st.builds(
        Draft, st.just(str(kind)), TEXTS, at=st.none() | TIMES, by=USERS, facts=st.builds(dict, **each),
        evidence=st.none() | EVIDENCE, key=st.just("") | st.sampled_from(["k1", "k2"]), is_told=st.booleans(),
        mention=USERS,
    )  # fmt: skip


OF, GROUP = st.sampled_from(["C1 1.2", "C1 1.3"]), st.sampled_from(["A1", "A2"])
DRAFTS = st.one_of(
    facts(K.STATUS, to=st.sampled_from(list(Status)).map(str)),
    facts(K.SEVERITY, to=st.sampled_from("1234")),
    facts(K.FIELD, name=st.sampled_from(["title", "service", "impact", "private", "affected"]), value=TEXTS),
    facts(K.MILESTONE, name=st.sampled_from(list(Milestone)).map(str), at=st.just("") | TIMES.map(written)),
    facts(K.REOPENED), facts(K.MERGED, took=st.just("INC-2")), facts(K.OFFERED, role=ROLES, user=USERS),
    facts(K.ACCEPTED, role=ROLES, user=USERS), facts(K.ENDED, role=ROLES),
    facts(K.PAGED, id=st.just("P1"), user=USERS), facts(K.PAGE_ACKED, id=st.just("P1")),
    facts(K.TIMER, key=st.sampled_from(["page:P1", "quiet:ask", "new"]), due=st.just("") | TIMES.map(written)),
    facts(K.UPDATE, conditions=TEXTS, next=st.just("") | TIMES.map(written)),
    facts(K.ALERT, group=GROUP, state=st.sampled_from(["firing", "resolved", "silenced", "acked", "told"])),
    facts(K.RUN, id=st.sampled_from(["R1", "R2"]), line=st.just("change recent"), state=st.just("answered")),
    facts(K.BLAMED, change=st.sampled_from(["", "CR-1"])), facts(K.NOTE), facts(K.MESSAGE, of=OF, hash=TEXTS),
    facts(K.REVISED, of=OF, hash=TEXTS), facts(K.REMOVED, of=OF), facts(K.SCOPE, what=TEXTS),
    facts(K.ROOM, channel=st.just("C9"), own=st.sampled_from(["", "yes"])),
)  # fmt: skip
STEPS = st.lists(st.tuples(st.lists(DRAFTS, min_size=1, max_size=3), st.integers(-2, 300)), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, severity=st.sampled_from("1234"))
def test_the_record_is_what_its_events_make(state: State, steps: Any, severity: str) -> None:
    state.redis.flushall()
    clock, now = Clock(state), NOW
    clock.begin(f"sev{severity} checkout is down --channel")
    for drafts, minutes in steps:
        clock.records.append(clock.id, lambda _, drafts=drafts: drafts)  # type: ignore[misc]
        clock.now = now = now + timedelta(minutes=minutes)  # of another process, whose clock is behind
        clock.timers.fire()
        clock.timers.fire()
    incident, events = clock.incident(clock.id), clock.records.events(clock.id)
    assert fold.fold(clock.id, events) == incident
    assert faults(events, incident.head, incident.erased) == ()
    assert len(events) < 80 * (len(steps) + 1) * 3
    assert len([event for event in events if event.key == "k1"]) <= 1
    assert incident.is_over or not overdue(incident.next_due, now)


def overdue(due: datetime | None, now: datetime) -> bool:
    return due is not None and due <= now
