"""What a command is: a declaration, and pure functions over what was read.

One file under commands/ (or one package, for a long one) defines COMMANDS; commands/catalog.py finds it.
Help, usage, completion, the schedule and the Slack manifest derive from the same declaration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from commands.change import Change
from commands.entry import Decide
from commands.model import Args, Inquiry
from commands.site import ClusterSite


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of a command. `value` names what it takes ("1h", "NAMESPACE"); "" for a bare flag."""

    name: str
    help: str
    value: str = ""
    short: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A section to be read: its title is shown before the first answer is there."""

    title: str
    inquiry: Inquiry


Parts = Mapping[str, Part]


def no_parts(args: Args, site: ClusterSite) -> Parts:
    return {}


@dataclass(frozen=True, slots=True)
class Due:
    """A scheduled run of a command.

    name: unique in the calendar, letters, digits and "-". cron: five fields, in the configured time zone
    ("2#1" is the first Tuesday). channel: a key of `channels:` in the configuration. is_quiet: the
    card exists only when something is red or unknown that no card there told of lately.
    """

    name: str
    cron: str
    text: str
    channel: str
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One typed command: a word with the verbs it answers.

    verbs: the verbs served here; "" stands for the bare word. names: what the name argument means in
    usage lines ("NODE"), "" where the command takes none. rows: the manual's rows it carries.
    role: who may submit it ("anyone", or a key of `roles:`).
    parts: from the parsed text and the cluster's site to the sections to read, in the order shown; raises
    UsageError over a name or flag that cannot be meant. A changing command has none, or such a check only.
    change: what its verbs would change; all verbs of one command change, or none does.
    immediate: answered in the acknowledgement itself, to the asker alone, from the bot's own store only.
    decides: the desk itself carries its verbs out (approve, reject, cancel).
    entry: what its verbs enter into the bot's own records, decided at once. enters: of a command that looks as well
    (it has parts), whether this line enters something.
    """

    word: str
    verbs: tuple[str, ...]
    summary: str
    rows: tuple[str, ...]
    parts: Callable[[Args, ClusterSite], Parts] = no_parts
    examples: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    names: str = ""
    role: str = "anyone"
    change: Change | None = None
    immediate: bool = False
    decides: bool = False
    entry: Decide | None = None
    enters: Callable[[Args], bool] = lambda args: True
    schedule: tuple[Due, ...] = ()
