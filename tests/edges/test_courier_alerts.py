"""Alerts on their way to Slack: threads under other cards, channels that are gone, and many edits at once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient
from test_courier import MS, QUICK, deliver, roots, show, texts, thread

from bot import alertcause
from bot.courier import Courier
from bot.outbox import Outbox
from bot.state import State
from commands.ledger import Line
from commands.model import (
    SCHEDULER,
    AlertGroup,
    Attachment,
    Notice,
    Place,
    Request,
    Section,
    Severity,
    Storm,
)
from commands.model import State as Standing
from sandbox.slack import SlackStandIn
from tests import build

ALERTS, INCIDENTS, GONE = "#sre-alerts", "#incidents", "#shop-alerts"
PNG = b"\x89PNG\r\n\x1a\n\xff\xfehunter2"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


@pytest.fixture
def courier(state: State, slack_client: WebClient) -> Courier:
    quick = replace(QUICK, root=5 * MS, calm=20 * MS)
    return Courier(state, slack_client, _redact, quick, fallback=(ALERTS, INCIDENTS))


def _redact(text: str) -> str:
    return text.replace("hunter2", "***")


def group(id: str = "ATEST", **changes: Any) -> AlertGroup:
    return build.group(id=id, **changes)


def triage(*keys: str, id: str = "TTEST0001", **changes: Any) -> Request:
    made = build.request(
        id, text="alert triage ATEST", actor=SCHEDULER, place=Place(ALERTS, under="alert:ATEST 1:card"),
        sections=tuple(build.section(key) for key in keys or ("cause",)), state=Standing.ANSWERED,
    )  # fmt: skip
    return replace(made, **changes)


def replies(slack: SlackStandIn, channel: str = ALERTS) -> list[dict[str, Any]]:
    return slack.thread(channel, roots(slack, channel)[0]["ts"])[1:]


# --- under another card ---------------------------------------------------------------------------


def test_what_a_triage_finds_stands_under_the_card_of_its_alert(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, group(), priority=0)
    show(state, triage("cause", "context"))
    deliver(courier, state)
    assert len(roots(slack, ALERTS)) == 1
    assert len(replies(slack)) == 2


def test_a_diagnosis_that_is_made_anew_is_told_in_the_same_replies(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, group(), priority=0)
    show(state, triage("cause", "context"))
    deliver(courier, state)
    before = [reply["ts"] for reply in replies(slack)]
    stored = state.request("TTEST0001")
    assert stored is not None
    asked = alertcause.anew(stored.record, build.NOW)
    found = (build.section("cause", build.finding(value="97 %")), Section("context", "Changed", True))
    again = replace(asked, sections=found, state=Standing.ANSWERED)
    for version, record in enumerate((asked, again), int(stored.version)):
        state.change().put(record, was=str(version)).show(record).commit()
        deliver(courier, state)
    cause, context = replies(slack)
    assert [cause["ts"], context["ts"]] == before
    assert "97 %" in str(cause["blocks"]) and context["text"] == "Changed: nothing any more"


def test_a_triage_that_is_quicker_than_its_card_waits_for_it(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    state.change().put(group(), was="").commit()
    show(state, triage())
    for _ in range(20):
        courier.step()
    assert slack.calls("chat.postMessage") == []
    state.change().show(group()).commit()
    deliver(courier, state)
    assert len(roots(slack, ALERTS)) == 1 and len(replies(slack)) == 1


def test_of_a_card_that_slack_refuses_for_good_the_triage_is_told_by_itself(
    state: State, slack: SlackStandIn, slack_client: WebClient, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "error", times=1, error="as_user_not_supported")
    lonely = Courier(state, slack_client, str, replace(QUICK, root=5 * MS, dead=timedelta(hours=1)))
    show(state, group(), priority=0)
    deliver(lonely, state, until=lambda: Outbox(state).dead_letters())
    show(state, triage())
    deliver(lonely, state, until=lambda: roots(slack, ALERTS))
    assert len(texts(slack, ALERTS)) == 1
    assert "Availability" in str(roots(slack, ALERTS)[0]["blocks"])


def test_of_an_alert_that_nobody_keeps_any_more_the_triage_is_told_by_itself(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, triage())
    deliver(courier, state)
    assert len(roots(slack, ALERTS)) == 1


def test_the_triage_of_an_episode_that_was_never_shown_stands_under_the_next(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, group(episode=2))
    show(state, triage())
    deliver(courier, state)
    assert len(roots(slack, ALERTS)) == 1 and len(replies(slack)) == 1


def test_a_group_of_a_storm_is_one_reply_in_its_thread_and_is_edited_there(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    storm = Storm("STTEST001", ALERTS, build.NOW, build.NOW, members=12, firing=12)
    member = group("AMEMBER", storm=storm.id)
    show(state, member)
    show(state, storm, priority=1)
    deliver(courier, state)
    over = replace(
        member, alerts=(build.alert(ends_after=timedelta(minutes=9)),), lines=(Line("1", "over", build.NOW),)
    )
    show(state, over, was="1")
    deliver(courier, state)
    assert texts(slack, ALERTS) == ["⚠️ Alert storm: 12 alert groups, 12 firing"]
    [reply] = replies(slack)
    assert reply["text"].startswith("✅")


def test_an_image_reaches_slack_byte_by_byte(state: State, slack: SlackStandIn, courier: Courier) -> None:
    file = Attachment("g.png", "Graph", stored="k", size=len(PNG), is_image=True)
    graph = triage(sections=(replace(build.section("graph"), findings=(), attachments=(file,)),))
    show(state, group(), priority=0)
    state.change().keep_file("k", PNG).put(graph, was="").show(graph).commit()
    deliver(courier, state)
    [reply] = replies(slack)
    [shared] = reply["files"]
    assert slack.workspace.files[shared["id"]].content == PNG
    assert shared["mimetype"] == "image/png"


# --- channels that are gone -----------------------------------------------------------------------


def archived(slack: SlackStandIn, name: str) -> None:
    slack.workspace.channel(name).is_archived = True


def test_an_alert_whose_channel_is_missing_is_told_in_the_next_one_and_says_why(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    lost = group(channel=GONE, lines=(Line("1", "🔥 also firing", build.NOW),))
    show(state, lost)
    show(state, triage(place=Place(GONE, under="alert:ATEST 1:card")))
    deliver(courier, state)
    [card] = roots(slack, ALERTS)
    assert "#shop-alerts is not there, or the bot is not in it: told here" in str(card["blocks"])
    assert len(replies(slack)) == 2
    [letter] = Outbox(state).dead_letters()
    assert (letter.channel, letter.error) == (GONE, "channel_not_found")


def test_it_stays_there_when_it_changes(state: State, slack: SlackStandIn, courier: Courier) -> None:
    show(state, group(channel=GONE))
    deliver(courier, state)
    over = group(channel=GONE, alerts=(build.alert(ends_after=timedelta(minutes=9)),))
    over = replace(over, lines=(Line("1", "✅ resolved", build.NOW),))
    show(state, over, was="1")
    deliver(courier, state)
    [text] = texts(slack, ALERTS)
    assert text.startswith("✅")
    assert "told here" in str(roots(slack, ALERTS)[0]["blocks"])
    assert thread(slack, ALERTS) == ["✅ resolved"]


def test_an_alert_whose_channel_is_archived_later_is_told_anew_elsewhere(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, group(channel=INCIDENTS))
    deliver(courier, state)
    archived(slack, INCIDENTS)
    show(state, group(channel=INCIDENTS, lines=(Line("1", "✅ resolved", build.NOW),)), was="1")
    deliver(courier, state)
    assert "#incidents is archived: told here" in str(roots(slack, ALERTS)[0]["blocks"])
    assert thread(slack, ALERTS) == ["✅ resolved"]


def test_where_the_next_channel_is_gone_too_the_one_after_it_is_told(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    archived(slack, ALERTS)
    show(state, group(channel=GONE))
    show(state, Notice("N1", GONE, "nothing heard", build.NOW))
    deliver(courier, state)
    assert len(texts(slack, INCIDENTS)) == 2
    assert {letter.channel for letter in Outbox(state).dead_letters()} == {GONE, ALERTS}


def test_where_no_channel_takes_it_the_alert_is_a_dead_letter_and_nothing_else_waits(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    archived(slack, ALERTS)
    archived(slack, INCIDENTS)
    show(state, group(channel=GONE))
    show(state, build.request())
    deliver(courier, state, until=lambda: texts(slack) and len(Outbox(state).dead_letters()) == 3)
    assert "alert:ATEST 1:card" in {letter.card for letter in Outbox(state).dead_letters()}


def test_a_channel_that_takes_alerts_again_is_no_dead_letter_any_more(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, replace(QUICK, dead=1 * MS), fallback=(ALERTS,))
    archived(slack, INCIDENTS)
    show(state, group("AFIRST", channel=INCIDENTS))
    deliver(courier, state)
    assert Outbox(state).dead_letters()
    slack.workspace.channel(INCIDENTS).is_archived = False
    show(state, group("ASECOND", channel=INCIDENTS))
    deliver(courier, state)
    assert Outbox(state).dead_letters() == ()
    assert len(texts(slack, INCIDENTS)) == len(texts(slack, ALERTS)) == 1


def test_what_is_told_elsewhere_counts_against_the_pace_of_that_channel(
    state: State,
) -> None:
    """Slack's own limits are on: a message too early would be refused."""
    with SlackStandIn(rate_limits="slack") as slack:
        client = WebClient(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])
        pace = replace(QUICK, post=timedelta(seconds=1))
        courier = Courier(state, client, str, pace, fallback=(ALERTS,))
        for n in range(2):
            show(state, group(f"ALOST{n}", channel=f"#gone-{n}"))
            show(state, group(f"AOWN{n}", channel=ALERTS))
        deliver(courier, state)
        assert len(texts(slack, ALERTS)) == 4
        assert [c for c in slack.calls("chat.postMessage") if c.answer.get("error") == "ratelimited"] == []


# --- many edits -----------------------------------------------------------------------------------

SCARCE = replace(QUICK, updates=60, burst=1, calm=timedelta(seconds=2))


def changed(n: int, severity: Severity = Severity.WARNING) -> AlertGroup:
    return group(f"A{n:03}", severity=severity, flaps=1)


def test_a_storm_of_edits_keeps_no_new_card_waiting(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, SCARCE)
    for n in range(40):
        show(state, group(f"A{n:03}"))
    deliver(courier, state)
    for n in range(40):
        show(state, changed(n), was="1", priority=2)
    for n in range(40, 60):
        show(state, group(f"A{n:03}"), priority=2)
    deliver(courier, state, until=lambda: len(texts(slack, ALERTS)) == 60)
    assert len(slack.calls("chat.update")) < 20


def test_of_many_edits_the_critical_ones_come_first(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, replace(SCARCE, updates=600))
    for n in range(30):
        show(state, group(f"A{n:03}"))
    deliver(courier, state)
    for n in range(30):
        grave = n >= 27
        severity = Severity.CRITICAL if grave else Severity.WARNING
        show(state, changed(n, severity), was="1", priority=0 if grave else 2)
    deliver(courier, state, until=lambda: len(slack.calls("chat.update")) >= 8)
    edited = [call.args["text"] for call in slack.calls("chat.update")[:8]]
    assert sum(text.startswith("🔴") for text in edited) == 3


def test_a_new_line_does_not_wait_for_the_turn_of_an_edit(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, replace(QUICK, updates=1, burst=1))
    while not Outbox(state).pace("update", 1, 1):
        pass  # until all edits of this minute are spent
    show(state, group())
    deliver(courier, state)
    show(state, group(flaps=1, lines=(Line("1", "🔥 fires again", build.NOW),)), was="1")
    deliver(courier, state, until=lambda: thread(slack, ALERTS))
    assert thread(slack, ALERTS) == ["🔥 fires again"]
    assert slack.calls("chat.update") == []


def test_the_thread_of_the_episode_before_is_linked_by_the_address_of_the_workspace(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    state.remember("workspace-url", "https://sre.slack.com/", timedelta(hours=1))
    show(state, group(episode=2, before="C0SREALERTS 1795595400.000100"))
    deliver(courier, state)
    assert "https://sre.slack.com/archives/C0SREALERTS/p1795595400000100" in str(roots(slack, ALERTS)[0])
