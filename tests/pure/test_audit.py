"""The form of an audit line and what is noticed when somebody's hand was in the chain."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot import audit
from bot.secret import Redactor
from commands.effects import Cordon, Evict, Target
from commands.model import State
from commands.plan import Plan, Result, Step, Verdict, Wave
from commands.reads import AuditCopy, AuditProgress
from tests import build

Chain = list[tuple[str, dict[bytes, bytes]]]


def plain(text: str) -> str:
    return text


def line(seq: int, prev: str, **facts: bytes) -> dict[bytes, bytes]:
    made = {b"seq": b"%d" % seq, b"prev": prev.encode(), b"at": b"1795422600000", b"what": b"submitted"}
    made |= {name.encode(): value for name, value in facts.items()}
    return {**made, b"hash": audit.digest(made).encode()}


def chain(length: int = 6) -> Chain:
    made: Chain = []
    for seq in range(1, length + 1):
        prev = made[-1][1][b"hash"].decode() if made else audit.ROOT
        made.append((f"100-{seq}", line(seq, prev, by=b"U%d" % seq)))
    return made


def followed(lines: Chain, *, head: int = 6, copies: tuple[AuditCopy, ...] = ()) -> AuditProgress:
    known = chain(head)[-1][1][b"hash"].decode() if head else ""
    follower = audit.Follower(AuditProgress(head_seq=head, head_hash=known), copies)
    for entry, each in lines:
        follower.take(entry, each)
    follower.end(head)
    return follower.so_far()


def told(progress: AuditProgress) -> list[tuple[int, str]]:
    return [(fault.seq, fault.text) for fault in progress.faults]


# --- The chain ------------------------------------------------------------------------------------


def test_a_chain_that_nobody_touched_holds() -> None:
    found = followed(chain())
    assert (found.faults, found.missing, found.lines, found.seq, found.is_over) == ((), (), 6, 6, True)
    assert found.hash == chain()[-1][1][b"hash"].decode()


def test_a_changed_line_is_named() -> None:
    lines = chain()
    lines[2][1][b"by"] = b"U0SOMEBODY"
    assert told(followed(lines)) == [(3, "was changed after it was written")]


def test_a_line_that_was_changed_and_hashed_anew_is_named_by_the_line_after_it() -> None:
    lines = chain()
    lines[2] = ("100-3", line(3, lines[1][1][b"hash"].decode(), by=b"U0SOMEBODY"))
    assert told(followed(lines)) == [(3, "was replaced: line 4 continues another one")]


def test_a_last_line_that_was_changed_and_hashed_anew_is_named_by_the_store() -> None:
    lines = chain()
    lines[5] = ("100-6", line(6, lines[4][1][b"hash"].decode(), by=b"U0SOMEBODY"))
    assert told(followed(lines)) == [(6, "is not the one that the store took for the last")]


@pytest.mark.parametrize(("gone", "missing"), [((3,), (3, 3)), ((2, 3, 4), (2, 4)), ((1,), (1, 1))])
def test_removed_lines_are_named(gone: tuple[int, ...], missing: tuple[int, int]) -> None:
    found = followed([each for each in chain() if int(each[1][b"seq"]) not in gone])
    assert (found.faults, found.missing) == ((), (missing,))


def test_a_cut_end_is_noticed_because_the_store_counts_its_lines() -> None:
    assert followed(chain()[:4]).missing == ((5, 6),)


def test_a_cut_end_with_the_count_set_back_is_noticed_by_the_copy_alone() -> None:
    cut = chain()[:4]
    assert followed(cut, head=4).missing == ()
    copy = AuditCopy("2026-11-23", 6, "100-6", chain()[-1][1][b"hash"].decode())
    assert followed(cut, head=4, copies=(copy,)).missing == ((5, 6),)


def test_two_lines_that_changed_places_are_named() -> None:
    lines = chain()
    lines[2], lines[3] = lines[3], lines[2]
    found = followed(lines)
    assert told(found) == [(3, "was moved: it stands after line 4")]
    assert found.missing == ()


def test_a_line_that_stands_twice_is_named() -> None:
    lines = chain()
    assert told(followed([*lines[:4], lines[1], *lines[4:]])) == [(2, "stands there once more, after line 4")]


def test_a_line_that_was_added_behind_the_back_of_the_store_is_named() -> None:
    lines = chain()
    forged = line(7, lines[-1][1][b"hash"].decode(), by=b"U0SOMEBODY")
    assert told(followed([*lines, ("100-7", forged)])) == [
        (7, "was added from outside: the store counts 6 lines")
    ]


def test_a_line_without_number_and_hash_is_named_once_the_chain_began() -> None:
    lines = chain()
    foreign = ("100-9", {b"what": b"approved", b"by": b"U0SOMEBODY"})
    (fault,) = followed([*lines, foreign]).faults
    assert (fault.seq, fault.entry) == (6, "100-9")
    assert "which the bot did not write" in fault.text


def test_lines_from_before_the_chain_are_counted_and_no_fault() -> None:
    found = followed([("99-1", {b"what": b"submitted", b"at": b"2026-01-01T00:00:00.000+00:00"}), *chain()])
    assert (found.older, found.lines, found.faults) == (1, 6, ())


def test_a_chain_written_anew_from_some_line_on_is_noticed_by_the_copy_alone() -> None:
    """Whoever may write to Redis can do this, head and all; the hash has no key."""
    lines = chain()[:2]
    for seq in range(3, 7):
        lines.append((f"100-{seq}", line(seq, lines[-1][1][b"hash"].decode(), by=b"U0SOMEBODY")))
    head = AuditProgress(head_seq=6, head_hash=lines[-1][1][b"hash"].decode())
    copy = AuditCopy("2026-11-23", 5, "100-5", chain()[4][1][b"hash"].decode())
    for copies, faults in (((), []), ((copy,), [(5, "is another one than in the copy of 2026-11-23")])):
        follower = audit.Follower(head, copies)
        for entry, each in lines:
            follower.take(entry, each)
        follower.end(6)
        assert told(follower.so_far()) == faults


def test_a_chain_may_be_followed_in_stretches() -> None:
    lines = chain()
    lines[1], lines[2] = lines[2], lines[1]
    first = audit.Follower(AuditProgress(head_seq=6, head_hash=chain()[-1][1][b"hash"].decode()))
    for entry, each in lines[:2]:
        first.take(entry, each)
    assert not first.so_far().is_over
    second = audit.Follower(first.so_far())
    for entry, each in lines[2:]:
        second.take(entry, each)
    second.end(6)
    assert second.so_far() == followed(lines)


def test_of_many_faults_the_first_are_kept_and_all_are_counted() -> None:
    lines = chain(100)
    for _, each in lines:
        each[b"by"] = b"U0SOMEBODY"
    found = followed(lines, head=100)
    assert (len(found.faults), found.fault_count) == (audit.FAULTS, 100)


@pytest.mark.parametrize("number", [b"", b"-1", b"1e3", "١".encode(), b"\xff"])
def test_a_number_that_is_none_is_a_fault_and_no_crash(number: bytes) -> None:
    lines = chain(2)
    lines[1][1][b"seq"] = number
    assert followed(lines, head=2).fault_count


def test_a_boundary_cannot_be_forged_by_a_text() -> None:
    one = {b"what": b"a", b"by": b"b4:textc"}
    assert audit.digest(one) != audit.digest({b"what": b"a", b"by": b"b", b"text": b"c"})


# --- A line ---------------------------------------------------------------------------------------


def test_a_line_is_redacted_before_it_is_cut() -> None:
    secret = "xoxb-1234567890-abcdef"
    text = "x" * (audit.LONGEST - 6) + " " + secret
    _, _, name, value = audit.parts("submitted", {"text": text}, Redactor())
    assert (name, secret[:5].encode() in value) == (b"text", False)


def test_facts_are_written_by_name_and_empty_ones_are_left_out() -> None:
    assert audit.parts("approved", {"text": "b", "by": "a", "why": ""}, plain) == [
        b"what", b"approved", b"by", b"a", b"text", b"b",
    ]  # fmt: skip


def test_a_long_fact_says_how_much_is_missing() -> None:
    *_, value = audit.parts("submitted", {"text": "ä" * (audit.LONGEST + 7)}, plain)
    assert value.decode().endswith("ä… (7 characters more)")


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\ud800", "🙂"])
def test_any_text_can_be_written(text: str) -> None:
    *_, value = audit.parts("submitted", {"text": text}, plain)
    assert value == text.encode(errors="replace")


@pytest.mark.parametrize("name", ["seq", "prev", "at", "hash"])
def test_a_fact_cannot_take_the_chains_own_names(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        audit.parts("submitted", {name: "1"}, plain)


NODE, POD = Target("Node", "", "n1", "u1"), Target("Pod", "shop", "web-1", "u2")
PLAN = Plan(
    "Drain n1",
    waves=(Wave("", (Step("a", Cordon(NODE, "note"), "cordon"), Step("b", Evict(POD, "n1"), "evict"))),),
    before=(("n1", "schedulable"),),
)


def test_what_a_line_says_of_a_change_follows_from_its_record() -> None:
    asked = build.request(why="kernel update", plan=PLAN, state=State.AWAITING)
    facts = {
        "cluster": "training",
        "why": "kernel update",
        "digest": PLAN.digest,
        "objects": "node/n1 pod/shop/web-1",
    }
    assert audit.facts_of(asked) == facts
    applying = replace(asked, state=State.APPLYING)
    assert audit.facts_of(applying) == {**facts, "before": "n1: schedulable"}
    verdict = Verdict(Result.PARTIAL, summary="1 of 2 gone", left=("shop/web-1: budget",))
    done = replace(asked, state=State.PARTIAL, verdict=verdict)
    assert audit.facts_of(done) == {
        **facts, "before": "n1: schedulable", "verdict": "partial", "after": "1 of 2 gone; shop/web-1: budget",
    }  # fmt: skip


def test_a_question_has_no_more_to_say_than_its_cluster() -> None:
    assert {name for name, value in audit.facts_of(build.request()).items() if value} == {"cluster"}


@pytest.mark.parametrize(
    ("object", "is_meant"),
    [
        ("node/n1", True),
        ("n1", True),
        ("pod/shop/web-1", True),
        ("pod/web-1", True),
        ("shop/web-1", True),
        ("Node/N1", True),
        ("node/n", False),
        ("pod/n1", False),
        ("pod/other/web-1", False),
    ],
)
def test_a_line_is_found_by_its_object(object: str, is_meant: bool) -> None:
    made = audit.view("100-1", {b"what": b"applying", b"objects": b"node/n1 pod/shop/web-1"})
    assert audit.is_about(made, object) is is_meant


@pytest.mark.parametrize(("object", "is_meant"), [("node/n1", True), ("n2", True), ("n3", False)])
def test_a_refusal_is_found_by_the_name_in_its_text(object: str, is_meant: bool) -> None:
    made = audit.view("100-1", {b"what": b"refused", b"text": b"node drain n1,n2"})
    assert audit.is_about(made, object) is is_meant


def test_a_refusal_before_there_was_a_request_is_found_by_what_was_typed() -> None:
    made = audit.view("100-1", {b"what": b"refused", b"id": b"node drain n1"})
    assert audit.is_about(made, "node/n1")


def test_a_line_of_the_first_version_is_read_all_the_same() -> None:
    made = audit.view("100-1", {b"what": b"submitted", b"at": b"2026-11-01T08:00:00.000+00:00", b"by": b"U1"})
    assert (made.seq, made.at, made.facts) == (0, datetime(2026, 11, 1, 8, tzinfo=UTC), {"by": "U1"})
    assert audit.view("100-1", {b"at": b"nonsense"}).at == datetime(1970, 1, 1, tzinfo=UTC)
    assert audit.view("100-1", {b"at": b"1795422600000"}).at - build.NOW == timedelta(0)
