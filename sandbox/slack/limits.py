"""What Slack refuses: sizes, types and shapes of blocks, messages, metadata and views.

Turns each breach into Slack's error code plus the `[ERROR] … [json-pointer:/…]` lines that Slack puts into
`response_metadata.messages`. Numbers: docs.slack.dev block reference and @slack/types 3.2 JSDoc. Wording of
the lines: as quoted in public issues (thedaviddias/publish-release-info-action 55, grafana/oncall 5121,
incidentbot 328, frappe-slack-connector 54). Never touches state; adds what Slack adds (block_id,
action_id, emoji, verbatim) to what it accepts.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sandbox.slack.workspace import Json, SlackError

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
MESSAGE_TEXT = 40_000  # longer is cut, with a warning
UPDATE_TEXT = 4_000
MARKDOWN_TEXT = 12_000
# Cumulative, undocumented: measured at 13,297 characters (slackapi/bolt-js issue 2509).
ALL_BLOCKS_TEXT = 13_200
ATTACHMENTS = 100
VIEW_BYTES = 250_000
METADATA_BYTES = 8_000  # assumed: Slack publishes `metadata_too_large` but no number
CANVAS_MARKDOWN = 1_048_576
TOPIC = 250
CHANNEL_NAME = 80

_IDS = 255
_CHANNEL_NAME_FORM = re.compile(r"[a-z0-9_\-]+")


class Problems:
    """Collects the breaches of one payload, in the words Slack uses."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, pointer: str, message: str) -> None:
        self.lines.append(f"{message} [json-pointer:{pointer}]")

    def length(self, value: Any, pointer: str, limit: int, *, minimum: int = 0) -> None:
        if not isinstance(value, str):
            self.add(pointer, "must be a string")
        elif len(value) > limit:
            self.add(pointer, f"must be less than {limit + 1} characters")
        elif len(value) < minimum:
            self.add(pointer, "must be more than 0 characters")

    def items(self, value: Any, pointer: str, limit: int, *, minimum: int = 1) -> list[Any]:
        if not isinstance(value, list):
            self.add(pointer, "must be an array")
            return []
        if len(value) > limit:
            self.add(pointer, f"no more than {limit} items allowed")
        if len(value) < minimum:
            self.add(
                pointer,
                f"no fewer than {minimum} items allowed" if minimum > 1 else "must be more than 0 items",
            )
        return value

    def required(self, element: Json, names: Sequence[str], pointer: str) -> bool:
        absent = [name for name in names if element.get(name) in (None, "")]
        for name in absent:
            self.add(pointer, f"missing required field: {name}")
        return not absent

    def optional(self, element: Json, name: str, pointer: str, limit: int) -> None:
        if element.get(name) is not None:
            self.length(element[name], f"{pointer}/{name}", limit)

    def text(self, value: Any, pointer: str, limit: int, *, plain: bool = False) -> None:
        """A text object; Slack reports the object and then the reason."""
        inner = Problems()
        if not isinstance(value, dict):
            inner.add(pointer, "must be an object")
        else:
            allowed = ("plain_text",) if plain else ("plain_text", "mrkdwn")
            if value.get("type") not in allowed:
                inner.add(f"{pointer}/type", f"must be one of: {', '.join(allowed)}")
            inner.length(value.get("text"), f"{pointer}/text", limit, minimum=1)
        if inner.lines:
            self.add(pointer, "failed to match all allowed schemas")
            self.lines += inner.lines
        elif value["type"] == "plain_text":
            value.setdefault("emoji", True)
        else:
            value.setdefault("verbatim", False)


# --- composition objects


def _confirm(problems: Problems, element: Json, pointer: str) -> None:
    confirm = element.get("confirm")
    if confirm is None:
        return
    where = f"{pointer}/confirm"
    if not isinstance(confirm, dict):
        problems.add(where, "must be an object")
        return
    problems.text(confirm.get("title"), f"{where}/title", 100, plain=True)
    problems.text(confirm.get("text"), f"{where}/text", 300)
    for name in ("confirm", "deny"):
        if confirm.get(name) is not None:
            problems.text(confirm[name], f"{where}/{name}", 30, plain=True)


def _options(
    problems: Problems, options: Any, pointer: str, limit: int, *, plain: bool, minimum: int = 1
) -> None:
    for index, option in enumerate(problems.items(options, pointer, limit, minimum=minimum)):
        where = f"{pointer}/{index}"
        if not isinstance(option, dict):
            problems.add(where, "must be an object")
            continue
        problems.text(option.get("text"), f"{where}/text", 75, plain=plain)
        problems.length(option.get("value"), f"{where}/value", 150)
        if option.get("description") is not None:
            problems.text(option["description"], f"{where}/description", 75, plain=plain)
        problems.optional(option, "url", where, 3000)


def _placeholder(problems: Problems, element: Json, pointer: str) -> None:
    if element.get("placeholder") is not None:
        problems.text(element["placeholder"], f"{pointer}/placeholder", 150, plain=True)


# --- elements


def _button(problems: Problems, element: Json, pointer: str) -> None:
    problems.text(element.get("text"), f"{pointer}/text", 75, plain=True)
    problems.optional(element, "value", pointer, 2000)
    problems.optional(element, "url", pointer, 3000)
    problems.optional(element, "accessibility_label", pointer, 75)
    if element.get("style") not in (None, "primary", "danger"):
        problems.add(f"{pointer}/style", "must be one of: primary, danger")


def _static_select(problems: Problems, element: Json, pointer: str) -> None:
    groups = element.get("option_groups")
    if groups is None:
        _options(problems, element.get("options"), f"{pointer}/options", 100, plain=True)
        return
    for index, group in enumerate(problems.items(groups, f"{pointer}/option_groups", 100)):
        where = f"{pointer}/option_groups/{index}"
        problems.text(group.get("label"), f"{where}/label", 75, plain=True)
        _options(problems, group.get("options"), f"{where}/options", 100, plain=True)


def _overflow(problems: Problems, element: Json, pointer: str) -> None:
    _options(problems, element.get("options"), f"{pointer}/options", 5, plain=True)


def _choices(problems: Problems, element: Json, pointer: str) -> None:
    _options(problems, element.get("options"), f"{pointer}/options", 10, plain=False)


def _text_input(problems: Problems, element: Json, pointer: str) -> None:
    longest = element.get("max_length")
    if longest is not None and not 1 <= int(longest) <= 3000:
        problems.add(f"{pointer}/max_length", "must be less than 3001")
    problems.optional(element, "initial_value", pointer, 3000)


def _image(problems: Problems, element: Json, pointer: str) -> None:
    if element.get("slack_file") is None and problems.required(element, ["image_url"], pointer):
        problems.length(element["image_url"], f"{pointer}/image_url", 3000)
    if problems.required(element, ["alt_text"], pointer):
        problems.length(element["alt_text"], f"{pointer}/alt_text", 2000)
    if element.get("title") is not None:
        problems.text(element["title"], f"{pointer}/title", 2000, plain=True)


def _file_input(problems: Problems, element: Json, pointer: str) -> None:
    if not 1 <= int(element.get("max_files", 10)) <= 10:
        problems.add(f"{pointer}/max_files", "must be less than 11")


def _anything(problems: Problems, element: Json, pointer: str) -> None:
    """A type whose inside is not checked here: ids and confirm still are."""


Check = Callable[[Problems, Json, str], None]

_SELECT_KINDS = ("users", "conversations", "channels", "external")
ELEMENTS: Mapping[str, Check] = {
    "button": _button,
    "static_select": _static_select,
    "multi_static_select": _static_select,
    "overflow": _overflow,
    "checkboxes": _choices,
    "radio_buttons": _choices,
    "plain_text_input": _text_input,
    "rich_text_input": _anything,
    "email_text_input": _anything,
    "url_text_input": _anything,
    "number_input": _anything,
    "datepicker": _anything,
    "timepicker": _anything,
    "datetimepicker": _anything,
    "file_input": _file_input,
    "workflow_button": _anything,
    "feedback_buttons": _anything,
    "icon_button": _anything,
    **{f"{kind}_select": _anything for kind in _SELECT_KINDS},
    **{f"multi_{kind}_select": _anything for kind in _SELECT_KINDS},
}
_SELECTS = {name for name in ELEMENTS if name.endswith("_select")}
_PICKERS = {"datepicker", "timepicker", "datetimepicker"}
_ACCESSORIES = {"button", "overflow", "checkboxes", "radio_buttons", "workflow_button"} | _SELECTS | _PICKERS
_ACTIONS = _ACCESSORIES | {"rich_text_input"}
_INPUTS = (
    {
        "plain_text_input",
        "rich_text_input",
        "email_text_input",
        "url_text_input",
        "number_input",
        "file_input",
    }
    | {"checkboxes", "radio_buttons"}
    | _SELECTS
    | _PICKERS
)


def _element(problems: Problems, element: Any, pointer: str, allowed: Collection[str]) -> None:
    if not isinstance(element, dict):
        problems.add(pointer, "must be an object")
        return
    kind = element.get("type")
    if kind not in allowed:
        problems.add(f"{pointer}/type", f"unsupported type: {kind}")
        return
    problems.optional(element, "action_id", pointer, _IDS)
    ELEMENTS[str(kind)](problems, element, pointer)
    _placeholder(problems, element, pointer)
    _confirm(problems, element, pointer)


# --- blocks


def _section(problems: Problems, block: Json, pointer: str) -> None:
    if block.get("text") is None and not block.get("fields"):
        problems.add(pointer, "must define either `text` or `fields`")
    if block.get("text") is not None:
        problems.text(block["text"], f"{pointer}/text", 3000)
    if block.get("fields") is not None:
        for index, item in enumerate(problems.items(block["fields"], f"{pointer}/fields", 10)):
            problems.text(item, f"{pointer}/fields/{index}", 2000)
    accessory = block.get("accessory")
    if isinstance(accessory, dict) and accessory.get("type") == "image":
        _image(problems, accessory, f"{pointer}/accessory")
    elif accessory is not None:
        _element(problems, accessory, f"{pointer}/accessory", _ACCESSORIES)


def _header(problems: Problems, block: Json, pointer: str) -> None:
    problems.text(block.get("text"), f"{pointer}/text", 150, plain=True)


def _actions(problems: Problems, block: Json, pointer: str) -> None:
    for index, element in enumerate(problems.items(block.get("elements"), f"{pointer}/elements", 25)):
        _element(problems, element, f"{pointer}/elements/{index}", _ACTIONS)


def _context_actions(problems: Problems, block: Json, pointer: str) -> None:
    for index, element in enumerate(problems.items(block.get("elements"), f"{pointer}/elements", 5)):
        _element(problems, element, f"{pointer}/elements/{index}", {"feedback_buttons", "icon_button"})


def _context(problems: Problems, block: Json, pointer: str) -> None:
    for index, element in enumerate(problems.items(block.get("elements"), f"{pointer}/elements", 10)):
        where = f"{pointer}/elements/{index}"
        if isinstance(element, dict) and element.get("type") == "image":
            _image(problems, element, where)
        else:
            # A context element has no published maximum of its own; the text object's is 3000.
            problems.text(element, where, 3000)


def _input(problems: Problems, block: Json, pointer: str) -> None:
    problems.text(block.get("label"), f"{pointer}/label", 2000, plain=True)
    if block.get("hint") is not None:
        problems.text(block["hint"], f"{pointer}/hint", 2000, plain=True)
    _element(problems, block.get("element"), f"{pointer}/element", _INPUTS)


def _markdown(problems: Problems, block: Json, pointer: str) -> None:
    problems.length(block.get("text"), f"{pointer}/text", MARKDOWN_TEXT, minimum=1)


def _rich_text(problems: Problems, block: Json, pointer: str) -> None:
    kinds = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
    for index, element in enumerate(
        problems.items(block.get("elements"), f"{pointer}/elements", 1000, minimum=0)
    ):
        if not isinstance(element, dict) or element.get("type") not in kinds:
            problems.add(f"{pointer}/elements/{index}", "failed to match all allowed schemas")


def _table(problems: Problems, block: Json, pointer: str) -> None:
    if len(block.get("column_settings") or []) > 20:
        problems.add(f"{pointer}/column_settings", "no more than 20 items allowed")
    for index, row in enumerate(problems.items(block.get("rows"), f"{pointer}/rows", 100)):
        for column, cell in enumerate(problems.items(row, f"{pointer}/rows/{index}", 20)):
            if not isinstance(cell, dict) or cell.get("type") not in ("raw_text", "raw_number", "rich_text"):
                problems.add(f"{pointer}/rows/{index}/{column}", "failed to match all allowed schemas")


def _data_table(problems: Problems, block: Json, pointer: str) -> None:
    problems.required(block, ["caption"], pointer)
    rows = problems.items(block.get("rows"), f"{pointer}/rows", 101, minimum=2)
    for index, row in enumerate(rows):
        problems.items(row, f"{pointer}/rows/{index}", 20)


def _task_card(problems: Problems, block: Json, pointer: str) -> None:
    problems.required(block, ["task_id", "title"], pointer)
    if block.get("status") not in (None, "pending", "in_progress", "complete", "error"):
        problems.add(f"{pointer}/status", "must be one of: pending, in_progress, complete, error")


def _plan(problems: Problems, block: Json, pointer: str) -> None:
    if problems.required(block, ["title"], pointer) and block.get("tasks") is not None:
        for index, task in enumerate(problems.items(block["tasks"], f"{pointer}/tasks", 50)):
            _task_card(problems, task, f"{pointer}/tasks/{index}")


def _card(problems: Problems, block: Json, pointer: str) -> None:
    for name, limit in (("title", 150), ("subtitle", 150), ("body", 200)):
        if block.get(name) is not None:
            problems.text(block[name], f"{pointer}/{name}", limit)
    if block.get("actions") is not None:
        for index, element in enumerate(problems.items(block["actions"], f"{pointer}/actions", 3)):
            _element(problems, element, f"{pointer}/actions/{index}", {"button"})


def _carousel(problems: Problems, block: Json, pointer: str) -> None:
    for index, card in enumerate(problems.items(block.get("elements"), f"{pointer}/elements", 10)):
        _card(problems, card, f"{pointer}/elements/{index}")


def _container(problems: Problems, block: Json, pointer: str) -> None:
    if block.get("title") is not None:
        problems.text(block["title"], f"{pointer}/title", 150)
    problems.items(block.get("child_blocks"), f"{pointer}/child_blocks", 10)


def _alert(problems: Problems, block: Json, pointer: str) -> None:
    problems.text(block.get("text"), f"{pointer}/text", 200)


_EVERYWHERE: Mapping[str, Check] = {
    "section": _section,
    "divider": _anything,
    "image": _image,
    "actions": _actions,
    "context": _context,
    "input": _input,
    "header": _header,
    "rich_text": _rich_text,
    "video": _anything,
}
IN_MESSAGES: Mapping[str, Check] = {
    **_EVERYWHERE,
    "file": _anything,
    "call": _anything,
    "markdown": _markdown,
    "table": _table,
    "data_table": _data_table,
    "data_visualization": _anything,
    "context_actions": _context_actions,
    "task_card": _task_card,
    "plan": _plan,
    "card": _card,
    "carousel": _carousel,
    "container": _container,
}
# `alert` is for modals only: slackapi/node-slack-sdk PR 2567, java-slack-sdk PR 1624.
IN_MODALS: Mapping[str, Check] = {**_EVERYWHERE, "alert": _alert}
IN_HOME: Mapping[str, Check] = _EVERYWHERE


def _blocks(
    problems: Problems, blocks: list[Any], pointer: str, limit: int, kinds: Mapping[str, Check]
) -> None:
    problems.items(blocks, pointer, limit, minimum=0)
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        where = f"{pointer}/{index}"
        if not isinstance(block, dict):
            problems.add(where, "must be an object")
            continue
        kind = block.get("type")
        if kind not in kinds:
            problems.add(f"{where}/type", f"unsupported type: {kind}")
            continue
        problems.optional(block, "block_id", where, _IDS)
        kinds[str(kind)](problems, block, where)
        block_id = block.get("block_id")
        if block_id in seen:
            problems.add(f"{where}/block_id", f'`block_id` "{block_id}" already exists')
        if block_id:
            seen.add(str(block_id))
        _unique_action_ids(problems, block, where)


def _unique_action_ids(problems: Problems, block: Json, pointer: str) -> None:
    seen: set[str] = set()
    for element in elements_of(block):
        action_id = element.get("action_id")
        if action_id in seen:
            block_id = block.get("block_id", "")
            problems.add(pointer, f'`action_id` "{action_id}" already exists for `block_id` "{block_id}"')
        if action_id:
            seen.add(str(action_id))


def elements_of(block: Json) -> list[Json]:
    """The interactive elements of a block, wherever that kind of block keeps them."""
    candidates = [block.get("accessory"), block.get("element"), *(block.get("elements") or [])]
    candidates += block.get("actions") or []
    for card in block.get("elements") or []:
        if isinstance(card, dict) and card.get("type") == "card":
            candidates += card.get("actions") or []
    return [item for item in candidates if isinstance(item, dict) and item.get("type") in ELEMENTS]


def _with_ids(blocks: list[Json]) -> list[Json]:
    """Slack gives an id to every block and interactive element that came without one."""
    for index, block in enumerate(blocks):
        block.setdefault("block_id", f"b{index:03d}")
        for position, element in enumerate(elements_of(block)):
            element.setdefault("action_id", f"a{index:03d}{position:02d}")
    return blocks


def _all_text(value: Any) -> int:
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_all_text(item) for item in value.values())
    if isinstance(value, list):
        return sum(_all_text(item) for item in value)
    return 0


def message_blocks(value: Any) -> list[Json]:
    """The blocks of a message as Slack would store them, or its refusal."""
    if value in (None, "", []):
        return []
    if not isinstance(value, list):
        raise SlackError("invalid_blocks_format")
    blocks: list[Json] = copy.deepcopy(value)
    problems = Problems()
    _blocks(problems, blocks, "/blocks", MESSAGE_BLOCKS, IN_MESSAGES)
    if problems.lines:
        raise SlackError("invalid_blocks", errors=problems.lines, **_metadata(problems))
    if _all_text(blocks) > ALL_BLOCKS_TEXT:
        raise SlackError("msg_blocks_too_long")
    return _with_ids(blocks)


def attachments(value: Any) -> list[Json]:
    if value in (None, "", []):
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SlackError("invalid_attachments")
    if len(value) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    kept: list[Json] = copy.deepcopy(value)
    for number, item in enumerate(kept, start=1):
        item["id"] = number
        item.setdefault("fallback", item.get("text") or "[no preview available]")
        if item.get("blocks"):
            item["blocks"] = message_blocks(item["blocks"])
    return kept


def metadata(value: Any) -> Json | None:
    if value in (None, "", {}):
        return None
    if not isinstance(value, dict):
        raise SlackError("invalid_metadata_format")
    if not isinstance(value.get("event_type"), str) or not isinstance(value.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(value)) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return {"event_type": value["event_type"], "event_payload": value["event_payload"]}


def view(value: Any, *, kinds: Collection[str] = ("modal",)) -> Json:
    """A view payload as Slack would store it, or its refusal (`invalid_arguments`, `view_too_large`)."""
    if not isinstance(value, dict):
        raise invalid_arguments("must be an object [json-pointer:/view]")
    if len(json.dumps(value).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    payload = copy.deepcopy(value)
    problems = Problems()
    kind = payload.get("type")
    if kind not in kinds:
        problems.add("/view/type", f"unsupported type: {kind}")
    if not isinstance(payload.get("blocks"), list):
        problems.add("/view", "missing required field: blocks")
    else:
        _blocks(
            problems,
            payload["blocks"],
            "/view/blocks",
            VIEW_BLOCKS,
            IN_MODALS if kind == "modal" else IN_HOME,
        )
        if kind == "modal":
            _modal_texts(problems, payload)
    problems.optional(payload, "private_metadata", "/view", 3000)
    problems.optional(payload, "callback_id", "/view", _IDS)
    problems.optional(payload, "external_id", "/view", _IDS)
    if problems.lines:
        raise invalid_arguments(*problems.lines)
    payload["blocks"] = _with_ids(payload["blocks"])
    return payload


def _modal_texts(problems: Problems, payload: Json) -> None:
    problems.text(payload.get("title"), "/view/title", 24, plain=True)
    for name in ("submit", "close"):
        if payload.get(name) is not None:
            problems.text(payload[name], f"/view/{name}", 24, plain=True)
    has_input = any(isinstance(b, dict) and b.get("type") == "input" for b in payload["blocks"])
    if has_input and payload.get("submit") is None:
        problems.add("/view", "missing required field: submit")


def channel_name(value: str) -> str:
    if not value:
        raise SlackError("invalid_name_required")
    if len(value) > CHANNEL_NAME:
        raise SlackError("invalid_name_maxlength")
    if not _CHANNEL_NAME_FORM.fullmatch(value):
        raise SlackError("invalid_name_specials")
    if not any(character.isalnum() for character in value):
        raise SlackError("invalid_name_punctuation")
    return value


def invalid_arguments(*lines: str) -> SlackError:
    return SlackError(
        "invalid_arguments", response_metadata={"messages": [f"[ERROR] {line}" for line in lines]}
    )


def _metadata(problems: Problems) -> Json:
    return {"response_metadata": {"messages": [f"[ERROR] {line}" for line in problems.lines]}}
