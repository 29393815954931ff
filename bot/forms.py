"""Pure: a commands.form.Form as a Slack window, and what was filled in as the command it completes.

private_metadata carries the command, the place it was asked for in and where its asker looks, because a window comes
back without them. Each field is a block of its own name with one element "value". Opened and read by bot/slack.py.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from bot.blocks import Block, cut, escape, input_field, modal, paragraph
from commands.form import Field, Form
from commands.model import Args, Place

_NAMES = {"name", "rest"}
_METADATA = 3000  # characters Slack takes of private_metadata


def view(form: Form, place: Place, beside: Place | None = None) -> Block:
    """callback_id "form"; raises ValueError when the command is longer than a window can carry. beside: where its asker
    looks, if not in that place."""
    fields = [_as_typed(field, form.args) for field in form.fields]
    metadata = _carried(form.args, fields, place, (beside or place).thread)
    intro = [paragraph(escape(form.intro))] if form.intro else []
    return modal("form", metadata, form.title, form.submit, *intro, *map(_block, fields))


def _as_typed(field: Field, args: Args) -> Field:
    """What was typed stands in the window, before what stood there last."""
    typed = args.flags.get(field.name, "")
    is_shown = field.kind in ("line", "text") or typed in (value for value, _ in field.options)
    return replace(field, initial=typed) if typed and is_shown else field


def _carried(args: Args, fields: Iterable[Field], place: Place, thread: str) -> str:
    """Without what a field shows: who empties that field wants it gone."""
    shown = {field.name for field in fields if field.initial and field.initial == args.flags.get(field.name)}
    flags = {name: value for name, value in args.flags.items() if name not in shown}
    told = [args.word, args.verb, args.name, args.rest, flags, place.channel, place.thread, thread]
    metadata = orjson.dumps(told).decode()
    if len(metadata) > _METADATA:
        raise ValueError(f"{len(metadata)} characters do not fit into a window")
    return metadata


def first(view: dict[str, Any]) -> str:
    """The field under which something is said that concerns the whole window."""
    return next(str(block["block_id"]) for block in view["blocks"] if block["type"] == "input")


def read(view: dict[str, Any]) -> tuple[Args, Place]:
    """The command with the fields filled in, empty ones left out, and the place it was asked for in."""
    word, verb, name, rest, flags, channel, thread, _ = orjson.loads(view["private_metadata"])
    filled = {field: _filled(state["value"]) for field, state in view["state"]["values"].items()}
    places = {"name": name, "rest": rest} | {key: filled[key] for key in _NAMES & set(filled)}
    flags |= {key: value for key, value in filled.items() if key not in _NAMES and value}
    return Args(word, verb, places["name"], flags, places["rest"]), Place(channel, thread)


def beside(view: dict[str, Any]) -> Place:
    """Where whoever sent it looks."""
    *_, channel, _, thread = orjson.loads(view["private_metadata"])
    return Place(channel, thread)


def _filled(element: dict[str, Any]) -> str:
    """Of an input, what stands in it; of people, their ids with blanks between; of a time, ISO 8601 in UTC."""
    match element.get("type"):
        case "static_select" | "radio_buttons":
            return str((element.get("selected_option") or {}).get("value") or "")
        case "users_select":
            return str(element.get("selected_user") or "")
        case "multi_users_select":
            return " ".join(element.get("selected_users") or ())
        case "conversations_select":
            return str(element.get("selected_conversation") or "")
        case "datepicker":
            return str(element.get("selected_date") or "")
        case "datetimepicker":
            chosen = element.get("selected_date_time")
            return datetime.fromtimestamp(chosen, UTC).isoformat() if chosen else ""
    return str(element.get("value") or "").strip()


def _block(field: Field) -> Block:
    return input_field(field.name, field.label, field.hint, _element(field), is_optional=field.is_optional)


def _element(field: Field) -> Block:
    match field.kind:
        case "choice":
            options = [_option(value, words) for value, words in field.options]
            chosen = [option for option in options if option["value"] == field.initial]
            return {
                "type": "static_select",
                "options": options,
                **({"initial_option": chosen[0]} if chosen else {}),
            }
        case "person":
            return {"type": "users_select", **({"initial_user": field.initial} if field.initial else {})}
        case "people":
            return {"type": "multi_users_select"}
        case "date":
            return {"type": "datepicker", **({"initial_date": field.initial} if field.initial else {})}
        case "channel":
            return {"type": "conversations_select", "default_to_current_conversation": False}
        case "time":
            begun = datetime.fromisoformat(field.initial) if field.initial else None
            return {
                "type": "datetimepicker",
                **({"initial_date_time": int(begun.timestamp())} if begun else {}),
            }
    return {
        "type": "plain_text_input",
        "multiline": field.kind == "text",
        "max_length": min(field.most, 3000),
        **({"initial_value": cut(field.initial, min(field.most, 3000))} if field.initial else {}),
    }


def _option(value: str, words: str) -> Block:
    return {"text": {"type": "plain_text", "text": cut(words or value, 75)}, "value": value[:150]}
