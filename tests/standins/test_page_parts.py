"""The sandbox page's parts under a person's hands: completion, elements that are chosen, windows, the Home tab, the
panel, the look; and what axe-core says of each view, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from slack_sdk import WebClient

from sandbox import page
from sandbox.slack import SlackStandIn
from tests.standins.browser import Browser, Tab, axe
from tests.standins.pagehands import (
    BOB,
    BOXES,
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

pytestmark = in_a_browser

ALICE = "U0ALICE0001"
BOX = f"document.querySelector('{BOXES['main']}')"


@pytest.fixture(scope="module")
def levers() -> Sandbox:
    return Sandbox()


@pytest.fixture(scope="module")
def running(bot: FakeBot, levers: Sandbox) -> Iterator[SlackStandIn]:
    options: Json = {"events": ("app_mention", "app_home_opened"), "rate_limits": "off", "ack_timeout": 30.0}
    routes = [*page.routes, *levers.routes]
    with SlackStandIn(extra_routes=routes, request_url=bot.url, **options) as slack:
        bot.client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        yield slack


@pytest.fixture
def slack(running: SlackStandIn, levers: Sandbox) -> SlackStandIn:
    running.reset()
    levers.broken, levers.ahead = set(), ""
    return running


@pytest.fixture
def tab(browser: Browser, slack: SlackStandIn) -> Iterator[Tab]:
    with alice(browser, slack) as tab:
        tab.wait_for_text("#broken", "Nothing is broken.")
        yield tab


def text(words: str) -> Json:
    return {"type": "plain_text", "text": words}


def options(*values: str) -> list[Json]:
    return [{"text": text(value.title()), "value": value} for value in values]


def element(kind: str, action_id: str, **fields: Any) -> Json:
    return {"type": kind, "action_id": action_id, **fields}


def field(label: str, element: Json, **fields: Any) -> Json:
    return {
        "type": "input",
        "block_id": element["action_id"],
        "label": text(label),
        "element": element,
        **fields,
    }


# --- completion


def offered(tab: Tab) -> list[str]:
    found = tab.run(
        "[...document.querySelectorAll('#compose [role=option] b')].map((each) => each.innerText)"
    )
    return list(found)


def test_a_command_is_completed_word_by_word_from_the_grammar(tab: Tab, slack: SlackStandIn) -> None:
    tab.click(BOXES["main"])
    tab.type("/sr")
    tab.wait_for_text("#compose [role=option]", "/sre")
    tab.key("Tab")
    tab.type("deplo")
    tab.wait_for_text("#compose [role=option]", "deploy")
    tab.key("Tab")
    tab.wait_for_text("#compose [role=option]", "rollback NAME")
    tab.type("sca")
    tab.wait_for(f"{BOX}.value === '/sre deploy sca'")
    tab.wait_for_text("#compose .usage", "/sre deploy")
    tab.key("Tab")
    tab.wait_for_text("#compose .usage", "/sre deploy scale NAME REPLICAS")
    tab.type("backend 5 --wh")
    tab.wait_for_text("#compose [role=option]", "--why TEXT")
    tab.key("ArrowDown")
    tab.wait_for(
        f"document.getElementById({BOX}.getAttribute('aria-activedescendant')).innerText.includes('--why')"
    )
    tab.key("Enter")
    assert tab.run(f"{BOX}.value") == "/sre deploy scale backend 5 --why "
    tab.type("sale")
    tab.key("Enter")
    shown(tab, "On it: deploy scale backend 5 --why sale")
    assert len(slack.deliveries("command")) == 1


def test_escape_closes_the_suggestions_and_tab_then_moves_on(tab: Tab) -> None:
    tab.click(BOXES["main"])
    tab.type("/sre he")
    tab.wait_for_text("#compose [role=option]", "health")
    tab.key("Escape")
    tab.wait_for("document.querySelector('#compose .complete').hidden")
    tab.key("Tab")
    assert tab.run("document.activeElement.getAttribute('aria-label')") == "Send"
    assert tab.run(f"{BOX}.value") == "/sre he"


def test_people_and_channels_are_completed_in_any_text(tab: Tab, slack: SlackStandIn) -> None:
    tab.click(BOXES["main"])
    tab.type("ask @bo")
    tab.wait_for_text("#compose [role=option]", "@bob")
    assert offered(tab)[0] == "@bob"
    tab.key("Tab")
    tab.type("in #sre-al")
    tab.wait_for_text("#compose [role=option]", "#sre-alerts")
    tab.click("#compose [role=option]", "#sre-alerts")
    tab.key("Enter")
    shown(tab, "ask @bob in #sre-alerts")
    assert slack.messages(DAILY)[-1]["text"] == f"ask <@{BOB}> in <#C0SREALERTS>"


def test_alt_and_an_arrow_go_to_the_next_channel(tab: Tab) -> None:
    tab.key("Alt+ArrowUp")
    tab.wait_for("document.querySelector('#channel-name').innerText === '#sre-alerts'")
    tab.key("Alt+ArrowDown")
    tab.wait_for("document.querySelector('#channel-name').innerText === '#sre-daily'")


# --- elements of a message


CHOICES: list[tuple[Json, str, Json]] = [
    (
        element("static_select", "it", options=options("one", "two")),
        "select.value = 'two'; select.dispatchEvent(new Event('change', { bubbles: true }))",
        {"selected_option": options("two")[0]},
    ),
    (
        element("users_select", "it"),
        f"select.value = '{BOB}'; select.dispatchEvent(new Event('change', {{ bubbles: true }}))",
        {"selected_user": BOB},
    ),
    (
        element("overflow", "it", options=options("one", "two")),
        "root.querySelectorAll('.choose')[1].click()",
        {"selected_option": options("two")[0]},
    ),
    (
        element("radio_buttons", "it", options=options("one", "two")),
        "root.querySelectorAll('input')[1].click()",
        {"selected_option": options("two")[0]},
    ),
    (
        element("checkboxes", "it", options=options("one", "two"), initial_options=options("one")),
        "root.querySelectorAll('input')[1].click()",
        {"selected_options": options("one", "two")},
    ),
    (
        element(
            "multi_static_select", "it", options=options("one", "two"), initial_options=options("one", "two")
        ),
        "root.querySelectorAll('input')[0].click()",
        {"selected_options": options("two")},
    ),
    (
        element("datepicker", "it", initial_date="2026-11-23"),
        "field.value = '2026-11-24'; field.dispatchEvent(new Event('change', { bubbles: true }))",
        {"selected_date": "2026-11-24"},
    ),
]


@pytest.mark.parametrize(("drawn", "act", "told"), CHOICES, ids=[each[0]["type"] for each in CHOICES])
def test_what_is_chosen_in_a_message_reaches_the_bot(
    tab: Tab, bot: FakeBot, slack: SlackStandIn, drawn: Json, act: str, told: Json
) -> None:
    card = [{"type": "section", "text": {"type": "mrkdwn", "text": "Which?"}, "accessory": drawn}]
    bot.web.chat_postMessage(channel=DAILY, text="?", blocks=card)
    tab.wait_for("document.querySelector('#messages .accessory')")
    tab.run(
        "(() => { const root = document.querySelector('#messages .accessory'); "
        f"const [select, field] = ['select', 'input'].map((each) => root.querySelector(each)); {act}; }})()"
    )
    slack.wait_for(lambda: slack.deliveries("interactive"))
    said = slack.deliveries("interactive")[0].payload["actions"][0]
    shown_of = {name: _plain(said[name]) for name in told}
    assert shown_of == {name: _plain(value) for name, value in told.items()}


def _plain(value: Any) -> Any:
    """Without what Slack adds to a text."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value["value"] if isinstance(value, dict) else value


def test_tables_markdown_and_rich_text_are_drawn(tab: Tab, bot: FakeBot) -> None:
    cell = {"type": "raw_text"}
    rows = [
        [{**cell, "text": "Pod"}, {**cell, "text": "Restarts"}],
        [{**cell, "text": "web-1"}, {**cell, "text": "3"}],
    ]
    written = (
        "## Steps\n1. **drain**\n2. `cordon`\n   - nested\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n"
        "> careful\n\n- [x] done"
    )
    first = {
        "type": "rich_text_section",
        "elements": [{"type": "text", "text": "first", "style": {"bold": True}}],
    }
    bullets = {"type": "rich_text_list", "style": "bullet", "elements": [first]}
    blocks: list[Json] = [
        {"type": "table", "rows": rows, "column_settings": [{}, {"align": "right"}]},
        {"type": "markdown", "text": written},
        {"type": "rich_text", "elements": [bullets]},
    ]
    bot.web.chat_postMessage(channel=DAILY, text="x", blocks=blocks)
    tab.wait_for("document.querySelector('#messages .rich_text')")
    for selector, expected in {
        ".table th.right": "Restarts",
        ".table td.right": "3",
        ".markdown [role=heading]": "Steps",
        ".markdown ol > li > b": "drain",
        ".markdown ol ul li": "nested",
        ".markdown td": "1",
        ".markdown blockquote": "careful",
        ".rich_text ul li b": "first",
    }.items():
        assert tab.text(f"#messages {selector}") == expected
    assert "☑ done" in tab.text("#messages .markdown")
    assert tab.count("#messages .unknown") == 0


def test_a_reaction_is_added_and_taken_back_by_pressing_it(tab: Tab, slack: SlackStandIn) -> None:
    ts = slack.post_as("bob", DAILY, "done").ts
    slack.react("bob", DAILY, ts, "eyes")
    tab.click("#messages .reaction")
    tab.wait_for("document.querySelector('#messages .reaction').getAttribute('aria-pressed') === 'true'")
    assert tab.text("#messages .reactions") == "👀 2"
    tab.click("#messages .reaction")
    tab.wait_for("document.querySelector('#messages .reactions').innerText === '👀 1'")


# --- windows and the Home tab


GRAVE = {"initial_option": options("two")[0]}
WINDOW: Json = {
    "type": "modal",
    "title": text("Declare an incident"),
    "submit": text("Declare"),
    "blocks": [
        field("What is wrong?", element("plain_text_input", "reason")),
        field("Who helps?", element("multi_users_select", "helpers")),
        field("Tell", element("checkboxes", "tell", options=options("mail", "page")), optional=True),
        field("How grave?", element("radio_buttons", "grave", options=options("one", "two"), **GRAVE)),
    ],
}


def test_a_window_with_every_kind_of_choice_is_refused_until_it_is_filled_in(
    tab: Tab, bot: FakeBot, slack: SlackStandIn
) -> None:
    bot.web.views_open(trigger_id=slack.workspace.new_trigger(ALICE), view=WINDOW)
    tab.click("#window-submit")
    tab.wait_for("document.querySelectorAll('#window .input .wrong').length === 2")
    tab.wait_for("document.activeElement.id === 'field-reason'")
    tab.type("checkout is down")
    tab.click("#window .many summary")
    tab.click("#window .many .tick", "Bob Approver")
    tab.click("#window .many summary")
    tab.click("#window .ticks .tick", "Page")
    tab.click("#window-submit")
    tab.wait_for("!document.querySelector('#window').open")
    values = slack.deliveries("interactive")[-1].payload["view"]["state"]["values"]
    assert values["reason"]["reason"]["value"] == "checkout is down"
    assert values["helpers"]["helpers"]["selected_users"] == [BOB]
    assert [each["value"] for each in values["tell"]["tell"]["selected_options"]] == ["page"]
    assert values["grave"]["grave"]["selected_option"]["value"] == "two"


def test_the_home_tab_is_asked_for_and_its_buttons_act(tab: Tab, bot: FakeBot, slack: SlackStandIn) -> None:
    tab.click("#channels a", "SRE Bot")
    tab.click("#home-tab")
    tab.wait_for_text("#home", "has published nothing here yet")
    slack.wait_for(lambda: slack.deliveries("event"))
    assert slack.deliveries("event")[-1].payload["event"]["type"] == "app_home_opened"
    blocks = [
        section("*Open alerts*"),
        {"type": "actions", "elements": [button("Ask again", "again", value="7")]},
    ]
    bot.web.views_publish(user_id=ALICE, view={"type": "home", "blocks": blocks})
    tab.click("#home .button", "Ask again")
    slack.wait_for(lambda: slack.deliveries("interactive"))
    said = slack.deliveries("interactive")[0].payload
    assert (said["view"]["type"], said["actions"][0]["value"]) == ("home", "7")
    tab.click("#messages-tab")
    tab.wait_for("document.querySelector('#messages')")


# --- the panel, the people, the look


def test_the_panel_breaks_mends_moves_the_clock_and_starts_over(tab: Tab, levers: Sandbox) -> None:
    tab.click("#open-break")
    assert tab.run("[...document.querySelectorAll('#faults h3')].map((each) => each.innerText)") == [
        "Pods",
        "The bot's own house",
    ]
    assert tab.run("document.querySelector('[data-fault=worker-kill] button').disabled")
    assert "Not here: there are no workers" in tab.text("[data-fault=worker-kill]")
    for name in ("crash-loop", "redis"):
        tab.click(f"[data-fault={name}] button", "Break")
        tab.wait_for(f"document.querySelector('[data-fault={name}]').classList.contains('on')")
    assert tab.count("#broken .button") == 2
    tab.click("#mend-all")
    tab.wait_for_text("#broken", "Nothing is broken.")
    tab.click("#world button", "+1h")
    tab.wait_for_text("#broken", "The clock is 1h ahead.")
    tab.click("#reset")
    tab.click("#confirm button", "Start over")
    tab.wait_for("!document.querySelector('#broken').innerText.includes('ahead')")
    assert levers.resets == 1
    tab.key("Escape")
    tab.wait_for("document.querySelector('#breaking').hidden")


def test_the_bot_is_looked_over_its_shoulder_and_writes_nothing(tab: Tab, slack: SlackStandIn) -> None:
    ts = slack.post_as("bob", DAILY, "hello").ts
    shown(tab, "hello")
    tab.choose("#people", "sre_bot")
    tab.wait_for_text("#channel .note", "This is what the bot sees.")
    assert tab.count("#compose") == 0
    assert tab.count("#messages .tools") == 0
    assert slack.messages(DAILY)[-1]["ts"] == ts


def test_the_look_is_the_systems_until_somebody_chooses_one(tab: Tab) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    tab.prefer("dark")
    tab.wait_for(f"{ground} === 'rgb(26, 29, 34)'")
    tab.choose("#theme", "light")
    tab.wait_for(f"{ground} === 'rgb(255, 255, 255)'")
    tab.run("location.reload()")
    tab.wait_for(f"document.querySelector('#theme').value === 'light' && {ground} === 'rgb(255, 255, 255)'")
    tab.choose("#theme", "auto")
    tab.wait_for(f"{ground} === 'rgb(26, 29, 34)'")


def test_what_belongs_to_a_channel_is_in_a_pane_of_its_own(
    tab: Tab, bot: FakeBot, slack: SlackStandIn
) -> None:
    ts = slack.post_as("bob", DAILY, "keep *this*").ts
    slack.pin("bob", DAILY, ts)
    bot.web.conversations_canvases_create(
        channel_id=DAILY, document_content={"type": "markdown", "markdown": "# Notes\n- one"}
    )
    tab.wait_for_text("#channel-about", "canvas")
    tab.click("#open-about")
    tab.wait_for_text("#breaking .pin b + time + p", "keep this")
    assert tab.text("#breaking .canvas [role=heading]") == "Notes"
    assert "Carol Outsider" in tab.text("#breaking")


# --- for people who cannot see or point

VIEWS = ("messages", "thread", "panel", "about", "home", "window", "suggestions", "phone")


def show(tab: Tab, bot: FakeBot, slack: SlackStandIn, view: str) -> None:
    match view:
        case "thread":
            tab.click("#messages .replies")
            tab.wait_for("document.querySelector('#replies')")
        case "panel":
            tab.click("#open-break")
            tab.wait_for("document.querySelector('#faults')")
        case "about":
            tab.click("#open-about")
        case "home":
            tab.run("location.hash = '#alice/@sre_bot/home'")
            tab.wait_for("document.querySelector('#home')")
        case "window":
            bot.web.views_open(trigger_id=slack.workspace.new_trigger(ALICE), view=WINDOW)
            tab.click("#window-submit")
            tab.wait_for("document.querySelector('#window [aria-invalid]')")
        case "suggestions":
            tab.click(BOXES["main"])
            tab.type("/sre pod ")
            tab.wait_for_text("#compose [role=option]", "delete")
        case "phone":
            tab.resize(390, 800)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(
    tab: Tab, bot: FakeBot, slack: SlackStandIn, scheme: Literal["light", "dark"]
) -> None:
    say(tab, "@sre is prod fine? cc @bob")
    say(tab, "/sre drain")
    shown(tab, "Drain the node?")
    tab.prefer(scheme)
    found = {}
    for view in VIEWS:
        tab.run(f"location.hash = '#alice/{DAILY}'")
        show(tab, bot, slack, view)
        found[view] = axe(tab)
        if view == "window":
            tab.key("Escape")
            tab.wait_for("!document.querySelector('#window').open")
        tab.run(f"document.querySelector('#breaking .close')?.click(); {BOX} && ({BOX}.value = '')")
    assert found == {view: [] for view in VIEWS}
