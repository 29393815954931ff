"""The timeline of an incident: its order, what was edited or taken out, its pages, and its files, which read back whole."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import timeline
from commands.errors import UsageError
from commands.ledger import START, Draft, Event, Evidence, Kept, faults, sealed
from commands.response import fold
from commands.response.events import Kind, draft
from commands.response.incident import Incident

T0 = datetime(2026, 11, 23, 22, 58, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DECLARED = draft(Kind.DECLARED, "declared Sev1: checkout", title="checkout", severity="1", cluster="eu")
NAMES = {"U0ALICE0001": "Alice", "U0BOB000001": "Bob"}


def called(user: str) -> str:
    return NAMES.get(user, user)


def recorded(*drafts: Draft, late: float = 0) -> tuple[Incident, tuple[Event, ...]]:
    """As if each was written a minute after the one before; `late` seconds after it happened."""
    events: tuple[Event, ...] = ()
    head = START
    for number, each in enumerate((DECLARED, *drafts)):
        at = T0 + timedelta(minutes=number)
        dated = replace(each, at=each.at or at)
        (event,) = sealed([dated], head, at + timedelta(seconds=late), [f"salt{number}"])
        events, head = (*events, event), replace(head, seq=event.seq, hash=event.hash)
    return fold.fold("INC-2026-11-23-001", events), events


def note(text: str, at: datetime | None = None, by: str = "U0ALICE0001") -> Draft:
    return Draft(Kind.NOTE, text, at, by)


def message(text: str, ts: str, *files: Kept) -> Draft:
    evidence = Evidence("C0INC000001", ts, permalink=f"https://slack.example/{ts}", files=files)
    return Draft(Kind.MESSAGE, text, by="U0BOB000001", source="slack", evidence=evidence)


def about(kind: Kind, ts: str, text: str = "") -> Draft:
    return draft(kind, text, of=f"C0INC000001 {ts}")


def test_what_happened_earlier_stands_earlier_whenever_it_was_told_and_says_so() -> None:
    _, events = recorded(note("second"), note("first", T0 - timedelta(hours=1)))
    told = timeline.lines(events)
    assert [line.text for line in told] == ["first", "declared Sev1: checkout", "second"]
    assert told[0].late == "1 h 2 min" and "added 1 h 2 min later" in timeline.sentence(told[0], called)
    assert told[2].late == ""


def test_an_edited_message_shows_the_last_text_and_keeps_the_others() -> None:
    _, events = recorded(
        message("one", "1.1"), about(Kind.REVISED, "1.1", "two"), about(Kind.REVISED, "1.1", "three")
    )
    line = timeline.lines(events)[-1]
    assert (line.text, line.earlier, line.edits) == ("three", ("one", "two"), 2)
    assert timeline.sentence(line, called) == "Bob: three (edited ×2)"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Kind.REMOVED, "deleted in Slack at 23:00 UTC; its text is kept"),
        (Kind.RELEASED, "taken out at 23:00 UTC"),
    ],
)
def test_what_was_deleted_or_taken_out_stays_and_says_so(kind: Kind, said: str) -> None:
    _, events = recorded(message("one", "1.1"), about(kind, "1.1"))
    line = timeline.lines(events)[-1]
    assert (line.text, line.gone) == ("one", said)


def test_what_was_erased_says_by_whom_and_nothing_more() -> None:
    _, events = recorded(
        note("secret"),
        replace(draft(Kind.ERASED, "erased", seq="2", why="a token", asked="U0BOB000001"), by="U0ALICE0001"),
    )
    gone = [replace(event, content=None) if event.seq == 2 else event for event in events]
    line = next(line for line in timeline.lines(gone) if line.seq == 2)
    assert timeline.sentence(line, called) == "Alice: (erased) (erased: a token; agreed by Bob and Alice)"


def test_of_what_was_erased_no_earlier_text_is_shown_either() -> None:
    said = replace(draft(Kind.ERASED, "erased", seq="2", also="3", why="a token"), by="U0ALICE0001")
    _, events = recorded(message("the token is x", "1.1"), about(Kind.REVISED, "1.1", "the token is y"), said)
    line = timeline.lines(events)[-1]
    assert (line.seq, line.text, line.earlier, line.files) == (2, "", (), ())
    assert line.gone == "erased: a token"


def test_what_only_the_clock_wrote_is_left_out_unless_asked_for() -> None:
    _, events = recorded(draft(Kind.TIMER, "t", key="item:ack", due=""), note("n"))
    assert len(timeline.lines(events)) == 2 and len(timeline.lines(events, everything=True)) == 3


@pytest.mark.parametrize(
    ("count", "size", "of", "last"), [(1, 20, 1, 1), (20, 20, 1, 20), (21, 20, 2, 1), (0, 20, 1, 0)]
)
def test_pages_hold_all_and_a_number_beyond_is_the_last(count: int, size: int, of: int, last: int) -> None:
    _, events = recorded(*(note(f"n{n}") for n in range(count)))
    told = timeline.lines(events)[1:]
    assert timeline.pages(told, size) == of
    assert len(timeline.page(told, 99, size)) == last
    whole = [line for number in range(1, of + 1) for line in timeline.page(told, number, size)]
    assert whole == list(told)


def test_the_document_has_a_heading_for_each_day_where_people_live() -> None:
    incident, events = recorded(*(note(f"n{n}") for n in range(4)))
    text = timeline.markdown(incident, timeline.lines(events), BERLIN, called)
    assert "## Monday, 23 November 2026" in text and "## Tuesday, 24 November 2026" in text
    assert "- **23:58:00** declared Sev1: checkout" in text and "times in Europe/Berlin" in text
    assert incident.head.hash in text


def test_text_of_anybodys_is_no_markup_in_the_document_and_no_formula_in_the_table() -> None:
    incident, events = recorded(note("<!channel> [x](http://evil) `rm`"), note("=1+1"), note("-2"))
    told = timeline.lines(events)
    text = timeline.markdown(incident, told, UTC, called)
    assert "<!channel>" not in text and "[x](http" not in text and r"\<!channel\>" in text
    rows = list(csv.DictReader(io.StringIO(timeline.as_csv(told, UTC, called))))
    assert [row["text"] for row in rows][2:] == ["'=1+1", "'-2"]
    assert rows[1]["name"] == "Alice"


@pytest.mark.parametrize("zone", [UTC, BERLIN, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns")])
def test_what_was_exported_reads_back_whole_in_any_zone_and_its_chain_holds(zone: ZoneInfo) -> None:
    kept = Kept("graph.png", "image/png", 12, "ab", "F1")
    incident, events = recorded(note("Grüße 🧪\n\u2028"), message("see", "1.1", kept))
    read = timeline.read_back(timeline.as_json(incident, events, zone))
    assert (read.events, read.head, read.incident) == (events, incident.head, incident.id)
    assert fold.fold(read.incident, read.events) == incident
    assert faults(read.events, read.head, read.erased) == ()


def test_a_changed_export_is_named() -> None:
    incident, events = recorded(note("paid 100"), note("two"))
    text = timeline.as_json(incident, events, UTC).replace("paid 100", "paid 900")
    read = timeline.read_back(text)
    assert [(fault.seq, fault.what) for fault in faults(read.events, read.head, read.erased)] == [
        (2, "has another content than was written")
    ]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "events": 3}', "null"])
def test_what_is_no_export_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError, match="export"):
        timeline.read_back(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=6))
def test_any_text_reads_back(texts: list[str]) -> None:
    incident, events = recorded(*(note(text) for text in texts))
    assert timeline.read_back(timeline.as_json(incident, events, BERLIN)).events == events
    timeline.as_csv(timeline.lines(events), UTC, called)
    timeline.markdown(incident, timeline.lines(events), UTC, called)
