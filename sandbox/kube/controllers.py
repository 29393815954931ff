"""The controllers behind the API: each tick brings the cluster one step closer to what is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.kube.kubelet import Kubelet
from sandbox.kube.logs import PodLogs
from sandbox.kube.objects import Objects


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds."""

    start: float = 0.0


class Controllers:
    def __init__(self, objects: Objects, logs: PodLogs, pace: Pace) -> None:
        self._objects = objects
        self._logs = logs
        self._pace = pace
        self.kubelet = Kubelet()

    def tick(self) -> None:
        """Nothing yet."""
