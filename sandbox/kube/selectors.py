"""Label and field selectors of list, watch and deletecollection requests.

Owns their grammar and which fields each kind may be selected by; a selector becomes one predicate over
objects. Unknown fields and bad syntax are refused with 400, as the real server does. No state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.kube.catalog import Resource
from sandbox.kube.status import bad_request

Json = dict[str, Any]
Predicate = Callable[[Json], bool]

_TOKEN = re.compile(r"\s*(==|!=|[!=(),<>]|[^\s!=(),<>]+)")

_PUNCTUATION = frozenset({",", "=", "==", "!=", "(", ")", "<", ">"})

_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)
# Beyond metadata.name and metadata.namespace, which every kind has.
FIELDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): _POD_FIELDS,
    ("", "nodes"): ("spec.unschedulable",),
    ("", "events"): _EVENT_FIELDS,
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
    ("certificates.k8s.io", "certificatesigningrequests"): ("spec.signerName",),
}


def everything(_: Json) -> bool:
    return True


def labels(text: str) -> Predicate:
    """`a=b,c in (d,e),!f`; an empty selector selects everything."""
    requirements = list(_parse(text))
    if not requirements:
        return everything

    def matches(obj: Json) -> bool:
        found = obj["metadata"].get("labels") or {}
        return all(requirement(found) for requirement in requirements)

    return matches


def matching(selector: Json | None) -> Callable[[Mapping[str, str]], bool]:
    """A LabelSelector object over a label map; no selector selects nothing, an empty one everything."""
    if selector is None:
        return lambda _: False
    wanted = selector.get("matchLabels") or {}
    requirements = [
        _requirement(item["key"], item["operator"].lower(), set(item.get("values") or ()))
        for item in selector.get("matchExpressions") or ()
    ]
    pairs = list(wanted.items())
    return lambda found: (
        all(found.get(key) == value for key, value in pairs)
        and all(requirement(found) for requirement in requirements)
    )


def fields(text: str, resource: Resource) -> Predicate:
    tests: list[tuple[str, str, bool]] = []
    for part in text.split(",") if text else ():
        match = re.fullmatch(r"(.*?)(!=|==|=)(.*)", part)
        if match is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        name, operator, value = match.groups()
        _check_field(name, resource)
        tests.append((name, value, operator != "!="))
    if not tests:
        return everything
    return lambda obj: all((field_value(obj, name) == value) is equal for name, value, equal in tests)


def field_value(obj: Json, path: str) -> str:
    found: Any = obj
    if path == "source":
        # Events are selected by the component of their source.
        path = "source.component"
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    if found is None and path in ("spec.unschedulable", "spec.hostNetwork"):
        return "false"
    if found is None and path in ("status.replicas", "status.successful"):
        return "0"
    return "" if found is None else str(found)


def _check_field(name: str, resource: Resource) -> None:
    known = FIELDS.get(resource.storage)
    if name in ("metadata.name", "metadata.namespace") or name in (known or ()):
        return
    if known:
        raise bad_request(f"field label not supported: {name}")
    allowed = '"metadata.name", "metadata.namespace"' if resource.namespaced else '"metadata.name"'
    if resource.custom:
        raise bad_request(f"field label not supported: {name}")
    if not resource.namespaced:
        allowed = '"metadata.name", "metadata.namespace"'
    raise bad_request(f'"{name}" is not a known field selector: only {allowed}')


def _requirement(key: str, operator: str, values: set[str]) -> Callable[[Mapping[str, str]], bool]:
    if operator == "exists":
        return lambda found: key in found
    if operator == "doesnotexist":
        return lambda found: key not in found
    if operator == "in":
        return lambda found: found.get(key) in values
    if operator == "notin":
        return lambda found: found.get(key) not in values
    (limit,) = values
    bound = int(limit)
    if operator == ">":
        return lambda found: _integer(found.get(key), bound) > bound
    return lambda found: _integer(found.get(key), bound) < bound


def _integer(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.lstrip("-").isdigit() else otherwise


def _parse(text: str) -> list[Callable[[Mapping[str, str]], bool]]:
    tokens = _TOKEN.findall(text)
    found = []
    while tokens:
        if tokens[0] in _PUNCTUATION:
            raise bad_request(f"found '{tokens[0]}', expected: !, identifier, or 'end of string'")
        if tokens[0] == "!":
            tokens.pop(0)
            found.append(_requirement(_word(tokens), "doesnotexist", set()))
        else:
            found.append(_positive(_word(tokens), tokens))
        if tokens and (token := tokens.pop(0)) != ",":
            raise bad_request(f"found '{token}', expected: ',' or 'end of string'")
    return found


def _positive(key: str, tokens: list[str]) -> Callable[[Mapping[str, str]], bool]:
    if not tokens or tokens[0] == ",":
        return _requirement(key, "exists", set())
    operator = tokens.pop(0)
    if operator in ("in", "notin"):
        return _requirement(key, operator, _values(tokens))
    if operator in ("=", "=="):
        return _requirement(key, "in", {_word(tokens, may_be_empty=True)})
    if operator == "!=":
        return _requirement(key, "notin", {_word(tokens, may_be_empty=True)})
    if operator in ("<", ">"):
        return _requirement(key, operator, {_word(tokens)})
    raise _unreadable(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _values(tokens: list[str]) -> set[str]:
    if not tokens or tokens[0] != "(":
        raise _unreadable(f"found '{tokens[0] if tokens else ''}' expected: '('")
    tokens.pop(0)
    values: set[str] = set()
    expecting = True
    while tokens and tokens[0] != ")":
        token = tokens.pop(0)
        if token == ",":
            if expecting:
                values.add("")
            expecting = True
        else:
            values.add(token)
            expecting = False
    if not tokens:
        raise _unreadable("found '', expected: ',' or ')'")
    tokens.pop(0)
    if expecting:
        values.add("")
    return values


def _word(tokens: list[str], *, may_be_empty: bool = False) -> str:
    if may_be_empty and (not tokens or tokens[0] == ","):
        return ""
    if not tokens or tokens[0] in "!=(),<>":
        raise _unreadable(f"found '{tokens[0] if tokens else ''}', expected: identifier")
    return tokens.pop(0)


def _unreadable(why: str) -> Exception:
    return bad_request(f"unable to parse requirement: {why}")
