"""What a pod asks of a node, taken from its object: effective requests, affinity, spreading, ports, volumes.

Pure projections of JSON, which may lack anything and hold more than is known here. Called by
workers/scheduling.py, for one node's pods in full and for ten thousand others in brief.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from commands.scheduling import (
    Amounts,
    NodeTerm,
    Owner,
    PodTerm,
    PodVolume,
    Requirement,
    Selector,
    Spread,
    Toleration,
)
from workers.fields import Json, part, quantity

# There are few different ones, and each is a fraction to be worked out.
amount = lru_cache(maxsize=4096)(quantity)

_ANYWHERE = "0.0.0.0"  # noqa: S104 - as the API means it


# --- Requests -------------------------------------------------------------------------------------


def requests(pod: Json) -> Amounts:
    """What the scheduler counts for the pod, and the one place it takes.

    Containers run side by side, with the sidecars among the init containers; every other init container runs
    alone with the sidecars before it. A request of the whole pod stands in for those of its containers.
    """
    spec, granted = part(pod, "spec"), _granted(part(pod, "status"))
    running: dict[str, float] = {}
    for each in spec.get("containers") or ():
        _add(running, _asked(each, granted))
    sidecars: dict[str, float] = {}
    most: dict[str, float] = {}
    for each in spec.get("initContainers") or ():
        asked = _asked(each, granted)
        if each.get("restartPolicy") == "Always":
            _add(sidecars, asked)
            _raise(most, sidecars)
        else:
            _add(asked, sidecars)
            _raise(most, asked)
    _add(running, sidecars)
    _raise(most, running)
    most |= _amounts(part(part(spec, "resources"), "requests"))
    for resource, more in _amounts(part(spec, "overhead")).items():
        most[resource] = most.get(resource, 0.0) + more
    return {**most, "pods": 1.0}


def _amounts(written: Mapping[str, Any]) -> dict[str, float]:
    return {str(resource): amount(str(text)) for resource, text in written.items()}


def _asked(container: Json, granted: Mapping[str, Json]) -> dict[str, float]:
    """While a container is being resized, the larger of what it asks for and what it has."""
    asked = _amounts(part(part(container, "resources"), "requests"))
    has = granted.get(str(container.get("name", "")))
    if has:
        _raise(asked, _amounts(has))
    return asked


def _granted(status: Json) -> Mapping[str, Json]:
    statuses = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    return {
        str(each.get("name", "")): each["allocatedResources"]
        for each in statuses
        if each.get("allocatedResources")
    }


def _add(whole: dict[str, float], more: Mapping[str, float]) -> None:
    for key, value in more.items():
        whole[key] = whole.get(key, 0.0) + value


def _raise(most: dict[str, float], to: Mapping[str, float]) -> None:
    for key, value in to.items():
        most[key] = max(most.get(key, 0.0), value)


# --- Selectors ------------------------------------------------------------------------------------


def selector(written: Json | None) -> Selector | None:
    """A label selector; None selects nothing."""
    if written is None:
        return None
    equal = (
        Requirement(str(key), "In", (str(value),)) for key, value in part(written, "matchLabels").items()
    )
    return Selector((*equal, *_requirements(written.get("matchExpressions"))))


def _requirements(written: Iterable[Json] | None) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(str(each.get("key", "")), str(each.get("operator", "")), _texts(each.get("values")))
        for each in written or ()
    )


def _texts(written: Iterable[Any] | None) -> tuple[str, ...]:
    return tuple(str(each) for each in written or ())


def node_terms(written: Json) -> tuple[NodeTerm, ...]:
    """The terms of a NodeSelector."""
    return tuple(
        NodeTerm(_requirements(each.get("matchExpressions")), _requirements(each.get("matchFields")))
        for each in written.get("nodeSelectorTerms") or ()
    )


# --- Affinity and spreading -----------------------------------------------------------------------


def node_affinity(spec: Json) -> tuple[NodeTerm, ...]:
    affinity = part(part(spec, "affinity"), "nodeAffinity")
    return node_terms(part(affinity, "requiredDuringSchedulingIgnoredDuringExecution"))


def pod_terms(pod: Json, kind: str) -> tuple[PodTerm, ...]:
    """Required terms of "podAffinity" or "podAntiAffinity"."""
    terms = part(part(part(pod, "spec"), "affinity"), kind)
    required = terms.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(_pod_term(pod, each) for each in required)


def _pod_term(pod: Json, term: Json) -> PodTerm:
    """A selector of namespaces counts as all of them: their labels are not read."""
    own = str(part(pod, "metadata").get("namespace", ""))
    namespaces = _texts(term.get("namespaces")) or (own,)
    if term.get("namespaceSelector") is not None:
        namespaces = ()
    return PodTerm(str(term.get("topologyKey", "")), _with_own_labels(pod, term), namespaces)


def spreads(pod: Json) -> tuple[Spread, ...]:
    return tuple(
        Spread(
            topology=str(each.get("topologyKey", "")),
            max_skew=int(each.get("maxSkew") or 1),
            selector=_with_own_labels(pod, each),
            min_domains=int(each.get("minDomains") or 1),
            honours_taints=each.get("nodeTaintsPolicy") == "Honor",
        )
        for each in part(pod, "spec").get("topologySpreadConstraints") or ()
        if each.get("whenUnsatisfiable") == "DoNotSchedule"
    )


def _with_own_labels(pod: Json, term: Json) -> Selector | None:
    """matchLabelKeys: the pod's own values of these keys must (mismatchLabelKeys: must not) be there, too."""
    chosen = selector(term.get("labelSelector"))
    if chosen is None:
        return None
    labels = part(part(pod, "metadata"), "labels")
    own = [
        Requirement(str(key), operator, (str(labels[key]),))
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or ()
        if key in labels
    ]
    return Selector((*chosen.requirements, *own))


# --- The rest of a pod ------------------------------------------------------------------------------


def tolerations(spec: Json) -> tuple[Toleration, ...]:
    return tuple(
        Toleration(
            str(each.get("key") or ""),
            str(each.get("operator") or "Equal"),
            str(each.get("value") or ""),
            str(each.get("effect") or ""),
        )
        for each in spec.get("tolerations") or ()
    )


def ports(spec: Json) -> tuple[str, ...]:
    """Ports of the host that its containers take; "TCP/0.0.0.0/80"."""
    return tuple(_ports(spec))


def _ports(spec: Json) -> Iterator[str]:
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield f"{port.get('protocol') or 'TCP'}/{port.get('hostIP') or _ANYWHERE}/{port['hostPort']}"


def volumes(pod: Json) -> tuple[PodVolume, ...]:
    owner = str(part(pod, "metadata").get("name", ""))
    return tuple(_volume(each, owner) for each in part(pod, "spec").get("volumes") or ())


def _volume(volume: Json, pod: str) -> PodVolume:
    name = str(volume.get("name", ""))
    if "emptyDir" in volume:
        source = part(volume, "emptyDir")
        return PodVolume(
            name, "emptyDir", str(source.get("medium") or ""), str(source.get("sizeLimit") or "")
        )
    if "hostPath" in volume:
        return PodVolume(name, "hostPath", str(part(volume, "hostPath").get("path") or ""))
    if "persistentVolumeClaim" in volume:
        return PodVolume(name, "claim", str(part(volume, "persistentVolumeClaim").get("claimName") or ""))
    if "ephemeral" in volume:  # its claim is named after both, by the API's rule
        return PodVolume(name, "claim", f"{pod}-{name}")
    return PodVolume(name, next((key for key in volume if key != "name"), ""))


def claims(pod: Json) -> tuple[str, ...]:
    """The claims of a pod, without looking at its other volumes."""
    written = part(pod, "spec").get("volumes")
    if not written or not any("persistentVolumeClaim" in each or "ephemeral" in each for each in written):
        return ()
    return tuple(volume.detail for volume in volumes(pod) if volume.kind == "claim")


def controller(metadata: Json) -> Owner | None:
    for each in metadata.get("ownerReferences") or ():
        if each.get("controller"):
            return Owner(
                str(each.get("kind", "")), str(each.get("name", "")), str(each.get("uid", "")),
                str(each.get("apiVersion", "")),
            )  # fmt: skip
    return None


def is_ready(status: Json) -> bool:
    return any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )
