"""How pods fare once the stand-in's kubelet has them: well, or in one of the usual bad ways.

Pure descriptions. They are chosen by rules (`KubeStandIn.behave`) or by the annotation ANNOTATION on the
pod, whose value is the name in BY_NAME, so that a manifest can carry them.
"""

from __future__ import annotations

from dataclasses import dataclass

ANNOTATION = "sandbox.sre-bot/behaviour"


@dataclass(frozen=True, slots=True)
class Healthy:
    """Runs and becomes ready; pods of jobs complete."""


@dataclass(frozen=True, slots=True)
class CrashLoop:
    """Starts, ends with `exit_code` and is restarted after ever longer waits."""

    exit_code: int = 1
    reason: str = "Error"
    log: str = "starting\nfatal: cannot connect to database: connection refused"


@dataclass(frozen=True, slots=True)
class ImagePullError:
    message: str = "manifest unknown"


@dataclass(frozen=True, slots=True)
class ConfigError:
    """Its image is there; what it is to be started with is not."""

    message: str = 'configmap "settings" not found'


@dataclass(frozen=True, slots=True)
class NeverReady:
    """Runs, but its readiness probe fails."""

    message: str = "Readiness probe failed: HTTP probe failed with statuscode: 503"


@dataclass(frozen=True, slots=True)
class NeverTerminates:
    """Healthy until deleted; then it stays Terminating."""


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """No node fits it."""

    message: str = "Insufficient cpu"


Behaviour = Healthy | CrashLoop | ImagePullError | ConfigError | NeverReady | NeverTerminates | Unschedulable

BY_NAME: dict[str, Behaviour] = {
    "healthy": Healthy(),
    "crash-loop": CrashLoop(),
    "oom-loop": CrashLoop(exit_code=137, reason="OOMKilled", log="allocating caches"),
    "image-pull-error": ImagePullError(),
    "config-error": ConfigError(),
    "never-ready": NeverReady(),
    "never-terminates": NeverTerminates(),
    "unschedulable": Unschedulable(),
}
