"""What goes wrong with alerts themselves: hundreds come at once, none comes any more, or nobody measures."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from sandbox import kube
from sandbox.shop.fault import Group, InShop, Part, World
from sandbox.shop.inventory import CLUSTER, MONITORING

Json = dict[str, Any]


class Storm(InShop):
    """Two hundred groups in one second, as when a zone of the cloud fails. Few of them are critical."""

    group: Group = "monitoring"
    title = "A storm of 200 alerts"
    expect = (
        "One card tells of them all, the criticals have their own; nothing is lost, and it ends when they do"
    )
    TEAMS, NAMES = (
        40,
        (
            "KubePodCrashLooping",
            "KubePodNotReady",
            "KubeDeploymentReplicasMismatch",
            "HighLatency",
            "TargetDown",
        ),
    )
    CRITICAL = 3
    LASTS = datetime.timedelta(hours=1)  # or Alertmanager would take silence for an end

    def begin(self, world: World) -> None:
        self._since = world.now()
        world.outside.alert(list(self._alerts(self._since + self.LASTS)))

    def end(self, world: World) -> None:
        world.outside.alert(list(self._alerts(world.now())))

    def _alerts(self, until: datetime.datetime) -> Iterator[Json]:
        for number in range(self.TEAMS * len(self.NAMES)):
            team, name = f"team-{number % self.TEAMS + 1:02}", self.NAMES[number // self.TEAMS]
            severity = "critical" if number < self.CRITICAL else "warning"
            labels = {"alertname": name, "namespace": team, "severity": severity, "cluster": CLUSTER}
            yield {
                "labels": labels | _about(name, team),
                "annotations": {"summary": f"{name} in {team}: a zone of the cloud fails"},
                "startsAt": self._since.isoformat(),
                "endsAt": until.isoformat(),
            }


def _about(name: str, team: str) -> Json:
    pod = {"pod": f"api-7d9c5b8f6d-{team[-2:]}xkq"}
    others = {
        "KubeDeploymentReplicasMismatch": {"deployment": "api"},
        "HighLatency": {"service": "api"},
        "TargetDown": {"job": "api", "service": "api"},
        "KubePodCrashLooping": {**pod, "container": "api"},
    }
    return others.get(name, pod)


class PrometheusDown(InShop):
    """Prometheus ends after each start: its volume has no room for what it must write."""

    group: Group = "monitoring"
    needs: tuple[Part, ...] = ("shop", "prometheus")
    title = "Prometheus is down"
    expect = (
        "`health monitoring` says so at once, and what it would have told is unknown; after a minute and a half without"
        " the Watchdog, #incidents is told"
    )
    LOG = (
        'ts=2026-11-23T06:00:00.000Z caller=main.go:1213 level=error err="opening storage failed: open WAL segment:'
        ' no space left on device"'
    )

    def begin(self, world: World) -> None:
        world.outside.measure(False)
        self._behave(world, kube.CrashLoop(exit_code=2, log=self.LOG))

    def end(self, world: World) -> None:
        self._behave(world, kube.Healthy())
        world.outside.measure(True)

    def _behave(self, world: World, behaviour: kube.Behaviour) -> None:
        world.kube.behave(behaviour, namespace=MONITORING, name="prometheus-*")


class NoAlerts(InShop):
    """Alertmanager no longer reaches the bot, and nobody would notice but for the Watchdog."""

    needs: tuple[Part, ...] = ("alertmanager",)
    group: Group = "monitoring"
    title = "Alerts no longer arrive"
    expect = "After a minute and a half without the Watchdog, #incidents is told; and again once it is heard"

    def begin(self, world: World) -> None:
        world.outside.cut(True)

    def end(self, world: World) -> None:
        world.outside.cut(False)
