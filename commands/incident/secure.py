"""`incident security`: an incident that only those know of who are invited, with the security team among them.

Nothing of it is announced. What an attacker left is evidence, and a restart destroys it: the room is told so first.
"""

from commands.command import Command
from commands.entry import Entry, Given
from commands.incident.about import aloud, event
from commands.incident.declare import FLAGS, opened, wished
from commands.response.events import Kind

# Sev1 by its definition, unless somebody says less.
_GRAVE = "1"

_EVIDENCE = (
    "This incident is private. Keep the evidence first: `/sre pod evidence POD` before anything is drained, deleted or "
    "restarted, and `/sre pod isolate POD` cuts a pod off and leaves it running."
)


def secure(given: Given) -> Entry:
    group = given.groups[0] if len(given.groups) == 1 else None
    wish = wished(given, group, _GRAVE, is_security=True)
    reminded = aloud(event(given, Kind.NOTE, _EVIDENCE), _team(given), drill="drill" in given.args.flags)
    return opened(given, wish, reminded)


def _team(given: Given) -> str:
    return next(iter(given.site.role_members("security")), "")


SECURITY = Command(
    word="incident",
    verbs=("security",),
    summary="Open a private incident: a break-in, a leak, lost credentials.",
    rows=("SI-0", "SI-2.0"),
    examples=("incident security credentials of ci in a public repository",),
    flags=FLAGS,
    names="SEVERITY TITLE",
    entry=secure,
)
