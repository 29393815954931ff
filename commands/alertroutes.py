"""Where the alerts of a group go: channel, mention, owner and severity, from the configuration and what namespaces say.

The first of `alerts.routes` that finds one of the alerts wins. What it leaves out comes from the annotations
`sre-bot/channel` and `sre-bot/owner` of the workload or the namespace, then from `alerts.route` and `channels.alerts`.
Names stay names: who is on call now, and which id a role has, is known to who asks (bot/intake.py). Pure.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from commands.matchers import Matcher, all_find, parse_all
from commands.model import Severity
from commands.site import ROLES, AlertRoute, Alerts, ClusterSite, Destination, Labels, Sections, ServiceSite

NOBODY = "nobody"
_GRAVEST = tuple(Severity)
_LOUDEST: tuple[Destination, ...] = ("page", "mention", "slack")
_WORKLOADS = ("deployment", "statefulset", "daemonset", "cronjob", "job_name")


@dataclass(frozen=True, slots=True)
class Note:
    """What a namespace or a workload says of itself by its annotations."""

    owner: str = ""
    channel: str = ""


# By namespace ("shop"), or by namespace and workload ("shop/web").
Notes = Mapping[str, Note]


@dataclass(frozen=True, slots=True)
class Routed:
    """channel: a channel, or a key of `channels`. mention: a key of `roles` or a Slack id, "" for nobody.
    owner: the same, or a name that an annotation gives. why: the rules that said so, in one line."""

    channel: str
    mention: str
    owner: str
    severity: Severity
    to: Destination
    why: str


def severity_of(rules: Alerts, labels: Labels) -> Severity:
    """What the severity label means: an unknown word is a warning, and so is none."""
    said = labels.get("severity", "").strip().casefold()
    for severity in _GRAVEST:
        words: tuple[str, ...] = getattr(rules.severities, severity.value)
        if said in map(str.casefold, words):
            return severity
    return Severity.WARNING


def gravest(rules: Alerts, several: Sequence[Labels]) -> Severity:
    return min(
        (severity_of(rules, labels) for labels in several), key=_GRAVEST.index, default=Severity.WARNING
    )


def route(site: Sections, several: Sequence[Labels], notes: Notes) -> Routed:
    """Where alerts of these labels go, together."""
    rules = site.alerts
    to, about = _loudest(rules, several)
    found = _first(rules.routes, several)
    rule, about = (found[1], found[2]) if found else (AlertRoute(()), about)
    place, note = _noted(notes, about)
    channel = rule.channel or note.channel or "alerts"
    owner = rule.owner or note.owner
    said = [f"rule {found[0]} of `alerts.routes` ({', '.join(rule.match)})"] if found else []
    said += [_because(rules, about, to)] if not rule.mention else []
    said += [f"annotations of {place}"] if (note.channel, note.owner) != ("", "") else []
    return Routed(
        channel=channel,
        mention=_mention(rule, owner, to),
        owner=owner or _service_owner(site, about),
        severity=gravest(rules, several),
        to=to,
        why="; ".join(said),
    )


def noted(text: str) -> Notes:
    """Notes as the workers remember them: JSON by namespace or "namespace/workload"; {} where it is none.

    Whoever may annotate a namespace writes these: what can be no channel is left out.
    """
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    found = told.items() if isinstance(told, dict) else ()
    return {name: _note(said) for name, said in found if isinstance(said, dict)}


def _note(said: Mapping[str, object]) -> Note:
    channel = str(said.get("channel") or "").strip()
    if re.fullmatch(r"#?[a-z0-9_-]{1,80}", channel):
        channel = "#" + channel.removeprefix("#")
    elif not re.fullmatch(r"[CG][A-Z0-9]{8,}", channel):
        channel = ""
    return Note(str(said.get("owner") or "").strip()[:80], channel)


def cluster_named(clusters: Mapping[str, ClusterSite], said: str) -> str:
    """The name of the cluster that a label's value means: by name, at EKS, or in the kubeconfig; "" for none."""
    for cluster in clusters.values():
        names = {cluster.name, cluster.eks_name, cluster.context, cluster.context.rpartition("/")[2]}
        if said and said.casefold() in map(str.casefold, names):
            return cluster.name
    return ""


def cluster_behind(clusters: Mapping[str, ClusterSite], url: str) -> str:
    """The name of the cluster whose Alertmanager has this address: the only cluster, or one told apart by it."""
    if len(clusters) == 1:
        return next(iter(clusters))
    host = urlsplit(url).netloc if "://" in url else ""
    known = {cluster.name: _hosts(cluster) for cluster in clusters.values()}
    found = [name for name, hosts in known.items() if host and host in hosts]
    return found[0] if len(found) == 1 else ""


def _hosts(cluster: ClusterSite) -> set[str]:
    return {urlsplit(url).netloc for url in (cluster.urls.alertmanager, cluster.monitoring.alertmanager.url)}


def _loudest(rules: Alerts, several: Sequence[Labels]) -> tuple[Destination, Labels]:
    """The destination of `alerts.route` that calls most people, and the labels that it is for."""
    told: list[tuple[Destination, Labels]] = [(_destination(rules, labels), labels) for labels in several]
    return min(told, key=lambda each: _LOUDEST.index(each[0]), default=("slack", {}))


def _destination(rules: Alerts, labels: Labels) -> Destination:
    return rules.destination(labels.get("alertname", ""), _word(rules, labels))


def _word(rules: Alerts, labels: Labels) -> str:
    """The severity label as `alerts.route.severity` has it: in its own word, or in the word that it means."""
    said = labels.get("severity", "")
    return said if said in rules.route.severity else severity_of(rules, labels).value


def _first(routes: Sequence[AlertRoute], several: Sequence[Labels]) -> tuple[int, AlertRoute, Labels] | None:
    for number, each in enumerate(routes, 1):
        matchers = _matchers(each.match)
        found = next((labels for labels in several if all_find(matchers, labels)), None)
        if found is not None:
            return number, each, found
    return None


@lru_cache(maxsize=512)
def _matchers(texts: tuple[str, ...]) -> tuple[Matcher, ...]:
    return tuple(matcher for text in texts for matcher in parse_all(text))


def _noted(notes: Notes, labels: Labels) -> tuple[str, Note]:
    """What the workload says of itself, and in what it says nothing of, its namespace."""
    namespace = labels.get("namespace", "")
    workload = next((labels[kind] for kind in _WORKLOADS if labels.get(kind)), "")
    near, far = notes.get(f"{namespace}/{workload}", Note()), notes.get(namespace, Note())
    note = Note(near.owner or far.owner, near.channel or far.channel)
    return f"{namespace}/{workload}" if near != Note() else f"namespace {namespace}", note


def _mention(rule: AlertRoute, owner: str, to: Destination) -> str:
    if rule.mention:
        return "" if rule.mention == NOBODY else rule.mention
    if to == "slack":
        return ""
    return owner if is_member(owner) else "oncall"


def is_member(owner: str) -> bool:
    """Whether it names somebody whom Slack can call, and not just a team."""
    return owner in ROLES or re.fullmatch(r"[UWS][A-Z0-9]{2,}", owner) is not None


def _service_owner(site: Sections, labels: Labels) -> str:
    found = (service.owner for service in site.services.values() if _is_of(service, labels))
    return next(found, "")


def _is_of(service: ServiceSite, labels: Labels) -> bool:
    named = {labels.get("service"), labels.get("deployment")} & {
        service.name,
        service.service,
        service.deployment,
    }
    return bool(named - {None, ""}) and labels.get("namespace", service.namespace) == service.namespace


def _because(rules: Alerts, labels: Labels, to: Destination) -> str:
    """Which line of `alerts.route` said so."""
    name = labels.get("alertname", "")
    group = rules.rules[name].group if name in rules.rules else ""
    if name in rules.route.names:
        return f"`{name}` → {to}"
    if group:
        return f"group {group} → {to}"
    said = labels.get("severity", "")
    return f"severity {said} → {to}" if said else f"no severity → {to}"
