"""A postmortem on a real Redis, from the resolution to what is published: drafted by itself, kept, found again."""

import hashlib
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.casebook import Casebook
from bot.state import State
from bot.taskrecords import TaskRecords
from commands.ledger import Evidence
from commands.model import Place, Request
from commands.response import fold
from commands.response.events import Kind, draft
from commands.response.incident import Incident, ItemState, Role
from tests.build import ALICE, BOB
from tests.edges.test_records import CATALOG, MEMBERS, ROOM, SITE, Post
from workers.casebook import CasebookSource
from workers.engine import Engine
from workers.reader import Reader
from workers.records import RecordsSource
from workers.tasks import TasksSource

LESSONS = "Every pool has a limit.\n\n- and an *alert* on it"
_TIMES = ("started 08:20", "detected 08:21", "acknowledged 08:22", "identified 08:25", "mitigated 08:29")


class Desk(Post):
    """A post with the engine that answers what follows; `work` takes whatever the queue holds."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        sources = (
            RecordsSource(self.records, SITE.timezone), TasksSource(TaskRecords(state, SITE, self.clock)),
            CasebookSource(Casebook(state, SITE)),
        )  # fmt: skip
        self.engine = Engine(state, CATALOG, SITE, lambda _: Reader(sources), now=self.clock)

    def work(self) -> list[Request]:
        """Answer every postmortem that is asked for; other requests have other readers."""
        done = []
        for job in self.state.queue.jobs:
            request = self.state.request(job.args[0])
            if request is not None and request.record.args.verb == "postmortem" and request.record.is_open:
                self.engine.answer(request.record.id)
                done.append(self.request(request.record.id))
        return done

    def request(self, id: str) -> Request:
        stored = self.state.request(id)
        assert stored is not None
        return stored.record

    def over(self, text: str = "sev1 checkout is down") -> Incident:
        """Led by Alice, with all its milestones, and resolved."""
        id = self.declare(text).id
        for line in (
            "assign ic me",
            "set service checkout",
            *(f"set {each}" for each in _TIMES),
            "resolve --force",
        ):
            receipt = self.type(f"incident {line} --incident {id}", channel=ROOM)
            assert receipt.accepted, receipt.text
        return self.incident(id)

    def document(self, id: str) -> str:
        content = self.state.file(self.incident(id).report.stored)
        assert content is not None
        return content.decode()


@pytest.fixture
def desk(state: State) -> Desk:
    return Desk(state)


def test_the_draft_stands_in_the_record_within_seconds_of_the_resolution(desk: Desk) -> None:
    id = desk.over().id
    before = time.monotonic()
    (answer,) = desk.work()
    assert time.monotonic() - before < 30
    report = desk.incident(id).report
    assert report.version == 1 and report.drafted == desk.now
    (file,) = answer.sections[0].attachments
    assert (report.stored, report.sha256) == (file.stored, file.sha256)
    assert hashlib.sha256(desk.document(id).encode()).hexdigest() == report.sha256
    assert file.name == f"{id}-postmortem.md" and "# Postmortem: checkout is down" in desk.document(id)
    assert answer.place == Place(ROOM, under=f"incident:{id} card")


def test_the_line_of_the_checklist_is_ticked_by_the_draft(desk: Desk) -> None:
    id = desk.over().id
    desk.work()
    assert {item.key: item.state for item in desk.incident(id).items}["draft"] is ItemState.AUTO


def test_what_is_stored_is_the_fold_of_its_events(desk: Desk) -> None:
    id = desk.over().id
    desk.work()
    assert fold.fold(id, desk.records.events(id)) == desk.incident(id)


def test_a_worker_that_takes_over_writes_the_draft_down_once(desk: Desk) -> None:
    id = desk.over().id
    (answer,) = desk.work()
    half = desk.state.request(answer.id)
    assert half is not None
    for _ in range(2):
        desk.engine.answer(answer.id)
    assert desk.incident(id).report.version == 1
    drafted = [e for e in desk.records.events(id) if e.kind == Kind.REPORT]
    assert [event.facts["step"] for event in drafted] == ["drafted"]


def test_what_people_write_is_drafted_anew_and_stays_byte_for_byte(desk: Desk) -> None:
    id = desk.over().id
    desk.work()
    args = CATALOG.parse(f"incident postmortem --lessons --incident {id}").args
    asked = desk.type(f"incident postmortem --lessons --incident {id}", channel=ROOM)
    assert asked.form is not None and asked.form.fields[0].kind == "text"
    filled = asked.form.args
    assert filled.flags == args.flags
    done = desk.desk.fill(
        BOB, Place(ROOM), type(filled)("incident", "postmortem", "", filled.flags, LESSONS), "w"
    )
    assert done.accepted
    desk.work()
    assert desk.type(f"incident postmortem --well we led well --incident {id}", channel=ROOM).accepted
    desk.work()
    report = desk.incident(id).report
    assert report.version == 3 and report.sections["lessons"].text == LESSONS
    assert f"written by people -->\n{LESSONS}\n<!--" in desk.document(id)


def test_publishing_says_all_that_is_missing_and_then_keeps_what_was_read_for_good(desk: Desk) -> None:
    id = desk.over().id
    desk.work()
    refused = desk.type(f"incident publish --incident {id}", channel=ROOM)
    assert "Nobody has written what was learned" in refused.text and not refused.accepted
    desk.type(f"incident postmortem --lessons limits --incident {id}", channel=ROOM)
    assert "moved on since draft 1" in desk.type(f"incident publish --incident {id}", channel=ROOM).text
    desk.work()
    text, report = desk.document(id), desk.incident(id).report
    assert desk.type(f"incident publish --incident {id}", channel=ROOM).accepted
    (edition,) = desk.incident(id).report.editions
    assert edition.sha256 == report.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert desk.state.redis.pttl(f"sre:file:{edition.stored}") == -1
    desk.type(f"incident postmortem --well good --incident {id}", channel=ROOM)
    desk.work()
    kept = desk.state.file(edition.stored)
    assert kept is not None and kept.decode() == text and desk.document(id) != text


def test_a_deleted_message_is_published_only_once_the_commander_let_it_in(desk: Desk) -> None:
    id = desk.over().id
    evidence = Evidence(ROOM, "1.2", permalink="https://slack.example/1.2")
    seen = draft(Kind.MESSAGE, "the password is wrong")
    gone = draft(Kind.REMOVED, "deleted", of=f"{ROOM} 1.2")
    desk.records.append(id, lambda _: [replace(seen, evidence=evidence, by=BOB.user), gone])
    desk.type(f"incident postmortem --lessons limits --incident {id}", channel=ROOM)
    desk.work()
    assert "the password" not in desk.document(id)
    denied = desk.type(f"incident publish --with-deleted --incident {id}", BOB, ROOM)
    assert "only if the incident commander" in denied.text
    assert desk.type(f"incident publish --with-deleted --incident {id}", ALICE, ROOM).accepted
    desk.work()
    assert "the password" in desk.document(id)
    assert desk.type(f"incident publish --incident {id}", BOB, ROOM).accepted


def test_a_small_one_is_drafted_when_somebody_asks(desk: Desk) -> None:
    id = desk.over("sev3 disk of node-1 fills").id
    assert desk.work() == []
    assert desk.type(f"incident postmortem {id}").accepted
    (answer,) = desk.work()
    assert desk.incident(id).report.version == 1 and answer.place.channel == "C0SREDAILY1"


def test_one_that_goes_on_is_looked_at_and_not_drafted(desk: Desk) -> None:
    id = desk.declare().id
    desk.type(f"incident postmortem {id}")
    (answer,) = desk.work()
    assert answer.sections[0].attachments and desk.incident(id).report.version == 0


def test_the_document_of_a_private_one_goes_nowhere_but_to_its_channel(desk: Desk) -> None:
    id = desk.over("sev1 keys are out --private").id
    (answer,) = desk.work()
    assert answer.place.channel == ROOM
    for line in ("postmortem", "timeline", "export"):
        elsewhere = desk.type(f"incident {line} {id}", channel="C0SREDAILY1")
        assert not elsewhere.accepted and "Nothing was done" in elsewhere.text
        stranger = desk.type(f"incident {line} {id}", MEMBERS[3], "C0SREDAILY1")
        assert not stranger.accepted and "keys are out" not in stranger.text
        assert desk.type(f"incident {line} {id}", channel=ROOM).accepted
        assert desk.type(f"incident {line} {id} --private").accepted


def test_closing_needs_it_published(desk: Desk) -> None:
    id = desk.over().id
    desk.work()
    assert (
        "Its postmortem is not published" in desk.type(f"incident close --incident {id}", channel=ROOM).text
    )
    desk.type(f"incident postmortem --lessons limits --incident {id}", channel=ROOM)
    desk.work()
    for line in ("publish", "leave all", "close"):  # that no alert told of it is an action already
        assert desk.later(minutes=1).type(f"incident {line} --incident {id}", channel=ROOM).accepted, line
    assert desk.incident(id).is_over and not desk.incident(id).holder(Role.IC)


def test_a_published_file_outlives_the_others(desk: Desk) -> None:
    id = desk.over().id
    desk.work()
    ttl = desk.state.redis.pttl(f"sre:file:{desk.incident(id).report.stored}")
    assert timedelta() < timedelta(milliseconds=ttl) <= timedelta(days=30)
