"""Which service an alert or a typed name is about, and which pods are its.

A service of the configuration where one is known by that name, else what the labels say of one. Used by every
diagnosis about what users feel (service.py, latency.py, memory.py, network.py, layers.py).
"""

import re
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import replace

from commands.model import Args, Gap, Reads, Seen
from commands.podreads import PodRow, workload
from commands.reads import Endpoints, EndpointView
from commands.site import ClusterSite, ServiceSite
from commands.triage.rule import Subject
from commands.triage.whose import Wanted, wanted


def of(subject: Subject, site: ClusterSite) -> ServiceSite:
    """By the service label, else the workload's, else the pod's; else the one of the namespace, or the default."""
    name = subject.service or subject.workload[1] or (workload(subject.pod) if subject.pod else "")
    return known(site, subject.namespace, name) if name else _of_namespace(site, subject.namespace)


def known(site: ClusterSite, namespace: str, name: str) -> ServiceSite:
    for each in site.services.values():
        if name in (each.name, each.service, each.deployment) and namespace in ("", each.namespace):
            return each
    return ServiceSite(
        name=name, namespace=namespace or site.namespaces.app, deployment=name, service=name, port=0
    )


def resolved(service: ServiceSite, site: ClusterSite) -> Generator[Reads, Seen, ServiceSite]:
    """With the workload behind it: alerts name the Service, and rollouts and pods the Deployment. Of one that the
    configuration does not have, it is what most pods of its endpoints are of; where these do not say, its name."""
    if not service.service or service in site.services.values():
        return service
    read = Endpoints(service.namespace, service.service)
    found: Sequence[EndpointView] | Gap = (yield (read,))[read]
    owners = Counter(_owner(each.pod) for each in found if each.pod) if not isinstance(found, Gap) else None
    return replace(service, deployment=owners.most_common(1)[0][0]) if owners else service


def _owner(pod: str) -> str:
    """ "web" of "web-5d9f8c7b6d-x7k2p", "db" of "db-0"."""
    stem = workload(pod)
    return re.sub(r"-\d+$", "", pod) if stem == pod else stem


def _of_namespace(site: ClusterSite, namespace: str) -> ServiceSite:
    default = site.default_service
    if namespace in ("", default.namespace):
        return default
    inside = (each for each in site.services.values() if each.namespace == namespace and each.service)
    return next(inside, None) or ServiceSite(name=namespace, namespace=namespace)


def typed(args: Args, site: ClusterSite) -> ServiceSite:
    """What somebody typed, or the default service; raises UsageError over a name that cannot be meant."""
    about = wanted(args, site)
    return known(site, about.namespace, about.name)


def subject(service: ServiceSite) -> Subject:
    """To ask about it without an alert."""
    return Subject("", {"namespace": service.namespace, "service": service.service or service.name})


def place(service: ServiceSite) -> str:
    """As `deploy`, `logs` and `debug` take it."""
    return f"{service.namespace}/{service.deployment or service.name}"


def pods(service: ServiceSite, rows: Sequence[PodRow]) -> tuple[PodRow, ...]:
    return Wanted(service.namespace, service.deployment or service.name).pods(rows)
