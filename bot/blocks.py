"""Pure: the parts of a Slack message, within Slack's limits. The only module that builds a block or a view.

What came from outside (names, labels, log lines, error texts) is a text that the caller has redacted
(bot/render.py does it for a whole record) and passes through `escape` here. Drawn with these: the
records by bot/render.py, changes by bot/changecard.py, alerts by bot/alertcard.py.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from commands.finding import Link, Suggestion
from commands.model import Attachment
from commands.phrase import counted, shortly

# Slack's limits (docs.slack.dev, Block Kit), with room to spare where a cut must be announced.
BLOCKS = 50
HOME = 100  # blocks of the Home tab
SECTION = 3000
FIELD = 2000
TEXT = 12_500  # of all blocks together: undocumented, refused above 13,297 (slackapi/bolt-js issue 2509)
FALLBACK = 3500  # chat.update refuses a text over 4,000 characters
BUTTON_TEXT = 75
BUTTON_VALUE = 2000
URL = 3000
CONFIRM_TITLE, CONFIRM_TEXT, CONFIRM_BUTTON = 100, 300, 30
VIEW_TITLE = 24  # also of its two buttons

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One Slack message of a card.

    key: unique within the card and stable over edits. whisper_to: a user who alone sees it (ephemeral).
    file: what is shared instead of blocks, with the text as its comment; it is never edited. channel: told there and
    not where the record is told, a channel or a key of `channels`. only_edit: what Slack has of it is brought up to
    date, and where Slack has nothing, nothing is sent.
    """

    key: str
    text: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)
    in_thread: bool = False
    whisper_to: str = ""
    file: Attachment | None = None
    channel: str = ""
    only_edit: bool = False


# --- text ---


# Characters without a shape that turn, split or hide what stands beside them. Not the joiners of emoji and scripts.
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def revealed(text: str) -> str:
    """Text from outside with what cannot be seen by its number: who approves must read what is there."""
    if text.isascii():
        return text
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def escape(text: str) -> str:
    """Text from outside, harmless in mrkdwn: no mention, no forged link (Slack's own three escapes)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, label: str) -> str:
    """An mrkdwn link, or just the label when the URL is not one a browser should follow."""
    return f"<{_href(url)}|{_label(label)}>" if _href(url) else escape(label)


def moment(at: datetime) -> str:
    """A time shown in each reader's own zone, with UTC for clients that cannot."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def dated(said: str) -> str:
    """Escaped text with each time that is written as UTC (commands/phrase.py: moment) shown as `moment` shows it. Last
    of all: what is cut after that may end within one."""
    return _WRITTEN.sub(_shown, said)


_WRITTEN = re.compile(r"(?<![\w-])\d{4}-\d\d-\d\d \d\d:\d\d UTC\b")


def _shown(found: re.Match[str]) -> str:
    try:
        return moment(datetime.strptime(found[0], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
    except ValueError:  # no day of any calendar
        return found[0]


def mention(member: str) -> str:
    """A mention of a user, or of a user group ("S…"); "" for nobody, and for what is no such id."""
    if re.fullmatch(r"[UW][A-Z0-9]+", member):
        return f"<@{member}>"
    return f"<!subteam^{member}>" if re.fullmatch(r"S[A-Z0-9]+", member) else ""


def channel_link(channel: str) -> str:
    """A channel that a press opens, by its id; a name as it is."""
    return f"<#{channel}>" if re.fullmatch(r"[CG][A-Z0-9]{8,}", channel) else escape(channel)


def _href(url: str) -> str:
    # A URL with a bar or bracket could end the link early; a scheme other than http(s) could run something.
    return url if re.fullmatch(r"https?://[^\s<>|]+", url) and len(url) <= URL else ""


def _label(label: str) -> str:
    return escape(label).replace("|", "¦").replace("\n", " ")


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


# --- blocks ---


def fenced(text: str, limit: int) -> str:
    """The text within the limit, with its last code fence closed: one left open takes the rest of the message."""
    kept = cut(text, limit)
    return f"{cut(kept, limit - len(_FENCE))}{_FENCE}" if kept.count("```") % 2 else kept


_FENCE = "\n```"


def paragraph(mrkdwn: str) -> Block:
    said = fenced(mrkdwn, SECTION) if mrkdwn.strip() else "…"  # Slack refuses a text of nothing
    return {"type": "section", "text": {"type": "mrkdwn", "text": said, "verbatim": True}}


def context(*parts: str) -> Block:
    told = [part for part in parts if part.strip()] or ["…"]
    elements = [{"type": "mrkdwn", "text": cut(part, 2000), "verbatim": True} for part in told]
    return {"type": "context", "elements": elements}


def heading(text: str) -> Block:
    """A line of its own in large letters: of the bot's own words, for a mark in it means nothing."""
    return {"type": "header", "text": _plain(text, 150)}


def fields(told: list[tuple[str, str]]) -> Block:
    """Pairs of a label and a text, side by side where there is room."""
    texts = [cut(f"*{label}*\n{text}", FIELD) for label, text in told[:10]]
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": t, "verbatim": True} for t in texts]}


def paragraphs(lines: Iterable[str]) -> list[Block]:
    """Lines packed into as few section blocks as fit."""
    return [paragraph(text) for text in _packed(lines)]


def _packed(lines: Iterable[str]) -> list[str]:
    texts: list[str] = []
    held = ""
    for line in (cut(line, SECTION) for line in lines):
        if held and len(held) + 1 + len(line) > SECTION:
            texts.append(held)
            held = line
        else:
            held = f"{held}\n{line}" if held else line
    return [*texts, held] if held else texts


def buttons(
    suggestions: tuple[Suggestion, ...], links: tuple[Link, ...] = (), *, is_first_next: bool = False
) -> list[Block]:
    """At most five buttons; a suggestion's button types its command for whoever presses it. is_first_next: the first is
    what should be done now, and looks so."""
    elements: list[Block] = []
    for n, suggestion in enumerate(dict.fromkeys(suggestions)):
        label = {"type": "plain_text", "text": cut(shortly(suggestion.label), BUTTON_TEXT), "emoji": True}
        elements.append(
            {
                "type": "button",
                "action_id": f"submit:{n}",
                "text": label,
                "value": suggestion.text[:BUTTON_VALUE],
                **({"style": "primary"} if is_first_next and n == 0 else {}),
            }
        )
    for n, target in enumerate(dict.fromkeys(links)):
        if _href(target.url):
            label = {"type": "plain_text", "text": cut(target.label, BUTTON_TEXT), "emoji": True}
            elements.append({"type": "button", "action_id": f"link:{n}", "text": label, "url": target.url})
    return [{"type": "actions", "elements": elements[:5]}] if elements else []


@dataclass(frozen=True, slots=True)
class Ask:
    """What Slack asks before it takes a press."""

    title: str
    text: str
    yes: str
    no: str = "Back"
    is_danger: bool = False


def button(action: str, label: str, value: str, style: str = "", ask: Ask | None = None) -> Block:
    """A button of the bot's own actions. value: from the unredacted record, or a press would name nothing.

    style: "primary", "danger" or "".
    """
    made: Block = {"type": "button", "action_id": action, "text": _plain(label, BUTTON_TEXT), "value": value}
    if style:
        made["style"] = style
    if ask:
        made["confirm"] = {
            "title": _plain(ask.title, CONFIRM_TITLE),
            "text": {"type": "mrkdwn", "text": cut(ask.text, CONFIRM_TEXT), "verbatim": True},
            "confirm": _plain(ask.yes, CONFIRM_BUTTON),
            "deny": _plain(ask.no, CONFIRM_BUTTON),
            **({"style": "danger"} if ask.is_danger else {}),
        }
    return made


def beside(told: Block, element: Block) -> Block:
    """A paragraph with a button at its right."""
    return {**told, "accessory": element}


def actions(*elements: Block) -> list[Block]:
    return [{"type": "actions", "elements": list(elements)}] if elements else []


def select(action: str, placeholder: str, options: Iterable[tuple[str, str]]) -> Block:
    """A menu of (label, value); what is chosen comes as an action of its own."""
    return {
        "type": "static_select",
        "action_id": action,
        "placeholder": _plain(placeholder, 150),
        **_options(options),
    }


def overflow(action: str, options: Iterable[tuple[str, str]]) -> Block:
    """The menu behind "⋯" of at most five (label, value): it keeps no choice, so the same one can be made again."""
    return {"type": "overflow", "action_id": action, **_options(options)}


def _options(options: Iterable[tuple[str, str]]) -> Block:
    return {"options": [{"text": _plain(label, BUTTON_TEXT), "value": value} for label, value in options]}


def document(markdown: str) -> Block:
    """What a canvas holds."""
    return {"type": "markdown", "markdown": markdown}


def preformatted(lines: Iterable[str]) -> list[Block]:
    """Lines as they are, aligned: no mark in them means anything."""
    return [_preformatted(text) for text in _packed(lines) if text.strip()]


def _preformatted(text: str) -> Block:
    part = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [part]}


def modal(form: str, value: str, title: str, submit: str, *body: Block) -> Block:
    """A window with a form. form: its callback_id; value comes back as private_metadata."""
    return {
        "type": "modal",
        "callback_id": form,
        "private_metadata": value,
        "title": _plain(title, VIEW_TITLE),
        "submit": _plain(submit, VIEW_TITLE),
        "close": _plain("Back", VIEW_TITLE),
        "blocks": list(body),
    }


def home(value: str, body: list[Block]) -> Block:
    """What the Home tab shows; value comes back as private_metadata of a press on it. A page takes more than a message,
    of blocks and of text."""
    kept = body if len(body) <= HOME else [*body[: HOME - 1], context("… more did not fit on this page")]
    return {"type": "home", "callback_id": "home", "private_metadata": value, "blocks": kept}


def text_input(name: str, label: str, hint: str, longest: int) -> Block:
    """A field of several lines that must be filled; block_id and action_id are both its name."""
    field = {"type": "plain_text_input", "action_id": name, "multiline": True, "max_length": longest}
    return {
        "type": "input",
        "block_id": name,
        "label": _plain(label, 2000),
        "hint": _plain(hint, 2000),
        "element": {**field, "focus_on_load": True},
    }


def select_input(name: str, label: str, options: Iterable[tuple[str, str]], chosen: int) -> Block:
    """A menu of a window; block_id and action_id are both its name. chosen: which option stands there first."""
    menu = _options(options)
    element = {"type": "static_select", "action_id": name, "initial_option": menu["options"][chosen], **menu}
    return {"type": "input", "block_id": name, "label": _plain(label, 2000), "element": element}


def person_input(name: str, label: str) -> Block:
    """A choice of somebody of the workspace; block_id and action_id are both its name."""
    element = {"type": "users_select", "action_id": name}
    return {"type": "input", "block_id": name, "label": _plain(label, 2000), "element": element}


def input_field(name: str, label: str, hint: str, element: Block, *, is_optional: bool) -> Block:
    """Any other field of a window; its element's action_id is "value"."""
    field = {
        "type": "input",
        "block_id": name,
        "label": _plain(label, 2000),
        "optional": is_optional,
        "element": {"action_id": "value", **element},
    }
    return {**field, "hint": _plain(hint, 2000)} if hint else field


def with_remark(message: Message, remark: str) -> Message:
    """The message with one more line under it, in the place of its last block where there is no room."""
    kept = message.blocks[: BLOCKS - 1]
    return replace(message, blocks=(*kept, context(escape(remark))))


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut(text, limit) or "…", "emoji": True}


def bounded(blocks: list[Block]) -> list[Block]:
    """As many of the blocks as one message takes, and a line that says how many did not fit."""
    kept: list[Block] = []
    room = TEXT
    for block in blocks:
        room -= _length(block)
        if room < 0 or len(kept) == BLOCKS - 1:
            left_out = counted(len(blocks) - len(kept), "more block")
            return [*kept, context(f"… {left_out} did not fit into one message")]
        kept.append(block)
    return kept


def _length(node: Any) -> int:
    """Characters of every text in a block."""
    if isinstance(node, str):
        return len(node)
    if isinstance(node, Mapping):
        return sum(_length(value) for value in node.values())
    return sum(_length(value) for value in node) if isinstance(node, list | tuple) else 0
