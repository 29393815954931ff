"""`alert routes`: who is told about what, by our own table and by Alertmanager's tree, and where the two disagree.

With labels given: where exactly such an alert would go, and why. What stands in Alertmanager's tree is walked as
Alertmanager walks it: the first child that matches, and its siblings only where it says `continue`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from commands.alert.selection import typed
from commands.alertreads import AlertmanagerConfig, AlertmanagerRoutes, RouteNode, Rules, RuleView
from commands.alertroutes import Note, route, severity_of
from commands.command import Command, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.matchers import Matcher, parse
from commands.model import Args, Gap, Inquiry, Section
from commands.phrase import counted
from commands.site import ClusterSite, Destination
from commands.triagereads import CHANNEL, OWNER, NamespaceNotes
from commands.wording import aligned, one_line, shown_and_kept, unread

ROWS = 20
_TITLE = "Who is told about what"
_DEEPEST = 200  # matchers on the way down: no tree that a person wrote has so many
_TOLD: Mapping[Destination, str] = {
    "page": "the channel, on-call mentioned",
    "mention": "the channel and a mention",
    "slack": "the channel only",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where Alertmanager's tree leads: the receiver, by which matchers, and whether it is a webhook. unsure: a
    matcher on the way that cannot be read here."""

    receiver: str
    by: tuple[str, ...]
    is_webhook: bool
    unsure: str = ""


def parts(args: Args, site: ClusterSite) -> Parts:
    labels = _labels(typed(args))
    if labels:
        return {"routes": Part(_TITLE, _of_labels(labels, site))}
    return {"routes": Part(_TITLE, inquiry(site))}


def _labels(given: Sequence[Matcher]) -> dict[str, str]:
    for each in given:
        if each.op != "=":
            raise UsageError(
                f'`{each}` names no one value: write the labels of an alert, as in severity="critical"'
            )
    return {each.label: each.value for each in given}


# --- the whole table ------------------------------------------------------------------------------


def inquiry(site: ClusterSite) -> Inquiry:
    seen = yield (AlertmanagerConfig(), Rules())
    tree, rules = seen[AlertmanagerConfig()], seen[Rules()]
    findings = (*mismatches(site, rules), *_astray(tree))
    rows = aligned(("rule", "finds", "goes to", "calls"), _table(site))
    table, files = shown_and_kept(rows, ROWS, "routes.txt", "The whole table of routes")
    note = "the first of `alerts.routes` that finds an alert wins; what it leaves out comes from the lines below it"
    return Section("routes", _TITLE, True, findings, note, files, table)


def _table(site: ClusterSite) -> Iterator[tuple[str, str, str, str]]:
    for number, each in enumerate(site.alerts.routes, 1):
        yield (
            f"routes {number}",
            ", ".join(each.match),
            each.channel or "as below",
            each.mention or "as below",
        )
    ours = site.alerts.route
    for name, to in ours.names.items():
        yield "route.names", name, _where(to), _calls(to)
    for group, to in (
        ("slo_violations", ours.slo_violations),
        ("resource_exhaustion", ours.resource_exhaustion),
    ):
        yield "route", f"group {group}", _where(to), _calls(to)
    for severity, to in ours.severity.items():
        yield "route.severity", severity, _where(to), _calls(to)
    yield "otherwise", "anything", _where("slack"), _calls("slack")


def _where(to: Destination) -> str:
    return f"alerts ({to})"


def _calls(to: Destination) -> str:
    return "nobody" if to == "slack" else "oncall"


def mismatches(site: ClusterSite, rules: tuple[RuleView, ...] | Gap) -> tuple[Finding, ...]:
    """Rules whose group says one thing and whose severity label another."""
    key, label = "AD-2.2", "Group against severity"
    if isinstance(rules, Gap):
        return (unread(key, label, rules),)
    facts = [found for rule in rules if rule.kind == "alerting" and (found := _mismatch(site, rule))]
    if not facts:
        return (Finding(key, label, Light.GREEN, "no rule's group and severity disagree"),)
    open_ones = [text for is_open, text in facts if is_open]
    value = f"{counted(len(facts), 'rule')} whose group and severity disagree"
    value += "" if open_ones else ", settled by alerts.route.names"
    light = Light.YELLOW if open_ones else Light.GREEN
    mend = "Say which counts: alerts.route.names.NAME: page, mention or slack." if open_ones else ""
    lines = (*open_ones, *(text for is_open, text in facts if not is_open))
    return (Finding(key, label, light, value, evidence=lines, mend=mend),)


def _mismatch(site: ClusterSite, rule: RuleView) -> tuple[bool, str] | None:
    alerts = site.alerts
    group = alerts.rules[rule.name].group if rule.name in alerts.rules else rule.group
    by_group: dict[str, Destination] = {
        "slo_violations": alerts.route.slo_violations,
        "resource_exhaustion": alerts.route.resource_exhaustion,
    }
    said = rule.labels.get("severity", "")
    word = said if said in alerts.route.severity else severity_of(alerts, rule.labels).value
    by_severity = alerts.route.severity.get(word, "slack")
    if group not in by_group or by_group[group] == by_severity:
        return None
    text = (
        f"{rule.name}: group {group} says {by_group[group]}, severity {said or '(none)'} says {by_severity}"
    )
    settled = alerts.route.names.get(rule.name)
    if settled:
        return False, f"{text}; settled by alerts.route.names: {settled}"
    counts = alerts.destination(rule.name, word)
    return True, f"{text}; as it stands it goes to {counts}"


# --- Alertmanager's tree --------------------------------------------------------------------------


def _astray(tree: AlertmanagerRoutes | Gap) -> tuple[Finding, ...]:
    """Ways through Alertmanager's tree that end at a receiver without a webhook: the bot hears nothing of them."""
    key, label = "AD-2.2", "Alertmanager's tree"
    if isinstance(tree, Gap):
        return (unread(key, label, tree),)
    ways = list(_ways(tree.root, (), tree.webhooks))
    lost = [way for way in ways if not way.is_webhook]
    value = f"{counted(len(ways), 'route')}, {counted(len(tree.receivers), 'receiver')}"
    if not tree.webhooks:
        mend = "Add a receiver with webhook_configs to Alertmanager that leads to the bot's /alerts."
        return (Finding(key, label, Light.RED, "no receiver leads to a webhook", mend=mend),)
    if not lost:
        return (Finding(key, label, Light.GREEN, f"{value}; each leads to a webhook"),)
    value += f"; {len(lost)} lead to no webhook, so the bot is told nothing there"
    lines = tuple(f"{way.receiver}: {' '.join(way.by) or 'everything else'}" for way in lost)
    mend = "Give them a webhook receiver too, or `continue: true` after one that has it."
    return (Finding(key, label, Light.YELLOW, value, evidence=lines, mend=mend),)


def _ways(
    node: RouteNode, by: tuple[str, ...], webhooks: Sequence[str], heard: tuple[frozenset[str], ...] = ()
) -> Iterator[Arrival]:
    """Every node an alert may end at; is_webhook where that, or a sibling before it that let it pass, is one.

    heard: the matchers of such siblings. What comes after one that takes everything is never reached.
    """
    own = (*by, *node.matchers)
    for child in node.routes if len(own) < _DEEPEST else ():
        yield from _ways(child, own, webhooks, heard)
        if child.goes_on and child.receiver in webhooks and not child.routes:
            heard = (*heard, frozenset((*own, *child.matchers)))
        if not child.matchers and not child.goes_on:
            return
    if any(not child.matchers for child in node.routes):
        return  # a child takes everything: nothing ends at the node itself
    is_heard = any(matchers <= frozenset(own) for matchers in heard)
    yield Arrival(node.receiver, own, is_heard or node.receiver in webhooks)


def arrivals(tree: AlertmanagerRoutes, labels: Mapping[str, str]) -> tuple[Arrival, ...]:
    """Where an alert of these labels ends."""
    return tuple(_matched(tree.root, labels, (), tree.webhooks))


def _matched(
    node: RouteNode, labels: Mapping[str, str], by: tuple[str, ...], webhooks: Sequence[str]
) -> Iterator[Arrival]:
    own, is_found = (*by, *node.matchers), False
    for child in node.routes:
        answer = _finds(child.matchers, labels)
        if answer is None:
            unsure = " ".join(child.matchers)
            yield Arrival(child.receiver, (*own, *child.matchers), child.receiver in webhooks, unsure)
        if not answer:
            continue
        is_found = True
        yield from _matched(child, labels, own, webhooks)
        if not child.goes_on:
            return
    if not is_found:
        yield Arrival(node.receiver, own, node.receiver in webhooks)


def _finds(matchers: Iterable[str], labels: Mapping[str, str]) -> bool | None:
    """None where one of them cannot be read here and none of the others says no."""
    unsure = False
    for text in matchers:
        try:
            if not parse(text).finds(labels):
                return False
        except UsageError:
            unsure = True
    return None if unsure else True


# --- one alert ------------------------------------------------------------------------------------


def _of_labels(labels: Mapping[str, str], site: ClusterSite) -> Inquiry:
    seen = yield (AlertmanagerConfig(), NamespaceNotes())
    findings = (*_ours(labels, site, seen[NamespaceNotes()]), _theirs(labels, seen[AlertmanagerConfig()]))
    title = f"Where {' '.join(f'{label}={value}' for label, value in labels.items())} goes"
    return Section("routes", one_line(title, 120), True, findings)


def _ours(
    labels: Mapping[str, str], site: ClusterSite, notes: Mapping[str, Mapping[str, str]] | Gap
) -> tuple[Finding, ...]:
    known = {} if isinstance(notes, Gap) else notes
    said = {name: Note(own.get(OWNER, ""), own.get(CHANNEL, "")) for name, own in known.items()}
    to = route(site, [labels], said)
    called = f", calls {to.mention}" if to.mention else ", calls nobody"
    value = f"channel {to.channel}{called}"
    lines = (
        f"routed by: {to.why}",
        f"{to.severity.value}: {_TOLD[to.to]}",
        *((f"owner: {to.owner}",) if to.owner else ()),
    )
    found = Finding("AD-2.2", "Our routes", Light.GREEN, value, evidence=lines)
    if isinstance(notes, Gap) and labels.get("namespace"):
        return found, unread("AL-52", "Annotations of the namespace", notes)
    return (found,)


def _theirs(labels: Mapping[str, str], tree: AlertmanagerRoutes | Gap) -> Finding:
    key, label = "AD-2.2", "Alertmanager"
    if isinstance(tree, Gap):
        return unread(key, label, tree)
    ends = arrivals(tree, labels)
    unsure = [end.unsure for end in ends if end.unsure]
    lines = tuple(_arrival(end) for end in ends)
    sure = [end for end in ends if not end.unsure]
    value = ", ".join(dict.fromkeys(end.receiver for end in sure))
    if any(end.is_webhook for end in sure):
        return Finding(key, label, Light.GREEN, f"to {value}, which leads to a webhook", evidence=lines)
    if unsure:
        return Finding(key, label, Light.UNKNOWN, f"unknown: {unsure[0]} cannot be read here", evidence=lines)
    mend = "Route it to the bot's receiver, with `continue: true` where another one gets it first."
    step = Suggestion("All routes", "alert routes")
    value = f"to {value}, which leads to no webhook: the bot is told nothing"
    return Finding(key, label, Light.RED, value, evidence=lines, suggestions=(step,), mend=mend)


def _arrival(end: Arrival) -> str:
    why = " ".join(end.by) or "no route matches it: the top receiver"
    return f"{end.receiver}: {why}{' (perhaps)' if end.unsure else ''}"


ROUTES = Command(
    word="alert",
    verbs=("routes",),
    summary="Who is told about what, ours and Alertmanager's; with labels, where such an alert would go.",
    rows=("AD-2.2", "C63"),
    parts=parts,
    examples=("alert routes", 'alert routes alertname="HighLatency" severity="warning" namespace="sre-shop"'),
    names="LABEL …",
)
