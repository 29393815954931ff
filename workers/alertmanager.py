"""Reads from Alertmanager: its alerts, its silences, the route tree in force, its own state.

Functions over the stack (workers/stack.py), called by workers/signals.py, which owns the source; workers/silencing.py
asks for silences by the same. Matchers go out, and come back, as Alertmanager writes them. Nothing here changes
anything.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import yaml

from commands import alertreads, matchers, reads
from commands.alertreads import AlertmanagerRoutes, AmAlert, InhibitRule, RouteNode, SilenceView
from commands.errors import Refused, UsageError
from commands.matchers import Matcher
from commands.model import Read
from workers.reader import Answer
from workers.stack import LIST_BYTES, Json, Stack, json_of, list_of, shaped, text_of, unexpected

# libyaml, where it is there: a route tree of a thousand receivers takes seconds without.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _status(stack: Stack, read: reads.AlertmanagerStatus, deadline: float) -> reads.AlertmanagerView:
    return shaped("alertmanager", _status_view, _status_page(stack, deadline))


def _alerts(stack: Stack, read: alertreads.AmAlerts, deadline: float) -> tuple[AmAlert, ...]:
    path = "/api/v2/alerts"
    if read.matchers:
        path += f"?{urlencode([('filter', _normal(each)) for each in read.matchers])}"
    found = _listed(stack.asked("alertmanager", path, deadline, LIST_BYTES))
    return shaped("alertmanager", lambda page: tuple(map(_alert_view, page)), found)


def _silences(stack: Stack, read: alertreads.Silences, deadline: float) -> tuple[SilenceView, ...]:
    found = _listed(stack.asked("alertmanager", "/api/v2/silences", deadline, LIST_BYTES))
    views = shaped("alertmanager", lambda page: tuple(map(silence_view, page)), found)
    return tuple(sorted(views, key=lambda view: (view.ends_at, view.id)))


def _routes(stack: Stack, read: alertreads.AlertmanagerConfig, deadline: float) -> AlertmanagerRoutes:
    page = _status_page(stack, deadline)
    return shaped("alertmanager", lambda found: routes(found["config"]["original"]), page)


READS: Mapping[type[Read], Callable[[Stack, Any, float], Any]] = {
    reads.AlertmanagerStatus: _status,
    alertreads.AmAlerts: _alerts,
    alertreads.Silences: _silences,
    alertreads.AlertmanagerConfig: _routes,
}


def _status_page(stack: Stack, deadline: float) -> Json:
    answer = stack.asked("alertmanager", "/api/v2/status", deadline)
    found = json_of(answer)
    if answer.status != 200 or found is None:
        raise unexpected("alertmanager", answer)
    return found


def _listed(answer: Answer) -> list[Any]:
    found = list_of(answer)
    if found is not None:
        return found
    if answer.status in (400, 422) and text_of(answer):  # of a matcher that it does not take
        raise Refused(f"alertmanager: {text_of(answer)}")
    raise unexpected("alertmanager", answer)


def _normal(text: str) -> str:
    """Quoted as every version reads it; what is no matcher is Alertmanager's to refuse."""
    try:
        return str(matchers.parse(text))
    except UsageError:
        return text


# --- From a page to a view ------------------------------------------------------------------------


def _status_view(found: Json) -> reads.AlertmanagerView:
    cluster = found["cluster"]
    return reads.AlertmanagerView(
        version=str((found.get("versionInfo") or {}).get("version", "")),
        cluster=str(cluster["status"]),
        peers=len(cluster.get("peers") or ()),
    )


def _alert_view(found: Json) -> AmAlert:
    status = found["status"]
    return AmAlert(
        fingerprint=str(found["fingerprint"]),
        labels=dict(found["labels"]),
        annotations=dict(found.get("annotations") or {}),
        starts_at=datetime.fromisoformat(found["startsAt"]),
        state=str(status["state"]),
        silenced_by=tuple(status.get("silencedBy") or ()),
        inhibited_by=tuple(status.get("inhibitedBy") or ()),
        receivers=tuple(str(each["name"]) for each in found.get("receivers") or ()),
        generator_url=str(found.get("generatorURL") or ""),
    )


def silence_view(found: Json) -> SilenceView:
    return SilenceView(
        id=str(found["id"]),
        state=str(found["status"]["state"]),
        matchers=tuple(str(_matcher(each)) for each in found["matchers"]),
        starts_at=datetime.fromisoformat(found["startsAt"]),
        ends_at=datetime.fromisoformat(found["endsAt"]),
        created_by=str(found.get("createdBy") or ""),
        comment=str(found.get("comment") or ""),
    )


def _matcher(found: Json) -> Matcher:
    """isEqual came with 0.22; before, everything was."""
    equal, regex = bool(found.get("isEqual", True)), bool(found["isRegex"])
    op = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}[equal, regex]
    return Matcher(str(found["name"]), op, str(found["value"]))


# --- The route tree -------------------------------------------------------------------------------


def routes(original: str) -> AlertmanagerRoutes:
    """Of the configuration as Alertmanager prints it, with every secret masked by itself."""
    try:
        config = yaml.load(original, Loader=_LOADER)  # noqa: S506 (both are safe loaders)
    except (yaml.YAMLError, RecursionError) as error:
        raise Refused("alertmanager: its configuration cannot be read") from error
    receivers = config.get("receivers") or ()
    return AlertmanagerRoutes(
        root=_route(config["route"], None),
        inhibits=tuple(map(_inhibit, config.get("inhibit_rules") or ())),
        receivers=tuple(str(each["name"]) for each in receivers),
        webhooks=tuple(str(each["name"]) for each in receivers if each.get("webhook_configs")),
    )


def _route(found: Json, parent: RouteNode | None) -> RouteNode:
    """What a route leaves out it has from the one above."""
    own = found.get("group_by")
    inherited = parent.group_by if parent else ()
    node = RouteNode(
        receiver=str(found.get("receiver") or (parent.receiver if parent else "")),
        matchers=tuple(_written(found, "match", "match_re", "matchers")),
        group_by=inherited if own is None else tuple(map(str, own)),
        goes_on=bool(found.get("continue")),
    )
    below = tuple(_route(each, node) for each in found.get("routes") or ())
    return RouteNode(node.receiver, node.matchers, node.group_by, node.goes_on, below)


def _inhibit(found: Json) -> InhibitRule:
    return InhibitRule(
        source=tuple(_written(found, "source_match", "source_match_re", "source_matchers")),
        target=tuple(_written(found, "target_match", "target_match_re", "target_matchers")),
        equal=tuple(map(str, found.get("equal") or ())),
    )


def _written(found: Json, plain: str, regex: str, current: str) -> Iterator[str]:
    """Matchers in the old two forms and in today's, all as today's."""
    for label, value in (found.get(plain) or {}).items():
        yield str(Matcher(str(label), "=", str(value)))
    for label, value in (found.get(regex) or {}).items():
        yield str(Matcher(str(label), "=~", str(value)))
    for text in found.get(current) or ():
        yield from _each(str(text))


def _each(text: str) -> Iterator[str]:
    """An entry may hold several, in braces; one that we cannot read stands as it is."""
    try:
        yield from map(str, matchers.parse_all(text))
    except UsageError:
        yield text
