"""Workloads, their revisions, pods and what hangs on them: from an object of the API to its view.

Pure: dictionaries in, values out. What trips one up is not what the API promises; workers/api.py's `projected`
turns that into a refusal. Called by workers/workloads.py.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from commands import workloads
from commands.effects import Target
from workers.fields import Json, conditions, moment, part, quantity

# What a pod that is only on its way says.
_ON_ITS_WAY = ("", "ContainerCreating", "PodInitializing")


def _target(kind: str, found: Json) -> Target:
    metadata = part(found, "metadata")
    return Target(kind, str(metadata["namespace"]), str(metadata["name"]), str(metadata["uid"]))


def workload_view(kind: str, found: Json) -> workloads.WorkloadView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    return workloads.WorkloadView(
        target=_target(kind, found),
        generation=int(metadata.get("generation") or 0),
        observed=int(status.get("observedGeneration") or 0),
        **(_daemon_counts(status) if kind == "DaemonSet" else _counts(spec, status)),
        template=part(spec, "template"),
        selector=workloads.selector_text(part(spec, "selector")),
        strategy=_strategy(kind, spec),
        is_paused=bool(spec.get("paused")),
        is_leaving=bool(metadata.get("deletionTimestamp")),
        conditions=conditions(status),
        labels=dict(part(metadata, "labels")),
        annotations=dict(part(metadata, "annotations")),
        owners=tuple(_owner(each) for each in metadata.get("ownerReferences") or ()),
        managers=tuple(_manager(each) for each in metadata.get("managedFields") or ()),
        current=str(status.get("currentRevision") or ""),
        update=str(status.get("updateRevision") or ""),
        claims=tuple(
            str(part(each, "metadata").get("name", "")) for each in spec.get("volumeClaimTemplates") or ()
        ),
        keeps_claims=part(spec, "persistentVolumeClaimRetentionPolicy").get("whenScaled") != "Delete",
        history_limit=_number(spec.get("revisionHistoryLimit"), 10),
        created=moment(metadata.get("creationTimestamp")),
    )


def _number(value: Any, default: int) -> int:
    return default if value is None else int(value)


def _counts(spec: Json, status: Json) -> dict[str, int]:
    ready = int(status.get("readyReplicas") or 0)
    return {
        "replicas": _number(spec.get("replicas"), 1),
        "total": int(status.get("replicas") or 0),
        "updated": int(status.get("updatedReplicas") or 0),
        "ready": ready,
        "available": int(status.get("availableReplicas") or 0),
    }


def _daemon_counts(status: Json) -> dict[str, int]:
    return {
        "replicas": int(status.get("desiredNumberScheduled") or 0),
        "total": int(status.get("currentNumberScheduled") or 0),
        "updated": int(status.get("updatedNumberScheduled") or 0),
        "ready": int(status.get("numberReady") or 0),
        "available": int(status.get("numberAvailable") or 0),
        "misplaced": int(status.get("numberMisscheduled") or 0),
    }


# A Deployment's deadline of this many seconds stands for none at all.
_NO_DEADLINE = 2**31 - 1


def _strategy(kind: str, spec: Json) -> workloads.Strategy:
    """As it stands, with the API's defaults where an old object has nothing."""
    if kind == "Deployment":
        said = part(spec, "strategy")
        rolling = part(said, "rollingUpdate")
        seconds = _number(spec.get("progressDeadlineSeconds"), 600)
        return workloads.Strategy(
            str(said.get("type") or "RollingUpdate"),
            surge=_either(rolling.get("maxSurge"), "25%"),
            unavailable=_either(rolling.get("maxUnavailable"), "25%"),
            deadline=None if seconds >= _NO_DEADLINE else timedelta(seconds=seconds),
        )
    said = part(spec, "updateStrategy")
    rolling = part(said, "rollingUpdate")
    return workloads.Strategy(
        str(said.get("type") or "RollingUpdate"),
        surge=_either(rolling.get("maxSurge"), 0),
        unavailable=_either(rolling.get("maxUnavailable"), 1),
        partition=int(rolling.get("partition") or 0),
        is_ordered=kind == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel",
    )


def _either(value: Any, default: int | str) -> int | str:
    """An IntOrString as it was written."""
    if value is None:
        return default
    return value if isinstance(value, int) else str(value)


def _owner(reference: Json) -> workloads.Owner:
    return workloads.Owner(
        str(reference.get("apiVersion", "")),
        str(reference["kind"]),
        str(reference["name"]),
        bool(reference.get("controller")),
    )


def _manager(entry: Json) -> workloads.Manager:
    spec = part(part(entry, "fieldsV1"), "f:spec")
    return workloads.Manager(
        str(entry.get("manager") or ""),
        moment(entry.get("time")),
        of_template="f:template" in spec,
        of_replicas="f:replicas" in spec,
    )


# --- Revisions and pods ---------------------------------------------------------------------------


def controller(item: Json) -> str:
    """uid of what controls it, "" for nothing."""
    owners = part(item, "metadata").get("ownerReferences") or ()
    return next((str(each.get("uid")) for each in owners if each.get("controller")), "")


def replicaset_view(found: Json) -> workloads.RevisionView:
    metadata, spec = part(found, "metadata"), part(found, "spec")
    annotations = part(metadata, "annotations")
    number = str(annotations.get(workloads.REVISION) or "0")
    return workloads.RevisionView(
        number=int(number) if number.isdecimal() else 0,
        source=_target("ReplicaSet", found),
        mark=str(part(metadata, "labels").get("pod-template-hash") or ""),
        template=part(spec, "template"),
        created=moment(metadata.get("creationTimestamp")),
        cause=str(annotations.get(workloads.CHANGE_CAUSE) or ""),
        replicas=_number(spec.get("replicas"), 1),
    )


def controller_revision_view(found: Json) -> workloads.RevisionView:
    metadata = part(found, "metadata")
    labels = part(metadata, "labels")
    name = str(metadata["name"])
    # A DaemonSet's pods bear the hash that its revision's name ends with, a StatefulSet's the whole name.
    owners = metadata.get("ownerReferences") or ()
    daemon = next((str(each.get("name")) for each in owners if each.get("kind") == "DaemonSet"), "")
    hashed = str(labels.get("controller-revision-hash") or name.removeprefix(f"{daemon}-"))
    return workloads.RevisionView(
        number=int(found.get("revision") or 0),
        source=_target("ControllerRevision", found),
        mark=hashed if daemon else name,
        template=part(part(part(found, "data"), "spec"), "template"),
        created=moment(metadata.get("creationTimestamp")),
        cause=str(part(metadata, "annotations").get(workloads.CHANGE_CAUSE) or ""),
    )


def member_view(pod: Json) -> workloads.MemberView:
    metadata, status = part(pod, "metadata"), part(pod, "status")
    labels = part(metadata, "labels")
    created = moment(metadata.get("creationTimestamp"))
    ready = next((each for each in conditions(status) if each.type == "Ready"), None)
    is_ready = ready is not None and ready.status == "True"
    since = (ready.since if ready else None) or created
    trouble, message = _trouble(status)
    ended = _latest_end(status)
    return workloads.MemberView(
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        owner=controller(pod),
        mark=str(labels.get("controller-revision-hash") or labels.get("pod-template-hash") or ""),
        is_ready=is_ready,
        restarts=sum(int(each.get("restartCount") or 0) for each in _containers(status)),
        trouble=trouble,
        message=message,
        since=None if is_ready else since,
        ready_since=since if is_ready else None,
        created=created,
        node=str(part(pod, "spec").get("nodeName") or ""),
        last_exit=f"{ended.get('reason') or 'Error'} {ended.get('exitCode', '')}".strip() if ended else "",
        last_restart=moment(ended.get("finishedAt")),
        is_leaving=bool(metadata.get("deletionTimestamp")),
    )


def _containers(status: Json) -> list[Json]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _trouble(status: Json) -> tuple[str, str]:
    """The word and the sentence for what keeps a pod from running, ("", "") while it is on its way."""
    if status.get("reason"):  # Evicted, NodeLost, …
        return str(status["reason"]), str(status.get("message") or "")
    for each in conditions(status):
        if each.type == "PodScheduled" and each.status == "False":
            return each.reason, each.message
    return next(_container_troubles(status), ("", ""))


def _container_troubles(status: Json) -> Iterator[tuple[str, str]]:
    for each in _containers(status):
        state = part(each, "state")
        waiting, ended = part(state, "waiting"), part(state, "terminated")
        word = str(waiting.get("reason") or "")
        if word not in _ON_ITS_WAY:
            yield word, str(waiting.get("message") or "")
        elif ended and ended.get("exitCode") != 0:
            yield str(ended.get("reason") or "Error"), str(ended.get("message") or "")


def _latest_end(status: Json) -> Json:
    """How the container that was restarted last had ended; {} when none was."""
    ends = [part(part(each, "lastState"), "terminated") for each in _containers(status)]
    return max((end for end in ends if end), key=lambda end: str(end.get("finishedAt") or ""), default={})


# --- What hangs on a workload ---------------------------------------------------------------------


def autoscaler_view(found: Json) -> workloads.AutoscalerView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    aim = part(spec, "scaleTargetRef")
    owners = [_owner(each) for each in metadata.get("ownerReferences") or ()]
    name = str(metadata["name"])
    keda = next((owner.name for owner in owners if owner.kind == "ScaledObject"), "")
    return workloads.AutoscalerView(
        name=name,
        kind=str(aim.get("kind", "")),
        target=str(aim.get("name", "")),
        low=_number(spec.get("minReplicas"), 1),
        high=int(spec["maxReplicas"]),
        now=int(status.get("currentReplicas") or 0),
        wanted=int(status.get("desiredReplicas") or 0),
        keda=keda or (name.removeprefix("keda-hpa-") if name.startswith("keda-hpa-") else ""),
        metrics=tuple(_metric_views(spec, status)),
        conditions=conditions(status),
    )


def _metric_views(spec: Json, status: Json) -> Iterator[workloads.MetricView]:
    """Each aim of the spec with what the autoscaler last read of it: both lists name their metrics alike."""
    read = {_metric_name(each): _metric_part(each) for each in status.get("currentMetrics") or ()}
    for each in spec.get("metrics") or ():
        name = _metric_name(each)
        now = part(read.get(name, {}), "current")
        yield workloads.MetricView(name, _amount(now), _amount(part(_metric_part(each), "target")))


def _metric_part(metric: Json) -> Json:
    """What stands under its type: "type": "ContainerResource" is described by "containerResource"."""
    kind = str(metric.get("type") or "")
    return part(metric, kind[:1].lower() + kind[1:])


def _metric_name(metric: Json) -> str:
    told = _metric_part(metric)
    name = str(told.get("name") or part(told, "metric").get("name") or metric.get("type") or "")
    return f"{told['container']}/{name}" if told.get("container") else name


def _amount(value: Json) -> str:
    """A share of the request first, as `kubectl get hpa` does; then an average, then a sum."""
    if value.get("averageUtilization") is not None:
        return f"{value['averageUtilization']} %"
    return str(value.get("averageValue") or value.get("value") or "")


def budget_view(found: Json) -> workloads.BudgetTerms:
    spec = part(found, "spec")
    selector = spec.get("selector")
    # policy/v1: {} selects every pod, nothing selects none.
    none = {"matchExpressions": [{"key": "", "operator": "Exists"}]}
    return workloads.BudgetTerms(
        name=str(part(found, "metadata")["name"]),
        selector=none if selector is None else selector,
        least=spec.get("minAvailable"),
        most=spec.get("maxUnavailable"),
    )


def quota_view(found: Json) -> workloads.QuotaView:
    spec, status = part(found, "spec"), part(found, "status")
    hard = part(status, "hard") or part(spec, "hard")
    return workloads.QuotaView(
        name=str(part(found, "metadata")["name"]),
        hard={name: quantity(value) for name, value in hard.items()},
        used={name: quantity(value) for name, value in part(status, "used").items()},
        is_partial=bool(spec.get("scopes") or spec.get("scopeSelector")),
    )


def service_view(found: Json) -> workloads.ServiceView:
    spec = part(found, "spec")
    address = str(spec.get("clusterIP") or "")
    return workloads.ServiceView(
        str(part(found, "metadata")["name"]),
        dict(part(spec, "selector")),
        "" if address == "None" else address,
        tuple(_service_port(each) for each in spec.get("ports") or ()),
    )


def _service_port(found: Json) -> workloads.ServicePort:
    port = int(found["port"])
    target = str(found.get("targetPort") or port)
    return workloads.ServicePort(
        port, target, str(found.get("name") or ""), str(found.get("protocol") or "TCP")
    )


def ingress_view(found: Json) -> workloads.IngressView:
    spec = part(found, "spec")
    paths = (path for rule in spec.get("rules") or () for path in part(rule, "http").get("paths") or ())
    backends = (part(spec, "defaultBackend"), *(part(path, "backend") for path in paths))
    names = {str(part(each, "service").get("name") or "") for each in backends}
    return workloads.IngressView(str(part(found, "metadata")["name"]), frozenset(names - {""}))


def referred_view(found: Json, is_whole: bool) -> workloads.ReferredView:
    """Of metadata only, managedFields hold the names of the keys, and in any case when they were written."""
    entries = part(found, "metadata").get("managedFields") or ()
    writes = [(entry, _keys(entry)) for entry in entries]
    times = [moment(entry.get("time")) for entry, keys in writes if keys]
    keys: set[str] = {key for _, names in writes for key in names}
    if is_whole:
        keys = {*part(found, "data"), *part(found, "binaryData")}
    return workloads.ReferredView(
        exists=True,
        keys=frozenset(keys) if keys or is_whole else None,
        changed=max((at for at in times if at), default=None),
    )


def _keys(entry: Json) -> set[str]:
    fields = part(entry, "fieldsV1")
    names = {name for each in ("f:data", "f:binaryData") for name in part(fields, each)}
    return {name.removeprefix("f:") for name in names if name.startswith("f:")}
