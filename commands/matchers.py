"""Label matchers as Alertmanager writes them: 'severity="critical"', 'namespace=~"shop|pay"', 'team!="x"'.

Regular expressions are anchored, as Alertmanager's are, and take only what its own (RE2) take as well; those that
could keep this process busy for ever are refused. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from commands.errors import UsageError

_NAME = r"[A-Za-z_:][A-Za-z0-9_:]*"
_MATCHER = re.compile(rf'\s*({_NAME}|"(?:[^"\\]|\\.)+")\s*(=~|!~|!=|=)\s*(.*?)\s*', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n"}

# What Python's expressions know and Alertmanager's do not: looking around, and referring back.
_NOT_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|P=|\(|>)|\\[1-9]|\\Z")
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)  # an escape or a class: one character each
_KIND = re.compile(r"\(\?(?:P?<\w+>|[A-Za-z-]*:)")
_PART = re.compile(r"[()|]|(?:[*+?]|\{\d*,?\d*\})[?+]?|.", re.DOTALL)
_LONGEST = 1_000
# ".*a.*b.*" takes as many steps as the value has letters, to the power of its repetitions.
_REPEATED, _OPTIONAL = 4, 6


@dataclass(frozen=True, slots=True)
class Matcher:
    """op: =, !=, =~ or !~. A label that is not there has the value ""."""

    label: str
    op: str
    value: str

    def finds(self, labels: Mapping[str, str]) -> bool:
        held = labels.get(self.label, "")
        equal = re.fullmatch(self.value, held) is not None if "~" in self.op else held == self.value
        return equal is not self.op.startswith("!")

    @property
    def finds_absent(self) -> bool:
        """Whether it finds alerts without the label: Alertmanager takes no silence of such matchers alone."""
        return self.finds({})

    def __str__(self) -> str:
        label = self.label if re.fullmatch(_NAME, self.label) else _in_quotes(self.label)
        return f"{label}{self.op}{_in_quotes(self.value)}"


def parse(text: str) -> Matcher:
    """One matcher; the quotes may be left out where the value has neither blank nor quote.

    Raises UsageError that says what is wrong with it.
    """
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise UsageError(f'`{text}` is no matcher: write label="value", or with !=, =~ or !~')
    label = _unescaped(found[1][1:-1]) if found[1].startswith('"') else found[1]
    op, value = found[2], _unquoted(found[3], text)
    if "~" in op:
        _check_expression(value, text)
    return Matcher(label, op, value)


def parse_all(text: str) -> tuple[Matcher, ...]:
    """One matcher or several with commas between, in braces or without: '{a="b", c=~"d|e"}'."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    return tuple(parse(each) for each in _parted(inner.strip().removesuffix(",")))


def all_find(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    return all(matcher.finds(labels) for matcher in matchers)


def _parted(text: str) -> Iterator[str]:
    """Between the commas that stand outside of quotes."""
    start = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|,', text, re.DOTALL):
        if found[0] == ",":
            yield text[start : found.start()]
            start = found.end()
    yield text[start:]


def _check_expression(value: str, text: str) -> None:
    if len(value) > _LONGEST:
        raise UsageError(f"a regular expression of {len(value)} characters is too long: at most {_LONGEST}")
    if _NOT_RE2.search(value.replace("\\\\", "")):
        raise UsageError(f"`{text}`: Alertmanager's regular expressions neither look around nor refer back")
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"`{text}`: the regular expression is wrong: {error}") from error
    _check_effort(_KIND.sub("(", _ATOM.sub(".", value)), text)


@dataclass(slots=True)
class _Group:
    """Of what stands between two brackets: how each branch begins, how often one repeats at most, how much of one is
    optional or repeats."""

    begins: list[str] = field(default_factory=lambda: [""])
    most: tuple[int, int] = (0, 0)
    repeated: int = 0
    optional: int = 0

    def branch(self) -> None:
        self.most = max(self.most[0], self.repeated), max(self.most[1], self.optional)
        self.begins, self.repeated, self.optional = [*self.begins, ""], 0, 0

    def repeats(self, sign: str) -> None:
        self.optional += 1
        self.repeated += sign[0] in "*+" or "," in sign

    def take_in(self, inner: "_Group") -> None:
        self.repeated += inner.most[0]
        self.optional += inner.most[1]

    @property
    def is_ambiguous(self) -> bool:
        """Whether the same text may be found in it in several ways, and so again and again in very many."""
        begins = self.begins[:-1]
        is_told_apart = len(begins) == 1 or (
            all(map(str.isalnum, begins)) and len({*map(str.casefold, begins)}) == len(begins)
        )
        return self.most != (0, 0) or not is_told_apart


def _check_effort(bare: str, text: str) -> None:
    """Refuse what may take years to say no to forty letters: "(a+)+", "(a|aa)+", ".*.*.*.*.*"."""
    open_, closed = [_Group()], _Group()
    for part in _PART.findall(bare):
        inner, closed = closed, _Group(begins=["", ""])
        open_[-1].begins[-1] = open_[-1].begins[-1] or part
        if part == "(":
            open_.append(_Group())
        elif part == "|":
            open_[-1].branch()
        elif part == ")":
            closed = open_.pop()
            closed.branch()
            open_[-1].take_in(closed)
        elif part[0] in "*+?{":
            if part[1:].endswith("+") or (inner.is_ambiguous and part[0] != "?"):
                raise UsageError(
                    f"`{text}`: a repetition of a repetition, as in (a+)+ or (a|ab)+, is not taken"
                )
            open_[-1].repeats(part)
    open_[0].branch()
    if open_[0].most[0] > _REPEATED or open_[0].most[1] > _OPTIONAL:
        raise UsageError(
            f"`{text}`: at most {_REPEATED} repetitions, as in .*a.*b.*, and {_OPTIONAL} with what is optional"
        )


def _unquoted(value: str, text: str) -> str:
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        return _unescaped(quoted[1])
    if re.search(r'["\s,{}]', value):
        raise UsageError(f"`{text}`: put the value into double quotes")
    return value


def _unescaped(text: str) -> str:
    return re.sub(r'\\["\\n]', lambda escape: _ESCAPES[escape[0]], text)


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
