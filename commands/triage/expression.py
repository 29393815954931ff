"""What an alert's expression compares, read off its text: "rate(x[5m]) > 0.9" is a value and a level.

Only as far as a graph needs it: brackets, quotes, and the operators that stand outside of them. What is not
understood is left whole, and its graph has no level. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_SETS = re.compile(r"\s(and|unless|or)\b", re.IGNORECASE)
_COMPARE = re.compile(r"(==|!=|>=|<=|>|<)\s*(bool\b)?")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_PRODUCT = re.compile(rf"\(?\s*{_NUMBER.pattern}(?:\s*[*/]\s*{_NUMBER.pattern})*\s*\)?")

# A comment, or a text in quotes, in which the sign begins none.
_COMMENT = re.compile(r"""#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""")

# Labels that tell one series from another of the same rule; others may have been added by the rule itself.
_TELLING = (
    "namespace", "pod", "container", "node", "instance", "device", "mountpoint", "persistentvolumeclaim",
    "deployment", "statefulset", "daemonset", "job_name", "cronjob", "horizontalpodautoscaler",
    "poddisruptionbudget", "service", "job", "name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Level:
    """value: the PromQL whose value is compared; op and threshold with what, None where it is no plain number."""

    value: str
    op: str = ""
    threshold: float | None = None


def of_link(generator_url: str) -> str:
    """The expression that Prometheus writes into the link of an alert, "" where it has none."""
    try:
        return parse_qs(urlsplit(generator_url).query).get("g0.expr", [""])[0]
    except ValueError:  # no URL at all
        return ""


def level(expr: str) -> Level:
    """The first operand's value and level: of "a > 1 and b < 2" those of "a > 1"."""
    expr = _unwrapped(_without_comments(expr))
    first = expr[: next(_outside(expr, _SETS), (len(expr), 0))[0]].strip()
    if first != expr:
        return level(first)
    ends = list(_outside(expr, _COMPARE))
    if not ends:
        return Level(expr)
    start, end = ends[-1]
    left, right = expr[:start].strip(), expr[end:].strip()
    op = expr[start:end].replace("bool", "").strip()
    number = _number(right)
    if number is not None:
        return Level(left, op, number)
    if _number(left) is not None:
        return Level(right, _TURNED[op], _number(left))
    return Level(expr)


_TURNED: Mapping[str, str] = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}


def narrowed(value: str, labels: Mapping[str, str]) -> str:
    """The expression for the alert's own series: those with the same labels, as far as they tell series apart."""
    told = [(name, labels[name]) for name in _TELLING if labels.get(name)]
    if not told:
        return value
    marked = "vector(1)"
    for name, held in told:
        marked = f'label_replace({marked}, "{name}", {_quoted(held)}, "", "")'
    return f"({value}) and on ({', '.join(name for name, _ in told)}) {marked}"


def _quoted(text: str) -> str:
    # In the replacement of label_replace "$1" is a group; "$$" is the sign itself.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("$", "$$")
    return f'"{escaped}"'


def _number(text: str) -> float | None:
    if not _PRODUCT.fullmatch(text):
        return None
    factors = re.split(r"\s*([*/])\s*", text.strip("() "))
    result = float(factors[0])
    for sign, factor in zip(factors[1::2], factors[2::2], strict=True):
        if sign == "/" and float(factor) == 0:
            return None
        result = result * float(factor) if sign == "*" else result / float(factor)
    return result


def _unwrapped(expr: str) -> str:
    """Without the brackets around the whole."""
    expr = expr.strip()
    while expr.startswith("(") and _closing(expr) == len(expr) - 1:
        expr = expr[1:-1].strip()
    return expr


def _closing(expr: str) -> int:
    """Where the bracket that opens the text is closed; -1 where it is not."""
    return next((at for at, depth in _depths(expr) if depth == 0 and expr[at] == ")"), -1)


def _outside(expr: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where the pattern stands outside of every bracket and quote."""
    free = {at for at, depth in _depths(expr) if depth == 0}
    for found in pattern.finditer(expr):
        if found.start() in free:
            yield found.start(), found.end()


def _depths(expr: str) -> Iterator[tuple[int, int]]:
    """Each character outside of quotes with how many brackets are open behind it."""
    depth, quote, at = 0, "", 0
    while at < len(expr):
        sign = expr[at]
        if quote:
            at += 1 if sign == "\\" and quote != "`" else 0
            quote = "" if sign == quote else quote
        elif sign in "\"'`":
            quote = sign
        else:
            depth += (sign in "([{") - (sign in ")]}")
            yield at, depth
        at += 1


def _without_comments(expr: str) -> str:
    return _COMMENT.sub(lambda found: "" if found[0].startswith("#") else found[0], expr)
