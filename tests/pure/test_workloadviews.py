"""What an autoscaler says of its metrics, as `kubectl get hpa` would tell it."""

import pytest

from commands.reads import Condition
from commands.workloads import MetricView
from workers.fields import Json
from workers.workloadviews import autoscaler_view


def seen(metrics: list[Json], current: list[Json]) -> tuple[MetricView, ...]:
    spec = {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "web"}, "metrics": metrics}
    return autoscaler_view(
        {"metadata": {"name": "h"}, "spec": spec, "status": {"currentMetrics": current}}
    ).metrics


def resource(part: Json, container: str = "") -> Json:
    kind = "ContainerResource" if container else "Resource"
    told = {"name": "cpu", **part, **({"container": container} if container else {})}
    return {"type": kind, kind[0].lower() + kind[1:]: told}


@pytest.mark.parametrize(
    ("metric", "current", "view"),
    [
        (
            resource({"target": {"type": "Utilization", "averageUtilization": 70}}),
            resource({"current": {"averageUtilization": 92, "averageValue": "460m"}}),
            MetricView("cpu", "92 %", "70 %"),
        ),
        (
            resource({"target": {"type": "AverageValue", "averageValue": "500m"}}, container="app"),
            resource({"current": {"averageValue": "460m"}}, container="app"),
            MetricView("app/cpu", "460m", "500m"),
        ),
        (
            {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"value": "30"}}},
            {"type": "External", "external": {"metric": {"name": "queue"}, "current": {"value": "45"}}},
            MetricView("queue", "45", "30"),
        ),
        (
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "10"}}},
            {"type": ""},
            MetricView("rps", "", "10"),
        ),
    ],
    ids=["share of the request", "of one container", "from outside", "not read"],
)
def test_a_metric_is_told_beside_its_aim(metric: Json, current: Json, view: MetricView) -> None:
    assert seen([metric], [current]) == (view,)


def test_an_autoscaler_without_metrics_and_status_is_seen_all_the_same() -> None:
    assert seen([], []) == ()


def test_its_conditions_are_seen() -> None:
    spec = {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}
    said = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "m"}
    found = autoscaler_view({"metadata": {"name": "h"}, "spec": spec, "status": {"conditions": [said]}})
    assert found.conditions == (Condition("ScalingActive", "False", "FailedGetResourceMetric", "m"),)
