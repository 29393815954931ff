"""The Slack sender against the Slack stand-in: what Slack shows in the end, whatever went wrong on the way."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.courier import Courier, Pace
from bot.outbox import ClaimLost, Outbox
from bot.state import State
from commands.finding import Light
from commands.ledger import Line
from commands.model import Place, Record, Request, Whisper
from commands.model import State as Standing
from commands.plan import Approval
from commands.plan import Standing as Step
from sandbox.slack import SlackStandIn
from tests import build

MS = timedelta(milliseconds=1)
QUICK = Pace(
    post=1 * MS, settle=20 * MS, backoff=(10 * MS,), mend=20 * MS, lease=timedelta(seconds=5), dead=20 * MS
)
DAILY = "#sre-daily"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


@pytest.fixture
def courier(state: State, slack_client: WebClient) -> Courier:
    return Courier(state, slack_client, lambda text: text.replace("hunter2", "***"), QUICK)


def show(state: State, record: Record, was: str = "", priority: int = 3) -> None:
    state.change().put(record, was=was).show(record, priority=priority).commit()


def answered(request: Request, *sections: object) -> Request:
    done = sections or (build.section("slo"), build.section("cluster"))
    return replace(request, sections=done, state=Standing.ANSWERED, finished=build.NOW)  # type: ignore[arg-type]


def deliver(courier: Courier, state: State, until: Callable[[], object] | None = None) -> None:
    """Work the outbox off, waiting out its pauses, until it is empty (or `until` holds)."""
    outbox, deadline = Outbox(state), time.monotonic() + 60
    while state.depths()["outbox"] and not (until and until()):
        assert time.monotonic() < deadline, "the outbox does not empty"
        if not courier.step():
            outbox.wait_for_mail(10 * MS)


def roots(slack: SlackStandIn, channel: str = DAILY) -> list[dict[str, Any]]:
    """The messages of the channel itself, without thread replies."""
    return [m for m in slack.messages(channel) if m.get("thread_ts", m["ts"]) == m["ts"]]


def texts(slack: SlackStandIn, channel: str = DAILY) -> list[str]:
    return [message["text"] for message in roots(slack, channel)]


def thread(slack: SlackStandIn, channel: str = DAILY) -> list[str]:
    root = roots(slack, channel)[0]
    return [message["text"] for message in slack.thread(channel, root["ts"])[1:]]


def test_a_card_is_posted_then_edited_in_place_with_its_details_in_the_thread(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    request = build.request()
    show(state, request)
    deliver(courier, state)
    assert texts(slack) == ["⏳ health · training: 0 of 2 read"]
    show(state, answered(request), was="1")
    deliver(courier, state)
    assert texts(slack) == ["🟢 health · training: 2/2 green"]
    assert thread(slack) == ["🟢 SLO: all green", "🟢 CLUSTER: all green"]


def test_a_burst_of_changes_is_one_edit(state: State, slack: SlackStandIn, courier: Courier) -> None:
    request = build.request()
    show(state, request)
    deliver(courier, state)
    for version in range(1, 30):
        moved = replace(request, sections=(build.section("slo", build.finding(value=str(version))),) * 2)
        show(state, moved, was=str(version))
    deliver(courier, state)
    assert len(slack.calls("chat.update")) == 1


def test_a_lost_answer_does_not_make_a_twin(state: State, slack: SlackStandIn, courier: Courier) -> None:
    slack.fault("chat.postMessage", "drop_after", times=3)
    show(state, answered(build.request()))
    deliver(courier, state)
    assert len(texts(slack)) == 1
    assert len(thread(slack)) == 2
    sent = Outbox(state).sent("request:RTEST0001")
    assert len({each.ts for each in sent.values()}) == 3, "each message found its own, not its neighbour's"


@pytest.mark.parametrize("kind", ["fatal_error", "drop_after"])
def test_an_error_after_the_effect_does_not_make_a_twin(
    state: State, slack: SlackStandIn, courier: Courier, kind: str
) -> None:
    slack.fault("chat.postMessage", kind, times=1)  # type: ignore[arg-type]
    show(state, build.request())
    deliver(courier, state)
    assert len(texts(slack)) == 1


@pytest.mark.parametrize("kind", ["status", "drop_before", "error"])
def test_an_error_without_effect_is_made_good(
    state: State, slack: SlackStandIn, courier: Courier, kind: str
) -> None:
    slack.fault("chat.postMessage", kind, times=2)  # type: ignore[arg-type]
    show(state, build.request())
    deliver(courier, state)
    assert len(texts(slack)) == 1


def test_twenty_rate_limits_delay_everything_and_lose_nothing(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=20, retry_after=0)
    for n in range(5):
        show(state, build.request(f"RLIMIT{n:03}", text=f"health {n}"))
    deliver(courier, state)
    assert sorted(texts(slack)) == [f"⏳ health {n} · training: 0 of 2 read" for n in range(5)]


def test_retry_after_closes_the_channel_for_as_long_as_slack_says(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1, retry_after=7)
    show(state, build.request())
    assert courier.step()
    assert 5_000 < state.redis.pttl("sre:lane:C0SREDAILY1") <= 7_000


def test_slack_being_down_is_waited_out_in_order(state: State, slack: SlackStandIn, courier: Courier) -> None:
    slack.fault("*", "down", times=None)
    request = build.request()
    show(state, request)
    deliver(courier, state, until=lambda: courier._failures > 3)
    show(state, answered(request), was="1")
    slack.clear_faults()
    deliver(courier, state)
    assert texts(slack) == ["🟢 health · training: 2/2 green"]
    assert thread(slack) == ["🟢 SLO: all green", "🟢 CLUSTER: all green"]


def test_a_channel_that_cannot_be_posted_to_is_a_dead_letter_and_others_go_on(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, build.group(channel="C0NOTTHERE"), priority=0)
    show(state, build.request("RGOOD0001"))
    deliver(courier, state, until=lambda: texts(slack) and Outbox(state).dead_letters())
    (dead,) = Outbox(state).dead_letters()
    assert (dead.card, dead.error) == ("alert:ATEST 1:card", "channel_not_found")


def test_a_dead_letter_comes_to_life_when_its_channel_does(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "error", times=3, error="not_in_channel")
    show(state, build.group())
    deliver(courier, state)
    assert len(texts(slack, "#sre-alerts")) == 1
    assert not Outbox(state).dead_letters()


def test_an_answer_that_cannot_be_posted_where_it_was_asked_for_goes_to_the_asker(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("conversations.open", "ratelimited", times=2, retry_after=0)
    show(state, answered(build.request(place=Place("C0NOTTHERE", "1.2"))))
    deliver(courier, state)
    assert not Outbox(state).dead_letters()
    messages = slack.messages(slack.direct_message("alice"))
    assert messages[0]["text"] == "🟢 health · training: 2/2 green"
    assert len(messages) == 3


def test_dead_letters_go_with_their_record(state: State, slack: SlackStandIn, courier: Courier) -> None:
    show(state, build.group(channel="C0NOTTHERE"))
    deliver(courier, state, until=lambda: Outbox(state).dead_letters())
    state.redis.delete("sre:alert:ATEST")
    deliver(courier, state)
    assert not Outbox(state).dead_letters()


def test_a_refused_look_up_does_not_forget_the_attempt(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "drop_after", times=1)
    slack.fault("conversations.history", "ratelimited", times=2, retry_after=0)
    show(state, build.request())
    deliver(courier, state)
    assert len(texts(slack)) == 1


def test_a_courier_whose_claim_was_taken_over_posts_nothing(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, build.request())
    claim = Outbox(state).claim(QUICK.lease)
    assert claim is not None
    state.redis.hset("sre:outbox:claims", claim.card, "somebody-else")
    stored = state.load(claim.card)
    assert stored is not None
    with pytest.raises(ClaimLost):
        courier._further(claim)
    assert slack.calls("chat.postMessage") == []


def test_a_record_that_cannot_be_drawn_leaves_its_channel_to_the_others(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, build.request("RBROKEN01"), priority=0)
    state.redis.hset("sre:request:RBROKEN01", "body", b"{}")
    show(state, build.request("RGOOD0001"))
    deliver(courier, state, until=lambda: texts(slack))
    assert len(texts(slack)) == 1
    assert Outbox(state).dead_letters()[0].card.startswith("request:RBROKEN01")


def test_a_revoked_token_holds_everything_back_and_loses_nothing(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "error", times=2, error="token_revoked")
    show(state, build.request())
    assert courier.step()
    assert not Outbox(state).dead_letters(), "the installation is broken, not the message"
    deliver(courier, state)
    assert len(texts(slack)) == 1


def test_a_card_that_slack_cannot_draw_is_sent_as_words(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "error", times=1, error="invalid_blocks")
    show(state, build.request())
    deliver(courier, state)
    (message,) = roots(slack, DAILY)
    assert message["text"] == "⏳ health · training: 0 of 2 read"
    assert not message.get("blocks")


def test_a_card_that_somebody_deleted_is_posted_anew_when_it_has_more_to_say(
    state: State, slack: SlackStandIn, courier: Courier, slack_client: WebClient
) -> None:
    request = build.request()
    show(state, request)
    deliver(courier, state)
    slack_client.chat_delete(channel="C0SREDAILY1", ts=roots(slack, DAILY)[0]["ts"])
    show(state, answered(request), was="1")
    deliver(courier, state)
    assert texts(slack) == ["🟢 health · training: 2/2 green"]


def test_a_card_asked_for_in_a_thread_stays_in_that_thread(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    root = slack.post_as("alice", DAILY, "anything odd?")
    show(state, answered(build.request(place=Place("C0SREDAILY1", root.ts))))
    deliver(courier, state)
    assert len(roots(slack, DAILY)) == 1
    assert thread(slack)[0] == "🟢 health · training: 2/2 green"


def test_a_private_card_goes_to_the_askers_direct_messages(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, answered(build.request(place=Place("C0SREDAILY1", private=True))))
    deliver(courier, state)
    assert texts(slack) == []
    assert len(roots(slack, slack.direct_message("alice"))) == 1


@pytest.mark.parametrize("code", ["is_archived", "user_not_in_channel", "channel_not_found"])
def test_a_whisper_that_cannot_be_told_where_it_was_asked_for_is_a_direct_message(
    state: State, slack: SlackStandIn, courier: Courier, code: str
) -> None:
    slack.fault("chat.postEphemeral", "error", times=None, error=code)
    show(state, build.whisper("no such word"))
    deliver(courier, state)
    assert texts(slack, slack.direct_message("alice")) == ["no such word"]
    assert not Outbox(state).dead_letters()


def test_a_whisper_that_slack_takes_nowhere_is_given_up_once_and_stands_in_the_audit(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    for method in ("chat.postEphemeral", "chat.postMessage"):
        slack.fault(method, "error", times=None, error="is_archived")
    show(state, build.whisper("no such word"))
    deliver(courier, state)
    (line,) = build.audit_lines(state)
    assert (line["what"], line["by"], line["reason"]) == ("not told", "U0ALICE0001", "is_archived")
    assert not Outbox(state).dead_letters() and not state.depths()["outbox"]


def test_a_whisper_reaches_its_person_once_and_nobody_else(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postEphemeral", "drop_after", times=1)
    whisper: Whisper = build.whisper("no such word")
    show(state, whisper)
    deliver(courier, state)
    assert [seen["text"] for seen in slack.ephemerals("alice")] == ["no such word"]
    assert slack.ephemerals("bob") == []
    assert texts(slack) == []


def test_a_channel_by_name_is_found_again_after_a_lost_answer(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("chat.postMessage", "drop_after", times=1)
    show(state, build.group())
    deliver(courier, state)
    assert len(texts(slack, "#sre-alerts")) == 1


def test_a_new_line_of_an_alert_is_posted_once_under_its_card(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    group = build.group()
    show(state, group)
    deliver(courier, state)
    show(state, replace(group, lines=(Line("1", "✅ resolved after 4 min", build.NOW),)), was="1")
    deliver(courier, state)
    show(state, replace(group, lines=(Line("1", "✅ resolved after 4 min", build.NOW),)), was="2")
    deliver(courier, state)
    assert thread(slack, "#sre-alerts") == ["✅ resolved after 4 min"]


def test_a_new_episode_of_an_alert_is_a_new_card(state: State, slack: SlackStandIn, courier: Courier) -> None:
    group = build.group()
    show(state, group)
    deliver(courier, state)
    show(state, replace(group, episode=2), was="1")
    deliver(courier, state)
    assert len(texts(slack, "#sre-alerts")) == 2


def test_secrets_never_leave(state: State, slack: SlackStandIn, courier: Courier) -> None:
    leaky = build.section("slo", build.finding(Light.RED, evidence=("password=hunter2",)))
    show(state, answered(build.request(), leaky))
    deliver(courier, state)
    assert "hunter2" not in slack.transcript(DAILY)
    assert "***" in slack.transcript(DAILY)


def test_four_couriers_and_forty_cards_make_forty_cards(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    """Lost answers and rate limits at random places, several senders: nothing lost, nothing twice."""
    slack.fault("chat.postMessage", "drop_after", times=4)
    slack.fault("chat.postMessage", "ratelimited", times=4, retry_after=0)
    channels = ["C0SREDAILY1", "C0INCIDENTS"]
    for n in range(40):
        show(state, answered(build.request(f"RMANY{n:04}", place=Place(channels[n % 2]))))
    couriers = [Courier(state, slack_client, str, QUICK) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(deliver, courier, state) for courier in couriers]:
            future.result()
    for channel in channels:
        assert len(roots(slack, channel)) == 20
        assert all(len(slack.thread(channel, m["ts"])) == 3 for m in roots(slack, channel))


def test_a_courier_that_died_after_posting_leaves_no_twin(
    state: State,
    slack: SlackStandIn,
    slack_client: WebClient,
    courier: Courier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """kill -9 between Slack's answer and writing it down: the heir finds the message by its metadata."""

    class Killed(BaseException):
        pass

    dying = Courier(state, slack_client, str, replace(QUICK, lease=50 * MS))
    note = dying._outbox.note_sent

    def note_or_die(card: str, key: str, sent: object) -> None:
        if getattr(sent, "ts", ""):
            raise Killed
        note(card, key, sent)  # type: ignore[arg-type]

    monkeypatch.setattr(dying._outbox, "note_sent", note_or_die)
    show(state, build.request())
    with pytest.raises(Killed):
        dying.step()
    deliver(courier, state)
    assert len(texts(slack)) == 1


SLOW = replace(
    QUICK, post=timedelta(seconds=40), settle=timedelta(seconds=50), backoff=(timedelta(seconds=60),)
)


def waits(state: State, card: str = "request:RTEST0001") -> tuple[float, float]:
    """Seconds until the channel opens, and until the card is due again."""
    seconds, micros = state.redis.time()
    due = state.redis.zscore("sre:outbox", card) or 0
    return state.redis.pttl("sre:lane:C0SREDAILY1") / 1000, due / 1000 - seconds - micros / 1e6


def test_after_a_post_the_channel_is_closed_for_slacks_pace(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    show(state, build.request())
    assert Courier(state, slack_client, str, SLOW).step()
    assert 35 < waits(state)[0] <= 40


def test_while_slack_is_silent_the_channel_is_closed_and_a_lost_post_is_given_time_to_settle(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    slack.fault("chat.postMessage", "drop_after", times=1)
    show(state, build.request())
    assert Courier(state, slack_client, str, replace(SLOW, backoff=(timedelta(seconds=5),))).step()
    channel, card = waits(state)
    assert 0 < channel <= 5
    assert 45 < card <= 50


def test_edits_of_all_couriers_share_one_budget(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, replace(QUICK, updates=2, burst=1))
    for id in ("RFIRST001", "RSECOND01", "RTHIRD001"):
        show(state, build.request(id, sections=()))
    deliver(courier, state)
    for id in ("RFIRST001", "RSECOND01", "RTHIRD001"):
        show(state, answered(build.request(id, sections=()), *()), was="1")
    while courier.step():
        pass
    assert len(slack.calls("chat.update")) < 3


def test_a_card_that_cannot_be_posted_sends_no_thread_without_it(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    group = build.group(channel="C0NOTTHERE", lines=(Line("1", "✅ resolved", build.NOW),))
    show(state, group)
    deliver(courier, state, until=lambda: len(slack.calls("chat.postMessage")) >= 3)
    assert [dead.card for dead in Outbox(state).dead_letters()] == ["alert:ATEST 1:card"]


def applying(done: int) -> Request:
    """A drain with so many of its three steps proved."""
    plan = build.plan()
    marks = dict.fromkeys([step.key for step in plan.steps[:done]], Step.PROVED)
    return build.change_request(plan, state=Standing.APPLYING, progress=build.progress(marks))


def test_a_change_under_way_edits_its_card_at_a_calm_pace(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, replace(QUICK, progress=timedelta(hours=1), glance=1 * MS))
    for done in (0, 1, 2):
        show(state, applying(done), was=str(done) if done else "")
        deliver(courier, state, until=lambda: any(waiting(slack)))
        for _ in range(20):
            courier.step()
    assert len(slack.calls("chat.update")) == 1, "the second edit waits"
    assert "1 of 3" in texts(slack)[0]


def waiting(slack: SlackStandIn) -> list[str]:
    return [text for text in texts(slack) if "1 of 3" in text]


def test_the_end_of_a_change_is_not_put_off(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, replace(QUICK, progress=timedelta(hours=1), glance=1 * MS))
    show(state, applying(0))
    deliver(courier, state)
    for done in (1, 2):
        show(state, applying(done), was=str(done))
        courier.step()
    ended = replace(applying(3), state=Standing.SUCCEEDED, finished=build.NOW + timedelta(minutes=2))
    show(state, ended, was="3")
    deliver(courier, state)
    assert texts(slack) == ["✅ Drain node-3 · training: done in 1 min"]
    assert any("<@U0ALICE0001> ✅" in text for text in thread(slack))


def test_the_thread_of_a_change_does_not_wait_for_its_card(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    courier = Courier(state, slack_client, str, replace(QUICK, progress=timedelta(hours=1), glance=1 * MS))
    for done in (0, 1):
        show(state, applying(done), was=str(done) if done else "")
        deliver(courier, state)
    plan = build.plan()
    agreed = build.asking(plan, approvals=(Approval(build.BOB.user, build.NOW),))
    show(state, replace(applying(2), asking=agreed), was="2")
    deliver(courier, state, until=lambda: any("approved by" in text for text in thread(slack)))
    assert "1 of 3" in texts(slack)[0]
