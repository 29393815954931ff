"""Pure: a record → the Slack messages that show it.

Every message has a key that never changes, blocks, and a fallback text for notifications, screen readers
and workspaces that refuse a block. What came from outside (labels, log lines, error texts) goes through
`redact` here, and then through `escape`. Blocks themselves are built in bot/blocks.py, changes are drawn
in bot/changecard.py and bot/changethread.py, alerts in bot/alertcard.py and bot/alertthread.py, incidents in
bot/incidentcard.py and bot/incidentthread.py.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from bot import (
    alertcard,
    alertthread,
    changecard,
    changerequestcard,
    changethread,
    homecard,
    incidentcard,
    taskcard,
)
from bot.alertwords import cause
from bot.blocks import (
    FALLBACK,
    Block,
    Message,
    bounded,
    buttons,
    context,
    cut,
    escape,
    modal,
    moment,
    paragraph,
    paragraphs,
    preformatted,
    revealed,
    text_input,
)
from bot.findings import ICON, WORST, judged_lines, severity, top_lines
from bot.homecard import Home
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import (
    AlertGroup,
    Attachment,
    Notice,
    Record,
    Request,
    Section,
    State,
    Storm,
    Whisper,
)  # fmt: skip
from commands.phrase import shortly, span
from commands.response.changerequest import ChangeRequest
from commands.response.incident import Incident
from commands.response.task import Task

_TOP = 6  # findings repeated on the summary card
_CALM = 3  # of them where all is green
REASON = 500  # characters of a reason that somebody types

_PENDING = "⏳"
_WORDS = {Light.YELLOW: "yellow", Light.RED: "red", Light.UNKNOWN: "unknown"}


def messages(
    record: Record,
    redact: Callable[[str], str],
    workspace: str = "",
    offered: incidentcard.Offered = tuple,
) -> tuple[Message, ...]:
    """Every message the record should have in Slack now, in the order they are posted.

    The first is the card, the rest its thread; of a record that is told under another's card all are replies.
    Empty when the record is not to be seen (a quiet run). workspace: its address, for links to earlier threads.
    offered: which buttons of an incident's card would do something when pressed.
    """
    record = _redacted(record, redact)
    if isinstance(record, Request):
        drawn = _request(record)
    elif isinstance(record, AlertGroup):
        drawn = (alertcard.card(record, workspace), *alertthread.lines(record))
    elif isinstance(record, Storm):
        drawn = (alertcard.storm(record), *alertthread.listing(record))
    elif isinstance(record, Notice):
        drawn = (alertcard.notice(record), *alertthread.lines(record))
    elif isinstance(record, Incident):
        drawn = incidentcard.messages(record, offered)
    elif isinstance(record, ChangeRequest):
        drawn = changerequestcard.messages(record)
    elif isinstance(record, Task):
        drawn = taskcard.messages(record)
    else:
        drawn = (_whisper(record),)
    return tuple(replace(message, text=cut(message.text, FALLBACK)) for message in drawn)


def private(
    text: str,
    sections: tuple[Section, ...],
    suggestions: tuple[Suggestion, ...],
    redact: Callable[[str], str],
) -> Message:
    """What one person is told: a page, or a refusal word for word with the button that would be right."""
    text, sections, suggestions = _redacted((text, sections, suggestions), redact)
    blocks = [block for section in sections for block in _section_blocks(section)]
    said = _naming(escape(text)) or ", ".join(escape(section.title) for section in sections)
    body = bounded([*(blocks or [paragraph(said)]), *buttons(suggestions)])
    return Message("private", cut(said, FALLBACK), tuple(body))


def _naming(text: str) -> str:
    """Whom the bot knows by an id alone is shown by Slack as people call them; nobody is called by a private answer."""
    return re.sub(r"(?<![\w@<|-])(?=\w*\d)([UW][A-Z0-9]{8,})\b(?!-)", r"<@\1>", text)


def home(page: Home, redact: Callable[[str], str]) -> Block:
    """The Home tab of one person."""
    return homecard.view(_redacted(page, redact), _headline)


# --- windows ---


def reject_view(value: str) -> Block:
    """The window of the Reject button. Its submission has callback_id "reject", the button's value as
    private_metadata, and the reason at state.values.reason.reason.value."""
    reason = text_input("reason", "Why not?", "The requester reads it, and it stays in the audit.", REASON)
    return modal("reject", value, f"Reject {_id(value)}", "Reject", reason)


def why_view(value: str) -> Block:
    """The window of the Approve button where the requester gave no reason; like `reject_view`, "approve"."""
    reason = text_input(
        "reason", "What is it for?", "The requester gave no reason; the audit needs one.", REASON
    )
    return modal("approve", value, f"Approve {_id(value)}", "Approve", reason)


def _id(value: str) -> str:
    return value.partition(" ")[0]


# --- redaction ---

R = TypeVar("R")


def masked(incident: Incident, redact: Callable[[str], str]) -> Incident:
    """The incident as it may be told: for the name and the topic of its channel."""
    return _redacted(incident, redact)


def _redacted(node: R, redact: Callable[[str], str]) -> R:
    """The same value with every text in it redacted by itself: before anything is escaped, cut or joined,
    or half a secret could pass, and a word at the end of one line could mask the next."""
    changed: Any = node
    if isinstance(node, str) and not isinstance(node, StrEnum):
        changed = redact(revealed(node))
    elif is_dataclass(node) and not isinstance(node, type):
        changed = replace(node, **{f.name: _redacted(getattr(node, f.name), redact) for f in fields(node)})
    elif isinstance(node, Mapping):
        changed = {_redacted(key, redact): _named(key, value, redact) for key, value in node.items()}
    elif isinstance(node, tuple):
        changed = tuple(_redacted(value, redact) for value in node)
    return cast(R, changed)


def _named(name: Any, value: Any, redact: Callable[[str], str]) -> Any:
    """A value whose name gives it away, as of a label `password`, is none that anybody reads."""
    if isinstance(name, str) and isinstance(value, str) and value:
        masked = redact(f"{name}=x")
        if masked != f"{name}=x":
            return masked.removeprefix(f"{name}=")
    return _redacted(value, redact)


# --- requests ---


def _request(request: Request) -> tuple[Message, ...]:
    if request.place.under:
        return alertthread.triage(request)
    if request.plan or not request.sections:  # a change has no sections, also while it is planned
        return (changecard.card(request), *changethread.thread(request))
    if request.is_quiet and not request.has_news and request.state is not State.FAILED:
        return ()  # a quiet run that failed is shown: silence must mean that all was looked at
    done = [section for section in request.sections if section.done]
    details = [message for section in done for message in (*_detail(section), *_files(section))]
    return (_summary(request), *details, *_alarm(request))


def _summary(request: Request) -> Message:
    headline = _headline(request)
    blocks = [paragraph(f"*{headline}*")]
    if len(request.sections) > 1 or request.state is State.READING:
        told = [each for each in request.sections if not each.done or each.findings]
        blocks += paragraphs(["   ".join(_tally(each, request) for each in told)])
    blocks += paragraphs([said for section in request.sections for said in _cause(section)])
    findings = _worth_telling(request)
    lines = top_lines(findings)
    most = _TOP if any(finding.light is not Light.GREEN for finding in findings) else _CALM
    blocks += paragraphs(lines[:most])
    if len(lines) > most:
        blocks.append(context(f"and {len(lines) - most} more, in the thread"))
    suggestions = tuple(s for finding in findings for s in finding.suggestions)[:3]
    if request.state is State.ANSWERED:
        blocks += buttons(suggestions)
    blocks.append(context(_origin(request)))
    return Message("card", headline, tuple(bounded(blocks)))


def _worth_telling(request: Request) -> list[Finding]:
    """What the card says of the answer: all that is not green; of one green section what it found."""
    found = [finding for section in request.sections for finding in section.findings]
    grave = sorted((f for f in found if f.light is not Light.GREEN), key=lambda f: severity(f.light))
    return grave if grave or len(request.sections) > 1 else found


def _headline(request: Request) -> str:
    is_named = "cluster" in request.args.flags
    asked = shortly(request.text)
    subject = asked if is_named or not request.cluster else f"{asked} · {request.cluster}"
    if request.state is State.FAILED:
        return f"❌ {escape(subject)}: failed, nothing was changed (reference {request.reference})"
    done = [section for section in request.sections if section.done]
    if request.state is State.READING:
        return f"{_PENDING} {escape(subject)}: {len(done)} of {len(request.sections)} read"
    lights = [section.light for section in done if section.findings]  # a graph alone is not judged
    findings = [f.light for section in request.sections for f in section.findings]
    if len(findings) == 1:  # there is nothing to count
        return f"{ICON[worst(lights)]} {escape(subject)}"
    judged = lights if len(request.sections) > 1 else findings
    verdict = f"{judged.count(Light.GREEN)}/{len(judged)} green"
    counts = [f"{findings.count(each)} {_WORDS[each]}" for each in WORST if each in findings]
    told = f" · checks: {', '.join(counts)}" if counts else ""
    return f"{ICON[worst(lights)]} {escape(subject)}: {verdict}{told}"


def _tally(section: Section, request: Request) -> str:
    """A part that is not read is waited for, or is unknown for good where the request is over."""
    unread = _PENDING if request.state is State.READING else ICON[Light.UNKNOWN]
    return f"{ICON[section.light] if section.done else unread} {escape(shortly(section.title))}"


def _origin(request: Request) -> str:
    by = "on schedule" if request.actor.is_scheduler else f"asked by <@{request.actor.user}>"
    late = f" · late: was due {moment(request.late_since)}" if request.late_since else ""
    took = f" · {_wall_time(request.finished - request.created)}" if request.finished else ""
    return f"{by}{late} · {moment(request.created)}{took} · {request.id}"


def _wall_time(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 10 else span(length)


def _section_blocks(section: Section) -> list[Block]:
    is_page = section.key.startswith("help")  # a page of text is not judged, so it shows no light
    named = escape(shortly(section.title))
    is_judged = bool(section.findings) and not is_page
    title = f"{ICON[section.light]} *{named}*" if is_judged else f"*{named}*"
    lines = [title, *_cause(section)]
    if is_page and section.note:
        lines += [escape(line) for line in section.note.split("\n")]
    if is_page:
        lines += [line for finding in section.findings for line in _page_lines(finding)]
    else:
        lines += judged_lines(section.findings)
    blocks = [*paragraphs(lines), *preformatted(section.table)]
    if section.note and not is_page:
        blocks.append(context(escape(section.note)))
    links = tuple(finding.link for finding in section.findings if finding.link)
    suggestions = tuple(s for finding in section.findings for s in finding.suggestions)[:3]
    return [*blocks, *buttons(suggestions, links)]


def _cause(section: Section) -> tuple[str, ...]:
    """What is the matter, unless a finding says it, as a verdict does."""
    found = section.cause
    if found is None or any(found.text in finding.value for finding in section.findings):
        return ()
    return (cause(found),)


def _page_lines(finding: Finding) -> list[str]:
    head = f"*{escape(finding.label)}*" + (f"  {escape(finding.value)}" if finding.value else "")
    return [head, *(escape(line) for line in finding.evidence)]


def _detail(section: Section) -> tuple[Message, ...]:
    """Nothing of a part that found nothing to say: its files speak for themselves."""
    if not (section.findings or section.table or section.note or section.cause):
        return ()
    bad = sum(finding.light is not Light.GREEN for finding in section.findings)
    text = f"{ICON[section.light]} {escape(section.title)}: " + (
        f"{bad} of {len(section.findings)} {'needs' if bad == 1 else 'need'} a look" if bad else "all green"
    )
    return (
        Message(f"section:{section.key}", text, tuple(bounded(_section_blocks(section))), in_thread=True),
    )


def _files(section: Section) -> tuple[Message, ...]:
    """The kept files of a section, shared under it; the hash is of what was kept, not of the masked copy."""
    return tuple(
        Message(f"file:{section.key}:{n}", _file_text(attachment), in_thread=True, file=attachment)
        for n, attachment in enumerate(section.attachments)
        if attachment.stored
    )


def _file_text(attachment: Attachment) -> str:
    if attachment.is_image:
        return escape(attachment.title)
    size = f"{attachment.size:,} bytes, SHA-256 {attachment.sha256}"
    where = f"\nOriginal: {escape(attachment.bucket)}" if attachment.bucket.startswith("s3://") else ""
    return f"📎 {escape(attachment.title)}\n{size}; secrets are masked in this copy{where}"


def _alarm(request: Request) -> tuple[Message, ...]:
    if not request.flags:
        return ()
    who = f"{request.mention} " if request.mention else ""
    text = who + "🔴 " + " · ".join(escape(flag.text) for flag in request.flags)
    nobody = () if request.mention else (context("No on-call is configured: set `roles.oncall`."),)
    return (Message("alarm", text, (paragraph(text), *nobody), in_thread=True),)


# --- whispers ---


def _whisper(whisper: Whisper) -> Message:
    told = private(whisper.text, whisper.sections, whisper.suggestions, lambda text: text)
    in_thread = bool(whisper.place.thread)
    return Message("whisper", told.text, told.blocks, in_thread, whisper_to=whisper.user)
