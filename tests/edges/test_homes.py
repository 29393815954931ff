"""The Home tab from the event to what Slack shows, with the stand-in and a real Redis: who sees what, how often it is
published, and what a press on it does."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from slack_bolt import BoltRequest
from slack_sdk import WebClient

from bot import homes, slack, web
from bot.casebook import Casebook
from bot.courier import Courier
from bot.desk import Desk, Said
from bot.homes import Homes, Sweep
from bot.homeview import Views
from bot.intake import Intake
from bot.outbox import Outbox
from bot.people import People
from bot.records import Records
from bot.state import State, connect
from bot.wire import Wire
from commands.catalog import Catalog
from commands.model import Actor, Place, Request
from commands.model import State as Standing
from commands.response.events import Kind, draft
from commands.site import AccessRule, ClusterSite, OnCall, Roles, Site
from sandbox.house import wait_until
from sandbox.process import free_ports
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from tests import build
from tests.build import ALICE, BOB
from tests.edges.test_courier import QUICK

TRAINING = ClusterSite(name="training")
SITE = replace(
    Site(),
    clusters={"training": TRAINING},
    default_cluster="training",
    roles=Roles(approvers=(BOB.user,), security=("U0CAROL0001",), oncall=OnCall(rota=(ALICE.user,))),
    access=(
        AccessRule((ALICE.user,), ("submit",), ("*",)),
        AccessRule(("approvers",), ("approve",), ("*",)),
    ),
)
CATALOG = Catalog.load()


def masked(text: str) -> str:
    return text.replace("hunter2", "***")


class Tab:
    """A bot of one process, put together as bot/__main__ does; `now` stands until a test moves it."""

    def __init__(self, state: State, stand_in: SlackStandIn, client: WebClient) -> None:
        self.state, self.slack, self.client, self.now = state, stand_in, client, build.NOW
        self._deliveries = 0
        people = People(state, SITE, client)
        people.refresh(client)
        self.desk = Desk(state, CATALOG, SITE, people, now=lambda: self.now)
        self.people = people
        self.views = Views(state, CATALOG, SITE, people, lambda: self.now)
        self.courier = self.another(state)
        self.sweep = Sweep(state, self.views, masked, timedelta(0))
        bolt = slack.app(
            self.desk, people, client, stand_in.signing_secret, masked,
            enter=lambda event: homes.opened(state, event),
        )  # fmt: skip
        front = web.Web(
            Intake(state, CATALOG, SITE), bolt, signing_secret=stand_in.signing_secret, alert_tokens=(),
            not_ready=list, told=lambda: pytest.fail("nobody asks for metrics"),
        )  # fmt: skip
        port = free_ports(1)[0]
        stand_in.request_url = f"http://127.0.0.1:{port}/slack/events"
        self._server = web.serve(front, port, "127.0.0.1")
        self._thread = Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def another(self, state: State) -> Courier:
        """A courier, as each bot has some."""
        wire = Wire(state, self.client, timedelta(minutes=1))
        tabs = Homes(state, self.views, wire, masked)
        return Courier(state, self.client, masked, QUICK, homes=tabs)

    def close(self) -> None:
        self._server.task_dispatcher.shutdown()
        for channel in list(self._server.active_channels.values()):
            channel.close()
        self._server.close()
        self._thread.join()

    def work(self, until: Callable[[], object] = lambda: False) -> None:
        """What waits for the courier, until nothing does."""
        outbox, deadline = Outbox(self.state), time.monotonic() + 60
        while self.state.depths()["outbox"] and not until():
            assert time.monotonic() < deadline, "the outbox does not empty"
            if not self.courier.step():
                outbox.wait_for_mail(timedelta(milliseconds=10))

    def open(self, user: str) -> str:
        """All the text of what they see then."""
        delivery = self.slack.open_home(user)
        assert delivery is not None and delivery.ok
        self.work()
        return self.text(user)

    def text(self, user: str) -> str:
        home = self.slack.home(user)
        assert home is not None
        return json.dumps(home["blocks"], ensure_ascii=False)

    def actions(self, user: str) -> set[str]:
        """What there is to press."""
        home = self.slack.home(user)
        assert home is not None
        return {
            each["action_id"]
            for block in home["blocks"]
            for each in block.get("elements", ())
            if "value" in each
        }

    def published(self) -> int:
        return len([call for call in self.slack.calls("views.publish") if call.ok])

    def tell(self, line: str, by: Actor = ALICE, channel: str = "C0INCIDENTS") -> None:
        self._deliveries += 1
        receipt = self.desk.submit(Said(by, Place(channel), line, f"{by.user} {self._deliveries}"))
        assert receipt.accepted, receipt.text

    def fire(self, name: str = "PodCrashLooping", **changes: Any) -> None:
        group = build.group(
            build.alert(name),
            **{"id": f"A{abs(hash(name)) % 10**8:08}", "cluster": "training", "group_labels": {}, **changes},
        )
        change = self.state.change()
        Casebook(self.state, SITE).put(change, None, group, self.now).commit()
        self.work()  # so that its card is there, and the page leads to it


@pytest.fixture(scope="module")
def tab_of_module(redis_server: RedisServer) -> Iterator[Tab]:
    redis = connect(redis_server.url, patient=True)
    redis.flushall()
    with SlackStandIn(rate_limits="off") as stand_in:
        client = WebClient(stand_in.bot_token, base_url=stand_in.api_url, timeout=30, retry_handlers=[])
        tab = Tab(State(redis), stand_in, client)
        yield tab
        tab.close()
    redis.close()


@pytest.fixture
def tab(tab_of_module: Tab) -> Tab:
    """As if nothing had happened here."""
    tab = tab_of_module
    url = tab.slack.request_url
    tab.slack.reset()
    tab.slack.request_url = url
    tab.state.redis.flushall()
    tab.people._cache.clear()
    tab.people.refresh(tab.client)
    tab.now = build.NOW
    return tab


def change_of_alice(tab: Tab) -> Request:
    request = build.change_request(build.plan())
    tab.state.change().put(request, was="").wake(request, timedelta(hours=1)).show(request).commit()
    tab.work()
    return request


def healthy(tab: Tab, *, ago: timedelta = timedelta(minutes=5)) -> Request:
    at = tab.now - ago
    request = replace(
        build.request(place=Place("C0SREDAILY1"), created=at),
        sections=(build.section("slo"), build.section("cluster", build.finding(label="Nodes", value="3 of 3 ready"))),
        state=Standing.ANSWERED, finished=at,
    )  # fmt: skip
    tab.state.change().put(request, was="").show(request).commit()
    tab.work()
    return request


# --- what it shows --------------------------------------------------------------------------------


def test_who_opens_it_sees_it_once_published(tab: Tab) -> None:
    text = tab.open("alice")
    assert "None is going on" in text and "None that the bot was told of" in text
    assert "health was never read" in text and "no Watchdog of it was ever heard" in text
    assert "🟢" not in text, "nothing was read"
    tab.open("alice")
    assert tab.published() == 1, "nothing of it changed"


def test_what_is_on_is_there_with_the_way_to_its_card(tab: Tab) -> None:
    tab.fire()
    tab.tell("incident declare sev2 checkout is slow", by=BOB)
    healthy(tab)
    text = tab.open("alice")
    assert "PodCrashLooping" in text and "Sev2" in text and "checkout is slow" in text
    assert "🟢 health · training: 2/2 green" in text and "Nodes" in text
    (card,) = [m for m in tab.slack.messages("#sre-daily") if "health" in m["text"]]
    assert f"/archives/C0SREDAILY1/p{card['ts'].replace('.', '')}|open>" in text


def test_an_answer_of_yesterday_says_its_age_and_is_no_green(tab: Tab) -> None:
    healthy(tab, ago=timedelta(days=2, hours=3))
    text = tab.open("alice")
    assert "⚪ read 2 days ago" in text and "🟢" not in text
    assert '"value": "health --cluster training"' in text


def test_that_no_alert_fires_is_said_only_while_the_watchdog_is_heard(tab: Tab) -> None:
    for name, minutes in (("watchdog", 9), ("listening-since", 60), ("listening", 0)):
        at = tab.now - timedelta(minutes=minutes)
        tab.state.redis.set(f"sre:beat:{name}", at.timestamp())
    assert "no alert fires" in tab.open("alice")
    silent = tab.now - timedelta(minutes=11)
    tab.state.redis.set("sre:beat:watchdog", silent.timestamp())
    tab.sweep()
    tab.work()
    text = tab.text("alice")
    assert "its Watchdog is not heard any more" in text and "no alert fires" not in text, (
        "nobody marked it yet"
    )


def test_a_change_waits_for_who_may_approve_it_and_is_decided_on_its_card(tab: Tab) -> None:
    request = change_of_alice(tab)
    theirs = tab.open("bob")
    assert "For you to approve" in theirs and f"|{request.id}>" in theirs
    assert "approve" not in tab.actions("bob")
    assert "For you to approve" not in tab.open("alice"), "she asked for it"


def test_mine_comes_first_and_what_does_not_fit_is_counted(tab: Tab) -> None:
    for n in range(30):
        tab.fire(f"Alert{n:02}", opened=build.NOW + timedelta(seconds=n))
    tab.fire(
        "TheLast", opened=build.NOW + timedelta(hours=1), care=replace(build.group().care, owner=ALICE.user)
    )
    text = tab.open("alice")
    assert text.index("TheLast") < text.index("Alert00")
    assert "Open alerts: 31, 1 yours" in text and "and 11 more: `/sre alert list`" in text
    assert "yours" not in tab.open("bob")


def test_a_private_incident_is_on_the_page_of_who_may_know_of_it_alone(tab: Tab) -> None:
    tab.tell("incident security credentials leaked", by=BOB)
    assert "credentials leaked" in tab.open("bob") and "🔒" in tab.text("bob")
    assert "credentials leaked" in tab.open("carol"), "she holds the role security"
    text = tab.open("alice")
    assert "credentials" not in text and "None is going on that you may know of" in text


@pytest.mark.parametrize("end", [None, "incident false-alarm it was a drill of ours"])
def test_what_is_asked_for_in_the_room_of_a_private_incident_waits_for_who_may_know_of_it_alone(
    tab: Tab, end: str | None
) -> None:
    carol, records = Actor("U0CAROL0001", ALICE.team), Records(tab.state, SITE, lambda: tab.now)
    tab.tell("incident security credentials leaked", by=carol)
    (incident,) = records.open_incidents()
    own = draft(Kind.ROOM, "its channel", channel="C0SREDAILY1", name="inc-x", own="yes")
    records.append(incident.id, lambda _: [own])
    asked = build.change_request(build.plan(), place=Place("C0SREDAILY1"))
    tab.state.change().put(asked, was="").wake(asked, timedelta(hours=1)).commit()
    if end:
        tab.tell(end, by=carol, channel="C0SREDAILY1")
        assert not records.open_incidents(), "it is over, and the change waits still"
    assert "For you to approve" not in tab.open("bob")
    mine = tab.desk.submit(Said(BOB, Place("D0BOB000001"), "task mine", "bob asks"))
    assert mine.sections and asked.id not in str(mine.sections)
    records.append(incident.id, lambda _: [draft(Kind.JOINED, "came", user=BOB.user)])
    tab.sweep()
    tab.work()
    assert "For you to approve" in tab.text("bob"), "he was let in"


def test_secrets_and_marks_in_what_came_from_outside_do_nothing(tab: Tab) -> None:
    tab.fire("hunter2 <!channel> *x* `y` <https://evil.example|here>")
    tab.tell("incident declare sev3 hunter2 <!channel> <https://evil.example|here>", by=BOB)
    text = tab.open("alice")
    assert "hunter2" not in text and "<!channel>" not in text and "<https://evil" not in text


@pytest.mark.parametrize(("user", "words"), [("dave", "Guests may ask"), ("mallory", "bot's own workspace")])
def test_who_is_no_member_reads_one_sentence(tab: Tab, user: str, words: str) -> None:
    tab.fire()
    tab.tell("incident declare sev2 checkout is slow", by=BOB)
    text = tab.open(user)
    assert words in text and "checkout" not in text and "PodCrash" not in text
    home = tab.slack.home(user)
    assert home is not None and len(home["blocks"]) == 1
    assert tab.sweep() == 0, "it stays as it is, whatever happens"


def test_whose_account_is_shut_gets_nothing(tab: Tab) -> None:
    tab.open("carol")
    tab.slack.workspace.user("carol").deleted = True
    tab.people._cache.clear()
    tab.state.redis.delete("sre:memo:kind-of-U0CAROL0001")
    tab.fire()
    assert tab.sweep() == 1
    tab.work()
    assert "PodCrash" not in tab.text("carol") and homes.shown(tab.state, "U0CAROL0001") is None
    assert tab.sweep() == 0


# --- when it is published -------------------------------------------------------------------------


def test_it_is_brought_up_to_date_when_something_of_it_changed(tab: Tab) -> None:
    tab.open("alice")
    assert tab.sweep() == 0 and tab.published() == 1
    tab.fire()
    assert tab.sweep() == 1
    tab.work()
    assert "PodCrashLooping" in tab.text("alice") and tab.published() == 2
    assert tab.sweep() == 0
    assert tab.slack.home("bob") is None, "he never opened his"


def test_of_many_pages_those_that_wait_longest_are_marked_first(tab: Tab) -> None:
    for n in range(15):
        event = {"user": f"U0MANY000{n:02}", "channel": "D0MANY00001"}
        homes.opened(tab.state, event)
    tab.state.redis.delete("sre:outbox")
    assert [tab.sweep(), tab.sweep()] == [10, 10], "none of them was published meanwhile"
    marked = {card.decode() for card in tab.state.redis.zrange("sre:outbox", 0, -1)}
    assert marked == {f"home:U0MANY000{n:02}" for n in range(10)}


def test_an_alert_that_only_repeats_itself_changes_nothing(tab: Tab) -> None:
    tab.fire()
    tab.open("alice")
    stored = tab.state.alert_group(f"A{abs(hash('PodCrashLooping')) % 10**8:08}")
    assert stored is not None
    again = replace(stored.record, repeats=3, heard=build.NOW + timedelta(minutes=15))
    change = tab.state.change()
    Casebook(tab.state, SITE).put(change, stored, again, tab.now).commit()
    tab.work()
    assert tab.sweep() == 0


def test_who_has_not_opened_it_for_two_weeks_is_let_be(tab: Tab) -> None:
    tab.open("alice")
    long_ago = time.time() - timedelta(days=15).total_seconds()
    tab.state.redis.zadd(homes.OPENED, {ALICE.user: long_ago})
    tab.fire()
    assert tab.sweep() == 0


def test_what_slack_shows_instead_is_replaced_when_it_is_opened(tab: Tab) -> None:
    tab.open("alice")
    tab.client.views_publish(user_id=ALICE.user, view={"type": "home", "blocks": []})
    assert "None is going on" in tab.open("alice")


def test_a_page_that_another_published_meanwhile_is_published_over_it(tab: Tab) -> None:
    tab.open("alice")
    tab.client.views_publish(user_id=ALICE.user, view={"type": "home", "blocks": []})
    tab.fire()
    tab.sweep()
    tab.work()
    assert "PodCrashLooping" in tab.text("alice")
    assert [call.answer.get("error") for call in tab.slack.calls("views.publish")] == [
        None,
        None,
        "hash_conflict",
        None,
    ]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status", "fatal_error"])
def test_a_lost_answer_is_made_good(tab: Tab, kind: str) -> None:
    tab.fire()
    tab.slack.fault("views.publish", kind, times=1)  # type: ignore[arg-type]
    assert "PodCrashLooping" in tab.open("alice")
    assert tab.sweep() == 0


def test_slacks_limit_delays_it(tab: Tab) -> None:
    tab.slack.fault("views.publish", "ratelimited", times=3, retry_after=0)
    assert "None is going on" in tab.open("alice")


def test_an_app_without_a_home_tab_is_told_once_and_keeps_nobody_waiting(tab: Tab) -> None:
    tab.slack.fault("views.publish", "error", times=None, error="not_enabled")
    tab.slack.open_home("alice")
    tab.work()
    (letter,) = Outbox(tab.state).dead_letters()
    assert (letter.card, letter.error) == (f"home:{ALICE.user} view", "not_enabled")
    assert tab.sweep() == 0, "the same page is not tried again"
    tab.slack.clear_faults()
    tab.open("alice")
    assert not Outbox(tab.state).dead_letters()


def test_two_bots_publish_it_once(tab: Tab) -> None:
    other = tab.another(tab.state)
    for user in ("alice", "bob", "carol"):
        tab.slack.open_home(user)
    threads = [Thread(target=_drain, args=(tab, each)) for each in (tab.courier, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tab.published() == 3


def _drain(tab: Tab, courier: Courier) -> None:
    wait_until(lambda: courier.step() is False and not tab.state.depths()["outbox"], seconds=30)


def test_the_other_tab_is_no_reason_to_publish(tab: Tab) -> None:
    delivery = tab.slack.open_home("alice", tab="messages")
    assert delivery is not None and delivery.ok
    tab.work()
    assert tab.slack.home("alice") is None


# --- what a press does ----------------------------------------------------------------------------


def test_a_button_asks_in_the_direct_messages_of_who_presses_it(tab: Tab) -> None:
    tab.open("alice")
    home = tab.slack.home("alice")
    assert home is not None
    assert tab.slack.press_in_view("alice", home["id"], "submit:0", "health").ok
    tab.work(until=lambda: tab.slack.messages(tab.slack.direct_message("alice")))
    (card,) = tab.slack.messages(tab.slack.direct_message("alice"))
    assert "health" in card["text"]


def test_what_is_answered_at_once_is_a_message_that_stays(tab: Tab) -> None:
    tab.open("alice")
    home = tab.slack.home("alice")
    assert home is not None
    assert tab.slack.press_in_view("alice", home["id"], "submit:4", "help").ok
    tab.work()
    (page,) = tab.slack.messages(tab.slack.direct_message("alice"))
    assert "What you can type" in json.dumps(page["blocks"])
    assert not tab.slack.ephemerals("alice")


def test_a_button_that_needs_more_opens_a_window(tab: Tab) -> None:
    tab.open("alice")
    home = tab.slack.home("alice")
    assert home is not None
    assert tab.slack.press_in_view("alice", home["id"], "submit:2", "incident declare").ok
    (window,) = tab.slack.views("alice")
    assert window["callback_id"] == "form"


def test_a_press_while_the_store_is_away_is_marked_by_slack(tab: Tab) -> None:
    """A page has no place for an answer, and the person must not believe that it was taken."""
    away = State(connect("redis://127.0.0.1:1", patient=False))
    people = People(away, SITE, tab.client)
    bolt = slack.app(Desk(away, CATALOG, SITE, people), people, tab.client, "secret", masked)
    press = {"type": "button", "action_id": "submit:0", "block_id": "b", "value": "health"}
    body = {
        "type": "block_actions", "user": {"id": ALICE.user}, "team": {"id": ALICE.team}, "trigger_id": "1.2.x",
        "container": {"type": "view", "view_id": "V1"}, "view": {"id": "V1", "private_metadata": "D0ALICE0001"},
        "actions": [press],
    }  # fmt: skip
    assert bolt.dispatch(BoltRequest(body=body, mode="socket_mode")).status == 500
