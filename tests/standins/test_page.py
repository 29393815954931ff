"""The sandbox page: its files and their policy, and, where there is a Chromium, the page itself under the hands
of a person: commands, threads, buttons, other people, hostile text, no mouse, a phone, a lost stand-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from slack_sdk import WebClient

from bot import render
from bot.blocks import moment
from commands.finding import Finding, Light, Link, Suggestion
from commands.model import Section
from sandbox import page
from sandbox.process import free_ports
from sandbox.slack import SlackStandIn
from tests import build
from tests.standins.browser import Browser, Tab
from tests.standins.pagehands import (
    ALERTS,
    BOB,
    BOT,
    BOXES,
    CARD,
    DAILY,
    FakeBot,
    Json,
    Sandbox,
    alice,
    bot,
    browser,
    button,
    in_a_browser,
    say,
    section,
    shown,
)

__all__ = ["bot", "browser"]  # fixtures


@pytest.fixture(scope="module")
def running(bot: FakeBot) -> Iterator[SlackStandIn]:
    told = ("app_mention", "message.im")
    options: Json = {"events": told, "rate_limits": "off", "ack_timeout": 1.0}
    with SlackStandIn(extra_routes=page.routes, request_url=bot.url, **options) as slack:
        bot.client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        yield slack


@pytest.fixture
def slack(running: SlackStandIn) -> SlackStandIn:
    running.reset()
    return running


@pytest.fixture
def tab(browser: Browser, slack: SlackStandIn) -> Iterator[Tab]:
    with alice(browser, slack) as tab:
        yield tab


# --- the files


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/grammar.json", "application/json"),
        ("/emoji.svg", "image/svg+xml"),
    ],
)
def test_every_file_has_its_type_and_the_policy(slack: SlackStandIn, path: str, content_type: str) -> None:
    answer = httpx.get(f"{slack.url}{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy and "https:" not in policy


def test_the_page_loads_nothing_from_elsewhere(slack: SlackStandIn) -> None:
    for path in ("/", "/page.css", "/page.js"):
        named = set(re.findall(r"https?://[^\"'` ]+", httpx.get(f"{slack.url}{path}").text))
        assert all(each.startswith("http://www.w3.org/") for each in named), path  # names of markup languages


# --- what a person does


@in_a_browser
def test_a_command_shows_its_acknowledgement_and_its_message(tab: Tab, slack: SlackStandIn) -> None:
    say(tab, "/sre drain node ip-10-0-3-17")
    shown(tab, "On it: drain node ip-10-0-3-17")
    shown(tab, "Drain the node?")
    assert "Only visible to you" in tab.text(".whisper")
    assert tab.count("#messages .emoji") > 0
    assert tab.text(BOXES["main"]) == ""
    assert [delivery.payload["command"] for delivery in slack.deliveries("command")] == ["/sre"]


@in_a_browser
def test_a_shared_file_can_be_read_opened_and_kept(tab: Tab, slack: SlackStandIn) -> None:
    client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    content = "<script>document.title = 'owned'</script>\nlast €"
    client.files_upload_v2(
        filename="evidence.txt", title="Evidence of web-1", content=content, channel="C0SREDAILY1"
    )
    shown(tab, "Evidence of web-1")
    tab.run("document.querySelector('.file summary').click()")
    tab.wait_for_text(".file pre", "last €")
    tab.wait_for("document.querySelector('.file a[download]').download === 'evidence.txt'")
    answer = httpx.get(slack.url + tab.run("document.querySelector('.file a').getAttribute('href')"))
    assert (answer.text, answer.headers["content-type"]) == (content, "text/plain; charset=utf-8")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{slack.url}/_standin/files/F404").status_code == 404


def test_a_press_reaches_the_bot_and_the_message_changes(tab: Tab, slack: SlackStandIn) -> None:
    say(tab, "/sre drain")
    tab.click("#messages .button", "Approve")
    shown(tab, "approved by @alice")
    assert tab.text("#messages .edited") == "(edited)"
    pressed = slack.deliveries("interactive")[0].payload["actions"][0]
    assert (pressed["action_id"], pressed["value"]) == ("approve", "1")


@in_a_browser
def test_a_press_that_is_not_answered_in_time_says_so(tab: Tab, bot: FakeBot) -> None:
    say(tab, "/sre drain")
    try:
        tab.click("#messages .button", "Slow")
        tab.wait_for_text("#messages .wrong", "Operation timed out")
    finally:
        bot.over.set()
    assert tab.run("document.activeElement.innerText") == "Slow"  # drawn anew, and still in focus


@in_a_browser
def test_a_command_that_is_not_answered_is_told_by_slackbot(
    tab: Tab, slack: SlackStandIn, bot: FakeBot
) -> None:
    slack.request_url = "http://127.0.0.1:1/"
    try:
        say(tab, "/sre status")
        shown(tab, '/sre failed with the error "dispatch_failed"')
    finally:
        slack.request_url = bot.url
    assert "Slackbot" in tab.text(".whisper")


@in_a_browser
def test_a_mention_is_answered_in_a_thread_that_opens_and_takes_replies(
    tab: Tab, slack: SlackStandIn
) -> None:
    say(tab, "@sre is prod fine? cc @bob")
    tab.click("#messages .replies", "1 reply")
    tab.wait_for_text("#replies .message", "All green.")
    assert "@sre_bot is prod fine? cc @bob" in tab.text("#replies .message")
    say(tab, "thanks", "thread")
    tab.wait_for_text("#replies .message", "thanks")
    tab.wait_for_text("#messages .replies", "2 replies")
    said = slack.messages(DAILY)
    assert said[0]["text"] == f"<@{BOT}> is prod fine? cc <@{BOB}>"
    assert said[-1]["thread_ts"] == said[0]["ts"]
    say(tab, "/sre status", "thread")
    tab.wait_for_text("#reply .wrong", "Slack does not take slash commands in threads")
    assert tab.run(f"document.querySelector('{BOXES['thread']}').value") == "/sre status"
    tab.click("#close-thread")
    tab.wait_for("document.querySelector('#thread').hidden")


@in_a_browser
def test_a_mention_where_the_bot_is_not_is_told_and_not_offered_again(tab: Tab) -> None:
    tab.click("#channels a", "#general")
    tab.wait_for("document.querySelector('#channel-name').innerText === '#general'")
    say(tab, "@sre hello")
    tab.wait_for_text("#compose .wrong", "SRE Bot is not in this channel")
    shown(tab, "@sre_bot hello")
    assert tab.run(f"document.querySelector('{BOXES['main']}').value") == ""


@in_a_browser
def test_only_sre_is_a_command(tab: Tab, slack: SlackStandIn) -> None:
    say(tab, "/deploy now")
    tab.wait_for_text("#compose .wrong", "/deploy is not a valid command.")
    assert slack.deliveries() == []


@in_a_browser
def test_another_person_sees_their_own_workspace(tab: Tab, slack: SlackStandIn) -> None:
    say(tab, "/sre status")
    shown(tab, "Only visible to you")
    assert "sre-security" in tab.text("#channels")
    tab.choose("#people", "carol")
    tab.wait_for("!document.querySelector('#channels').innerText.includes('sre-security')")
    shown(tab, "Drain the node?")
    assert tab.count(".whisper") == 0
    say(tab, "hello from carol")
    shown(tab, "hello from carol")
    assert slack.messages(DAILY)[-1]["user"] == "U0CAROL0001"
    assert tab.run("location.hash") == f"#carol/{DAILY}"


def hold(tab: Tab, person: str) -> None:
    """What this person sees is not answered until `let_go`, as by a machine that is busy."""
    tab.run(
        f"""(() => {{
          const ask = window.fetch;
          const held = new Promise((resolve) => {{ window.letGo = resolve; }});
          window.fetch = async (path, ...rest) => {{
            if (path === "/_standin/state?user={person}") await held;
            return ask(path, ...rest);
          }};
        }})()"""
    )


def let_go(tab: Tab) -> None:
    tab.run("window.letGo()")


@in_a_browser
def test_nobody_acts_as_the_person_before_while_the_chosen_one_is_fetched(
    tab: Tab, bot: FakeBot, slack: SlackStandIn
) -> None:
    card = [CARD[0], {"type": "actions", "elements": [button("Go", "approve", value="1")]}]
    bot.web.chat_postMessage(channel=DAILY, text="?", blocks=card)
    tab.wait_for("document.querySelector('#messages .button')")
    hold(tab, "bob")
    tab.choose("#people", "bob")
    tab.run("document.querySelector('#messages .button').click()")
    tab.run("document.querySelector('#compose textarea').value = 'hello from bob'")
    tab.run("document.querySelector('#compose').requestSubmit()")
    tab.run("document.dispatchEvent(new Event('visibilitychange'))")
    tab.wait_for_text("#compose .wrong", "Nothing was sent: you are bob now.")
    assert tab.run("document.querySelector('#people').value") == "bob"
    touched = "(({ x, y }) => document.elementFromPoint(x + 5, y + 5).closest('main, #channels'))"
    for selector in ("#messages .button", "#compose textarea", "#channels a"):
        assert tab.run(f"{touched}(document.querySelector('{selector}').getBoundingClientRect())") is None
    assert slack.deliveries() == []
    assert len(slack.messages(DAILY)) == 1
    let_go(tab)
    tab.click("#messages .button", "Go")
    shown(tab, "approved by @bob")
    say(tab, "hello from bob")
    shown(tab, "hello from bob")
    assert slack.messages(DAILY)[-1]["user"] == BOB
    assert [each.payload["user"]["id"] for each in slack.deliveries("interactive")] == [BOB]


@in_a_browser
def test_a_question_to_the_person_before_is_not_answered_by_the_next_one(
    tab: Tab, bot: FakeBot, slack: SlackStandIn
) -> None:
    ask(bot)
    tab.click("#messages .button", "Approve")
    tab.wait_for("document.querySelector('#confirm').open")
    hold(tab, "bob")
    tab.run(f"location.hash = '#bob/{DAILY}'")  # as with the way back of the browser
    tab.wait_for("!document.querySelector('#confirm').open")
    let_go(tab)
    tab.wait_for("document.querySelector('#people').value === 'bob'")
    assert slack.deliveries() == []


@in_a_browser
def test_what_others_write_is_marked_until_it_is_looked_at(tab: Tab, slack: SlackStandIn) -> None:
    slack.post_as("bob", ALERTS, "look here")
    tab.wait_for_text("#channels .unread", "#sre-alerts")
    tab.click("#channels a", "#sre-alerts")
    shown(tab, "look here")
    tab.wait_for("!document.querySelector('#channels .unread')")


@in_a_browser
def test_the_direct_message_with_the_bot_is_there_before_the_first_word(
    tab: Tab, slack: SlackStandIn
) -> None:
    tab.click("#channels a", "SRE Bot")
    tab.wait_for("location.hash === '#alice/@sre_bot'")
    say(tab, "hello")
    shown(tab, "hello")
    assert slack.messages(slack.direct_message("alice"))[0]["text"] == "hello"


@in_a_browser
def test_a_confirmation_is_asked_first(tab: Tab, slack: SlackStandIn, bot: FakeBot) -> None:
    asked = {
        "title": {"type": "plain_text", "text": "Are you sure?"},
        "text": {"type": "mrkdwn", "text": "It *drains*."},
        "confirm": {"type": "plain_text", "text": "Drain"},
        "deny": {"type": "plain_text", "text": "Not now"},
    }
    card = [CARD[0], {"type": "actions", "elements": [button("Go", "approve", confirm=asked)]}]
    bot.web.chat_postMessage(channel=DAILY, text="?", blocks=card)
    for answer in ("Not now", "Escape"):
        tab.click("#messages .button", "Go")
        tab.wait_for("document.querySelector('#confirm').open")
        assert "It drains." in tab.text("#confirm")
        if answer == "Escape":
            tab.key("Escape")
        else:
            tab.click("#confirm button", answer)
        tab.wait_for("!document.querySelector('#confirm').open")
    assert slack.deliveries("interactive") == []
    tab.click("#messages .button", "Go")
    tab.click("#confirm button", "Drain")
    shown(tab, "approved by @alice")


# --- a change, as bot/changecard.py draws it


ASKED = build.change_request(build.plan(), created=datetime.now(UTC))


def ask(bot: FakeBot) -> None:
    """The change's card and its thread, as the courier would send them."""
    card, *thread = render.messages(ASKED, lambda text: text)
    root = bot.web.chat_postMessage(channel=DAILY, text=card.text, blocks=list(card.blocks))["ts"]
    for each in thread:
        bot.web.chat_postMessage(channel=DAILY, text=each.text, blocks=list(each.blocks), thread_ts=root)


@in_a_browser
def test_another_person_approves_after_being_asked(tab: Tab, bot: FakeBot, slack: SlackStandIn) -> None:
    ask(bot)
    tab.wait_for("document.querySelector('#messages .button')")  # Alice has it before her
    tab.choose("#people", "bob")
    tab.click("#messages .button", "Approve")
    tab.wait_for_text("#confirm", "It touches 3 objects")
    assert "Drain node-3?" in tab.text("#confirm")
    tab.click("#confirm button", "Approve")
    shown(tab, "approved by @bob")
    pressed = slack.deliveries("interactive")[0].payload
    assert pressed["user"]["id"] == BOB
    assert pressed["actions"][0]["value"] == f"RTEST0001 1 {build.plan().digest}"


@in_a_browser
def test_a_refusal_is_seen_by_the_person_alone(tab: Tab, bot: FakeBot) -> None:
    ask(bot)
    tab.click("#messages .button", "Cancel")
    tab.click("#confirm button", "Cancel it")
    tab.wait_for_text("#messages .whisper", "Not you")
    tab.choose("#people", "bob")
    tab.wait_for("!document.querySelector('#messages .whisper')")


@in_a_browser
def test_a_window_is_filled_in_corrected_and_sent(tab: Tab, bot: FakeBot, slack: SlackStandIn) -> None:
    ask(bot)
    tab.click("#messages .button", "Reject")
    tab.wait_for("document.querySelector('#window').open")
    assert tab.text("#window-title") == "Reject RTEST0001"
    assert tab.run("document.activeElement.tagName") == "TEXTAREA"
    tab.click("#window-submit")
    tab.wait_for_text("#window .wrong", "Please complete this required field.")
    assert slack.deliveries("interactive")[-1].payload["type"] == "block_actions"  # nothing was sent
    tab.run("document.querySelector('#window textarea').focus()")
    tab.type("no")
    tab.click("#window-submit")
    tab.wait_for_text("#window .wrong", "Say a little more.")
    assert tab.run("document.querySelector('#window textarea').value") == "no"
    tab.run("document.querySelector('#window textarea').focus()")
    tab.type("t during the sale")
    tab.click("#window-submit")
    tab.wait_for("!document.querySelector('#window').open")
    shown(tab, f"RTEST0001 1 {build.plan().digest} rejected by @alice: not during the sale")


@in_a_browser
@pytest.mark.parametrize("way", ["Escape", "Back"])
def test_a_window_is_left_without_a_word(tab: Tab, bot: FakeBot, slack: SlackStandIn, way: str) -> None:
    ask(bot)
    tab.click("#messages .button", "Reject")
    tab.wait_for("document.querySelector('#window').open")
    if way == "Escape":
        tab.key("Escape")
    else:
        tab.click("#window button", "Back")
    tab.wait_for("!document.querySelector('#window').open")
    slack.wait_for(
        lambda: not slack.views("alice")
    )  # Chromium closes it on Escape before the stand-in hears of it
    assert [each.payload["type"] for each in slack.deliveries("interactive")] == ["block_actions"]


@in_a_browser
def test_a_window_whose_bot_is_gone_says_so_and_stays(tab: Tab, bot: FakeBot, slack: SlackStandIn) -> None:
    ask(bot)
    tab.click("#messages .button", "Reject")
    tab.wait_for("document.querySelector('#window').open")
    slack.request_url = "http://127.0.0.1:1/"
    try:
        tab.type("too late")
        tab.click("#window-submit")
        tab.wait_for_text("#window-wrong", "We had some trouble connecting.")
        assert tab.run("document.querySelector('#window textarea').value") == "too late"
    finally:
        slack.request_url = bot.url


# --- what was written by somebody else


HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> <javascript:alert(1)|click me> "
    '<data:text/html,x|there> *<https://ok.example.com/?a=1&amp;b="x"|fine>* &lt;b&gt;'
)


@in_a_browser
def test_hostile_text_stays_text(tab: Tab, bot: FakeBot, slack: SlackStandIn) -> None:
    slack.post_as("bob", DAILY, HOSTILE)
    evil = button("Evil", "evil", url="javascript:alert(1)")
    quoted = {"type": "rich_text_quote", "elements": [{"type": "link", "url": "javascript:alert(1)"}]}
    picture = {"type": "image", "image_url": "javascript:alert(1)", "alt_text": "<b>picture</b>"}
    blocks = [
        section(HOSTILE),
        {"type": "actions", "elements": [evil]},
        {"type": "rich_text", "elements": [quoted]},
        picture,
        {
            "type": "markdown",
            "text": "# <script>no</script>\n[x](javascript:alert(1)) ![y](javascript:alert(1))",
        },
        {"type": "video", "alt_text": "<b>film</b>"},
    ]
    bot.web.chat_postMessage(channel=DAILY, text="x", blocks=blocks)
    shown(tab, "Evil")
    for text in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<b>"):
        shown(tab, text)
    assert tab.count("#messages script, #messages img, #messages b b") == 0
    hrefs = tab.run("[...document.querySelectorAll('#messages .body a')].map((a) => a.href)")
    assert set(hrefs) == {"https://ok.example.com/?a=1&b=%22x%22"}
    assert tab.run("[...document.querySelectorAll('#messages .button')].map((b) => b.disabled)") == [True]
    assert tab.run(
        "[...document.querySelectorAll('#messages .unknown summary')].map((s) => s.innerText)"
    ) == ["This page does not draw the picture “image”", "This page does not draw the block “video”"]
    assert tab.text("#messages .markdown [role=heading]") == "<script>no</script>"


@in_a_browser
def test_mrkdwn_looks_as_in_slack(tab: Tab, bot: FakeBot) -> None:
    text = (
        "*bold* _italic_ ~gone~ `a *b* c` snake_case_name 2*3*4\n&gt; quoted\n&gt; still\n"
        f"<#{ALERTS}> <@{BOB}> <!subteam^S0SREONCALL> :white_check_mark: :nonsense: https://a.example.com/x.\n"
        "```pre *not bold*```"
    )
    bot.web.chat_postMessage(channel=DAILY, text=text)
    shown(tab, "pre *not bold*")
    inside = "#messages .text"
    for selector, expected in {
        "b": "bold",
        "i": "italic",
        "s": "gone",
        "code": "a *b* c",
        "blockquote": "quoted\nstill",
        "pre": "pre *not bold*",
        f"a[href='#alice/{ALERTS}']": "#sre-alerts",
        ".mention": "@bob",
        ".mention.mine": "@sre-oncall",
        "a[href='https://a.example.com/x']": "https://a.example.com/x",
        ".emoji": "✅",
    }.items():
        assert tab.text(f"{inside} {selector}") == expected
    assert "snake_case_name 2*3*4" in tab.text(inside)
    assert ":nonsense:" in tab.text(inside)


@in_a_browser
def test_no_text_makes_the_formatting_slow(tab: Tab, bot: FakeBot) -> None:
    tab.call(
        "Performance.enable", timeDomain="threadTicks"
    )  # of its own work, whatever else the machine does
    for text in ("*" + "<a>" * 9000, "*a " * 9000, "`" * 30000, "> " * 9000, "https://" * 5000, "_<" * 9000):
        bot.web.chat_postMessage(channel=DAILY, text=text)
    say(tab, "after all that")
    shown(tab, "after all that")
    used = {each["name"]: each["value"] for each in tab.call("Performance.getMetrics")["metrics"]}
    assert used["TaskDuration"] < 5


@in_a_browser
def test_everything_the_bot_draws_today_is_known_to_the_page(tab: Tab, bot: FakeBot) -> None:
    finding = Finding(
        key="a",
        label="orders-db",
        light=Light.UNKNOWN,
        evidence=("first <fact>", "second"),
        link=Link("Runbook", "https://wiki.example.com/db"),
        suggestions=(Suggestion("Ask again", "/sre health db"),),
        mend="aws:\n  role_arn: …",
    )
    findings = Section("db", "Databases", True, (finding,), note="read 2 s ago")
    message = render.private("Databases", (findings,), (), lambda text: text)
    at = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    dated = section(f"asked by <@{BOB}> · {moment(at)}")
    bot.web.chat_postMessage(channel=DAILY, text=message.text, blocks=[*message.blocks, dated])
    shown(tab, "orders-db")
    assert tab.count(".unknown") == 0
    assert [tab.text("#messages a.button"), tab.text("#messages button.button")] == ["Runbook", "Ask again"]
    assert tab.run("document.querySelector('#messages .body time').dateTime") == "2026-11-23T12:30:00.000Z"
    assert "first <fact>" in tab.text("#messages .body")


# --- hands, eyes and weather


@in_a_browser
def test_a_message_is_marked_pinned_edited_and_deleted_from_its_menu(tab: Tab, slack: SlackStandIn) -> None:
    theirs = slack.post_as("bob", DAILY, "db is <slow> & sad").ts
    shown(tab, "db is <slow> & sad")
    choose_of(tab, "React 📌")
    tab.wait_for("document.querySelector('#messages .reactions')")
    choose_of(tab, "Pin")
    tab.wait_for("document.querySelector('#channel-about').innerText.includes('1 pinned')")
    assert (tab.text("#messages .reactions"), slack.workspace.channel(DAILY).pins[0].ts) == ("📌 1", theirs)
    offered = "document.querySelector('#messages details.tool').textContent"
    assert "Delete" not in tab.run(offered), "what bob wrote is bob's"
    tab.choose("#people", "bob")
    tab.wait_for(f"{offered}.includes('Edit')")
    choose_of(tab, "Edit")
    assert tab.run("document.querySelector('#edit textarea').value") == "db is <slow> & sad"
    tab.run("document.querySelector('#edit textarea').select()")
    tab.type("db is fine, @alice")
    tab.click("#edit button", "Save")
    shown(tab, "db is fine, @alice")
    shown(tab, "(edited)")
    assert slack.messages(DAILY)[0]["text"] == "db is fine, <@U0ALICE0001>"
    choose_of(tab, "Delete")
    tab.click("#confirm button", "Delete")
    tab.wait_for_text("#messages", "Nothing here yet")
    assert slack.messages(DAILY) == []


def choose_of(tab: Tab, label: str) -> None:
    """Open the menu of the one message and press the entry, in one step: no redraw comes between."""
    tab.wait_for(
        f"""(() => {{
          const menu = document.querySelector("#messages details.tool");
          menu.open = true;
          const entry = [...menu.querySelectorAll(".choose")].find((each) => each.innerText === "{label}");
          entry?.click();
          return Boolean(entry);
        }})()"""
    )


@in_a_browser
def test_a_channel_made_meanwhile_is_there_with_its_topic_and_bookmarks(
    tab: Tab, slack: SlackStandIn
) -> None:
    room = slack.open_channel("bob", "inc-1-checkout")
    tab.wait_for_text("#channels a", "#inc-1-checkout")
    slack.set_topic("bob", room, "Sev1: checkout is down")
    slack.add_bookmark("bob", room, "Graph", "https://graph.example.com/d/1")
    slack.upload("bob", room, "a.log", "a line")
    slack.post_as_app("deployer", room, "shop 1.4 is out")
    tab.click("#channels a", "#inc-1-checkout")
    tab.wait_for_text("#channel-about", "Sev1: checkout is down")
    tab.wait_for_text("#channel-about a", "Graph")
    shown(tab, "shop 1.4 is out")
    shown(tab, "📎 a.log (6 bytes)")
    slack.rename_channel("bob", room, "inc-1-payments")
    tab.wait_for_text("#channels a", "#inc-1-payments")
    slack.archive("bob", room)
    tab.wait_for_text("#channel-about", "archived")


@in_a_browser
def test_the_keyboard_is_enough(tab: Tab, slack: SlackStandIn) -> None:
    say(tab, "/sre drain")
    shown(tab, "Drain the node?")
    tab.key("Tab", shift=True)
    for _ in range(20):
        if tab.run("document.activeElement.innerText") == "Approve":
            break
        tab.key("Tab", shift=True)
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.key("Enter")
    shown(tab, "approved by @alice")
    tab.run(f"document.querySelector('{BOXES['main']}').focus()")
    tab.type("one")
    tab.key("Enter", shift=True)
    tab.type("two")
    tab.key("Enter")
    shown(tab, "one\ntwo")
    assert slack.messages(DAILY)[-1]["text"] == "one\ntwo"


@in_a_browser
def test_a_message_that_did_not_change_is_not_read_aloud_again(tab: Tab, slack: SlackStandIn) -> None:
    slack.post_as("bob", DAILY, "first")
    shown(tab, "first")
    tab.run("window.first = document.querySelector('#messages .message')")
    slack.post_as("bob", DAILY, "second")
    shown(tab, "second")
    assert tab.run("window.first.isConnected")


@in_a_browser
def test_everything_that_takes_input_has_a_name(tab: Tab) -> None:
    say(tab, "/sre drain")
    shown(tab, "Drain the node?")
    tree = tab.call("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "link", "textbox", "combobox", "log", "navigation"}
    nameless = [
        node["role"]["value"]
        for node in tree
        if node.get("role", {}).get("value") in controls and not node.get("name", {}).get("value")
    ]
    assert nameless == []


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_one_pane_at_a_time(tab: Tab, scheme: str) -> None:
    tab.prefer(scheme)
    tab.resize(390, 800)
    say(tab, "@sre status " + "x" * 200)
    fits = "document.documentElement.scrollWidth <= 390"
    panes = "['sidebar', 'channel', 'thread'].filter((id) => document.getElementById(id).offsetParent).join()"
    tab.wait_for(f"{panes} === 'channel' && {fits}")
    tab.click("#messages .replies", "1 reply")
    tab.wait_for(f"{panes} === 'thread' && {fits}")
    tab.click("#close-thread")
    tab.wait_for(f"{panes} === 'channel'")
    tab.click("#to-channels")
    tab.wait_for(f"{panes} === 'sidebar' && {fits}")


@in_a_browser
def test_the_strip_tells_what_is_real_and_breaks_things(browser: Browser, tab: Tab) -> None:
    assert tab.run("document.querySelector('#strip').hidden")  # nobody serves its endpoints there
    sandbox = Sandbox()
    with (
        SlackStandIn(extra_routes=[*page.routes, *sandbox.routes]) as slack,
        browser.open(slack.url) as other,
    ):
        other.click("#open-break")
        other.wait_for_text("#about-more", "<b>emulated</b>")
        assert other.run("[...document.querySelectorAll('#about .tag')].map((each) => each.innerText)") == [
            "real",
            "stand-in",
        ]
        other.click("#about button", "/sre health payments")
        assert other.run(f"document.querySelector('{BOXES['main']}').value") == "/sre health payments"
        other.click("#faults [data-fault=redis] button", "Break")
        other.wait_for_text("#broken", "Redis is down")
        assert sandbox.broken == {"redis"}
        other.click("#broken button", "Mend")
        other.wait_for_text("#broken", "Nothing is broken.")
        assert sandbox.broken == set()
        assert other.troubles == []


@in_a_browser
def test_the_page_comes_back_when_the_stand_in_does(browser: Browser) -> None:
    # Not one of the ports that the system gives to clients: another could have it meanwhile.
    first = SlackStandIn(extra_routes=page.routes, port=free_ports(1)[0])
    with first, browser.open(f"{first.url}/#alice/{DAILY}") as tab:
        tab.wait_for("document.querySelector('#team').innerText === 'Emulated SRE'")
        first.stop()
        tab.wait_for_text("#connection", "Connection lost")
        with SlackStandIn(extra_routes=page.routes, port=first.port) as second:
            second.post_as("bob", DAILY, "here again")
            shown(tab, "here again")
            assert tab.text("#connection") == ""


@in_a_browser
@pytest.mark.parametrize(
    "fragment", ["", "#nobody", "#alice/C0NOWHERE", "#alice/%E0%A4%A", "#carol/C0SECURITY1"]
)
def test_an_address_that_leads_nowhere_leads_home(
    browser: Browser, slack: SlackStandIn, fragment: str
) -> None:
    with browser.open(f"{slack.url}/{fragment}") as tab:
        tab.wait_for("document.querySelector('#channel-name').innerText === '#sre-daily'")
        assert tab.troubles == []


@in_a_browser
def test_what_does_not_come_true_fails_with_what_the_page_showed(tab: Tab) -> None:
    with pytest.raises(AssertionError, match=r"(?s)never came true.*#nothing.*sre-daily"):
        tab.wait_for("document.querySelector('#nothing')", seconds=0.1)
