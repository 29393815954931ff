"""What a message in a room is compared with what the record has of it: what became of it since, each told once."""

from dataclasses import replace

import pytest

from commands.ledger import Draft
from commands.response.events import Kind
from commands.transcript import Known, Said, Seen, Standing, caught_up, compared, followed, gone, hashed

SAID = Said("C0INC000001", "1700000000.000100", "it fell", author="U0BOB000001", pinned_by=("U0ALICE0001",))
FREE = replace(SAID, pinned_by=())
EDITED = replace(SAID, text="it fell twice", edited="1700000060.000000", editor="U0CAROL0001")
HELD = Known(Standing.HELD, hashed("it fell"), 5)
OUT, GONE = replace(HELD, standing=Standing.RELEASED), replace(HELD, standing=Standing.GONE)


def kinds(drafts: tuple[Draft, ...]) -> list[str]:
    return [draft.kind for draft in drafts]


@pytest.mark.parametrize(
    ("said", "known", "told"),
    [
        (FREE, None, []),
        (SAID, None, [Kind.MESSAGE]),
        (SAID, HELD, []),
        (EDITED, HELD, [Kind.REVISED]),
        (FREE, HELD, [Kind.RELEASED]),
        (replace(EDITED, pinned_by=()), HELD, [Kind.REVISED, Kind.RELEASED]),
        (FREE, OUT, []),
        (replace(EDITED, pinned_by=()), OUT, []),
        (SAID, OUT, [Kind.MESSAGE]),
        (SAID, GONE, [Kind.MESSAGE]),
    ],
    ids=[
        "nobody marked it", "marked", "as it was", "edited", "unmarked", "edited and unmarked while nobody looked",
        "unmarked long ago", "edited after it was unmarked", "marked again", "marked after it was called gone",
    ],
)  # fmt: skip
def test_a_message_that_is_there(said: Said, known: Known | None, told: list[str]) -> None:
    assert kinds(compared(said, known)) == told


def test_what_is_told_has_a_key_that_changes_with_what_the_record_knew() -> None:
    (first,), (again,) = compared(SAID, None), compared(SAID, replace(OUT, seq=9))
    assert first.key != again.key and first.key == compared(SAID, None)[0].key
    (one,), (two,) = compared(EDITED, HELD), compared(EDITED, replace(HELD, seq=6))
    assert one.key != two.key


def test_a_revision_is_by_who_edited_it_and_of_when_they_did() -> None:
    (told,) = compared(EDITED, HELD)
    assert (told.by, told.text) == ("U0CAROL0001", "it fell twice")
    assert told.at is not None and told.at.timestamp() == 1700000060


@pytest.mark.parametrize(
    ("known", "told"),
    [(None, []), (HELD, [Kind.REMOVED]), (OUT, [Kind.REMOVED]), (GONE, [])],
    ids=["never held", "held", "unmarked", "gone already"],
)
def test_a_message_that_is_gone(known: Known | None, told: list[str]) -> None:
    assert kinds(gone(SAID.of, known)) == told


def test_of_two_edits_the_one_that_was_told_comes_first_unless_the_last_is_known() -> None:
    between = replace(EDITED, text="it fell, I think")
    assert followed(EDITED, between, HELD)[0].text == "it fell, I think"
    assert followed(EDITED, between, replace(HELD, text=hashed(EDITED.text))) == ()


def test_what_is_not_in_the_channel_that_was_read_whole_is_gone_and_of_another_channel_nothing_is_said() -> (
    None
):
    elsewhere = "C0OTHER0001 1.1"
    drafts = caught_up(Seen({}, SAID.channel), {SAID.of: HELD, elsewhere: HELD})
    assert [(draft.kind, draft.facts["of"]) for draft in drafts] == [(Kind.REMOVED, SAID.of)]
