"""What an incident is about: its cluster and its service, as somebody said, as an alert has it, or as its title names it."""

import re

from commands.entry import Given
from commands.incident.about import line
from commands.model import AlertGroup
from commands.site import ClusterSite

# Labels that may bear the name of a service, the surest first.
_LABELS = ("service", "deployment", "statefulset", "daemonset", "app", "job", "container")


def service_of(given: Given, title: str, group: AlertGroup | None) -> str:
    """As it was said, else as the alert's labels have it, else the one that the title names."""
    site = site_of(given, group)
    said = line(given.args.flags.get("service", ""), 100)
    if said:
        return next((name for name in site.services if name.casefold() == said.casefold()), said)
    if group is not None:
        return _labelled(group, site)
    tokens = set(re.split(r"[^\w-]+", title.casefold()))
    named = [name for name in site.services if name.casefold() in tokens]
    return named[0] if len(named) == 1 else ""


def _labelled(group: AlertGroup, site: ClusterSite) -> str:
    """A service of the configuration that a label names, else what the label `service` says."""
    labels = group.lead.labels
    said = [labels[key] for key in _LABELS if labels.get(key)]
    own = {
        own: name
        for name, each in site.services.items()
        for own in (each.service, each.deployment, name)
        if own
    }
    return next((own[value] for value in said if value in own), line(labels.get("service", ""), 100))


def site_of(given: Given, group: AlertGroup | None) -> ClusterSite:
    name = cluster_of(given, group)
    return given.site.clusters.get(name) or next(iter(given.site.clusters.values()))


def cluster_of(given: Given, group: AlertGroup | None) -> str:
    return group.cluster if group and group.cluster else given.cluster
