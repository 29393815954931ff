"""Pure: the thread of an alert group: what became of it line by line, and what its triage found.

A triage is a request of its own that is told under the card it is about: it has no summary, only its parts, as few
messages as they need. Called by bot/render.py, with a record whose texts are redacted; every one is escaped here.
"""

from bot.alertwords import LINE, cause, line, person
from bot.blocks import (
    Block,
    Message,
    bounded,
    buttons,
    context,
    dated,
    escape,
    fenced,
    mention,
    paragraph,
    paragraphs,
    preformatted,
)  # fmt: skip
from bot.findings import one_line
from commands.finding import Finding
from commands.ledger import Line
from commands.model import AlertGroup, Attachment, Notice, Request, Section, State, Storm
from commands.wording import TABLE, fitting

_FACTS = 8  # lines of evidence under a finding before "and n more"
_COMMENT = 2500  # characters beside a file
_MEND = 600


def lines(record: AlertGroup | Notice) -> tuple[Message, ...]:
    """What happened, a reply each. A group that is told in a storm's thread has none: its one message is edited."""
    if isinstance(record, AlertGroup) and record.storm:
        return ()
    episode = f"{record.episode}:" if isinstance(record, AlertGroup) else "line:"
    return tuple(_line(f"{episode}{each.key}", each) for each in record.lines)


def _line(key: str, each: Line) -> Message:
    by = f" by {person(each.by)}" if each.by else ""
    said = f"{mention(each.mention)} {escape(each.text)}{by}".strip()
    return Message(key, said, (paragraph(said),), in_thread=True)


def listing(storm: Storm) -> tuple[Message, ...]:
    """All groups of a storm; a newer list is another file."""
    file = storm.listing
    if file is None or not file.stored:
        return ()
    return (Message(f"list:{file.stored}", f"📎 {line(file.title)}", in_thread=True, file=file),)


def triage(request: Request) -> tuple[Message, ...]:
    """The parts of a triage that are read, under the card of its alert; of one that is asked for anew, what was found
    before stands until it is read again, in the same messages."""
    told = [message for section in request.sections for message in _part(section, again=request.again)]
    if request.state is State.FAILED:
        text = f"❌ the diagnosis failed, nothing was changed (reference {escape(request.reference)})"
        told.append(Message("failed", text, (paragraph(text),), in_thread=True))
    elif request.again:
        told.append(_edited("failed", "The diagnosis that failed here is made anew."))
    return tuple(told)


def _part(section: Section, *, again: bool) -> list[Message]:
    """What a file says beside itself is told with it: one reply less to scroll past. Not what is read again: what
    stands beside a file is never edited."""
    is_anew = again and section.done
    key = f"section:{section.key}"
    files = [each for each in section.attachments if each.stored]
    words = [*_words(section)]
    if files and not (is_anew or section.cause or section.table or _offers(section)):
        first, *others = files
        beside = [_file(f"file:{section.key}:0", first, words)]
        return [*beside, *(_file(f"file:{section.key}:{n}", each, []) for n, each in enumerate(others, 1))]
    told = []
    if words or section.table:
        text = words[0] if words else line(section.title)
        told.append(Message(key, text, tuple(bounded(_blocks(section, words))), in_thread=True))
    elif is_anew:
        told.append(_edited(key, f"{line(section.title)}: nothing any more"))
    return told + [_file(f"file:{section.key}:{n}", each, []) for n, each in enumerate(files)]


def _edited(key: str, text: str) -> Message:
    """Where Slack has a message that said something else."""
    return Message(key, text, (paragraph(text),), in_thread=True, only_edit=True)


def _offers(section: Section) -> bool:
    return any(finding.suggestions or finding.link for finding in section.findings)


def _words(section: Section) -> list[str]:
    """The cause in bold, or what it is about; then the facts. Nothing where nothing was found. Of what came before,
    the facts say it, the card has it beside the cause; and a verdict says it by itself."""
    facts = [said for finding in section.findings for said in _facts(finding)]
    found = section.cause
    is_said = found is not None and any(found.text in finding.value for finding in section.findings)
    if found and section.key != "context" and not is_said:
        return [cause(found), *facts]
    return [f"*{line(section.title)}*", *facts] if facts else []


def _facts(finding: Finding) -> list[str]:
    told = [one_line(finding)]
    told += [f"      • {dated(line(fact, 400))}" for fact in finding.evidence[:_FACTS]]
    if len(finding.evidence) > _FACTS:
        told.append(f"      • and {len(finding.evidence) - _FACTS} more")
    return told + [f"      → {line(mend, _MEND)}" for mend in finding.mend.splitlines()[:4]]


def _blocks(section: Section, words: list[str]) -> list[Block]:
    links = tuple(finding.link for finding in section.findings if finding.link)
    offered = tuple(each for finding in section.findings for each in finding.suggestions)[:3]
    note = [context(escape(section.note[:LINE]))] if section.note else []
    return [*paragraphs(words), *_table(section.table), *note, *buttons(offered, links)]


def _table(table: tuple[str, ...]) -> list[Block]:
    """Whole lines only, and how many are not shown."""
    shown = fitting(table, TABLE - 40)
    left = len(table) - len(shown)
    return preformatted((*shown, f"… {left} more") if left else shown)


def _file(key: str, file: Attachment, words: list[str]) -> Message:
    named = line(file.title) if file.is_image else f"📎 {line(file.title)}"
    said = "\n".join([named, *words])
    return Message(key, fenced(said, _COMMENT), in_thread=True, file=file)
