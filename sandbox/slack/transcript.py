"""A channel as stable plain text, for golden files: authors by name, timestamps and ids normalised."""

from __future__ import annotations

import re
from collections.abc import Callable

from sandbox.slack.workspace import Channel, Ephemeral, Json, Message, Workspace

_GENERATED = re.compile(r"\b(?:C|D|F|V|Ev|Bk)0\d{9}\b")
_TIMESTAMP = re.compile(r"\b\d{10}\.\d{6}\b")


def channel(workspace: Workspace, place: Channel, *, ephemerals: bool = True) -> str:
    """Messages oldest first, replies indented under their parent, ephemerals marked with who saw them."""
    lines = [f"# {place.name or 'direct message'}{' (archived)' if place.is_archived else ''}"]
    if place.topic:
        lines.append(f"topic: {place.topic}")
    shown: list[Message | Ephemeral] = [m for m in place.messages.values() if not m.is_reply]
    if ephemerals:
        shown += [e for e in workspace.ephemerals if e.channel == place.id]
    for item in sorted(shown, key=lambda entry: int(entry.ts.replace(".", ""))):
        lines += _entry(workspace, item, "")
        if isinstance(item, Message):
            for reply in place.thread(item.ts)[1:]:
                lines += _entry(workspace, reply, "    ")
    return _normalised(workspace, "\n".join(lines)) + "\n"


def _entry(workspace: Workspace, item: Message | Ephemeral, indent: str) -> list[str]:
    if isinstance(item, Ephemeral):
        head = (
            f"{'slackbot' if item.source == 'slackbot' else 'bot'} (only {_name(workspace, item.user)} sees)"
        )
    else:
        marks = [mark for mark, is_set in (("edited", item.edited), (item.subtype, item.subtype)) if is_set]
        head = _name(workspace, item.user) + (f" [{', '.join(map(str, marks))}]" if marks else "")
    body = blocks(item.blocks) or [
        *item.text.splitlines(),
        *(f"[file {f}]" for f in getattr(item, "files", [])),
    ]
    for attachment in item.attachments:
        body += blocks(attachment.get("blocks") or []) or [str(attachment.get("text", ""))]
    lines = [f"{indent}{head}:", *(f"{indent}  {line}" for line in body)]
    if isinstance(item, Message) and item.reactions:
        lines.append(
            f"{indent}  ({' '.join(f':{name}:×{len(who)}' for name, who in item.reactions.items())})"
        )
    return lines


def blocks(items: list[Json]) -> list[str]:
    """The words and controls of blocks, one line each."""
    lines: list[str] = []
    for block in items:
        lines += _block(block)
    return lines


def _block(block: Json) -> list[str]:
    kind = block["type"]
    if kind == "divider":
        return ["---"]
    if kind == "header":
        return [f"== {block['text']['text']} =="]
    if kind == "markdown":
        return str(block["text"]).splitlines()
    if kind == "actions":
        return [" ".join(_element(element) for element in block["elements"])]
    if kind == "context":
        return ["· " + " · ".join(_element(element) for element in block["elements"])]
    lines = _text(block.get("text")) + [line for f in block.get("fields") or [] for line in _text(f)]
    if block.get("accessory"):
        lines.append(_element(block["accessory"]))
    if kind == "rich_text":
        lines += "".join(_words(block)).splitlines()
    return lines or [f"[{kind}]"]


def _text(value: Json | None) -> list[str]:
    return str(value["text"]).splitlines() if value else []


def _element(element: Json) -> str:
    kind = element["type"]
    if kind in ("mrkdwn", "plain_text"):
        return str(element["text"])
    if kind == "button":
        style = {"primary": "+", "danger": "!"}.get(str(element.get("style")), "")
        return f"[{style}{element['text']['text']}]"
    if kind == "image":
        return f"[image: {element['alt_text']}]"
    options = [option["text"]["text"] for option in element.get("options") or []]
    return f"[{kind}: {' | '.join(options)}]" if options else f"[{kind}]"


def _words(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [str(value["text"])] if isinstance(value.get("text"), str) else []
        own += [f"<@{value['user_id']}>"] if value.get("type") == "user" else []
        nested = [word for name in ("elements",) for word in _words(value.get(name))]
        ends = ["\n"] if str(value.get("type", "")).startswith("rich_text_") else []
        return own + nested + ends
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    return []


def _name(workspace: Workspace, user: str) -> str:
    return workspace.users[user].name if user in workspace.users else user


def _normalised(workspace: Workspace, text: str) -> str:
    """Ids that differ between runs become C-1, V-2, …; timestamps become <ts-1>, by first appearance."""
    for user in workspace.users.values():
        text = text.replace(f"<@{user.id}>", f"@{user.name}")
    for place in workspace.channels.values():
        text = text.replace(f"<#{place.id}>", f"#{place.name}")
    text = _numbered(_GENERATED, text, lambda found, n: f"{found[:1]}-{n}")
    return _numbered(_TIMESTAMP, text, lambda _found, n: f"<ts-{n}>")


def _numbered(pattern: re.Pattern[str], text: str, name: Callable[[str, int], str]) -> str:
    names: dict[str, str] = {}
    return pattern.sub(lambda match: names.setdefault(match[0], name(match[0], len(names) + 1)), text)
