"""Values that must not be seen, and the one place that knows what they look like.

`Secret` hides a value from repr, str, format, pickles of tracebacks and f-strings; only `reveal()` gives
it. `Redactor` masks the loaded secrets, and everything with a well known shape, in any text that leaves
the process: log lines (bot/logs.py) and errors about the configuration (bot/sitefile.py).
Too much masked is a nuisance, too little an incident, so shapes are wide on purpose.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote

MASK = "***"

# A loaded secret shorter than this is not looked for in texts: masking every "a" helps nobody.
_SHORTEST = 4


class Secret:
    """A text that shows itself as ***."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the client that needs it, never for a message or a log line."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: a queue or a cache would keep it")


# Values that are a secret by their look alone. Used for masking, and to refuse them in the YAML file.
_TOKENS = (
    r"xox[a-z]{1,2}(?:\.xox[a-z])?-[\w-]+",  # Slack bot, user, legacy, refresh and rotated tokens
    r"xapp-[\w-]+",  # Slack app-level token
    r"(?:AKIA|ASIA)[A-Z0-9]{12,}",  # AWS access key id
    r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",  # JWT: service accounts, OIDC
    r"glsa_\w+",  # Grafana service account
    r"(?:gh[opusr]_|github_pat_|glpat-)[\w-]{10,}",
)
_PEM = r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*\Z)"
_SLACK_HOOK = r"(?<=hooks\.slack\.com/)(?:services|commands|actions|app|workflows|triggers)/[^\s\"'<>|]+"
_USERINFO = r"(?<=://)[^\s/@\"'<>?#]+(?=@)"

TOKEN = re.compile(r"(?<![\w-])(?:" + "|".join(_TOKENS) + r")|" + _PEM, re.DOTALL)
_WHOLE = (TOKEN, re.compile(_SLACK_HOOK), re.compile(_USERINFO))

# A name that gives its value away. The look-behind and the bounds keep the search linear.
_NAMED = re.compile(
    r"""(?ix) (?<![\w-])
    ( [\w-]{0,40}? (?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credential)
      (?: s | [_-][\w-]{1,40} )?
      ["']? \s{0,4} [:=] \s{0,4} )
    ( "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | [^\s,;&"'}\])]+ )"""
)
# As Kubernetes writes a variable or a header, as JSON or as JSON within JSON: the name, then the value.
_PAIR = re.compile(
    r"""(?ix) ( \\?"name\\?" \s{0,4} : \s{0,4}
      \\?" [\w.-]{0,40}? (?:pass|pwd|secret|token|api[_-]?key|access[_-]?key|credential|private|auth|dsn
        |keys?(?![a-z])|cert|salt|signature)
      [\w.-]{0,40} \\?"
      \s{0,4} , \s{0,40} \\?"value\\?" \s{0,4} : \s{0,4} )
    ( \\"(?:[^"\\]|\\\\(?:\\"|\\\\|[^"\\]))*\\" | "(?:[^"\\]|\\.)*" )"""
)
# A flag with its value as the next word, or as the next of a list.
_FLAG = re.compile(
    r"""(?ix) (?<![\w-])
    ( --? [\w-]{0,40}? (?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credential) s?
      (?: \s{1,4} | \\?["'] (?: \s{1,4} | \s{0,4} , \s{0,40} ) \\?["'] ) )
    ( (?![\s-]) [^\s,;&"'}\])\\]+ )"""
)
_HEADER = re.compile(
    r"""(?ix) (?<![\w-]) ( (?:proxy-)?authorization ["']? \s{0,4} [:=,] \s{0,4} ["']? )
    ( (?:(?:bearer|basic|digest|token) \s+)? [^\s,;"'}\])]+ )"""
)
_SCHEME = re.compile(r"(?i)(?<![\w-])(bearer|basic)(\s+)([\w.~+/=-]{6,})")


def looks_secret(text: str) -> bool:
    """Whether the value alone gives away that it is a secret."""
    return any(shape.search(text) for shape in _WHOLE)


def without_tokens(text: str) -> str:
    """The text without values that give themselves away; names such as `token:` keep what follows."""
    for shape in _WHOLE:
        text = shape.sub(MASK, text)
    return text


class Redactor:
    """Masks these secrets, however they are written, and whatever looks like one."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        written = {way for secret in secrets for way in _ways(secret.reveal())}
        longest_first = sorted(written, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if written else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(MASK, text)
        text = _HEADER.sub(rf"\1{MASK}", without_tokens(text))
        text = _SCHEME.sub(rf"\1\2{MASK}", text)
        text = _FLAG.sub(rf"\1{MASK}", text)
        return _NAMED.sub(_mask_value, _PAIR.sub(_mask_value, text))


def _mask_value(found: re.Match[str]) -> str:
    escape = "\\" if found[2].startswith('\\"') else ""
    first = found[2][len(escape)]
    quote_mark = escape + first if first in "\"'" else ""
    return f"{found[1]}{quote_mark}{MASK}{quote_mark}"


def _ways(value: str) -> set[str]:
    """The value as it stands in a URL, in JSON, in a Kubernetes Secret, in a Python repr."""
    if len(value) < _SHORTEST:
        return set()
    encoded = value.encode()
    ways = {value, quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1]}
    return ways | {base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode()}


redact = Redactor()
