"""What the Slack stand-in refuses for its size or shape, with Slack's code and the line that says where; and its
rate limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox.slack import SlackStandIn, limits
from sandbox.slack.workspace import SlackError

DAILY, ALERTS = "C0SREDAILY1", "C0SREALERTS"


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def section(**fields: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn("x"), **fields}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **fields}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def select(count: int, **option: Any) -> dict[str, Any]:
    options = [{"text": plain(str(n)), "value": str(n), **option} for n in range(count)]
    return {"type": "static_select", "action_id": "pick", "options": options}


def overflow(count: int) -> dict[str, Any]:
    return {**select(count), "type": "overflow"}


def field(**fields: Any) -> dict[str, Any]:
    text_input = {"type": "plain_text_input", "action_id": "why"}
    return {"type": "input", "label": plain("Why"), "element": text_input, **fields}


def confirm(**fields: Any) -> dict[str, Any]:
    texts = {"title": plain("Sure?"), "text": plain("x"), "confirm": plain("Yes"), "deny": plain("No")}
    return {"confirm": {**texts, **fields}}


def table(rows: int, columns: int) -> dict[str, Any]:
    cell = {"type": "raw_text", "text": "x"}
    return {"type": "table", "rows": [[cell] * columns for _ in range(rows)]}


# (a list of blocks that is just allowed, one that is not, the line that says why)
SIZES: dict[str, tuple[list[Any], list[Any], str]] = {
    "blocks": ([section()] * 50, [section()] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    "section text": (
        [section(text=mrkdwn("x" * 3000))],
        [section(text=mrkdwn("x" * 3001))],
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ),
    "section fields": (
        [section(fields=[mrkdwn("x")] * 10)],
        [section(fields=[mrkdwn("x")] * 11)],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    "one field": (
        [section(fields=[mrkdwn("x" * 2000)])],
        [section(fields=[mrkdwn("x" * 2001)])],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    "header": (
        [{"type": "header", "text": plain("x" * 150)}],
        [{"type": "header", "text": plain("x" * 151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    "block_id": (
        [section(block_id="x" * 255)],
        [section(block_id="x" * 256)],
        "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
    ),
    "context elements": (
        [{"type": "context", "elements": [mrkdwn("x")] * 10}],
        [{"type": "context", "elements": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "action elements": (
        [actions(*(button(action_id=str(n)) for n in range(25)))],
        [actions(*(button(action_id=str(n)) for n in range(26)))],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "action_id": (
        [actions(button(action_id="x" * 255))],
        [actions(button(action_id="x" * 256))],
        "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
    ),
    "button text": (
        [actions(button(text=plain("x" * 75)))],
        [actions(button(text=plain("x" * 76)))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    "button value": (
        [actions(button(value="x" * 2000))],
        [actions(button(value="x" * 2001))],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    "button url": (
        [actions(button(url="x" * 3000))],
        [actions(button(url="x" * 3001))],
        "must be less than 3001 characters [json-pointer:/blocks/0/elements/0/url]",
    ),
    "confirm title": (
        [actions(button(**confirm(title=plain("x" * 100))))],
        [actions(button(**confirm(title=plain("x" * 101))))],
        "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]",
    ),
    "confirm text": (
        [actions(button(**confirm(text=plain("x" * 300))))],
        [actions(button(**confirm(text=plain("x" * 301))))],
        "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]",
    ),
    "confirm button": (
        [actions(button(**confirm(deny=plain("x" * 30))))],
        [actions(button(**confirm(deny=plain("x" * 31))))],
        "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/deny/text]",
    ),
    "select options": (
        [section(accessory=select(100))],
        [section(accessory=select(101))],
        "no more than 100 items allowed [json-pointer:/blocks/0/accessory/options]",
    ),
    "option value": (
        [section(accessory=select(1, value="x" * 150))],
        [section(accessory=select(1, value="x" * 151))],
        "must be less than 151 characters [json-pointer:/blocks/0/accessory/options/0/value]",
    ),
    "option text": (
        [section(accessory=select(1, text=plain("x" * 75)))],
        [section(accessory=select(1, text=plain("x" * 76)))],
        "must be less than 76 characters [json-pointer:/blocks/0/accessory/options/0/text/text]",
    ),
    "overflow options": (
        [section(accessory=overflow(5))],
        [section(accessory=overflow(6))],
        "no more than 5 items allowed [json-pointer:/blocks/0/accessory/options]",
    ),
    "placeholder": (
        [section(accessory={**select(1), "placeholder": plain("x" * 150)})],
        [section(accessory={**select(1), "placeholder": plain("x" * 151)})],
        "must be less than 151 characters [json-pointer:/blocks/0/accessory/placeholder/text]",
    ),
    "markdown": (
        [{"type": "markdown", "text": "x" * 12_000}],
        [{"type": "markdown", "text": "x" * 12_001}],
        "must be less than 12001 characters [json-pointer:/blocks/0/text]",
    ),
    "table rows": (
        [table(100, 1)],
        [table(101, 1)],
        "no more than 100 items allowed [json-pointer:/blocks/0/rows]",
    ),
    "table columns": (
        [table(1, 20)],
        [table(1, 21)],
        "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]",
    ),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_message_may_be_just_that_big_and_no_bigger(case: str) -> None:
    allowed, refused, line = SIZES[case]
    assert len(limits.message_blocks(allowed)) == len(allowed)
    with pytest.raises(SlackError, match="invalid_blocks") as refusal:
        limits.message_blocks(refused)
    assert line in refusal.value.extra["errors"]
    assert f"[ERROR] {line}" in refusal.value.extra["response_metadata"]["messages"]


WRONG: dict[str, tuple[list[Any], str]] = {
    "unknown block": ([{"type": "banner"}], "unsupported type: banner [json-pointer:/blocks/0/type]"),
    "alert outside a modal": (
        [{"type": "alert", "text": plain("x")}],
        "unsupported type: alert [json-pointer:/blocks/0/type]",
    ),
    "text field in actions": (
        [actions({"type": "plain_text_input"})],
        "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]",
    ),
    "empty text": (
        [section(text=mrkdwn(""))],
        "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
    ),
    "bare string": (
        [section(text="x")],
        "must be an object [json-pointer:/blocks/0/text]",
    ),
    "header in mrkdwn": (
        [{"type": "header", "text": mrkdwn("x")}],
        "must be one of: plain_text [json-pointer:/blocks/0/text/type]",
    ),
    "odd style": (
        [actions(button(style="loud"))],
        "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]",
    ),
    "same block_id": (
        [section(block_id="a"), section(block_id="a")],
        '`block_id` "a" already exists [json-pointer:/blocks/1/block_id]',
    ),
    "same action_id": (
        [{**actions(button(), button()), "block_id": "a"}],
        '`action_id` "go" already exists for `block_id` "a" [json-pointer:/blocks/0]',
    ),
    "empty section": (
        [{"type": "section"}],
        "must define either `text` or `fields` [json-pointer:/blocks/0]",
    ),
    "image without alt": (
        [{"type": "image", "image_url": "https://example.com/x.png"}],
        "missing required field: alt_text [json-pointer:/blocks/0]",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_malformed_block_is_named(case: str) -> None:
    blocks, line = WRONG[case]
    with pytest.raises(SlackError, match="invalid_blocks") as refusal:
        limits.message_blocks(blocks)
    assert line in refusal.value.extra["errors"]


def test_many_long_blocks_together_are_too_long() -> None:
    long = section(text=mrkdwn("x" * 2700))
    assert limits.message_blocks([long] * 4)
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        limits.message_blocks([long] * 5)


def test_blocks_come_back_with_what_slack_adds() -> None:
    stored = limits.message_blocks(
        [section(text=plain("x")), actions({"type": "button", "text": plain("Go")})]
    )
    assert stored[0]["text"]["emoji"] is True
    assert stored[0]["block_id"] != stored[1]["block_id"]
    assert stored[1]["elements"][0]["action_id"]


def modal(**fields: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("T"), "submit": plain("Go"), "blocks": [field()], **fields}


VIEWS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "title": (
        {"title": plain("x" * 24)},
        {"title": plain("x" * 25)},
        "must be less than 25 characters [json-pointer:/view/title/text]",
    ),
    "submit": (
        {"submit": plain("x" * 24)},
        {"submit": plain("x" * 25)},
        "must be less than 25 characters [json-pointer:/view/submit/text]",
    ),
    "no submit": (
        {"blocks": [section()], "submit": None},
        {"submit": None},
        "missing required field: submit [json-pointer:/view]",
    ),
    "private_metadata": (
        {"private_metadata": "x" * 3000},
        {"private_metadata": "x" * 3001},
        "must be less than 3001 characters [json-pointer:/view/private_metadata]",
    ),
    "callback_id": (
        {"callback_id": "x" * 255},
        {"callback_id": "x" * 256},
        "must be less than 256 characters [json-pointer:/view/callback_id]",
    ),
    "blocks": (
        {"blocks": [section()] * 100},
        {"blocks": [section()] * 101},
        "no more than 100 items allowed [json-pointer:/view/blocks]",
    ),
    "label": (
        {"blocks": [field(label=plain("x" * 2000))]},
        {"blocks": [field(label=plain("x" * 2001))]},
        "must be less than 2001 characters [json-pointer:/view/blocks/0/label/text]",
    ),
    "max_length": (
        {"blocks": [field(element={"type": "plain_text_input", "max_length": 3000})]},
        {"blocks": [field(element={"type": "plain_text_input", "max_length": 3001})]},
        "must be less than 3001 [json-pointer:/view/blocks/0/element/max_length]",
    ),
    "markdown": (
        {"blocks": [{"type": "alert", "text": plain("x")}], "submit": None},
        {"blocks": [{"type": "markdown", "text": "x"}]},
        "unsupported type: markdown [json-pointer:/view/blocks/0/type]",
    ),
}


@pytest.mark.parametrize("case", VIEWS)
def test_a_view_is_refused_with_invalid_arguments(case: str) -> None:
    allowed, refused, line = VIEWS[case]
    assert limits.view(modal(**allowed))
    with pytest.raises(SlackError, match="invalid_arguments") as refusal:
        limits.view(modal(**refused))
    assert f"[ERROR] {line}" in refusal.value.extra["response_metadata"]["messages"]


def test_a_view_has_a_size_of_its_own() -> None:
    blocks = [section(text=mrkdwn("x" * 3000)) for _ in range(90)]
    with pytest.raises(SlackError, match="view_too_large"):
        limits.view(modal(blocks=blocks))


# --- over HTTP


@pytest.fixture(scope="module")
def running() -> Iterator[SlackStandIn]:
    with SlackStandIn(frozen_at=1_700_000_000.0) as running:
        yield running


@pytest.fixture
def slack(running: SlackStandIn) -> SlackStandIn:
    running.reset()
    return running


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as http:
        yield http


Answer = Callable[..., httpx.Response]


@pytest.fixture
def call(slack: SlackStandIn, http: httpx.Client) -> Answer:
    headers = {"authorization": f"Bearer {slack.bot_token}"}
    return lambda method, **args: http.post(f"{slack.api_url}{method}", headers=headers, json=args)


def test_a_refusal_reads_as_slacks(call: Answer) -> None:
    refused = call("chat.postMessage", channel=DAILY, text="x", blocks=[section(text=mrkdwn("x" * 3001))])
    lines = [
        "failed to match all allowed schemas [json-pointer:/blocks/0/text]",
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ]
    assert refused.json() == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": lines,
        "response_metadata": {"messages": [f"[ERROR] {line}" for line in lines]},
    }


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"blocks": "not json"}, "invalid_blocks_format"),
        ({"blocks": json.dumps({"type": "divider"})}, "invalid_blocks_format"),
        ({"attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
        ({"metadata": {"event_type": "e", "event_payload": {"x": "y" * 9000}}}, "metadata_too_large"),
    ],
)
def test_other_parts_of_a_message_have_codes_of_their_own(
    call: Answer, args: dict[str, Any], error: str
) -> None:
    assert call("chat.postMessage", channel=DAILY, text="x", **args).json()["error"] == error


def test_a_very_long_text_is_cut_with_a_warning(call: Answer) -> None:
    answer = call("chat.postMessage", channel=DAILY, text="x" * 40_001).json()
    assert (answer["warning"], len(answer["message"]["text"])) == ("message_truncated", 40_000)


def test_posting_is_limited_per_channel_and_recovers(slack: SlackStandIn, call: Answer) -> None:
    statuses = [call("chat.postMessage", channel=DAILY, text="x").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 429]
    limited = call("chat.postMessage", channel=DAILY, text="x")
    assert (limited.headers["retry-after"], limited.json()) == ("1", {"ok": False, "error": "ratelimited"})
    assert call("chat.postMessage", channel=ALERTS, text="x").status_code == 200
    slack.clock.advance(1)
    assert call("chat.postMessage", channel=DAILY, text="x").status_code == 200


def test_other_methods_are_limited_per_minute_for_the_whole_workspace(
    slack: SlackStandIn, call: Answer
) -> None:
    stamps = [call("chat.postMessage", channel=c, text="x").json()["ts"] for c in (DAILY, ALERTS)]
    places = list(zip((DAILY, ALERTS), stamps, strict=True)) * 25
    statuses = [call("chat.update", channel=c, ts=t, text="y").status_code for c, t in places]
    assert statuses == [200] * 50
    limited = call("chat.update", channel=DAILY, ts=stamps[0], text="y")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "2")
    slack.clock.advance(2)
    assert call("chat.update", channel=DAILY, ts=stamps[0], text="y").status_code == 200
