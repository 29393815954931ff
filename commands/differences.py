"""What differs between two pod templates, as lines of a diff, what people look for first standing first.

Images, environment, resources, probes, commands, volumes, service account, security, scheduling; all other
fields, those of API versions not known here included, are counted and named. A value that comes from a Secret
is never known here, and a plain one whose name sounds secret is hidden. Called by `deploy`, which shows a diff,
and by workers/changes.py, which says in a line each what a rollout changed.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.templates import normalised
from commands.wording import aligned, one_line

GROUPS = (
    "images", "environment", "resources", "probes", "command", "volumes", "service account", "security",
    "scheduling",
)  # fmt: skip
_REST = "rest"
_NAMED = 4  # of the other fields that differ, so many are named
_WIDTH = 140

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_SECURITY = ("securityContext", "hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")
_SCHEDULING = (
    "nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "priorityClassName", "priority",
    "schedulerName", "nodeName", "runtimeClassName", "preemptionPolicy", "schedulingGates",
)  # fmt: skip
_ACCOUNT = ("serviceAccountName", "automountServiceAccountToken")
_DEPRECATED = ("serviceAccount",)  # the API server keeps it equal to serviceAccountName

_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|auth|private|cert|(?<![a-z])keys(?![a-z])|key(?![a-z])|dsn|salt|signature",
    re.IGNORECASE,
)
_HIDDEN = "***"  # what the redactor writes, too: it leaves this alone
# In words of a command line, where less is a name: "--db-password hunter2", "PGPASSWORD=hunter2".
_TELLING = r"[\w.-]{0,40}?(?:(?<!by)pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key)"
_ASSIGNED = re.compile(rf"(?i)(?<![\w.-])({_TELLING}[\w.-]{{0,40}}=)(?:\"[^\"]*\"|'[^']*'|\S+)")
_AFTER = re.compile(rf"(?i)(?<![\w.-])(-{_TELLING}[\s\"']+)(?![\s-])[^\s\"']+")
_FLAG = re.compile(rf"(?i)-{_TELLING}")
_USERINFO = re.compile(r"(?<=://)[^\s/@]+(?=@)")
# What holds the name of a secret, not the secret.
_NAMES = ("name", "ref", "path")


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of a template: the group it is told in, its label, what it is compared by and shown as."""

    group: str
    label: str
    value: str
    shown: str


Key = tuple[str, str]  # group and label


def differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> tuple[str, ...]:
    """Lines "- what is", "+ what would be" under the name of their group; () when both mean the same."""
    before, after = _entries(now), _entries(then)
    keys = [key for key in dict.fromkeys([*before, *after]) if _value(before, key) != _value(after, key)]
    lines: list[str] = []
    for group in GROUPS:
        changed = [key for key in keys if key[0] == group]
        if changed:
            lines += [f"  {group}", *(line for key in changed for line in _lines(before, after, key))]
    rest = [label for group, label in keys if group == _REST]
    return (*lines, *([_collapsed(rest)] if rest else []))


# How a line names what its group is called there.
_ONE = {
    "images": "image", "environment": "env", "resources": "resource", "probes": "probe", "volumes": "volume",
}  # fmt: skip
_NOTHING = "(none)"


def told(now: Mapping[str, Any], then: Mapping[str, Any]) -> tuple[str, ...]:
    """A line for each difference, from what is to what would be: "image web: shop:1.4 → shop:1.5"."""
    before, after = _entries(now), _entries(then)
    keys = [key for key in dict.fromkeys([*before, *after]) if _value(before, key) != _value(after, key)]
    named = [key for group in GROUPS for key in keys if key[0] == group]
    rest = [label for group, label in keys if group == _REST]
    lines = (_line(group, label, before, after) for group, label in named)
    return (*lines, *([_collapsed(rest).strip()] if rest else []))


def _line(group: str, label: str, before: Mapping[Key, Entry], after: Mapping[Key, Entry]) -> str:
    shown = [known[group, label].shown if (group, label) in known else _NOTHING for known in (before, after)]
    head = f"{_ONE.get(group, group)} {label}"
    # No colon behind a name whose value is hidden: the redactor would take the next word for its value.
    return (
        f"{head} changed" if shown[0] == shown[1] or _HIDDEN in shown else f"{head}: {shown[0]} → {shown[1]}"
    )


def images(template: Mapping[str, Any]) -> dict[str, str]:
    """The image of each container by its name, "init x" for an init container."""
    return {entry.label: entry.shown for entry in _entries(template).values() if entry.group == "images"}


def images_said(template: Mapping[str, Any]) -> str:
    """The images on one line: "shop:1.4", or "web: shop:1.4, proxy: envoy:1.30"."""
    found = images(template)
    if len(found) == 1:
        return next(iter(found.values()))
    return ", ".join(f"{name}: {image}" for name, image in found.items())


def environment(template: Mapping[str, Any]) -> tuple[str, ...]:
    """Where each setting of the containers comes from, and what is mounted: in columns, for people to read."""
    found = [each for each in _entries(template).values() if each.group in ("environment", "volumes")]
    return aligned(("SETTING", "VALUE"), ((each.label, each.shown) for each in found)) if found else ()


def unhidden(value: str) -> str:
    """A plain text as it may be shown: without the passwords in its addresses and assignments."""
    return str(_masked(value))


def is_secret(name: str) -> bool:
    """Whether a plain value under this name is rather not shown."""
    return _SECRET.search(name) is not None


def _entries(template: Mapping[str, Any]) -> dict[Key, Entry]:
    meant = normalised(template)
    found = (*_of_containers(meant.get("spec") or {}), *_of_pod(meant))
    return {(entry.group, entry.label): entry for entry in found}


def _value(entries: Mapping[Key, Entry], key: Key) -> str | None:
    return entries[key].value if key in entries else None


def _lines(before: Mapping[Key, Entry], after: Mapping[Key, Entry], key: Key) -> Iterator[str]:
    if key in before:
        yield f"- {key[1]}: {before[key].shown}"
    if key in after:
        yield f"+ {key[1]}: {after[key].shown}"
    if key in before and key in after and before[key].shown == after[key].shown:
        # No colon behind the name: the redactor would take the next word for its value.
        yield f"{SAME}{key[1]}, {'which is hidden' if _HIDDEN in after[key].shown else 'too long to be shown'}"


SAME = "  another value of "  # how a line begins that tells of a difference that cannot be seen


def _collapsed(labels: list[str]) -> str:
    named = ", ".join(sorted(labels)[:_NAMED])
    count = "1 other field" if len(labels) == 1 else f"{len(labels)} other fields"
    return f"  {count}: {named}" + (", …" if len(labels) > _NAMED else "")


# --- Containers -----------------------------------------------------------------------------------


def _of_containers(spec: Mapping[str, Any]) -> Iterator[Entry]:
    for field, prefix in (("containers", ""), ("initContainers", "init ")):
        for index, container in enumerate(spec.get(field) or ()):
            yield from _of_container(f"{prefix}{container.get('name', index)}", container)


def _of_container(name: str, container: Mapping[str, Any]) -> Iterator[Entry]:
    told = {"name", "image", "env", "envFrom", "resources", "command", "args", "volumeMounts"}
    if "image" in container:
        yield _plain("images", name, container["image"])
    yield from _environment(name, container)
    yield from _leaves("resources", name, container.get("resources") or {})
    for probe in _PROBES:
        if probe in container:
            yield _plain("probes", f"{name} {probe}", container[probe])
    for field in ("command", "args"):
        if field in container:
            words = [str(word) for word in container[field]]
            yield Entry("command", f"{name} {field}", json.dumps(words), _cut(shlex.join(_masked(words))))
    for mount in container.get("volumeMounts") or ():
        yield _plain("volumes", f"{name} {mount.get('mountPath', '')}", mount)
    if "securityContext" in container:
        yield _plain("security", f"{name} securityContext", container["securityContext"])
    others = {key: value for key, value in container.items() if key not in told}
    yield from _others(others, (*_PROBES, "securityContext"), name)


def _environment(name: str, container: Mapping[str, Any]) -> Iterator[Entry]:
    for each in container.get("env") or ():
        key = str(each.get("name", ""))
        yield Entry("environment", f"{name} {key}", _json(each), _variable(key, each))
    for source in container.get("envFrom") or ():
        said = _from(source)
        yield Entry("environment", f"{name} {said}", _json(source), f"prefix {source.get('prefix', 'none')}")


def _variable(key: str, each: Mapping[str, Any]) -> str:
    origin = each.get("valueFrom")
    if origin:
        return _origin(origin)
    return _HIDDEN if is_secret(key) else _cut(json.dumps(_masked(each.get("value", "")), ensure_ascii=False))


def _origin(origin: Mapping[str, Any]) -> str:
    for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if field in origin:
            return f"from {kind} {origin[field].get('name', '')}, key {origin[field].get('key', '')}"
    return _cut(f"from {_json(origin)}")


def _from(source: Mapping[str, Any]) -> str:
    for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
        if field in source:
            return f"all of {kind} {source[field].get('name', '')}"
    return "envFrom"


# --- The pod around them --------------------------------------------------------------------------


def _of_pod(template: Mapping[str, Any]) -> Iterator[Entry]:
    spec = template.get("spec") or {}
    for volume in spec.get("volumes") or ():
        yield Entry("volumes", str(volume.get("name", "")), _json(volume), volume_said(volume))
    for group, fields in (
        ("service account", _ACCOUNT),
        ("security", _SECURITY),
        ("scheduling", _SCHEDULING),
    ):
        yield from (_plain(group, field, spec[field]) for field in fields if field in spec)
    told = ("containers", "initContainers", "volumes", *_ACCOUNT, *_SECURITY, *_SCHEDULING, *_DEPRECATED)
    yield from _others(spec, told, "spec")
    yield from _others(template, ("spec",), "")


def volume_said(volume: Mapping[str, Any]) -> str:
    """ "ConfigMap web-config", "Secret web-tls", "emptyDir"."""
    for field, kind, key in (
        ("configMap", "ConfigMap", "name"),
        ("secret", "Secret", "secretName"),
        ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
    ):
        if field in volume:
            return f"{kind} {volume[field].get(key, '')}"
    sources = {key: _masked(value) for key, value in volume.items() if key != "name"} or {"emptyDir": None}
    return _cut(", ".join(key if not value else f"{key} {_json(value)}" for key, value in sources.items()))


def _others(fields: Mapping[str, Any], told: tuple[str, ...], prefix: str) -> Iterator[Entry]:
    left = {key: value for key, value in fields.items() if key not in told}
    yield from _leaves(_REST, prefix, left)


def _leaves(group: str, prefix: str, value: Any) -> Iterator[Entry]:
    """Every leaf of nested maps by its path; a list is a leaf."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(group, f"{prefix} {key}".strip(), each)
    else:
        yield _plain(group, prefix, value)


def _plain(group: str, label: str, value: Any) -> Entry:
    shown = _masked(value)
    return Entry(group, label, _json(value), _cut(shown if isinstance(shown, str) else _json(shown)))


def _masked(value: Any) -> Any:
    """As it may be shown: before it is cut, for half a secret does not look like one."""
    if isinstance(value, Mapping):
        # A header of a probe, an environment variable: the name stands beside the value.
        is_named = isinstance(value.get("name"), str) and is_secret(value["name"])
        return {
            key: _HIDDEN if _is_given_away(str(key), each) or (is_named and key == "value") else _masked(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        is_told = [isinstance(each, str) and _FLAG.fullmatch(each) is not None for each in ["", *value]]
        pairs = zip(is_told, value, strict=False)
        return [_HIDDEN if told and not str(each).startswith("-") else _masked(each) for told, each in pairs]
    if isinstance(value, str):
        text = _AFTER.sub(rf"\1{_HIDDEN}", _ASSIGNED.sub(rf"\1{_HIDDEN}", value))
        return _USERINFO.sub(_HIDDEN, text)
    return value


def _is_given_away(key: str, value: Any) -> bool:
    return isinstance(value, str) and is_secret(key) and not key.casefold().endswith(_NAMES)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _cut(text: str) -> str:
    return one_line(text, _WIDTH)
