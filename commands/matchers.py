"""Label matchers as Alertmanager writes them: 'severity="critical"', 'namespace=~"shop|pay"', 'team!="x"'.

Regular expressions are anchored, as Alertmanager's are. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from commands.errors import UsageError

_MATCHER = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n"}


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
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.op}"{quoted}"'


def parse(text: str) -> Matcher:
    """One matcher; the quotes may be left out where the value has neither blank nor quote.

    Raises UsageError that says what is wrong with it.
    """
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise UsageError(f'`{text}` is no matcher: write label="value", or with !=, =~ or !~')
    label, op, value = found[1], found[2], _unquoted(found[3], text)
    if "~" in op:
        try:
            re.compile(value)
        except re.error as error:
            raise UsageError(f"`{text}`: the regular expression is wrong: {error}") from error
    return Matcher(label, op, value)


def all_find(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    return all(matcher.finds(labels) for matcher in matchers)


def _unquoted(value: str, text: str) -> str:
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        return re.sub(r'\\["\\n]', lambda escape: _ESCAPES[escape[0]], quoted[1])
    if re.search(r'["\s,{}]', value):
        raise UsageError(f"`{text}`: put the value into double quotes")
    return value
