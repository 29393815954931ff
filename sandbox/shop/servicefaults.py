"""What goes wrong with the shop as a whole: it fails, it is slow, it is held back, it cannot grow, nobody trusts it."""

from __future__ import annotations

from typing import Any

from sandbox.shop.fault import Group, InShop, World, backend_pods
from sandbox.shop.inventory import AGE, BACKEND, stamp
from sandbox.shop.simulation import CERTIFICATE_LEFT, THROTTLED

Json = dict[str, Any]


class Errors(InShop):
    """A fifth of all requests fails."""

    group: Group = "services"
    title = "Every fifth request fails"
    expect = "HighErrorRate fires; `health slo` shows the error rate and the budget going"
    SHARE = 0.2

    def begin(self, world: World) -> None:
        self._before = world.simulation.conditions.error_share
        world.simulation.conditions.error_share = self.SHARE
        self.go_on(world)

    def go_on(self, world: World) -> None:
        for pod in backend_pods(world):
            line = (
                '{"level":"error","msg":"payment backend: timeout after 2s","path":"/api/info","status":500}'
            )
            world.kube.log(BACKEND.namespace, pod["metadata"]["name"], line)

    def end(self, world: World) -> None:
        world.simulation.conditions.error_share = self._before


class Slow(InShop):
    """The payment provider takes its time, and every request waits for it."""

    group: Group = "services"
    title = "Requests take eight times as long"
    expect = "HighLatency fires with the 95th percentile; `health slo` shows it; nothing fails, and no pod is unwell"
    FACTOR = 8.0

    def begin(self, world: World) -> None:
        world.simulation.conditions.latency_factor = self.FACTOR
        self.go_on(world)

    def go_on(self, world: World) -> None:
        for pod in backend_pods(world):
            line = '{"level":"warn","msg":"payment backend: answered after 610 ms","path":"/api/info","status":200}'
            world.kube.log(BACKEND.namespace, pod["metadata"]["name"], line)

    def end(self, world: World) -> None:
        world.simulation.conditions.latency_factor = 1.0


class CertificateEnds(InShop):
    """The shop's own address shows a certificate that nobody renewed."""

    group: Group = "services"
    title = "The shop's certificate ends in two days"
    expect = "BlackboxSslCertificateWillExpireSoon fires: which address, and for how long it is still good"
    LEFT = 50 * 3600.0

    def begin(self, world: World) -> None:
        world.simulation.conditions.certificate_ends = world.now().timestamp() + self.LEFT

    def end(self, world: World) -> None:
        """Renewed, as good as any other."""
        world.simulation.conditions.certificate_ends = world.now().timestamp() + CERTIFICATE_LEFT


class Throttled(InShop):
    """The backend has more to do than its CPU limit allows for most of the time."""

    group: Group = "services"
    title = "The backend is held back by its CPU limit"
    expect = "CPUThrottlingHigh fires within a minute, with the share, the limit and one that would do"
    EXTRA, SHARE = 0.35, 0.8  # cores more in every pod; of its periods

    def begin(self, world: World) -> None:
        conditions = world.simulation.conditions
        conditions.cpu_extra += self.EXTRA
        conditions.throttled = self.SHARE

    def end(self, world: World) -> None:
        conditions = world.simulation.conditions
        conditions.cpu_extra -= self.EXTRA
        conditions.throttled = THROTTLED


class AtMaximum(InShop):
    """An autoscaler that has as many pods as it may, under more load than they should have."""

    group: Group = "services"
    title = "The autoscaler at its maximum"
    expect = (
        "KubeHpaMaxedOut fires: what it measures, what it aims at, and that three pods are all it may have"
    )
    EXTRA = 0.08  # cores more in every pod
    NAME = "backend"

    def begin(self, world: World) -> None:
        world.simulation.conditions.cpu_extra += self.EXTRA
        world.kube.apply(self._scaler(world, world.simulation.conditions.cpu_extra + BACKEND.cpu))

    def end(self, world: World) -> None:
        world.simulation.conditions.cpu_extra -= self.EXTRA
        if world.kube.get("horizontalpodautoscalers.autoscaling", self.NAME, BACKEND.namespace):
            world.kube.delete("horizontalpodautoscalers.autoscaling", self.NAME, BACKEND.namespace)

    def _scaler(self, world: World, cores: float) -> Json:
        """As somebody declared it when the shop began."""
        born = stamp(world.now() - AGE)
        used = round(100 * cores / float(BACKEND.requests[0].removesuffix("m")) * 1000)
        told = (
            ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
            ("ScalingActive", "True", "ValidMetricFound", "the HPA was able to calculate a replica count"),
            (
                "ScalingLimited",
                "True",
                "TooManyReplicas",
                "the desired replica count is more than the maximum replica count",
            ),
        )
        times = {"lastTransitionTime": stamp(world.now())}
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.NAME, "namespace": BACKEND.namespace, "creationTimestamp": born},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": BACKEND.name},
                "minReplicas": 2,
                "maxReplicas": BACKEND.replicas,
                "metrics": [_cpu("target", {"type": "Utilization", "averageUtilization": 60})],
            },
            "status": {
                "currentReplicas": BACKEND.replicas,
                "desiredReplicas": BACKEND.replicas,
                "currentMetrics": [
                    _cpu("current", {"averageUtilization": used, "averageValue": f"{cores * 1000:.0f}m"})
                ],
                "conditions": [
                    {"type": kind, "status": word, "reason": reason, "message": message, **times}
                    for kind, word, reason, message in told
                ],
            },
        }


def _cpu(side: str, value: Json) -> Json:
    return {"type": "Resource", "resource": {"name": "cpu", side: value}}
