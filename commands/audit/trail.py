"""`audit trail`: the newest lines in the thread, and all that were asked for as a file of JSON lines."""

import re
from collections.abc import Mapping

from commands import grammar
from commands.command import Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import Args, Attachment, Gap, Inquiry, Section
from commands.phrase import counted, span
from commands.reads import AuditLine, AuditPage, AuditTrail
from commands.site import ClusterSite
from commands.wording import KEPT, one_line, unread

LIMIT, MOST = 500, 5000

_USER = re.compile(r"@?([UW][A-Z0-9]{2,})")
_TITLE = "Audit trail"

# Shown by their own place in a line; the rest of the facts is in the file.
_SHOWN = ("id", "act", "text", "why", "reason", "verdict", "note", "objects")


def parts(args: Args, site: ClusterSite) -> Parts:
    """Raises UsageError over a person or a limit that cannot be meant."""
    read = AuditTrail(
        since=grammar.duration(args.flags.get("since", "24h")),
        limit=_limit(args.flags.get("limit", str(LIMIT))),
        who=_who(args.flags.get("who", "")),
        object=args.flags.get("object", ""),
        is_private="private" in args.flags,
    )
    return {"trail": Part(_TITLE, inquiry(read))}


def _limit(text: str) -> int:
    limit = int(text)
    if not 1 <= limit <= MOST:
        raise UsageError(
            f"`--limit` takes a number from 1 to {MOST:,}. For more, take a shorter `--since` twice."
        )
    return limit


def _who(text: str) -> str:
    if not text:
        return ""
    found = _USER.fullmatch(text)
    if found is None:
        raise UsageError("`--who` takes a person: type @ and pick one, or the id of their profile (U…).")
    return found[1]


def inquiry(read: AuditTrail) -> Inquiry:
    seen = yield (read,)
    page = seen[read]
    if isinstance(page, Gap):
        return Section("trail", _TITLE, True, (unread("AL-49", "Lines", page),))
    return _section(read, page)


def _section(read: AuditTrail, page: AuditPage) -> Section:
    found = Finding(
        "AL-49",
        "Lines",
        Light.GREEN if page.is_whole else Light.YELLOW,
        f"{len(page.lines):,} in the last {span(read.since)}{'' if page.is_whole else ', and older ones left out'}"
        f"{_withheld(page)}",
        evidence=tuple(told(line, page.called) for line in page.lines[:KEPT]),
        mend="" if page.is_whole else "Narrow it by --since, --who or --object, or raise --limit.",
    )
    return Section("trail", _TITLE, True, (found,), attachments=_files(page))


def _withheld(page: AuditPage) -> str:
    if not page.withheld:
        return ""
    return f"; {counted(page.withheld, 'line')} may be about private incidents: with `--private` you alone read them"


def _files(page: AuditPage) -> tuple[Attachment, ...]:
    if not page.lines:
        return ()
    oldest_first = "".join(f"{line.as_json()}\n" for line in reversed(page.lines))
    return (Attachment("audit-trail.jsonl", "Audit trail, oldest line first", oldest_first),)


def _by(user: str, called: Mapping[str, str]) -> str:
    """The id stays beside the name, which its owner may change."""
    if not user:
        return ""
    return f" by {one_line(called[user], 60)} ({user})" if called.get(user) else f" by {user}"


def told(line: AuditLine, called: Mapping[str, str]) -> str:
    """One line for people: number, time, who, what; then why, the verdict and what it was about."""
    head = f"{line.seq or '-'} {line.at:%Y-%m-%d %H:%M:%S} {line.what}{_by(line.facts.get('by', ''), called)}"
    facts = (one_line(line.facts.get(name, "")) for name in _SHOWN)
    return " · ".join((head, *filter(None, facts)))
