"""The chain of a record: whatever was changed, left out, moved, added or emptied behind its back is named with its event."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.ledger import START, Content, Draft, Event, Evidence, Fault, Head, Kept, faults, sealed

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SAID = Evidence("C0INC000001", "1.1", files=(Kept("graph.png", "image/png", 12, "ab", "F1"),))
DRAFTS = (
    Draft("note", "one", by="U0ALICE0001"),
    Draft("message", "two", by="U0BOB000001", facts={"of": "C0INC000001 1.1"}, evidence=SAID, key="m"),
    Draft("note", "three", by="U0ALICE0001"),
)
EVENTS = sealed(DRAFTS, START, NOW, ("a", "b", "c"))
HEAD = Head(3, EVENTS[-1].hash)
CHANGED = "was changed after it was written"
CONTENT = "has another content than was written"


def with_second(**changed: Any) -> tuple[Event, ...]:
    return (EVENTS[0], replace(EVENTS[1], **changed), EVENTS[2])


def with_said(**changed: Any) -> tuple[Event, ...]:
    content = EVENTS[1].content
    assert content is not None
    return with_second(content=replace(content, **changed))


def test_an_untouched_chain_holds() -> None:
    assert faults(EVENTS, HEAD, {}) == () and faults((), START, {}) == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "alert"},
        {"at": NOW + timedelta(microseconds=1)},
        {"recorded": NOW + timedelta(seconds=1)},
        {"by": "U0CAROL0001"},
        {"source": "slack"},
        {"key": ""},
        {"is_told": True},
        {"mention": "U0BOB000001"},
    ],
    ids=lambda changed: "".join(changed),
)
def test_whoever_changes_a_part_of_an_event_is_seen(changed: dict[str, Any]) -> None:
    assert faults(with_second(**changed), HEAD, {}) == (Fault(2, CHANGED),)


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "2"},
        {"facts": {"of": "C0INC000001 1.2"}},
        {"salt": "c"},
        {"evidence": None},
        {"evidence": replace(SAID, permalink="https://example.org")},
        {"evidence": replace(SAID, files=(replace(SAID.files[0], sha256="cd"),))},
    ],
    ids=["text", "facts", "salt", "no evidence", "link", "file"],
)
def test_and_whoever_changes_what_it_says(changed: dict[str, Any]) -> None:
    assert faults(with_said(**changed), HEAD, {}) == (Fault(2, CONTENT),)


def test_a_content_is_gone_only_where_it_was_erased() -> None:
    emptied = with_second(content=None)
    assert faults(emptied, HEAD, {2: "hash of who erased it"}) == ()
    assert faults(emptied, HEAD, {3: "…"}) == (Fault(2, "has no content, and nobody had it erased"),)


@pytest.mark.parametrize(
    ("touch", "where"),
    [
        (lambda e: (e[0], e[2]), [3]),
        (lambda e: (e[1], e[2]), [2]),
        (lambda e: (e[0], e[2], e[1]), [3, 2, 2]),
        (lambda e: e[:2], [2]),
        (lambda e: (*e, *sealed((Draft("note", "four"),), HEAD, NOW, ("d",))), [4]),
        (lambda e: (), [0]),
    ],
    ids=["one left out", "the first left out", "two moved", "the end cut off", "one added", "nothing left"],
)
def test_what_is_missing_moved_or_added_is_named(
    touch: Callable[[tuple[Event, ...]], tuple[Event, ...]], where: list[int]
) -> None:
    assert [fault.seq for fault in faults(touch(EVENTS), HEAD, {})] == where


def test_a_chain_that_was_made_anew_from_the_second_on_does_not_end_where_the_record_does() -> None:
    forged = sealed((Draft("note", "2"), Draft("note", "3")), Head(1, EVENTS[0].hash), NOW, ("b", "c"))
    (fault,) = faults((EVENTS[0], *forged), HEAD, {})
    assert fault == Fault(3, "is the last one, and the record ends at event 3")


def test_the_same_words_have_another_seal_each_time() -> None:
    one, two = sealed((Draft("note", "yes"),) * 2, START, NOW, ("a", "b"))
    assert one.seal != two.seal and one.content == Content("yes", {}, None, "a")
