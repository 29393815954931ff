"""The rights that one cluster's configuration asks of its API server, expanded from commands/needs.py.

Pure. Called by bot/doctor/cluster.py, which asks the API server about each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from commands.needs import EFFECTS, READS, Extra, Rule, Where, changes, rules
from commands.site import ClusterSite, service_address


@dataclass(frozen=True, slots=True)
class KubeNeed:
    """One right, as RBAC names it; namespace "" is the whole cluster."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    extra: Extra | None = field(default=None, compare=False)  # the role of its own that grants it

    @property
    def rule(self) -> str:
        """The line to add to the role."""
        return f'- {{apiGroups: ["{self.group}"], resources: ["{self.resource}"], verbs: ["{self.verb}"]}}'

    @property
    def words(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}{where}"

    def review(self) -> dict[str, Any]:
        """The SelfSubjectAccessReview that asks for it."""
        resource, _, sub = self.resource.partition("/")
        names = {"verb": self.verb, "resource": resource, "subresource": sub, "group": self.group}
        attributes = {key: value for key, value in {**names, "namespace": self.namespace}.items() if value}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }


def kube_needs(cluster: ClusterSite) -> tuple[KubeNeed, ...]:
    """What the reads of this cluster ask of the API server: of the extras, those that its configuration uses."""
    return _needs(cluster, (rule for rule in rules(READS) if _is_used(rule, cluster)))


def change_needs(cluster: ClusterSite) -> tuple[KubeNeed, ...]:
    """What changes ask beyond what reads do."""
    return _needs(cluster, (rule for rule in rules(EFFECTS) if changes(rule) and _is_used(rule, cluster)))


def _is_used(rule: Rule, cluster: ClusterSite) -> bool:
    by_proxy = {Extra.PODS_PROXY, Extra.SERVICES_PROXY, Extra.SILENCES_PROXY}
    if rule.extra is Extra.FLAGS:
        return any(service.freeze.mode == "flag" for service in cluster.services.values())
    return rule.extra is None or (cluster.monitoring.access == "proxy" and rule.extra in by_proxy)


def _needs(cluster: ClusterSite, asked: Iterable[Rule]) -> tuple[KubeNeed, ...]:
    """A right in the whole cluster is not asked for once more in a namespace."""
    needs = [
        KubeNeed(rule.verb, rule.resource, rule.group, namespace, rule.extra)
        for rule in asked
        for namespace in _namespaces(cluster, rule.where)
    ]
    everywhere = {(need.verb, need.resource, need.group) for need in needs if not need.namespace}
    return tuple(
        need
        for need in dict.fromkeys(needs)
        if not need.namespace or (need.verb, need.resource, need.group) not in everywhere
    )


def _namespaces(cluster: ClusterSite, where: Where) -> tuple[str, ...]:
    """ "" is the whole cluster."""
    match where:
        case Where.CLUSTER:
            return ("",)
        case Where.WATCHED:
            return cluster.namespaces.watched
        case Where.SERVICES:
            return tuple(dict.fromkeys(service.namespace for service in cluster.services.values()))
        case Where.MONITORING:
            stack = cluster.monitoring
            urls = (stack.prometheus.url, stack.alertmanager.url, stack.grafana.url)
            return tuple(dict.fromkeys(at.namespace for at in map(service_address, urls) if at))
