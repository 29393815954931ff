"""Incidents as Slack messages: how each kind looks, what its buttons would do, and what no text can do."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_render import check, golden

from bot import render
from bot.blocks import Message
from bot.incidentwords import TOPIC, purpose, topic
from commands.catalog import Catalog
from commands.finding import Suggestion
from commands.ledger import Line
from commands.response.events import Kind, draft
from commands.response.incident import Incident, Item, Offer, Role, Room, Status, StatusUpdate
from commands.words import WORDS
from sandbox.slack import limits
from tests import build
from tests.incident_cards import (
    ALICE,
    BOB,
    FIRES,
    HOSTILE,
    ID,
    KINDS,
    LED,
    LOST,
    MITIGATED,
    RESOLVED,
    ROOM,
    after,
    by,
    incident,
    says,
    took,
)  # fmt: skip

CATALOG = Catalog.load()


def drawn(record: Incident) -> tuple[Message, ...]:
    return render.messages(record, lambda text: text)


def card(record: Incident) -> Message:
    return drawn(record)[0]


def named(record: Incident, key: str) -> Message:
    (found,) = [message for message in drawn(record) if message.key == key]
    return found


def said(message: Message) -> str:
    return json.dumps(message.blocks, ensure_ascii=False)


def elements(node: Any) -> Iterable[dict[str, Any]]:
    """Every button and every choice of a menu."""
    if isinstance(node, dict):
        if node.get("type") == "button" or set(node) == {"text", "value"}:
            yield node
        yield from (each for value in node.values() for each in elements(value))
    elif isinstance(node, list | tuple):
        yield from (each for value in node for each in elements(value))


def pressed(record: Incident) -> dict[str, str]:
    """By their label, the lines that the buttons of the card type."""
    return {each["text"]["text"]: each["value"] for each in elements(card(record).blocks)}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_looks_as_it_did(name: str) -> None:
    golden(name, drawn(KINDS[name]))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_keeps_to_the_limits_of_slack(name: str) -> None:
    check(drawn(KINDS[name]))


# --- what can be pressed --------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_every_button_of_a_card_types_a_command_that_there_is(name: str) -> None:
    """One that is planned is not shown before it is built."""
    lines = [each["value"] for each in elements(card(KINDS[name]).blocks)]
    verbs = {verb.name for verb in WORDS["incident"].verbs}
    assert {text.split()[1] for text in lines} <= verbs
    built = {verb for command in CATALOG if command.word == "incident" for verb in command.verbs}
    wanted = tuple(Suggestion(text, text) for text in lines if text.split()[1] in built)
    assert CATALOG.offered(wanted) == wanted


def test_a_button_whose_command_is_not_built_is_not_shown() -> None:
    def only_resolve(suggestions: Iterable[Suggestion]) -> tuple[Suggestion, ...]:
        return tuple(each for each in suggestions if "resolve" in each.text)

    shown = render.messages(KINDS["incident-led"], str, offered=only_resolve)[0]
    assert [each["value"] for each in elements(shown.blocks)] == [f"incident resolve --incident {ID}"]
    check((shown,))


def test_who_is_on_it_is_asked_until_somebody_is() -> None:
    assert "I am on it" in pressed(KINDS["incident-declared"])
    answered = incident(FIRES, by(BOB, 2, draft(Kind.PAGE_ACKED, "on it", id="P1")))
    assert "I am on it" not in pressed(answered)


@pytest.mark.parametrize(("record", "is_there"), [(incident(*LED), True), (incident(*MITIGATED), False)])
def test_what_users_still_feel_can_be_mitigated(record: Incident, is_there: bool) -> None:
    assert ("Mitigated" in pressed(record)) is is_there
    assert "Resolve" in pressed(record)


def test_what_waits_for_somebody_has_a_button_that_accepts_it() -> None:
    assert pressed(KINDS["incident-led"])["Accept"] == f"incident accept comms --incident {ID}"


def test_a_line_that_people_tick_has_a_button_and_one_that_shows_by_itself_has_none() -> None:
    own = Item("case", "x", "a case at AWS", "ops", after(1))
    record = replace(KINDS["incident-led"], items=(own, replace(own, key="ack", evidence="acknowledged")))
    assert pressed(record)["Done"] == f"incident done case --incident {ID}"
    assert said(card(record)).count('"Done"') == 1


def test_one_in_a_thread_can_be_given_a_channel_and_one_with_a_channel_cannot() -> None:
    assert "Make a channel" in pressed(KINDS["incident-thread"])
    assert "Make a channel" not in pressed(KINDS["incident-declared"])


# --- what it says ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "sign"), [(1, "🔴 Sev1"), (2, "🟠 Sev2"), (3, "🟡 Sev3"), (4, "🔵 Sev4")]
)
def test_how_grave_it_is_stands_everywhere_alike(severity: int, sign: str) -> None:
    record = incident(severity=severity)
    assert card(record).text.startswith(f"{sign}: ")
    assert sign in said(card(record)) and sign in said(named(record, "announcement"))
    assert topic(record).startswith(sign)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (incident(), "*Users feel:* nobody has said yet"),
        (incident(says("impact", "orders fail", 1)), "*Users feel:* orders fail"),
        (incident(), "*Commander:* nobody yet"),
        (
            incident(took("ic", BOB, 1), took("ops", ALICE, 2)),
            f"*Commander:* <@{BOB}> · operations lead <@{ALICE}>",
        ),
        (KINDS["incident-declared"], f"⏳ <@{BOB}> was called"),
        (KINDS["incident-declared"], "🔥 HighErrorRate still fires, since <!date"),
        (KINDS["incident-led"], "*Suspected cause:* rollout of shop/backend to 1.42.0"),
        (KINDS["incident-led"], "*Last update* <!date"),
        (KINDS["incident-led"], "Next update due <!date"),
        (KINDS["incident-led"], f"⏳ <@{ALICE}> is asked to be communications"),
        (KINDS["incident-resolved"], "It lasted 37 min for users: <!date"),
        (KINDS["incident-merged"], "merged into INC-2026-11-23-002"),
        (KINDS["incident-scopes"], "⚠️ Slack: may not pin its card: scope pins:write is missing"),
        (KINDS["incident-lost"], f"Without a channel of its own: {LOST}"),
        (KINDS["incident-security"], f"{ID} · security"),
    ],
)
def test_a_card_says_it_in_words(record: Incident, words: str) -> None:
    assert words in said(card(record))


def test_the_lines_that_are_due_first_stand_on_the_card_with_who_does_them() -> None:
    shown = said(card(KINDS["incident-led"]))
    assert shown.count("☐") == 4 and "more lines" in shown
    assert f"· <@{BOB}> · due <!date" in shown


def test_what_is_over_is_calm_and_short() -> None:
    for name in ("incident-closed", "incident-false-alarm", "incident-merged"):
        assert len(card(KINDS[name]).blocks) <= 3
    assert not pressed(KINDS["incident-false-alarm"]) and not pressed(KINDS["incident-merged"])
    assert card(KINDS["incident-closed"]).text.startswith("✅ Sev1")


def test_a_drill_says_so_in_every_message() -> None:
    record = KINDS["incident-drill"]
    assert len(drawn(record)) == 3
    for message in drawn(record):
        assert "🧪 DRILL" in message.text and "🧪 DRILL" in said(message)
    assert topic(record).startswith("🧪 DRILL")


# --- where it is told -----------------------------------------------------------------------------


def test_nothing_is_told_before_there_is_a_place() -> None:
    assert drawn(replace(incident(), room=Room())) == ()


def test_what_nobody_outside_may_see_is_told_in_its_own_channel_alone() -> None:
    record = KINDS["incident-security"]
    assert [message.key for message in drawn(record) if not message.only_edit] == ["card"]
    assert drawn(replace(record, room=Room("#sre-alerts"))) == ()
    assert "token" not in named(record, "announcement").text


def test_one_in_a_thread_is_not_announced() -> None:
    assert named(KINDS["incident-thread"], "announcement").only_edit
    assert all(m.in_thread for m in drawn(KINDS["incident-thread"]) if not m.channel)


def test_where_it_was_told_before_a_link_says_where_it_went() -> None:
    left = named(KINDS["incident-promoted"], "1 card")
    assert left.only_edit and f"It goes on in <#{ROOM}>" in said(left)


def test_a_note_that_is_too_long_says_how_much_is_missing_and_where_it_is() -> None:
    record = replace(incident(), lines=(Line("7", "x" * 10_000, build.NOW),))
    assert "(7600 more characters: `/sre incident timeline" in said(named(record, "line 7"))


# --- what no text can do --------------------------------------------------------------------------

TEXT = st.text(max_size=40) | st.sampled_from(
    [
        HOSTILE,
        HOSTILE * 40,
        "x" * 10_000,
        "&" * 4000,
        "\n" * 500,
        "",
        "שלום 👩‍👩‍👧‍👦 مرحبا",
        "<!here|x>",
        "<!subteam^S0>",
        "```",
    ]
)
RECORDS = st.builds(
    replace,
    st.sampled_from([KINDS["incident-led"], KINDS["incident-resolved"], KINDS["incident-thread"]]),
    title=TEXT, impact=TEXT, service=TEXT, by=TEXT, cluster=TEXT, lessons=TEXT,
    affected=st.lists(TEXT, max_size=9).map(tuple), scopes=st.lists(TEXT, max_size=9).map(tuple),
    status=st.sampled_from(Status), is_drill=st.booleans(), is_private=st.booleans(),
    room=st.builds(Room, st.just(ROOM), TEXT, st.just(""), st.booleans(), TEXT),
    lines=st.lists(st.builds(Line, st.just("1"), TEXT, st.just(build.NOW), TEXT, TEXT), max_size=2).map(tuple),
    offers=st.lists(st.builds(Offer, st.sampled_from(Role), TEXT, TEXT, st.just(build.NOW)), max_size=6).map(tuple),
    updates=st.lists(st.builds(StatusUpdate, st.just(build.NOW), TEXT, TEXT), max_size=2).map(tuple),
    items=st.lists(
        st.builds(Item, st.sampled_from("abcdefgh"), TEXT, TEXT, TEXT, st.just(build.NOW)), max_size=9,
        unique_by=lambda item: item.key,
    ).map(tuple),
)  # fmt: skip
MENTIONS = re.compile(r"<(?:[@#!]|https?:)[^>]*>")
OURS = re.compile(rf"<(?:@{ALICE}|@{BOB}|@U0CAROL0001|#{ROOM}|!date\^\d+\^[^<>|]*\|[^<>|]* UTC)>")


@settings(max_examples=80, deadline=None)
@given(RECORDS)
def test_no_text_breaks_a_limit_of_slack_or_calls_anybody(record: Incident) -> None:
    messages = drawn(record)
    check(messages)
    for message in messages:
        for found in MENTIONS.findall(message.text + said(message)):
            assert OURS.fullmatch(found), found


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_a_topic_and_a_purpose_fit_whatever_the_title(title: str) -> None:
    record = replace(KINDS["incident-drill"], title=title)
    for text in (topic(record), purpose(record)):
        assert len(text) <= TOPIC == limits.TOPIC and ID in text
        assert not [found for found in MENTIONS.findall(text) if not OURS.fullmatch(found)]
        assert not re.search(r"&(?!amp;|lt;|gt;)", text), "no escape is cut in two"


def test_secrets_are_masked_wherever_it_is_told() -> None:
    record = incident(says("impact", "password hunter2", 1), title="hunter2 leaked")
    masked = render.messages(record, lambda text: text.replace("hunter2", "***"))
    assert "hunter2" not in json.dumps([[m.text, m.blocks] for m in masked]) and "***" in masked[0].text
    told = render.masked(record, lambda text: text.replace("hunter2", "***"))
    assert "hunter2" not in topic(told)


@pytest.mark.parametrize("status_", Status)
def test_every_status_has_a_card(status_: Status) -> None:
    record = replace(incident(*RESOLVED), status=status_, merged_into="INC-2026-11-23-009")
    assert card(record).text.endswith(ID) and len(card(record).blocks) >= 2
    check(drawn(record))
