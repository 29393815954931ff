"""Pure: a record → the Slack messages that show it. The only module that builds a block.

Every message has a key that never changes, blocks, and a fallback text for notifications, screen readers
and workspaces that refuse a block. All of Slack's size limits and all escaping live here: what came from
outside (labels, log lines, error texts) goes through `escape`, and through `redact` before that.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from commands.finding import Finding, Light, Link, Suggestion, worst
from commands.model import Alert, AlertGroup, Record, Request, Section, State, Whisper
from commands.phrase import counted, span

# Slack's limits (docs.slack.dev, Block Kit), with room to spare where a cut must be announced.
BLOCKS = 50
SECTION = 3000
TEXT = 12_500  # of all blocks together: undocumented, refused above 13,297 (slackapi/bolt-js issue 2509)
FALLBACK = 3500  # chat.update refuses a text over 4,000 characters
BUTTON_TEXT = 75
BUTTON_VALUE = 2000
URL = 3000

_EVIDENCE = 5  # lines of evidence under a finding before "and n more"
_TOP = 6  # findings repeated on the summary card
_ALERTS = 10  # alerts listed on a group's card

ICON = {Light.GREEN: "🟢", Light.YELLOW: "🟡", Light.RED: "🔴", Light.UNKNOWN: "⚪"}
_PENDING = "⏳"
_WORST = (Light.RED, Light.UNKNOWN, Light.YELLOW)
_WORDS = {Light.YELLOW: "yellow", Light.RED: "red", Light.UNKNOWN: "unknown"}

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One Slack message of a card.

    key: unique within the card and stable over edits. whisper_to: a user who alone sees it (ephemeral).
    """

    key: str
    text: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)
    in_thread: bool = False
    whisper_to: str = ""


def messages(record: Record, redact: Callable[[str], str]) -> tuple[Message, ...]:
    """Every message the record should have in Slack now, in the order they are posted.

    The first is the card, the rest its thread. Empty when the record is not to be seen (a quiet run).
    """
    record = _redacted(record, redact)
    if isinstance(record, Request):
        drawn = _request(record)
    elif isinstance(record, AlertGroup):
        drawn = _alert_group(record)
    else:
        drawn = (_whisper(record),)
    return tuple(replace(message, text=_cut(message.text, FALLBACK)) for message in drawn)


def private(
    text: str,
    sections: tuple[Section, ...],
    suggestions: tuple[Suggestion, ...],
    redact: Callable[[str], str],
) -> Message:
    """What one person is told: a page, or a refusal word for word with the button that would be right."""
    text, sections, suggestions = _redacted((text, sections, suggestions), redact)
    blocks = [block for section in sections for block in _section_blocks(section)]
    said = escape(text) or ", ".join(escape(section.title) for section in sections)
    body = _bounded([*(blocks or [_text(said)]), *_buttons(suggestions)])
    return Message("private", _cut(said, FALLBACK), tuple(body))


# --- text ---


def escape(text: str) -> str:
    """Text from outside, harmless in mrkdwn: no mention, no forged link (Slack's own three escapes)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, label: str) -> str:
    """An mrkdwn link, or just the label when the URL is not one a browser should follow."""
    return f"<{_href(url)}|{_label(label)}>" if _href(url) else escape(label)


def moment(at: datetime) -> str:
    """A time shown in each reader's own zone, with UTC for clients that cannot."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def _href(url: str) -> str:
    # A URL with a bar or bracket could end the link early; a scheme other than http(s) could run something.
    return url if re.fullmatch(r"https?://[^\s<>|]+", url) and len(url) <= URL else ""


def _label(label: str) -> str:
    return escape(label).replace("|", "¦").replace("\n", " ")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


# --- blocks ---


def _text(mrkdwn: str) -> Block:
    said = _cut(mrkdwn, SECTION) if mrkdwn.strip() else "…"  # Slack refuses a text of nothing
    return {"type": "section", "text": {"type": "mrkdwn", "text": said, "verbatim": True}}


def _context(*parts: str) -> Block:
    elements = [{"type": "mrkdwn", "text": _cut(part, 2000), "verbatim": True} for part in parts if part]
    return {"type": "context", "elements": elements}


def _paragraphs(lines: list[str]) -> list[Block]:
    """Lines packed into as few section blocks as fit."""
    blocks: list[Block] = []
    held = ""
    for line in (_cut(line, SECTION) for line in lines):
        if held and len(held) + 1 + len(line) > SECTION:
            blocks.append(_text(held))
            held = line
        else:
            held = f"{held}\n{line}" if held else line
    return [*blocks, _text(held)] if held else blocks


def _buttons(suggestions: tuple[Suggestion, ...], links: tuple[Link, ...] = ()) -> list[Block]:
    """At most five buttons; a suggestion's button types its command for whoever presses it."""
    elements: list[Block] = []
    for n, suggestion in enumerate(dict.fromkeys(suggestions)):
        label = {"type": "plain_text", "text": _cut(suggestion.label, BUTTON_TEXT), "emoji": True}
        elements.append(
            {
                "type": "button",
                "action_id": f"submit:{n}",
                "text": label,
                "value": suggestion.text[:BUTTON_VALUE],
            }
        )
    for n, target in enumerate(dict.fromkeys(links)):
        if _href(target.url):
            label = {"type": "plain_text", "text": _cut(target.label, BUTTON_TEXT), "emoji": True}
            elements.append({"type": "button", "action_id": f"link:{n}", "text": label, "url": target.url})
    return [{"type": "actions", "elements": elements[:5]}] if elements else []


def _bounded(blocks: list[Block]) -> list[Block]:
    """As many of the blocks as one message takes, and a line that says how many did not fit."""
    kept: list[Block] = []
    room = TEXT
    for block in blocks:
        room -= _length(block)
        if room < 0 or len(kept) == BLOCKS - 1:
            left_out = counted(len(blocks) - len(kept), "more block")
            return [*kept, _context(f"… {left_out} did not fit into one message")]
        kept.append(block)
    return kept


def _length(node: Any) -> int:
    """Characters of every text in a block."""
    if isinstance(node, str):
        return len(node)
    if isinstance(node, Mapping):
        return sum(_length(value) for value in node.values())
    return sum(_length(value) for value in node) if isinstance(node, list | tuple) else 0


R = TypeVar("R")


def _redacted(node: R, redact: Callable[[str], str]) -> R:
    """The same value with every text in it redacted by itself: before anything is escaped, cut or joined,
    or half a secret could pass, and a word at the end of one line could mask the next."""
    changed: Any = node
    if isinstance(node, str) and not isinstance(node, StrEnum):
        changed = redact(node)
    elif is_dataclass(node) and not isinstance(node, type):
        changed = replace(node, **{f.name: _redacted(getattr(node, f.name), redact) for f in fields(node)})
    elif isinstance(node, Mapping):
        changed = {_redacted(key, redact): _redacted(value, redact) for key, value in node.items()}
    elif isinstance(node, tuple):
        changed = tuple(_redacted(value, redact) for value in node)
    return cast(R, changed)


# --- requests ---


def _request(request: Request) -> tuple[Message, ...]:
    if request.is_quiet and not request.has_news and request.state is not State.FAILED:
        return ()  # a quiet run that failed is shown: silence must mean that all was looked at
    details = [_detail(section) for section in request.sections if section.done]
    return (_summary(request), *details, *_alarm(request))


def _summary(request: Request) -> Message:
    headline = _headline(request)
    blocks = [_text(f"*{headline}*")]
    if request.sections:
        blocks.append(_text("   ".join(_tally(section) for section in request.sections)))
    findings = [f for section in request.sections for f in section.findings if f.light is not Light.GREEN]
    findings.sort(key=lambda finding: _severity(finding.light))
    lines = _top_lines(findings)
    blocks += _paragraphs(lines[:_TOP])
    if len(lines) > _TOP:
        blocks.append(_context(f"and {len(lines) - _TOP} more, in the thread"))
    suggestions = tuple(s for finding in findings for s in finding.suggestions)[:3]
    if request.state is State.ANSWERED:
        blocks += _buttons(suggestions)
    blocks.append(_context(_origin(request)))
    return Message("card", headline, tuple(_bounded(blocks)))


def _headline(request: Request) -> str:
    is_named = "cluster" in request.args.flags
    subject = request.text if is_named or not request.cluster else f"{request.text} · {request.cluster}"
    if request.state is State.FAILED:
        return f"❌ {escape(subject)}: failed, nothing was changed (reference {request.reference})"
    lights = [section.light for section in request.sections if section.done]
    if request.state is State.READING:
        return f"{_PENDING} {escape(subject)}: {len(lights)} of {len(request.sections)} read"
    findings = [f.light for section in request.sections for f in section.findings]
    judged = lights if len(request.sections) > 1 else findings
    verdict = f"{judged.count(Light.GREEN)}/{len(judged)} green"
    counts = [f"{findings.count(each)} {_WORDS[each]}" for each in _WORST if each in findings]
    told = f" · checks: {', '.join(counts)}" if counts else ""
    return f"{ICON[worst(lights)]} {escape(subject)}: {verdict}{told}"


def _tally(section: Section) -> str:
    return f"{ICON[section.light] if section.done else _PENDING} {escape(section.title)}"


def _severity(light: Light) -> int:
    return (*_WORST, Light.GREEN).index(light)


def _origin(request: Request) -> str:
    by = "on schedule" if request.actor.is_scheduler else f"asked by <@{request.actor.user}>"
    late = f" · late: was due {moment(request.late_since)}" if request.late_since else ""
    took = f" · {_wall_time(request.finished - request.created)}" if request.finished else ""
    return f"{by}{late} · {moment(request.created)}{took} · {request.id}"


def _wall_time(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 10 else span(length)


def _one_line(finding: Finding) -> str:
    """A finding on one line: colour, name, value against threshold, and the worst fact."""
    line = f"{ICON[finding.light]} *{escape(finding.label)}*"
    if _judged(finding):
        line += f"  {escape(_judged(finding))}"
    if finding.threshold:
        line += f"  ({escape(finding.threshold)})"
    if finding.alarm:
        line += f"  · {escape(finding.alarm)}"
    elif finding.light is not Light.GREEN and finding.evidence and finding.value in ("", "unknown"):
        line += f"  {escape(finding.evidence[0])}"
    return _cut(line.replace("\n", " "), 600)


def _top_lines(findings: list[Finding]) -> list[str]:
    """One line per finding; those that one silent source left unknown share a line."""
    by_reason: dict[str, list[Finding]] = {}
    for finding in findings:
        key = _judged(finding) if finding.light is Light.UNKNOWN else f"{id(finding)}"
        by_reason.setdefault(key, []).append(finding)
    return [_top_line(same[0]) if len(same) == 1 else _shared_line(same) for same in by_reason.values()]


def _top_line(finding: Finding) -> str:
    """The line of the summary card; what is red names its worst case there, for who reads no further."""
    line = _one_line(finding)
    if finding.light is Light.RED and finding.evidence and not finding.alarm and finding.value:
        line += f"  · {escape(_cut(finding.evidence[0], 160))}"
    return line


def _shared_line(findings: list[Finding]) -> str:
    names = ", ".join(escape(finding.label) for finding in findings[:4])
    more = f" and {len(findings) - 4} more" if len(findings) > 4 else ""
    return _cut(f"{ICON[findings[0].light]} *{names}*{more}  {escape(_judged(findings[0]))}", 600)


def _judged(finding: Finding) -> str:
    """The value, or for what was not read the word "unknown" and the reason."""
    if finding.light is not Light.UNKNOWN or finding.value.startswith("unknown"):
        return finding.value
    return f"unknown: {finding.value}" if finding.value else "unknown"


def _finding_lines(finding: Finding) -> list[str]:
    lines = [_one_line(finding)]
    shown = finding.evidence[:_EVIDENCE]
    lines += [f"      • {escape(_cut(fact, 400))}" for fact in shown]
    if len(finding.evidence) > _EVIDENCE:
        lines.append(f"      • and {len(finding.evidence) - _EVIDENCE} more")
    return lines


def _section_lines(findings: tuple[Finding, ...]) -> list[str]:
    """Every finding with its evidence; a mend that serves several stands under the last of them."""
    lines: list[str] = []
    for n, finding in enumerate(findings):
        lines += _finding_lines(finding)
        if finding.mend and finding.mend not in {later.mend for later in findings[n + 1 :]}:
            lines += [f"      → {escape(line)}" for line in _cut(finding.mend, 600).split("\n")]
    return lines


def _section_blocks(section: Section) -> list[Block]:
    is_page = section.key.startswith("help")  # a page of text is not judged, so it shows no light
    title = f"*{escape(section.title)}*" if is_page else f"{ICON[section.light]} *{escape(section.title)}*"
    lines = [title]
    if is_page and section.note:
        lines += [escape(line) for line in section.note.split("\n")]
    if is_page:
        lines += [line for finding in section.findings for line in _page_lines(finding)]
    else:
        lines += _section_lines(section.findings)
    blocks = _paragraphs(lines)
    if section.note and not is_page:
        blocks.append(_context(escape(section.note)))
    links = tuple(finding.link for finding in section.findings if finding.link)
    suggestions = tuple(s for finding in section.findings for s in finding.suggestions)[:3]
    return [*blocks, *_buttons(suggestions, links)]


def _page_lines(finding: Finding) -> list[str]:
    head = f"*{escape(finding.label)}*" + (f"  {escape(finding.value)}" if finding.value else "")
    return [head, *(escape(line) for line in finding.evidence)]


def _detail(section: Section) -> Message:
    bad = sum(finding.light is not Light.GREEN for finding in section.findings)
    text = f"{ICON[section.light]} {escape(section.title)}: " + (
        f"{bad} of {len(section.findings)} {'needs' if bad == 1 else 'need'} a look" if bad else "all green"
    )
    return Message(f"section:{section.key}", text, tuple(_bounded(_section_blocks(section))), in_thread=True)


def _alarm(request: Request) -> tuple[Message, ...]:
    if not request.flags:
        return ()
    who = f"{request.mention} " if request.mention else ""
    text = who + "🔴 " + " · ".join(escape(flag.text) for flag in request.flags)
    nobody = () if request.mention else (_context("No on-call is configured: set `roles.oncall`."),)
    return (Message("alarm", text, (_text(text), *nobody), in_thread=True),)


# --- alert groups ---


def _alert_group(group: AlertGroup) -> tuple[Message, ...]:
    lines = [
        Message(f"{group.episode}:{line.key}", escape(line.text), (_text(escape(line.text)),), in_thread=True)
        for line in group.lines
    ]
    return (_group_card(group), *lines)


def _group_card(group: AlertGroup) -> Message:
    firing, resolved = group.firing, group.resolved
    name = _group_name(group)
    worst_severity = _group_severity(group)
    if firing:
        state = f"{len(firing)} firing" + (f" / {len(resolved)} resolved" if resolved else "")
        headline = f"🔥 {escape(name)} · {escape(worst_severity)}: {state}"
    else:
        headline = f"✅ {escape(name)}: resolved after {span(group.updated - group.opened)}"
    blocks = [_text(f"*{headline}*")]
    listed = [*firing, *resolved]
    blocks += _paragraphs([_alert_line(alert, group) for alert in listed[:_ALERTS]])
    if len(listed) > _ALERTS:
        blocks.append(_context(f"and {counted(len(listed) - _ALERTS, 'more alert')}"))
    if group.omitted:
        blocks.append(_context(f"{counted(group.omitted, 'earlier change')} may not be in the thread"))
    if group.truncated:
        blocks.append(_context(f"+{group.truncated} not sent by Alertmanager (max_alerts)"))
    blocks += _buttons((), _group_links(group))
    blocks.append(_context(_group_origin(group)))
    return Message(f"{group.episode}:card", headline, tuple(_bounded(blocks)))


def _group_name(group: AlertGroup) -> str:
    names = list(dict.fromkeys(alert.name for alert in group.alerts if alert.name))
    shared = group.group_labels.get("alertname") or ", ".join(names[:3]) or "alert without a name"
    others = [f"{k}={v}" for k, v in sorted(group.group_labels.items()) if k != "alertname"]
    return _cut(" ".join([shared, *others]), 250)


def _group_severity(group: AlertGroup) -> str:
    found = {alert.labels.get("severity", "") for alert in group.firing or group.alerts} - {""}
    known = [severity for severity in ("critical", "error", "warning", "info") if severity in found]
    return known[0] if known else (sorted(found)[0] if found else "no severity")


def _alert_line(alert: Alert, group: AlertGroup) -> str:
    icon = "🔥" if alert.status == "firing" else "✅"
    said = alert.annotations.get("summary") or alert.annotations.get("description") or alert.name
    own = [
        f"{k}={v}" for k, v in sorted(alert.labels.items()) if k not in group.group_labels and k != "severity"
    ]
    when = f"since {moment(alert.starts_at)}"
    if alert.status == "resolved" and alert.ends_at:
        when = f"resolved after {span(alert.ends_at - alert.starts_at)}"
    labels = f"\n      `{escape(_cut(' '.join(own), 300)).replace('`', 'ʼ')}`" if own else ""
    return f"{icon} {escape(_cut(said, 300)).replace(chr(10), ' ')} · {when}{labels}"


def _group_links(group: AlertGroup) -> tuple[Link, ...]:
    found = []
    for alert in group.alerts[:1]:
        found += [
            Link("Runbook", alert.annotations.get("runbook_url", "")),
            Link("Graph", alert.generator_url),
        ]
    return (*found, Link("Alertmanager", group.external_url))


def _group_origin(group: AlertGroup) -> str:
    return f"opened {moment(group.opened)} · receiver {escape(_cut(group.receiver, 80))} · {group.id}"


# --- whispers ---


def _whisper(whisper: Whisper) -> Message:
    told = private(whisper.text, whisper.sections, whisper.suggestions, lambda text: text)
    in_thread = bool(whisper.place.thread)
    return Message("whisper", told.text, told.blocks, in_thread, whisper_to=whisper.user)
