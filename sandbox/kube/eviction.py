"""The eviction subresource of pods, with the arithmetic of disruption budgets.

Follows EvictionREST of kube-apiserver, oddities included: a terminating, pending or finished pod needs no
budget, a wrong uid precondition is noticed only after the budget was spent, a dry run spends nothing.
Reads the budget's status as the disruption controller left it and never computes one.
"""

from __future__ import annotations

from typing import Any

from sandbox.kube import status
from sandbox.kube.catalog import Resource
from sandbox.kube.objects import DeleteOptions, Objects, check_preconditions
from sandbox.kube.selectors import matching
from sandbox.kube.status import ApiError
from sandbox.kube.store import Entry

Json = dict[str, Any]

MAX_DISRUPTED_PODS = 2000
_VIOLATION = "Cannot evict pod as it would violate the pod's disruption budget."
_TWO_BUDGETS = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
)
SUCCESS: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def evict(objects: Objects, namespace: str, name: str, eviction: Json, *, dry_run: bool) -> Json:
    if (eviction.get("metadata") or {}).get("name", name) != name:
        raise status.bad_request("name in URL does not match name in Eviction object")
    wanted = eviction.get("deleteOptions") or {}
    preconditions = wanted.get("preconditions") or {}
    options = DeleteOptions(
        grace=wanted.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        revision=preconditions.get("resourceVersion") or "",
        dry_run=dry_run or wanted.get("dryRun") == ["All"],
    )
    pods = objects.catalog.named("pods", "")
    with objects.store.lock:
        objects.check_namespace(pods, namespace, name)
        pod = objects.get(pods, namespace, name)
        if not _needs_no_budget(pod.obj):
            _spend(objects, namespace, pod, dry_run=options.dry_run)
        _delete(objects, pods, pod, options)
    return SUCCESS


def _needs_no_budget(pod: Json) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Pending", "Succeeded", "Failed") or bool(pod["metadata"].get("deletionTimestamp"))


def _spend(objects: Objects, namespace: str, pod: Entry, *, dry_run: bool) -> None:
    budgets = objects.catalog.named("poddisruptionbudgets", "policy")
    labels = pod.obj["metadata"].get("labels") or {}
    found = [
        entry
        for entry in objects.store.entries(budgets.storage)
        if entry.namespace == namespace and matching(entry.obj["spec"].get("selector"))(labels)
    ]
    if len(found) > 1:
        raise ApiError(500, "", _TWO_BUDGETS)
    if not found:
        return
    budget = found[0]
    if not _is_ready(pod.obj) and _lets_unready_go(budget.obj):
        return
    _decrement(objects, budgets, budget, pod.name, dry_run=dry_run)


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _lets_unready_go(budget: Json) -> bool:
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    told = budget.get("status") or {}
    desired: int = told.get("desiredHealthy", 0)
    return bool(told.get("currentHealthy", 0) >= desired > 0)


def _decrement(objects: Objects, budgets: Resource, budget: Entry, pod: str, *, dry_run: bool) -> None:
    told = dict(budget.obj.get("status") or {})
    name = budget.name
    if told.get("observedGeneration", 0) < budget.obj["metadata"].get("generation", 0):
        raise _violation(f"The disruption budget {name} is still being processed by the server.", wait=10)
    allowed = told.get("disruptionsAllowed", 0)
    disrupted = dict(told.get("disruptedPods") or {})
    if len(disrupted) > MAX_DISRUPTED_PODS:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise status.forbidden(budgets, name, why)
    if allowed == 0:
        raise _violation(_why_not(name, told))
    if dry_run:
        return
    told["disruptionsAllowed"] = allowed - 1
    told["disruptedPods"] = {**disrupted, pod: objects.now()}
    if allowed == 1:
        told["conditions"] = [_insufficient(told, objects.now())]
    objects.write_status(budgets, budget, told)


def _why_not(name: str, told: Json) -> str:
    for condition in told.get("conditions") or ():
        if condition["type"] == "DisruptionAllowed" and condition.get("reason") == "SyncFailed":
            return (
                f"The disruption budget {name} does not allow evicting pods currently because it failed "
                f"sync: {condition.get('message', '')}"
            )
    current, desired = told.get("currentHealthy", 0), told.get("desiredHealthy", 0)
    if current > desired:
        return f"The disruption budget {name} does not allow evicting pods currently"
    return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"


def _violation(cause: str, *, wait: int = 0) -> ApiError:
    """No Retry-After when the budget is used up: nobody knows when it will not be."""
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    if wait:
        details["retryAfterSeconds"] = wait
    headers = {"Retry-After": str(wait)} if wait else {}
    return ApiError(429, "TooManyRequests", _VIOLATION, details=details, headers=headers)


def _insufficient(told: Json, now: str) -> Json:
    return {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": told.get("observedGeneration", 0),
        "lastTransitionTime": now,
        "reason": "InsufficientPods",
        "message": "",
    }


def _delete(objects: Objects, pods: Resource, pod: Entry, options: DeleteOptions) -> None:
    check_preconditions(pods, pod, uid=options.uid, revision=options.revision)
    if options.dry_run:
        return
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastTransitionTime": objects.now(),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    told = pod.obj.get("status") or {}
    conditions = [item for item in told.get("conditions") or () if item["type"] != "DisruptionTarget"]
    objects.write_status(pods, pod, {**told, "conditions": [*conditions, disrupted]})
    grace = DeleteOptions(grace=options.grace)
    objects.delete(pods, pod.namespace, pod.name, grace)
