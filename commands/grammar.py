"""From Slack text to a matched command and back: the only reader of what people type.

A line is cleaned of what Slack and phones did to it, split into tokens, and laid over the declarations:
word, verb, name, flags, rest. What does not fit is a UsageError that says what to type. Nothing is ever
corrected on somebody's behalf: the nearest right line is named, and offered as a button only where its
verb changes nothing. The bot's own mention has been cut off by the caller.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from commands import words
from commands.command import Command, Flag
from commands.errors import UsageError
from commands.finding import Suggestion
from commands.model import Args

LONGEST = 2000

# The manual's flags that mean the same wherever they are typed. An ignored flag would be worse than a
# refused one, so a command takes of these only what is honoured for it: see `taken`.
EVERYWHERE: tuple[Flag, ...] = (
    Flag("namespace", "where to look; all for every namespace", "NAMESPACE", "n"),
    Flag("service", "a service of the configuration; all for every one", "SERVICE"),
    Flag("cluster", "a cluster of the configuration", "CLUSTER"),
    Flag("since", "how far back to look", "1h"),
    Flag("window", "what to average over", "7d"),
    Flag("why", "the reason, for the record", "TEXT"),
    Flag("incident", "the incident this belongs to", "ID"),
    Flag("dry-run", "show what would happen, do nothing"),
    Flag("private", "answer in a direct message"),
)

_ALWAYS = ("cluster", "incident", "private")  # honoured before a command is asked, or after it answered
_ON_CHANGES = ("why", "dry-run")  # honoured by the plan and its approval


def taken(command: Command, verb: str = "") -> list[Flag]:
    """The flags of a command's verb: those for all, those of every change, and what it declares itself."""
    word = words.WORDS.get(command.word)
    found = word.verb(verb) if word else None
    names = {*_ALWAYS, *(_ON_CHANGES if found and found.changes else ()), *(f.name for f in command.flags)}
    own = [flag for flag in command.flags if all(flag.name != shared.name for shared in EVERYWHERE)]
    return [*(flag for flag in EVERYWHERE if flag.name in names), *own]


def taken_always() -> list[Flag]:
    """The flags that every command takes."""
    return [flag for flag in EVERYWHERE if flag.name in _ALWAYS]


@dataclass(frozen=True, slots=True)
class Parsed:
    args: Args
    command: Command


class Misspelt(UsageError):
    """Nearly something that exists. `suggestion` is the button for it; None where a slip must not lead
    to a change, or where the corrected line would not parse either."""

    def __init__(self, message: str, suggestion: Suggestion | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Token:
    """quoted: it began with a quotation mark, so it is text: never a verb, a flag or namespace/name. label: the
    matcher that it may be, with the quotation marks of its value, which tell where that ends."""

    text: str
    quoted: bool = False
    label: str = ""

    @property
    def is_flag(self) -> bool:
        return not self.quoted and self.text.startswith("-") and self.text.strip("-") != ""

    def says(self, *options: str) -> bool:
        return not self.quoted and self.text.casefold() in options


def parse(text: str, commands: Iterable[Command]) -> Parsed:
    """The command a line means; raises UsageError, whose text is complete as it stands."""
    tokens = _tokens(_clean(text))
    if tokens and tokens[0].says("/sre"):
        tokens = tokens[1:]
    return _match(tokens or [Token("help")], tuple(commands))


def format(args: Args) -> str:
    """The canonical line: parsing it gives these args again."""
    word = words.WORDS.get(args.word) if not args.verb else None
    parts = [args.word, args.verb] if args.verb else [args.word]
    verb = words.WORDS[args.word].verb(args.verb) if args.word in words.WORDS else None
    written = _matcher if verb and verb.labels else _token
    if args.name or args.rest:
        parts.append(written(args.name, word))
    if args.rest:
        tokens = args.rest.split(" ")
        plain = all(written(token, word) == token for token in tokens)
        parts.append(args.rest if plain else _token(args.rest, word))
    for name, value in sorted(args.flags.items()):
        parts += [f"--{name}", _token(value)] if value else [f"--{name}"]
    return " ".join(parts)


_PLAIN = re.compile(r"[A-Za-z0-9@#][A-Za-z0-9_.:@#-]*")


def _token(text: str, word: words.Word | None = None) -> str:
    """Text as one token; in quotes where it would be read as anything else, a verb of `word` included.
    Slack's escapes are written only where Slack's reading would find one."""
    if _PLAIN.fullmatch(text) and not _is_like_verb(word, text):
        return text
    text = re.sub(r"&(?=(?:lt|gt|amp);)", "&amp;", text)
    text = re.sub(r"<(?=[@#!a-z])", "&lt;", text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_MATCHER = re.compile(r'[A-Za-z_][A-Za-z0-9_]*(?:=~|!~|!=|=)"[A-Za-z0-9_.:/|*+?()^$-]*"')


def _matcher(text: str, word: words.Word | None = None) -> str:
    """A label matcher as people write it, where nothing in it can be read as anything else."""
    return text if _MATCHER.fullmatch(text) else _token(text, word)


def _is_like_verb(word: words.Word | None, text: str) -> bool:
    return word is not None and (text.casefold() == "help" or _near_verb(word, text) is not None)


# --- Durations ------------------------------------------------------------------------------------

_DURATION = re.compile(r"([0-9]{1,7})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST_SPAN = timedelta(days=366)


def duration(text: str) -> timedelta:
    """The time span behind "30m", "1h" or "7d"; raises UsageError for anything else."""
    found = _DURATION.fullmatch(text.casefold())
    if found is None:
        raise UsageError(
            f"`{_shown(text)}` is no time span. Type a number and a unit, such as 30m, 1h or 7d."
        )
    span = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not timedelta() < span <= _LONGEST_SPAN:
        raise UsageError(f"`{_shown(text)}` is out of range: a time span is more than 0 and at most 366d.")
    return span


# --- What Slack and phones do to text -------------------------------------------------------------

_SPACES = re.compile(r"\s")
_INVISIBLE = ("Cc", "Cf", "Cs", "Co")
_JOINER = "\u200d"  # holds emoji together
_ENTITY = re.compile(
    r"<(?:([@#])([A-Z0-9]+)|!subteam\^([A-Z0-9]+)|!([a-z]+)|([a-z]+:[^<>|\s]+))(?:\|([^<>]*))?>"
)
_ESCAPE = re.compile(r"&(lt|gt|amp);")
_ESCAPES = {"lt": "<", "gt": ">", "amp": "&"}
_CURLY = str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''")
_DASHES = re.compile(r"[-\u2010-\u2015\u2212]+")


def _clean(text: str) -> str:
    if len(text) > LONGEST:
        raise UsageError(f"That is {len(text):,} characters; a command has at most {LONGEST:,}.")
    text = _SPACES.sub(" ", text)
    for position, character in enumerate(text, start=1):
        if character != _JOINER and _is_invisible(character):
            raise UsageError(
                f"Character {position} (U+{ord(character):04X}) cannot be seen, so nothing was done. "
                "Type the line by hand instead of pasting it."
            )
    text = _ENTITY.sub(_unwrapped, text)
    return _ESCAPE.sub(lambda found: _ESCAPES[found[1]], text).translate(_CURLY)


def visible(text: str) -> str:
    """Without what cannot be seen but turns text around or hides it: a space stands there instead."""
    return "".join(each if each == _JOINER or not _is_invisible(each) else " " for each in text)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE


def _unwrapped(found: re.Match[str]) -> str:
    """Ids keep their sign, because a name can be changed by its owner. An address that Slack only made
    out of a typed "backend.sre-shop.svc" goes back to what was typed."""
    sign, reference, group, special, address, label = found.groups()
    if reference:
        return f"{sign}{reference}"
    if group or special:
        return f"@{group or special}"
    typed = label and address in (f"http://{label}", f"https://{label}", f"mailto:{label}", f"tel:{label}")
    return label if typed else str(address)


# --- Tokens ---------------------------------------------------------------------------------------

_BARE_KEY = re.compile(r"-*[A-Za-z][A-Za-z0-9-]*=")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_KEY_AND_VALUE = re.compile(rf"[A-Za-z][A-Za-z0-9-]*={_QUOTED}")
# Label matchers as they are copied out of Alertmanager: severity!="info", {alertname="X",pod=~"web-.*"}
_LABELS = re.compile(
    r"\{{?{one}(?:,{one})*[,}}]*(?= |$)".format(one=rf"[A-Za-z_][A-Za-z0-9_]*(?:=~|!~|!=|=){_QUOTED}")
)
_UNCLOSED = "A quotation mark {mark} is opened and never closed, at `{rest}`. Close it, or leave it out."
_GLUED = (
    "After a closing {mark} comes a space, but here stands `{rest}`. A {mark} inside is written \\{mark}."
)


def _tokens(text: str) -> list[Token]:
    """Split at spaces, as a shell does, but a quotation mark counts only where a value begins: at a
    word's start or after `flag=`. People write "don't" in a reason far more often than they quote."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        if text[position] == " ":
            position += 1
        elif text[position] in "\"'":
            value, position = _quotation(text, position)
            found.append(Token(value, quoted=True))
        else:
            label = _LABELS.match(text, position)
            if label and not _KEY_AND_VALUE.fullmatch(label[0]):  # no flag is typed like this
                value, position = label[0], label.end()
            else:
                value, position = _bare(text, position)
            found.append(Token(value, label=label[0] if label else ""))
    return found


def _bare(text: str, start: int) -> tuple[str, int]:
    end = text.find(" ", start)
    end = len(text) if end < 0 else end
    word = _straight(text[start:end])
    key = _BARE_KEY.match(word)
    if key is None or word[key.end() : key.end() + 1] not in ('"', "'"):
        return word, end
    value, end = _quotation(text, text.index("=", start) + 1)
    return key[0] + value, end


def _straight(word: str) -> str:
    """A phone turns "--since" into "—since": any dash at the start means the two that were typed."""
    dashes = _DASHES.match(word)
    if dashes is None or dashes.end() == len(word):
        return word
    rest = word[dashes.end() :]
    return ("-" if rest[1:] == "" or rest[0].isdecimal() else "--") + rest


def _quotation(text: str, start: int) -> tuple[str, int]:
    """The text between quotation marks and where it ends; \\ works in double ones only, as in a shell."""
    mark, value, position = text[start], "", start + 1
    while position < len(text):
        character, following = text[position], text[position + 1 : position + 2]
        if character == "\\" and mark == '"' and following in ('"', "\\"):
            value, position = value + following, position + 2
            continue
        if character == mark and following in ("", " "):
            return value, position + 1
        if character == mark and not (mark == "'" and following.isalnum() and value[-1:].isalnum()):
            raise UsageError(_GLUED.format(mark=mark, rest=_shown(text[position:])))
        value, position = value + character, position + 1
    raise UsageError(_UNCLOSED.format(mark=mark, rest=_shown(text[start:])))


# --- Word and verb --------------------------------------------------------------------------------


def _match(tokens: list[Token], commands: Sequence[Command]) -> Parsed:
    head, tail = tokens[0], tokens[1:]
    shortcut = words.SHORTCUTS.get(head.text.casefold())
    if shortcut is not None:
        head, tail = Token(shortcut.word), [Token(shortcut.verb), *_numbered(tail, shortcut.number)]
    word = words.word_of(head.text)
    if word is None:
        raise _unknown_word(head, tail, commands)
    if any(token.says("--help", "-h") for token in tail) or (len(tail) == 1 and tail[0].says("help")):
        word, tail = words.WORDS["help"], [Token(word.name)]
    return _match_word(word, tail, commands)


def _numbered(tail: list[Token], flag: str) -> list[Token]:
    if flag and len(tail) > 1 and not tail[1].quoted and tail[1].text.isdecimal():
        return [tail[0], Token(f"--{flag}={tail[1].text}"), *tail[2:]]
    return tail


def _match_word(word: words.Word, tail: list[Token], commands: Sequence[Command]) -> Parsed:
    own = [command for command in commands if command.word == word.name]
    if not own:
        raise planned(word.name, built_words(commands))
    first = _exact_verb(word, tail[0]) if tail else None
    if first is not None:
        _served(word, first.name, own)  # says "not built yet" before it can complain about a flag
    if not tail and not serves_bare(word, own) and any(command.word == "help" for command in commands):
        return _match_word(words.WORDS["help"], [Token(word.name)], commands)
    given, places = _split(tail, word, own)
    verb, places = _take_verb(word, places)
    if not verb and places:
        _refuse_slip(word, tail, places[0], commands)
    verb, command = _served(word, verb, own)
    return Parsed(_args(word, verb, command, given, places), command)


def _exact_verb(word: words.Word, token: Token) -> words.Verb | None:
    return None if token.quoted else word.verb(token.text.casefold())


def _take_verb(word: words.Word, places: list[Token]) -> tuple[str, list[Token]]:
    """The verb stands first, or after the name: `deploy backend history`."""
    for index, token in enumerate(places[:2]):
        verb = _exact_verb(word, token)
        if verb is not None:
            return verb.name, places[:index] + places[index + 1 :]
    return "", places


def _served(word: words.Word, verb: str, own: Sequence[Command]) -> tuple[str, Command]:
    """The verb as it is served, and who serves it. The bare word and its default verb mean the same, so
    each stands in for the other where only one of them is built."""
    spellings = [verb]
    if word.default and verb in ("", word.default):
        spellings.append("" if verb else word.default)
    for spelling in spellings:
        for command in own:
            if spelling in command.verbs:
                return spelling, command
    raise planned(f"{word.name} {verb}".strip(), built_lines(own))


def serves_bare(word: words.Word, own: Iterable[Command]) -> bool:
    """Whether the word alone answers; where it does not, its page says what does."""
    return any(verb in ("", word.default) for command in own for verb in command.verbs)


def planned(line: str, built: Iterable[str]) -> UsageError:
    """What is said to somebody who types what the manual has and nobody has built yet."""
    return UsageError(
        f"`/sre {line}` is planned but not built yet. What works today: {_listed(built)}. "
        "`/sre help` shows all of it."
    )


def built_words(commands: Iterable[Command]) -> list[str]:
    """The words something is built for, in the order of the help page."""
    built = {command.word for command in commands}
    return [name for name in words.WORDS if name in built]


def built_lines(own: Iterable[Command]) -> list[str]:
    """What can be typed of one word: "health", "health slo"."""
    return [f"{command.word} {verb}".strip() for command in own for verb in command.verbs]


# --- Flags ----------------------------------------------------------------------------------------

_NEGATIVE = re.compile(r"-\d")  # no flag, but a value that is wrong and is to be called so
_KEYED = re.compile(r"[A-Za-z][A-Za-z0-9-]*=.*", re.DOTALL)
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


def _split(tail: list[Token], word: words.Word, own: Sequence[Command]) -> tuple[dict[str, str], list[Token]]:
    """The flags, checked, and the other tokens in their order. Whether the verb takes them is seen later."""
    flags = [*EVERYWHERE, *(flag for command in own for flag in command.flags)]
    known = {key: flag for flag in reversed(flags) for key in (flag.short, flag.name) if key}
    is_labelled = any(verb.labels for token in tail[:2] if (verb := _exact_verb(word, token)))
    given: dict[str, str] = {}
    places: list[Token] = []
    queue = list(tail)
    while queue:
        token = queue.pop(0)
        key, equals, value = token.text.lstrip("-").partition("=")
        flag = None if token.quoted else known.get(key.casefold())
        if token.is_flag and flag is None:
            raise _unknown_flag(token, word.name, _taken_by_any(own))
        if flag is None or not (token.is_flag or (equals and not is_labelled)):
            places.append(replace(token, text=token.label or token.text) if is_labelled else token)
            continue
        if flag.name in given:
            raise UsageError(f"`--{flag.name}` is given twice. Leave one out.")
        if flag.value and not equals and queue and (not queue[0].is_flag or _NEGATIVE.match(queue[0].text)):
            value = _value(flag, queue, is_named=_is_named_change(word, places))
        given[flag.name] = _checked(flag, value, bool(equals))
    return given, places


def _is_named_change(word: words.Word, places: Sequence[Token]) -> bool:
    verb = next((verb for token in places[:2] if (verb := _exact_verb(word, token))), None)
    return verb is not None and verb.changes and len(places) > 1


def _value(flag: Flag, queue: list[Token], *, is_named: bool) -> str:
    """The token behind the flag. Of a reason given after the name of what is changed, all up to the next flag:
    nothing else may stand there, and few people quote one."""
    first = queue.pop(0)
    if flag.value == "MATCHER":
        return first.label or first.text
    said = [first.text]
    while flag.name == "why" and is_named and not first.quoted and queue and not _is_like_flag(queue[0]):
        said.append(queue.pop(0).text)
    return " ".join(said)


def _is_like_flag(token: Token) -> bool:
    return token.is_flag or (not token.quoted and _KEYED.fullmatch(token.text) is not None)


def _checked(flag: Flag, value: str, equals: bool) -> str:
    """A value is judged by what the flag's declaration shows as its value: a span, a number, a name."""
    if not flag.value:
        if equals:
            raise UsageError(f"`--{flag.name}` takes no value. Type it alone.")
        return ""
    if not value:
        raise UsageError(f"`--{flag.name}` needs a value: `--{flag.name} {flag.value}`.")
    if _DURATION.fullmatch(flag.value):
        try:
            duration(value)
        except UsageError as error:
            raise UsageError(f"`--{flag.name}`: {error}") from None
        return value.casefold()
    if flag.value.isdecimal() and not re.fullmatch(r"[0-9]{1,9}", value):
        raise UsageError(f"`--{flag.name}` takes a number, such as {flag.value}; `{_shown(value)}` is none.")
    if flag.value == "NAMESPACE":
        return _namespace(value)
    return value


def _namespace(value: str) -> str:
    if not _NAMESPACE.fullmatch(value.casefold()):
        raise UsageError(f"`{_shown(value)}` cannot be a namespace: letters, digits and - only.")
    return value.casefold()


def _taken_by_any(own: Sequence[Command]) -> list[Flag]:
    return list(
        {f.name: f for command in own for verb in command.verbs for f in taken(command, verb)}.values()
    )


def _refuse_unused(line: str, given: Iterable[str], flags: list[Flag]) -> None:
    names = [flag.name for flag in flags]
    for name in given:
        if name not in names:
            its = _listed(f"--{each}" for each in names)
            raise UsageError(f"`{line}` does not use `--{name}`, so nothing was done. Its flags: {its}.")


def _unknown_flag(token: Token, line: str, flags: Iterable[Flag]) -> UsageError:
    typed = token.text.partition("=")[0]
    names = {flag.name: f"--{flag.name}" for flag in flags}
    near = _nearest(typed.strip("-"), names)
    meant = f" Did you mean `--{near}`?" if near else ""
    return UsageError(
        f"`{_shown(typed)}` is no flag of `{line}`.{meant} Its flags: {_listed(names.values())}. "
        "Text that only looks like a flag goes in quotes."
    )


# --- Name and rest --------------------------------------------------------------------------------

_KINDS = re.compile(
    r"deploy(ments?)?|po|pods?|no|nodes?|svc|services?|sts|statefulsets?|ds|daemonsets?|rs|replicasets?"
    r"|hpa|pvc|(cron)?jobs?"
)
_OBJECT = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_PATH = re.compile(rf"(?:(?P<one>[A-Za-z0-9-]+)/)?(?P<two>[A-Za-z0-9-]+)/(?P<name>{_OBJECT})")


def _args(word: words.Word, verb: str, command: Command, given: dict[str, str], places: list[Token]) -> Args:
    line = f"{word.name} {verb}".strip()
    flags = taken(command, verb)
    _refuse_unused(line, given, flags)
    _refuse_surplus(line, command, places, flags)
    if not places:
        return Args(word.name, verb, "", given)
    if command.entry is not None:
        # It names records and says texts: what has a / in it is no object of a cluster.
        return Args(word.name, verb, places[0].text, given, " ".join(token.text for token in places[1:]))
    name, namespace = _named(places[0])
    if namespace:
        if given.get("namespace", namespace) != namespace:
            raise UsageError(f"`{_shown(places[0].text)}` and `--namespace {given['namespace']}` disagree.")
        _refuse_unused(line, ["namespace"], flags)
        given = {**given, "namespace": namespace}
    kind = _kind(places[0])
    if kind and any(flag.name == "kind" for flag in flags):
        if given.get("kind", kind) != kind:
            raise UsageError(f"`{_shown(places[0].text)}` and `--kind {_shown(given['kind'])}` disagree.")
        given = {**given, "kind": kind}
    return Args(word.name, verb, name, given, " ".join(token.text for token in places[1:]))


def _refuse_surplus(line: str, command: Command, places: list[Token], flags: list[Flag]) -> None:
    """`names` says how much may follow: nothing, "NODE" one name, "POD COMMAND…" a name and any text."""
    wanted = len(command.names.split())
    if wanted > 1:
        return
    keyed = next((token for token in places if not token.quoted and _KEYED.fullmatch(token.text)), None)
    if keyed is not None:
        raise _unknown_flag(keyed, line, flags)
    if len(places) <= wanted:
        return
    surplus = _shown(places[wanted].text)
    if wanted:
        raise UsageError(f"`{line}` takes one {command.names}; `{surplus}` is too much. Put text in quotes.")
    verbs = [spelling for spelling in command.verbs if spelling]
    instead = f" After `{command.word}` may stand: {_listed(verbs)}." if verbs else ""
    raise UsageError(f"`{line}` takes no name, so `{surplus}` means nothing here.{instead}")


def _named(token: Token) -> tuple[str, str]:
    """Name and namespace: "backend", "deploy/backend", "sre-shop/backend", "sre-shop/deploy/backend"."""
    found = None if token.quoted else _PATH.fullmatch(token.text)
    if found is None:
        return token.text, ""
    if found["one"] is None:
        is_kind = _KINDS.fullmatch(found["two"].casefold())
        return found["name"], "" if is_kind else _namespace(found["two"])
    if _KINDS.fullmatch(found["two"].casefold()):
        return found["name"], _namespace(found["one"])
    return token.text, ""


def _kind(token: Token) -> str:
    """The "sts" of "sts/alertmanager" and of "monitoring/sts/alertmanager"; "" where none is typed."""
    found = None if token.quoted else _PATH.fullmatch(token.text)
    kind = found["two"].casefold() if found else ""
    return kind if _KINDS.fullmatch(kind) else ""


# --- Did you mean ---------------------------------------------------------------------------------


def _unknown_word(head: Token, tail: list[Token], commands: Sequence[Command]) -> UsageError:
    problem = f"`{_shown(head.text)}` is no command."
    near = nearest_word(head.text)
    if near is None:
        return UsageError(f"{problem} What works today: {_listed(built_words(commands))}. Try `/sre help`.")
    return _misspelt(problem, [Token(near), *tail], commands)


def nearest_word(text: str) -> str | None:
    """The word or shortcut this is nearly, or None."""
    near = _nearest(text, [*words.WORDS, *words.ALIASES, *words.SHORTCUTS])
    return None if near is None else words.ALIASES.get(near, near)


def _refuse_slip(word: words.Word, tail: list[Token], token: Token, commands: Sequence[Command]) -> None:
    """A name one slip away from a verb is more likely that verb; a quoted one is always a name."""
    verb = None if token.quoted else _near_verb(word, token.text)
    if verb is None:
        return
    right = [Token(verb.name) if other is token else other for other in tail]
    shown = _shown(token.text)
    problem = f"`{shown}` is no verb of `{word.name}`."
    if any(command.names for command in commands if command.word == word.name):
        problem += f' If it is a name, type `"{shown}"`.'
    raise _misspelt(problem, [Token(word.name), *right], commands)


def _misspelt(problem: str, right: list[Token], commands: Sequence[Command]) -> Misspelt:
    try:
        args = _match(right, commands).args
    except UsageError as error:
        return Misspelt(
            f"{problem} Did you mean `{_shown(' '.join(token.text for token in right))}`? {error}"
        )
    line = format(args)
    word = words.WORDS[args.word]
    verb = word.verb(args.verb or word.default)
    if verb is not None and verb.changes:
        return Misspelt(f"{problem} Did you mean `{line}`? It changes something: type it out if you do.")
    return Misspelt(f"{problem} Did you mean `{line}`?", Suggestion(line, line))


def _near_verb(word: words.Word, text: str) -> words.Verb | None:
    typed = text.casefold()
    return next((verb for verb in word.verbs if typed == verb.name or is_slip(typed, verb.name)), None)


def _nearest(text: str, options: Iterable[str]) -> str | None:
    typed, known = text.casefold(), list(options)
    slips = [option for option in known if is_slip(typed, option)]
    return next(iter(slips or difflib.get_close_matches(typed, known, n=1, cutoff=0.7)), None)


def is_slip(typed: str, right: str) -> bool:
    """One letter wrong, missing, too many, or two swapped. difflib alone calls "tpo" far from "top"."""
    if typed == right or min(len(typed), len(right)) < 2 or max(len(typed), len(right)) < 3:
        return False
    same = next((i for i, (a, b) in enumerate(zip(typed, right, strict=False)) if a != b), len(right))
    same = min(same, len(typed), len(right))
    ours, theirs = typed[same:], right[same:]
    return (
        ours[1:] == theirs[1:]
        or ours[1:] == theirs
        or ours == theirs[1:]
        or (ours[:2] == theirs[1::-1] and ours[2:] == theirs[2:])
    )


# --- Words for people -----------------------------------------------------------------------------


def _shown(text: str) -> str:
    """Somebody's own text inside a message: short, and unable to end its code span."""
    text = text.replace("`", "'")
    return text if len(text) <= 60 else text[:59] + "…"


def _listed(items: Iterable[str]) -> str:
    return ", ".join(f"`{item}`" for item in items) or "nothing"
