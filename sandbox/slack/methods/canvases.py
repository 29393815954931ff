"""canvases.*: documents of their own or of a channel, edited one change at a time, section by section."""

from __future__ import annotations

import re
from typing import Any

from sandbox.slack import limits
from sandbox.slack.call import Call, Method, Methods
from sandbox.slack.rates import TIER_2, TIER_3
from sandbox.slack.workspace import Canvas, Json, SlackError

Sections = list[tuple[str, str]]

_HEADING = re.compile(r"(#{1,3}) ")
_KINDS = ("h1", "h2", "h3", "any_header")


def create(call: Call) -> Json:
    return {"canvas_id": _new(call, call.text("channel_id") or None).id}


def create_in_channel(call: Call) -> Json:
    channel = call.own_channel("channel_id")
    if channel.canvas_id is not None:
        raise SlackError("channel_canvas_already_exists")
    channel.canvas_id = _new(call, channel.id).id
    return {"canvas_id": channel.canvas_id}


def _new(call: Call, channel: str | None) -> Canvas:
    markdown = _markdown(call.structure("document_content", "invalid_arguments"))
    canvas = Canvas(call.workspace.new_id("F"), call.text("title"), _sections(call, markdown), channel)
    with call.workspace.change("canvas", canvas=canvas.id):
        call.workspace.canvases[canvas.id] = canvas
    return canvas


def _markdown(document: Any) -> str:
    if document in (None, "", {}):
        return ""
    if not isinstance(document, dict) or document.get("type") != "markdown":
        raise limits.invalid_arguments("must be a document_content of type markdown")
    markdown = str(document.get("markdown", ""))
    if len(markdown) > limits.CANVAS_MARKDOWN:
        raise SlackError("canvas_too_large")
    return markdown


def _sections(call: Call, markdown: str) -> Sections:
    """A heading is a section of its own, and so is whatever stands between two empty lines."""
    parts = re.split(r"\n{2,}|\n(?=#{1,3} )|(?<=\n)(?=#{1,3} )", markdown.strip("\n"))
    texts = [text for part in parts for text in _split_heading(part) if text.strip()]
    return [(f"temp:C:{call.workspace.secret('section')[:28]}", text) for text in texts]


def _split_heading(part: str) -> list[str]:
    if not _HEADING.match(part):
        return [part]
    heading, _, rest = part.partition("\n")
    return [heading, rest]


def edit(call: Call) -> Json:
    canvas = _canvas(call)
    changes = call.structure("changes", "invalid_arguments")
    if not isinstance(changes, list) or len(changes) != 1 or not isinstance(changes[0], dict):
        raise limits.invalid_arguments("must hold exactly one change [json-pointer:/changes]")
    change = changes[0]
    with call.workspace.change("canvas", canvas=canvas.id):
        if change.get("operation") == "rename":
            canvas.title = _markdown(change.get("title_content"))
        else:
            added = _sections(call, _markdown(change.get("document_content")))
            canvas.sections = _edited(canvas.sections, change, added)
    return {}


def _edited(sections: Sections, change: Json, added: Sections) -> Sections:
    operation, section = change.get("operation"), change.get("section_id")
    if operation == "insert_at_end":
        return [*sections, *added]
    if operation == "insert_at_start":
        return [*added, *sections]
    if operation == "replace" and not section:
        return added
    found = [n for n, (each, _) in enumerate(sections) if each == section]
    if not found or operation not in ("insert_before", "insert_after", "replace", "delete"):
        raise SlackError("canvas_editing_failed", detail=f"cannot {operation} at section {section}")
    first = found[0] + (operation == "insert_after")
    last = found[0] + (operation != "insert_before")
    return [*sections[:first], *([] if operation == "delete" else added), *sections[last:]]


def look_up(call: Call) -> Json:
    canvas = _canvas(call)
    criteria = call.structure("criteria", "invalid_arguments")
    kinds = criteria.get("section_types", []) if isinstance(criteria, dict) else ["?"]
    if not set(kinds) <= set(_KINDS) or not criteria:
        raise limits.invalid_arguments("must name section_types or contains_text [json-pointer:/criteria]")
    wanted = str(criteria.get("contains_text", ""))
    found = [name for name, text in canvas.sections if wanted in text and _is_kind(text, kinds)]
    return {"sections": [{"id": name} for name in found]}


def _is_kind(text: str, kinds: list[str]) -> bool:
    heading = _HEADING.match(text)
    return not kinds or (heading is not None and bool({"any_header", f"h{len(heading[1])}"} & set(kinds)))


def delete(call: Call) -> Json:
    canvas = _canvas(call)
    with call.workspace.change("canvas", canvas=canvas.id):
        del call.workspace.canvases[canvas.id]
        for channel in call.workspace.channels.values():
            if channel.canvas_id == canvas.id:
                channel.canvas_id = None
    return {}


def _canvas(call: Call) -> Canvas:
    canvas = call.workspace.canvases.get(call.text("canvas_id"))
    if canvas is None:
        raise SlackError("canvas_not_found")
    return canvas


_WRITE, _READ = ("canvases:write",), ("canvases:read",)

METHODS: Methods = {
    "canvases.create": Method(create, TIER_2, _WRITE),
    "canvases.edit": Method(edit, TIER_3, _WRITE, ("canvas_id", "changes")),
    "canvases.delete": Method(delete, TIER_3, _WRITE, ("canvas_id",)),
    "canvases.sections.lookup": Method(look_up, TIER_3, _READ, ("canvas_id", "criteria")),
    "conversations.canvases.create": Method(create_in_channel, TIER_2, _WRITE, ("channel_id",)),
}
