"""Which service an alert or a typed name is about, and which pods are its.

A service of the configuration where one is known by that name, else what the labels say of one. Used by every
diagnosis about what users feel (service.py, latency.py, memory.py, network.py, layers.py).
"""

from collections.abc import Sequence

from commands.model import Args
from commands.podreads import PodRow, workload
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
