"""What the page and the terminal say of each part: real, stand-in or missing, and how to put the real one there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.secret import redact
from sandbox.given import REPLACED
from sandbox.shop import inventory
from sandbox.statuspage import PATH as STATUS

if TYPE_CHECKING:
    from sandbox.assembly import Sandbox

Json = dict[str, Any]

TRY = ["/sre health", "/sre health cluster", "/sre help"]


def about(sandbox: Sandbox) -> Json:
    given, house = sandbox.given, sandbox.house
    redis = f"{house.redis_url} (yours)" if given.redis else house.redis_url
    found = [
        _part(
            "SRE Bot", True, f"bot and {_workers(len(house.workers))}; a killed one is started again at once"
        ),
        _part("Redis", True, redis),
        _measuring(sandbox, "Prometheus", given.prometheus, sandbox.prometheus_url()),
        _measuring(sandbox, "Alertmanager", given.alertmanager, sandbox.alertmanager_url()),
        _slack(sandbox),
        _cluster(sandbox),
        _aws(sandbox),
        _part("Grafana", False, sandbox.grafana.url),
        _part("Status page", False, f"{sandbox.slack.url}{STATUS}: what incidents post there"),
    ]
    return {"parts": found, "try": TRY}


def _workers(count: int) -> str:
    return "a worker" if count == 1 else f"{count} workers"


def _part(name: str, is_real: bool, note: str) -> Json:
    replace = "" if is_real else REPLACED.get(name, "")
    return {"name": name, "real": is_real, "note": redact(note), "replace": replace}


def _slack(sandbox: Sandbox) -> Json:
    if sandbox.given.has_slack:
        return _part("Slack", True, "your workspace, by Socket Mode; the one on this page is not used")
    return _part("Slack", False, f"{sandbox.slack.url}: the workspace {sandbox.slack.workspace.name}")


def _cluster(sandbox: Sandbox) -> Json:
    if sandbox.given.kubeconfig:
        return _part("Kubernetes", True, f"yours, by {sandbox.given.kubeconfig}; nothing is broken in it")
    return _part(
        "Kubernetes", False, f"{sandbox.kube.url}: {inventory.CLUSTER}, kubeconfig {sandbox.kubeconfig}"
    )


def _aws(sandbox: Sandbox) -> Json:
    if sandbox.given.aws is not None:
        profile = sandbox.given.aws.get("AWS_PROFILE")
        return _part("AWS", True, f"yours, by {'profile ' + profile if profile else 'the environment'}")
    return _part("AWS", False, "EKS, EC2 and its machines; moto for what else is asked")


def _measuring(sandbox: Sandbox, name: str, given: str, url: str) -> Json:
    if given:
        return _part(name, True, f"{given} (yours)")
    if url:
        return _part(name, True, url)
    if sandbox.given.kubeconfig and name == "Prometheus":
        note = "none was given, so what it would tell is unknown"
    else:
        note = "not installed, so what it would tell is unknown; alerts can be raised by hand"
    return _part(name, False, note) | {"missing": True}
