"""The kubelets of all nodes: they start bound pods, restart crashing ones and let deleted ones go."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.kube.behaviours import Behaviour


@dataclass(slots=True)
class Kubelet:
    rules: list[tuple[Behaviour, str, str, str]] = field(default_factory=list)

    def behave(self, behaviour: Behaviour, *, namespace: str, name: str, image: str) -> None:
        self.rules.insert(0, (behaviour, namespace, name, image))
