"""Which alert a typed `alert silence`, `alert unsilence` or `alert triage` means: by its name, or the one of the thread
it stands in; and in which cluster it is. Likewise which incident `incident status` and its like mean, and which change
request `change show` and its like do; `approve CR-…` is about one, too.

What is no alert's name (label matchers, a request's id) is left to the command. Called by bot/desk.py.
"""

from dataclasses import replace

from bot.casebook import Casebook
from bot.changerecords import ChangeRecords
from bot.records import Records
from commands.errors import UsageError
from commands.model import AlertGroup, Args, Place

_VERBS = ("silence", "unsilence", "triage")
# Those that look at one incident; what is entered into one finds it by itself (bot/clerk.py).
_LOOKS = ("", "status", "brief", "timeline", "postmortem", "verify", "export")
# Likewise of a change request (bot/changeclerk.py).
_CHANGE_LOOKS = ("show", "check", "watch", "validate")
_DECISIONS = ("approve", "reject", "cancel")
_LISTED = 10


def spelt_out(args: Args, place: Place, casebook: Casebook, records: Records, changes: ChangeRecords) -> Args:
    """With the id of the alert, and its cluster where none was typed; with the id of the incident, or of the change."""
    if args.word == "task" and args.verb in _DECISIONS and changes.stored(args.name.upper()):
        return replace(args, word="change", name=args.name.upper())
    if args.word == "change" and args.verb in _CHANGE_LOOKS:
        id = changes.whole(args.name) if args.name else changes.told_in(place.channel, place.thread)
        return replace(args, name=id) if id else args
    if args.word == "incident" and args.verb in _LOOKS:
        id = records.whole(args.name) if args.name else records.in_room(place.channel, place.thread)
        return replace(args, name=id) if id else args
    if args.word != "alert" or args.verb not in _VERBS or "=" in args.name or "~" in args.name:
        return args
    found = casebook.named(args.name) if args.name else casebook.told_in(place.channel, place.thread)
    if len(found) > 1:
        listed = ", ".join(f"`{group.id}` {group.name}" for group in found[:_LISTED])
        raise UsageError(f"Which one? {listed}. Type its id behind the verb. Nothing was done.")
    return _about(args, found[0]) if found else args


def _about(args: Args, group: AlertGroup) -> Args:
    flags = {"cluster": group.cluster, **args.flags} if group.cluster else args.flags
    return replace(args, name=group.id, flags=flags)
