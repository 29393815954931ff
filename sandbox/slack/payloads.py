"""What Slack sends to an app: command forms, interaction payloads and event envelopes.

Shapes: slackapi/java-slack-sdk json-logs/samples (app-backend and events). Pure: builds dictionaries from
the workspace and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.slack import events, limits, shapes
from sandbox.slack.workspace import Channel, Ephemeral, Json, Message, User, View, Workspace

# The deprecated verification token; apps must check the signature instead.
VERIFICATION_TOKEN = "emulator-verification-token"


class NotThere(Exception):
    """A person tried to use something that is not on their screen."""


def channel_name(channel: Channel) -> str:
    """Slack hides the names of what is not public."""
    return {"private": "privategroup", "im": "directmessage", "mpim": "privategroup"}.get(
        channel.kind, channel.name
    )


def command(workspace: Workspace, person: User, channel: Channel, **fields: str) -> Json:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "team_domain": workspace.domain,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": person.id,
        "user_name": person.name,
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
        **fields,
    }


def interaction(workspace: Workspace, kind: str, person: User, **fields: Any) -> Json:
    """What all interactive payloads have in common."""
    return {
        "type": kind,
        "user": {
            "id": person.id,
            "username": person.name,
            "name": person.name,
            "team_id": person.team_id,
        },
        "api_app_id": workspace.app_id,
        "token": VERIFICATION_TOKEN,
        "team": {"id": workspace.team_id, "domain": workspace.domain},
        "enterprise": None,
        "is_enterprise_install": False,
        **fields,
    }


def message_origin(workspace: Workspace, shown: Message | Ephemeral) -> Json:
    """container, channel and message of an interaction with a message."""
    channel = workspace.channels[shown.channel]
    is_ephemeral = isinstance(shown, Ephemeral)
    container = {
        "type": "message",
        "message_ts": shown.ts,
        "channel_id": channel.id,
        "is_ephemeral": is_ephemeral,
    }
    if shown.thread_ts:
        container["thread_ts"] = shown.thread_ts
    if isinstance(shown, Message):
        message = shapes.message(workspace, shown)
    else:
        # The app gets little of an ephemeral message back: no text and no blocks.
        message = {"type": "message", "user": workspace.bot_user_id, "ts": shown.ts}
    return {
        "container": container,
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "message": message,
    }


def view_origin(workspace: Workspace, view: View) -> Json:
    return {
        "container": {"type": "view", "view_id": view.id},
        "view": shapes.view(workspace, view),
    }


def event(workspace: Workspace, inner: Json, event_id: str) -> Json:
    channel = workspace.channels.get(events.channel_id(inner))
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "context_team_id": workspace.team_id,
        "context_enterprise_id": None,
        "api_app_id": workspace.app_id,
        "event": inner,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": workspace.seconds(),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": workspace.team_id,
                "user_id": workspace.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": channel is not None and channel.is_ext_shared,
        "event_context": f"4-{event_id}",
    }


# --- elements on the screen


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every (block, interactive element) pair, containers included."""
    for block in blocks:
        for element in limits.elements_of(block):
            yield block, element
        yield from elements([b for b in block.get("child_blocks") or [] if isinstance(b, dict)])


def find_element(blocks: list[Json], action_id: str, value: Any) -> tuple[Json, Json]:
    """The element with this action_id. Of several, the one that `value` names; never a guess."""
    found = [pair for pair in elements(blocks) if pair[1].get("action_id") == action_id]
    buttons = [pair for pair in found if pair[1]["type"] == "button"]
    if value is not None and buttons:
        found = [pair for pair in buttons if pair[1].get("value") == value]
    if not found:
        on_screen = sorted({str(e.get("action_id")) for _, e in elements(blocks)})
        raise NotThere(f"no element {action_id!r} (value {value!r}) here; there is {on_screen}")
    if len(found) > 1:
        values = [element.get("value") for _, element in found]
        raise NotThere(f"{len(found)} elements {action_id!r}: say which by its value, one of {values}")
    return found[0]


_PICKED = {
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_ENTITIES = {"users": "user", "conversations": "conversation", "channels": "channel"}


def chosen(element: Json, value: Any) -> Json:
    """How a choice is written, both in an action and in `state.values`: type plus what was chosen."""
    kind = str(element["type"])
    if kind == "button":
        return {"type": kind} | ({"value": element["value"]} if "value" in element else {})
    if kind in _PICKED:
        return {"type": kind, _PICKED[kind]: value}
    if kind in ("checkboxes", "multi_static_select", "multi_external_select"):
        return {"type": kind, "selected_options": [option(element, item) for item in value or []]}
    if kind in ("static_select", "radio_buttons", "overflow", "external_select"):
        return {"type": kind, "selected_option": None if value is None else option(element, value)}
    stem = kind.removeprefix("multi_").removesuffix("_select")
    if stem in _ENTITIES and kind.startswith("multi_"):
        return {"type": kind, f"selected_{_ENTITIES[stem]}s": list(value or [])}
    if stem in _ENTITIES:
        return {"type": kind, f"selected_{_ENTITIES[stem]}": value}
    if kind == "rich_text_input":
        return {"type": kind, "rich_text_value": value}
    return {"type": kind, "value": None if value in (None, "") else str(value)}


def option(element: Json, value: Any) -> Json:
    """The option meant by its value or its label; an external select takes a whole option."""
    if isinstance(value, dict):
        return value
    groups = element.get("option_groups") or [{"options": element.get("options") or []}]
    options = [item for group in groups for item in group["options"]]
    for item in options:
        if value in (item.get("value"), item["text"]["text"]):
            return dict(item)
    raise NotThere(f"no option {value!r}; there is {[item.get('value') for item in options]}")


def initial(element: Json) -> Any:
    """What an input holds before anybody touches it."""
    return next((value for name, value in element.items() if name.startswith("initial_")), None)
