"""Single values of sre-bot.yaml: what a node means for a type, and what a text must look like.

The schema decides what a value is, not YAML 1.1: a text is the text that stands there (`on`, `08` and
`2026-01-05` included), a number is a decimal number, a boolean is true or false. Every refusal is a
`Wrong` whose text completes the sentence "<key> …" and never shows what looks like a secret.
Used by bot/sitefile.py, which knows the key and the place.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from ipaddress import ip_network
from math import isfinite
from types import NoneType
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import yaml

from bot.secret import redact
from commands import matchers
from commands.errors import UsageError
from commands.site import CHANGES, ROLES, Channels, Shape, Within, is_like

# --- Single values --------------------------------------------------------------------------------


class Wrong(Exception):
    """A value that does not fit; an empty text means it is reported already."""

    def __init__(self, text: str, node: yaml.Node | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.node = node


NOTHING = '""'
_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[wdhms]))+")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def duration(text: str) -> timedelta:
    """ "15m", "30d", "1h30m" as a timedelta; raises ValueError for anything else, a bare number too."""
    if not _DURATION.fullmatch(text):
        raise ValueError(text)
    pairs = re.findall(r"(\d+(?:\.\d+)?)(ms|[wdhms])", text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in pairs))


def shown(text: str) -> str:
    """A value as messages may show it: masked, on one line, cut."""
    flat = " ".join(redact(text).split())
    return f'"{flat[:57]}…"' if len(flat) > 60 else f'"{flat}"'


def kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return shown(str(node.value))


def scalar(node: yaml.Node, wanted: str) -> tuple[str, bool]:
    """The text of a scalar and whether it stands in quotes."""
    if not isinstance(node, yaml.ScalarNode):
        raise Wrong(f"must be {wanted}, not {kind(node)}")
    if node.style is None and node.tag.endswith(":null"):
        raise Wrong(f'has no value: write {wanted}, or leave the key out (in YAML " #" begins a comment)')
    return node.value, node.style is not None


def text_of(node: yaml.Node) -> str:
    return scalar(node, 'a text ("" for none)')[0]


def _number(node: yaml.Node, shape: re.Pattern[str], wanted: str) -> str:
    text, quoted = scalar(node, wanted)
    if shape.fullmatch(text):
        if quoted:
            raise Wrong(f"must be {wanted}: take the quotes off {shown(text)}")
        return text
    hint = ""
    if re.fullmatch(r"[0-9_]+", text) and not text.startswith("_"):
        hint = f": write {text.replace('_', '').lstrip('0') or '0'}"
    elif re.fullmatch(r"[0-9.]+ ?(%|ms|s|d|m|h)", text):
        hint = ": the unit is in the key, write the number alone"
    raise Wrong(f"must be {wanted}, not {shown(text)}{hint}")


def _integer(node: yaml.Node) -> int:
    return int(_number(node, _INTEGER, "a whole number"))


def _decimal(node: yaml.Node) -> float:
    found = float(_number(node, _DECIMAL, "a number"))
    if not isfinite(found):
        raise Wrong(f"is too large a number: {shown(str(node.value))}")
    return found


def _boolean(node: yaml.Node) -> bool:
    text, quoted = scalar(node, "true or false")
    if not quoted and text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise Wrong(f"must be true or false, not {shown(text)}" + (" in quotes" if quoted else ""))


def _timedelta(node: yaml.Node) -> timedelta:
    text, _ = scalar(node, "a duration such as 15m")
    try:
        return duration(text)
    except ValueError:
        hint = f", write {text}s, {text}m, {text}h or {text}d" if _INTEGER.fullmatch(text) else ""
        raise Wrong(f"must be a duration such as 30s, 15m, 2h or 7d, not {shown(text)}{hint}") from None
    except OverflowError:
        raise Wrong(f"is too long a duration: {shown(text)}") from None


def _moment(node: yaml.Node) -> datetime:
    text, _ = scalar(node, "a day such as 2026-01-05")
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d)?", text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    wanted = 'a day such as 2026-01-05, or a local time such as "2026-01-05 09:00"'
    raise Wrong(f"must be {wanted}, not {shown(text)}")


SCALARS: Mapping[type, Callable[[yaml.Node], Any]] = {
    str: text_of,
    int: _integer,
    float: _decimal,
    bool: _boolean,
    timedelta: _timedelta,
    datetime: _moment,
}


def choice(node: yaml.Node, choices: tuple[str, ...]) -> str:
    wanted = f"one of {', '.join(each or NOTHING for each in choices)}"
    text, _ = scalar(node, wanted)
    if text in choices:
        return text
    near = difflib.get_close_matches(text, choices, n=1)
    raise Wrong(f"must be {wanted}, not {shown(text)}" + (f"; did you mean {near[0]}?" if near else ""))


def either(node: yaml.Node, hints: tuple[Any, ...]) -> Any:
    """A value of a union: None by leaving it out only, a boolean when it reads as one."""
    kinds = [each for each in hints if each is not NoneType]
    if kinds == [bool, str]:
        text, quoted = scalar(node, "true, false or a name")
        if not quoted and text.lower() in ("yes", "no", "on", "off"):
            raise Wrong(f"must be true, false or a name, not {shown(text)}: write true or false")
        return _boolean(node) if not quoted and text.lower() in ("true", "false") else text
    return SCALARS[kinds[0]](node)


# --- Constraints: each says what is wrong, or "" --------------------------------------------------


def _number_text(value: float) -> str:
    return f"{value:g}"


def _outside(value: Any, limit: Within) -> str:
    is_span = isinstance(value, timedelta)
    number = value.total_seconds() if is_span else value
    too_low = number <= limit.low if limit.above else number < limit.low
    if not too_low and number <= limit.high:
        return ""
    if is_span:
        return f"must be at least {_number_text(limit.low)}s"
    low = _number_text(limit.low)
    if limit.high != float("inf"):
        return f"must be between {low} and {_number_text(limit.high)}, not {_number_text(number)}"
    return f"must be {'more than' if limit.above else 'at least'} {low}, not {_number_text(number)}"


def _bad_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return f"is not an address: {shown(text)}"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        return f"must be an address such as https://host/path, not {shown(text)}"
    return "" if text.isprintable() and " " not in text else "must not contain spaces"


def _bad_base_url(text: str) -> str:
    # The value is not shown: what stands behind a ? is a token more often than not.
    if "?" in text or "#" in text:
        return "must be an address without ? and #, because paths are put behind it"
    return _bad_url(text)


def _bad_channel(text: str) -> str:
    if re.fullmatch(r"[CG][A-Z0-9]{8,}", text):
        return ""
    name = text.removeprefix("#")
    if not re.fullmatch(r"[\w-]{1,80}", name) or name != name.lower():
        return f'is no channel: {shown(text)}; a name is lower case, without spaces and dots: "#sre-alerts"'
    return "" if text.startswith("#") else f'must begin with "#", in quotes: "#{name}"'


def _bad_zone(text: str) -> str:
    try:
        ZoneInfo(text)
        return ""
    except Exception:  # zoneinfo raises four kinds, by what the text looks like
        known = available_timezones()
    near = difflib.get_close_matches(text, known, n=1) or [
        zone for zone in sorted(known) if zone.lower().endswith("/" + text.lower())
    ]
    meant = f"; did you mean {near[0]}?" if near else ", such as Europe/Berlin"
    return f"is not a time zone: {shown(text)}{meant}"


def bad_member(text: str) -> str:
    if re.fullmatch(r"[UWS][A-Z0-9]{2,}", text):
        return ""
    return f"must be a Slack user or user-group id (U…, W… or S…), not {shown(text)}"


def _bad_user(text: str) -> str:
    if re.fullmatch(r"[UW][A-Z0-9]{2,}", text):
        return ""
    return f"must be a Slack user id (U… or W…), not {shown(text)}"


def _bad_owner(text: str) -> str:
    if text in ROLES or not bad_member(text):
        return ""
    near = difflib.get_close_matches(text, ROLES, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"is neither a key of `roles` nor a Slack id: {shown(text)}{meant}"


def _bad_mention(text: str) -> str:
    return "" if text == "nobody" else _bad_owner(text)


def _bad_place(text: str) -> str:
    return "" if text in _PLACES else _bad_channel(text)


def _bad_matchers(text: str) -> str:
    try:
        matchers.parse_all(text)
    except UsageError as error:
        return f"is no matcher of Alertmanager: {error}"
    return ""


def _bad_changes(text: str) -> str:
    if any(is_like(text, line) for line in CHANGES):
        return ""
    near = difflib.get_close_matches(text, CHANGES, n=1)
    meant = f"; did you mean {near[0]}?" if near else ', such as "node drain", "deploy *" or "*"'
    return f"names no verb that changes something: {shown(text)}{meant}"


def _bad_change_id(text: str) -> str:
    try:
        first = datetime(2026, 1, 5).strftime(text).format(n=1)
        second = datetime(2026, 1, 5).strftime(text).format(n=2)
    except (KeyError, ValueError, IndexError, AttributeError, TypeError):
        return f"may contain strftime fields and {{n}} only, not {shown(text)}"
    if first == second:
        return "must contain {n}, the number of the change in its day"
    return (
        ""
        if re.fullmatch(r"[\w-]{1,60}", first)
        else f"must make ids of letters, digits and -, not {shown(first)}"
    )


def _bad_incident_channel(text: str) -> str:
    try:
        made = text.format(date="20260105", nnn="001", slug="slug")
    except (KeyError, ValueError, IndexError, AttributeError, TypeError):
        return f"may contain {{date}}, {{nnn}} and {{slug}} only, not {shown(text)}"
    if "{slug}" not in text and "{nnn}" not in text:
        return "must contain {nnn} or {slug}, or two incidents would share a channel"
    return _bad_channel("#" + made)


def _bad_cidr(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        return f"must be a range of addresses such as 203.0.113.0/24 or 2001:db8::/32, not {shown(text)}"
    return ""


def _like(pattern: str, wanted: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        return "" if re.fullmatch(pattern, text) else f"must be {wanted}, not {shown(text)}"

    return check


def _bad_nodes(text: str) -> str:
    if re.fullmatch(_GLOB, text) or all(re.fullmatch(_NODE_LABEL, each) for each in text.split(",")):
        return ""
    return (
        "must be a node's name, in which * stands for any characters, or labels such as role=worker or "
        f"example.com/pool, not {shown(text)}"
    )


_GLOB = r"[A-Za-z0-9*][A-Za-z0-9._*-]*"
# "key=value", and a key alone where its prefix tells it from a name.
_NODE_LABEL = (
    r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:=[A-Za-z0-9._*-]*)?"
    r"|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?=[A-Za-z0-9._*-]*)"
)
_PLACES = tuple(each.name for each in fields(Channels))
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_SHAPES: Mapping[str, Callable[[str], str]] = {
    "url": _bad_url,
    "base url": _bad_base_url,
    "query": _like(r"(?s).*\S.*", "a PromQL expression"),
    "path": _like(r"/\S*", "a path that begins with /"),
    "s3": _like(r"s3://[a-z0-9.-]{3,63}/\S+", "an address such as s3://bucket/key"),
    "channel": _bad_channel,
    "member": bad_member,
    "user": _bad_user,
    "owner": _bad_owner,
    "mention": _bad_mention,
    "place": _bad_place,
    "matchers": _bad_matchers,
    "label": _like(r"[a-zA-Z_][a-zA-Z0-9_]*", "a label's name (letters, digits and _)"),
    "namespace": _like(_LABEL, "a namespace's name (lower case letters, digits and -)"),
    "name": _like(rf"{_LABEL}(?:\.{_LABEL})*", "an object's name (lower case letters, digits, - and .)"),
    "glob": _like(_GLOB, "a name, in which * stands for any characters"),
    "nodes": _bad_nodes,
    "changes": _bad_changes,
    "zone": _bad_zone,
    "region": _like(r"[a-z]{2}(?:-[a-z]+)+-\d", "an AWS region such as eu-central-1"),
    "pool": _like(r"[1-9]\d*|cores\*[1-9]\d*", 'a number or "cores*2"'),
    "cidr": _bad_cidr,
    "config key": _like(r"[-._a-zA-Z0-9]+", "a key of a ConfigMap (letters, digits, -, _ and .)"),
    "change id": _bad_change_id,
    "incident channel": _bad_incident_channel,
}


def objection(value: Any, constraint: Any) -> str:
    if isinstance(constraint, Within):
        return _outside(value, constraint)
    if isinstance(constraint, Shape):
        return "" if constraint.empty and value == "" else _SHAPES[constraint.name](value)
    return ""
