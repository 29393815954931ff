"""Every command there is, found by looking: a file under commands/ that defines COMMANDS is in.

`Catalog.load()` runs once, when a process starts, and refuses to go on over anything that would fail
later in front of somebody: a file that does not import, two commands for one verb, a verb the manual
does not have, a missing text or row, an example or scheduled line that does not parse. All of it is
reported at once, each line naming its file.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from types import ModuleType

import commands as package
from commands import grammar, help, words
from commands.command import Command, Due, Flag
from commands.errors import SreError, UsageError
from commands.finding import Suggestion
from commands.model import Args


class BadCatalog(SreError):
    """A command file that must not be started with; the message lists every file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A command and the file that declares it."""

    command: Command
    file: str


class Catalog:
    """The built commands, checked."""

    def __init__(self, declared: Iterable[Declared]) -> None:
        self._declared = tuple(declared)
        self.commands = tuple(entry.command for entry in self._declared)
        problems = list(_problems(self._declared))
        if problems:
            raise BadCatalog("\n".join(problems))

    @classmethod
    def load(cls, modules: ModuleType = package, *, zone: tzinfo = UTC) -> "Catalog":
        """The commands of the package, and help about them, which tells times in `zone`."""
        found = _found(modules)
        about = help.commands(tuple(entry.command for entry in found), zone)
        return cls((*found, *(Declared(command, "commands/help.py") for command in about)))

    def __iter__(self) -> Iterator[Command]:
        return iter(self.commands)

    def parse(self, text: str) -> grammar.Parsed:
        return grammar.parse(text, self.commands)

    def find(self, args: Args) -> Command:
        """Who answers these args; raises UsageError when nobody does (any more)."""
        for command in self.commands:
            if command.word == args.word and args.verb in command.verbs:
                return command
        line = f"{args.word} {args.verb}".strip()
        raise UsageError(f"`{line}` is no command of this version. Try `/sre help`.")

    def changes(self, args: Args) -> bool:
        """Whether these args ask for a change; False too for what no command answers any more."""
        try:
            return self.find(args).change is not None
        except UsageError:
            return False

    def offered(self, suggestions: Iterable[Suggestion], cluster: str = "") -> tuple[Suggestion, ...]:
        """Those that would do something when pressed: a word may be planned and not built.

        cluster: which they are about, "" where there is one only; a button that does not say it would act on the
        cluster of the channel in which it is pressed.
        """
        ending = f" --cluster {cluster}" if cluster else ""
        lines = ((each, each.text.removesuffix(ending)) for each in suggestions)
        return tuple(
            replace(each, text=text + ending)
            for each, text in lines
            if not _STRAY.search(text) and self._is_built(text)
        )

    def _is_built(self, text: str) -> bool:
        try:
            self.parse(text)
        except UsageError:
            return False
        return True

    @property
    def schedule(self) -> tuple[Due, ...]:
        """The calendar: every scheduled run, in the order of the words."""
        return tuple(due for command in self.commands for due in command.schedule)

    def rows(self) -> frozenset[str]:
        """The manual's rows somebody carries."""
        return frozenset(row for command in self.commands for row in command.rows)


# What no suggestion says by itself: a label that was taken for a name says it, and goes on as words of the line.
_STRAY = re.compile(r"[\x00-\x1f]|--(?:private|cluster)\b")


def _found(modules: ModuleType) -> list[Declared]:
    """In the order of the words, so that nothing depends on how files are called."""
    found: list[Declared] = []
    for info in sorted(pkgutil.iter_modules(modules.__path__), key=lambda info: info.name):
        file = f"{modules.__name__}/{info.name}{'/__init__' if info.ispkg else ''}.py"
        try:
            module = importlib.import_module(f"{modules.__name__}.{info.name}")
        except Exception as error:  # whatever a file raises, the name of the file must be told
            raise BadCatalog(f"{file}: does not import: {type(error).__name__}: {error}") from error
        declared = getattr(module, "COMMANDS", ())
        if not isinstance(declared, tuple) or not all(isinstance(one, Command) for one in declared):
            raise BadCatalog(f"{file}: COMMANDS is not a tuple of Command")
        found += [Declared(command, file) for command in declared]
    order = list(words.WORDS)
    return sorted(found, key=lambda one: order.index(one.command.word) if one.command.word in order else -1)


# --- What must be right before anything starts ----------------------------------------------------

_ROW = re.compile(r"[A-Z][A-Z0-9]*-[0-9a-z.]+(-[0-9a-z.]+)?|C[0-9]+")
_NAME = re.compile(r"[A-Za-z0-9-]+")


def _problems(declared: tuple[Declared, ...]) -> Iterator[str]:
    checks: tuple[Callable[[Command], Iterator[str]], ...] = (_wrong_words, _wrong_texts, _wrong_flags)
    for entry in declared:
        for check in checks:
            yield from (
                f"{entry.file}: `{_called(entry.command)}`: {problem}" for problem in check(entry.command)
            )
    yield from _clashes(declared)
    yield from _wrong_lines(declared)


def _called(command: Command) -> str:
    """By its first verb: a package declares many commands of one word."""
    return " ".join(filter(None, (command.word, *command.verbs[:1])))


def _wrong_words(command: Command) -> Iterator[str]:
    word = words.WORDS.get(command.word)
    if word is None:
        yield "no such word in commands/words.py; add it there"
        return
    if not command.verbs:
        yield 'no verbs; the bare word is ""'
    for verb in command.verbs:
        if verb and word.verb(verb) is None:
            yield f"no verb `{verb}` in commands/words.py; add it there"


def _wrong_texts(command: Command) -> Iterator[str]:
    if not command.summary.strip():
        yield "no summary, so help has nothing to say about it"
    if not command.role:
        yield "no role"
    if not command.examples:
        yield f'no example: give it lines to type, such as examples=("{_called(command)}",)'
    if not command.rows:
        yield "no row of the manual: name what it answers; what the manual does not know carries its neighbour's"
    for row in command.rows:
        if not _ROW.fullmatch(row):
            yield f"`{row}` is no row id, such as DH-2.1"


def _wrong_flags(command: Command) -> Iterator[str]:
    everywhere = {flag.name: flag for flag in grammar.EVERYWHERE}
    shorts = {flag.short: flag.name for flag in grammar.EVERYWHERE if flag.short}
    for flag in command.flags:
        if not flag.help.strip():
            yield f"flag --{flag.name} has no help"
        if not _NAME.fullmatch(flag.name) or flag.name != flag.name.casefold():
            yield f"flag --{flag.name} is not written in small letters, digits and -"
        if flag.name in everywhere and bool(everywhere[flag.name].value) != bool(flag.value):
            yield f"flag --{flag.name} takes a value in one place and none in the other"
        if flag.short and shorts.setdefault(flag.short, flag.name) != flag.name:
            yield f"`-{flag.short}` is both --{shorts[flag.short]} and --{flag.name}"


def _clashes(declared: tuple[Declared, ...]) -> Iterator[str]:
    """Things that must be unique, and flags of one word that are read before the verb is known."""
    verbs: dict[str, str] = {}
    dues: dict[str, str] = {}
    flags: dict[tuple[str, str], Flag] = {}
    for command, file in ((entry.command, entry.file) for entry in declared):
        for line in grammar.built_lines([command]):
            if line in verbs:
                yield f"{file}: `{line}` is declared twice, also in {verbs[line]}"
            verbs[line] = file
        for due in command.schedule:
            if due.name in dues:
                yield f"{file}: scheduled run `{due.name}` is declared twice, also in {dues[due.name]}"
            dues[due.name] = file
        for flag in command.flags:
            other = flags.setdefault((command.word, flag.name), flag)
            if (other.value, other.short) != (flag.value, flag.short):
                yield f"{file}: flag --{flag.name} of `{command.word}` is declared in two ways"


def _wrong_lines(declared: tuple[Declared, ...]) -> Iterator[str]:
    """Examples and scheduled lines are typed by machines, so they are tried here."""
    everything = tuple(entry.command for entry in declared)
    for command, file in ((entry.command, entry.file) for entry in declared):
        for example in command.examples:
            yield from (f"{file}: example {problem}" for problem in _wrong_line(example, command, everything))
        for due in command.schedule:
            yield from (
                f"{file}: scheduled {problem}" for problem in _wrong_line(due.text, command, everything)
            )
            if not _NAME.fullmatch(due.name) or len(due.cron.split()) != 5 or not due.channel:
                yield f"{file}: scheduled `{due.name}` needs a plain name, five cron fields and a channel"


def _wrong_line(line: str, command: Command, everything: tuple[Command, ...]) -> Iterator[str]:
    try:
        meant = grammar.parse(line, everything).command
    except UsageError as error:
        yield f"`{line}` does not parse: {error}"
    else:
        if meant is not command:
            yield f"`{line}` is answered by another command"
