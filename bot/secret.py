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
    r"[rs]k_(?:live|test)_\w{10,}",  # Stripe
    r"AIza[\w-]{30,}|ya29\.[\w.-]{20,}",  # Google
    r"(?:npm_|dckr_pat_|pypi-AgE)[\w-]{20,}",  # registries of packages and images
    r"sk-(?:(?:proj|ant|svcacct)-[\w-]{20,}|[A-Za-z0-9]{32,})",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"hv[bsr]\.[\w-]{20,}",  # Vault
)
_PEM = r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?:.*?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|.*\Z)"
# A line of a key whose first line is elsewhere, as each line of a log is a text of its own. A digest is all hex.
_BLOB = (
    r"(?<![\w+/=])(?=[a-z0-9+/]{0,63}[A-Z])(?=[A-Z0-9+/]{0,63}[a-z])(?=[A-Za-z+/]{0,63}\d)"
    r"[A-Za-z0-9+/]{64,}={0,2}(?![\w+/=])"
)
_SLACK_HOOK = r"(?<=hooks\.slack\.com/)(?:services|commands|actions|app|workflows|triggers)/[^\s\"'<>|]+"
# Passwords hold what no URL may: up to the last @ then. What is a port is none: an image's digest follows an @ too.
_USERINFO = r"(?<=://)(?:[^\s/@:\"'<>?#]{0,80}:(?!\d{1,5}[/?#])[^\s\"'<>,]{0,120}|[^\s/@\"'<>?#]+)(?=@)"
_DSN = r"(?<=:)[^\s:@\"'/]{1,120}(?=@(?:tcp|unix)\()"  # user:password@tcp(host)

TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(_TOKENS) + r")|" + _PEM, re.DOTALL)
_WHOLE = (TOKEN, re.compile(_SLACK_HOOK), re.compile(_USERINFO), re.compile(_DSN))
_LINE_OF_KEY = re.compile(_BLOB)

# A name that gives its value away. The look-behind and the bounds keep the search linear. Within a text within a
# text a quote is escaped, and one that was cut off has no end. Of an event's `volume "token" : secret "x" not found`
# nothing is a value.
_NAMED = re.compile(
    r"""(?ix) (?<![\w-])
    ( [\w-]{0,40}? (?:password|passwd|passphrase|pwd|(?<![a-z])pass(?=\\{0,7}["']?[=])|[_-]pass
        |secret|token|(?:api|access|private|account|signing|encryption)[._-]?key|credential)
      (?: s | [_-][\w-]{1,40} )?
      \\{0,7}["']? \s{0,4} (?:=>|:=|[:=]) \s{0,4} )
    ( "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | (?P<escape>\\{1,7})"[^\n]{0,2000}?(?<!\\)(?P=escape)"
      | "[^\n]+ | (?! (?:secret|configmap)\s\\?["'] | (?:failed|references|object|rpc|timed)\s )
        \\{0,7}["']? [^\s,;&"'}\])]+ )"""
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
_COOKIE = re.compile(r"""(?i)(?<![\w-])((?:set-)?cookie["']?\s{0,4}[:=]\s{0,4}["']?)([\w.-]+=[^\r\n"']+)""")
# "basic checks" are words, and what is encoded has capitals or digits.
_SCHEME = re.compile(r"(?i)(?<![\w-])(bearer|basic(?=\s+[a-z/+]*(?-i:[A-Z0-9=])))(\s+)([\w.~+/=-]{6,})")
_SIGNED = re.compile(r"""(?i)((?<=[?&])(?:x-amz-signature|signature|sig)=)([^\s&"'<>]+)""")
_USER = re.compile(r"""(?<![\w-])((?:-u|--user|--proxy-user)[\s=]["']?[^\s:"']{1,80}:)((?!\d+\b)[^\s"']+)""")
# A matcher within a link: password%3D%22hunter2%22
_ENCODED = re.compile(
    r"""(?ix) ( (?:password|passwd|passphrase|secret|token|(?:api|access|private)[._-]?key|credential)
      [\w-]{0,40} %3[ad] (?:%2[027]){0,3} ) ( (?: [^\s&%"'<>] | %(?!2[267c]|7d)[0-9a-f]{2} )+ )"""
)
_REGISTRY = re.compile(r"""("auth\\{0,3}"\s{0,4}:\s{0,4}\\{0,3}")([\w+/=-]{8,})""")  # of an image registry


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
        text = _HEADER.sub(rf"\1{MASK}", _LINE_OF_KEY.sub(MASK, without_tokens(text)))
        text = _SCHEME.sub(rf"\1\2{MASK}", text)
        for shape in (_COOKIE, _SIGNED, _ENCODED, _USER, _REGISTRY, _FLAG):
            text = shape.sub(rf"\1{MASK}", text)
        return _NAMED.sub(_mask_value, _PAIR.sub(_mask_value, text))


def _mask_value(found: re.Match[str]) -> str:
    """The name, and the mask within the quotes that the value had."""
    value = found[2]
    opening = value[: len(value) - len(value.lstrip("\\"))]
    opening += value[len(opening)] if value[len(opening) :][:1] in ('"', "'") else ""
    closing = opening if len(value) > len(opening) and value.endswith(opening) else ""
    return f"{found[1]}{opening}{MASK}{closing}"


def _ways(value: str) -> set[str]:
    """The value as it stands in a URL, in JSON, in a Kubernetes Secret, in a Python repr."""
    if len(value) < _SHORTEST:
        return set()
    encoded = value.encode()
    ways = {value, quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1]}
    return ways | {base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode()}


redact = Redactor()
