"""What the containment of an incident asks of the Kubernetes API: its address ranges, a service account and what uses
it, and what writes.

Functions over the connection (workers/api.py), called by workers/cluster.py. Nothing here judges; of Secrets only
metadata is asked for.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from commands import securityreads
from commands.effects import Target
from commands.model import Read
from commands.scheduling import QUARANTINE
from commands.securityreads import (
    AccountPod,
    AccountView,
    FlagView,
    RangesView,
    ScalerView,
    ScheduleView,
    TokenView,
)
from workers.api import METADATA_LIST, Api, Json, NotThere, Subject, projected, segment
from workers.fields import moment, part

T = TypeVar("T")

READS: tuple[type[Read], ...] = (
    securityreads.Ranges, securityreads.Account, securityreads.AccountPods, securityreads.AccountTokens,
    securityreads.Scalers, securityreads.Schedules, securityreads.Flag,
)  # fmt: skip

_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - the type of a Secret
_OF_ACCOUNT = "kubernetes.io/service-account.name"


def read(api: Api, asked: Read, deadline: float) -> Any:
    match asked:
        case securityreads.Ranges():
            return _ranges(api, deadline)
        case securityreads.Account():
            return _account(api, asked, deadline)
        case securityreads.AccountPods():
            selector = f"spec.serviceAccountName={asked.account}"
            return _named(api, "pods", "v1", asked.namespace, deadline, _pod, fieldSelector=selector)
        case securityreads.AccountTokens():
            return _tokens(api, asked, deadline)
        case securityreads.Scalers():
            group = "autoscaling/v2"
            return _named(api, "horizontalpodautoscalers", group, asked.namespace, deadline, _scaler)
        case securityreads.Schedules():
            return _named(api, "cronjobs", "batch/v1", asked.namespace, deadline, _schedule)
        case securityreads.Flag():
            return _flag(api, asked, deadline)
    raise LookupError(f"not a question about containment: {asked}")


def _path(group: str, namespace: str, resource: str) -> str:
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    return f"{root}/namespaces/{segment(namespace)}/{resource}" if namespace else f"{root}/{resource}"


def _named(
    api: Api, resource: str, group: str, namespace: str, deadline: float, project: Callable[[Json], T], **query: str
) -> tuple[T, ...]:  # fmt: skip
    """By name, as the API server lists them."""
    what = f"{resource} in {namespace}" if namespace else resource
    subject = Subject(what, resource, group.rpartition("/")[0], namespace=namespace)
    return tuple(api.listed(subject, _path(group, namespace, resource), deadline, project, **query))


def _find(api: Api, resource: str, namespace: str, name: str, deadline: float) -> tuple[Subject, Json | None]:
    subject = Subject(f"{resource} {namespace}/{name}", resource, verb="get", namespace=namespace)
    return subject, api.find(subject, f"{_path('v1', namespace, resource)}/{segment(name)}", deadline)


def _target(kind: str, found: Json) -> Target:
    metadata = part(found, "metadata")
    return Target(kind, str(metadata.get("namespace") or ""), str(metadata["name"]), str(metadata["uid"]))


def _annotations(found: Json) -> dict[str, str]:
    return dict(part(part(found, "metadata"), "annotations"))


# --- Addresses --------------------------------------------------------------------------------------


def _ranges(api: Api, deadline: float) -> RangesView:
    nodes = _named(api, "nodes", "v1", "", deadline, _node)
    return RangesView(
        tuple(sorted({address for addresses, _ in nodes for address in addresses})),
        tuple(sorted({cidr for _, cidrs in nodes for cidr in cidrs})),
        _services(api, deadline),
    )


def _node(node: Json) -> tuple[list[str], list[str]]:
    told = part(node, "status").get("addresses") or ()
    addresses = [str(each["address"]) for each in told if str(each.get("type")).endswith("IP")]
    spec = part(node, "spec")
    return addresses, [str(each) for each in spec.get("podCIDRs") or filter(None, [spec.get("podCIDR")])]


def _services(api: Api, deadline: float) -> tuple[str, ...]:
    """Before Kubernetes 1.33 nobody tells the range: the address of one Service is known all the same."""
    _, kubernetes = _find(api, "services", "default", "kubernetes", deadline)
    single = [str(each) for each in part(kubernetes or {}, "spec").get("clusterIPs") or ()]
    try:
        found = _named(api, "servicecidrs", "networking.k8s.io/v1", "", deadline, _cidrs)
    except NotThere:
        found = ()
    return tuple(sorted({cidr for each in (single, *found) for cidr in each}))


def _cidrs(found: Json) -> list[str]:
    return [str(each) for each in part(found, "spec").get("cidrs") or ()]


# --- Credentials ------------------------------------------------------------------------------------


def _account(api: Api, asked: securityreads.Account, deadline: float) -> AccountView | None:
    subject, found = _find(api, "serviceaccounts", asked.namespace, asked.name, deadline)
    if found is None:
        return None
    return projected(
        subject, lambda item: AccountView(_target("ServiceAccount", item), _annotations(item)), found
    )


def _pod(found: Json) -> AccountPod:
    metadata, spec = part(found, "metadata"), part(found, "spec")
    owners = [each for each in metadata.get("ownerReferences") or () if each.get("controller")]
    return AccountPod(
        _target("Pod", found),
        next((f"{each['kind']} {each['name']}" for each in owners), ""),
        frozenset(_secrets(spec)),
        QUARANTINE in part(metadata, "labels"),
    )


def _secrets(spec: Json) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        yield from _present(part(volume, "secret").get("secretName"))
        for source in part(volume, "projected").get("sources") or ():
            yield from _present(part(source, "secret").get("name"))
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for variable in container.get("env") or ():
            yield from _present(part(part(variable, "valueFrom"), "secretKeyRef").get("name"))
        for source in container.get("envFrom") or ():
            yield from _present(part(source, "secretRef").get("name"))


def _present(name: Any) -> Iterator[str]:
    if name:
        yield str(name)


def _tokens(api: Api, asked: securityreads.AccountTokens, deadline: float) -> tuple[TokenView, ...]:
    subject = Subject(f"secrets in {asked.namespace}", "secrets", namespace=asked.namespace)
    found = api.listed(
        subject, _path("v1", asked.namespace, "secrets"), deadline, _token, bytes, METADATA_LIST,
        fieldSelector=f"type={_TOKEN}",
    )  # fmt: skip
    return tuple(token for account, token in found if account == asked.account)


def _token(found: Json) -> tuple[str, TokenView]:
    made = moment(part(found, "metadata").get("creationTimestamp"))
    return str(_annotations(found).get(_OF_ACCOUNT) or ""), TokenView(_target("Secret", found), made)


# --- Writers ----------------------------------------------------------------------------------------


def _scaler(found: Json) -> ScalerView:
    metadata, spec = part(found, "metadata"), part(found, "spec")
    aim, behavior = part(spec, "scaleTargetRef"), part(spec, "behavior")
    ways = {part(behavior, way).get("selectPolicy") for way in ("scaleUp", "scaleDown")}
    owners = metadata.get("ownerReferences") or ()
    low = spec.get("minReplicas")
    return ScalerView(
        _target("HorizontalPodAutoscaler", found),
        str(aim.get("kind", "")),
        str(aim.get("name", "")),
        1 if low is None else int(low),
        int(spec["maxReplicas"]),
        ways == {"Disabled"},
        next((str(each["name"]) for each in owners if each.get("kind") == "ScaledObject"), ""),
        _annotations(found),
    )


def _schedule(found: Json) -> ScheduleView:
    spec, status = part(found, "spec"), part(found, "status")
    return ScheduleView(
        _target("CronJob", found),
        str(spec.get("schedule") or ""),
        bool(spec.get("suspend")),
        tuple(sorted(str(each.get("name", "")) for each in status.get("active") or ())),
        _annotations(found),
    )


def _flag(api: Api, asked: securityreads.Flag, deadline: float) -> FlagView | None:
    subject, found = _find(api, "configmaps", asked.namespace, asked.name, deadline)

    def view(item: Json) -> FlagView:
        value = part(item, "data").get(asked.key)
        held = None if value is None else str(value)
        return FlagView(_target("ConfigMap", item), held, _annotations(item))

    return None if found is None else projected(subject, view, found)
