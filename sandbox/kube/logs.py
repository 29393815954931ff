"""Container logs: the lines tests and pod behaviours put there, and the log subresource's way with them.

Owns the text per pod, container and run (current or previous). Follows the refusals of the real server and
kubelet; `follow` answers what there is and ends.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.kube import status
from sandbox.kube.objects import stamp
from sandbox.kube.printers import parse_time
from sandbox.kube.target import is_set

Json = dict[str, Any]
Line = tuple[datetime.datetime, str]
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class PodLogs:
    def __init__(self) -> None:
        self._lines: dict[tuple[str, bool], list[Line]] = {}

    def write(
        self, pod: Json, container: str, lines: Iterable[Line], *, previous: bool = False, fresh: bool = False
    ) -> None:
        key = (f"{pod['metadata']['uid']}/{container}", previous)
        if fresh:
            self._lines.pop(key, None)
        self._lines.setdefault(key, []).extend(lines)

    def rotate(self, pod: Json, container: str) -> None:
        """A restart: the current run becomes the previous one."""
        key = f"{pod['metadata']['uid']}/{container}"
        self._lines[key, True] = self._lines.pop((key, False), [])

    def read(self, pod: Json, query: Mapping[str, str], now: datetime.datetime) -> bytes:
        container = _container(pod, query.get("container", ""))
        bounds = {name: _bound(pod, name, query) for name in ("tailLines", "limitBytes", "sinceSeconds")}
        previous = is_set(query.get("previous"))
        lines = self._lines.get((f"{pod['metadata']['uid']}/{container}", previous))
        if lines is None:
            _check_has_run(pod, container, previous=previous)
            lines = []
        if bounds["sinceSeconds"] is not None:
            since = now - datetime.timedelta(seconds=bounds["sinceSeconds"])
            lines = [line for line in lines if line[0] >= since]
        if query.get("sinceTime"):
            lines = [line for line in lines if line[0] >= parse_time(query["sinceTime"])]
        tail = bounds["tailLines"]
        if tail is not None:
            lines = lines[-tail:] if tail else []
        stamped = is_set(query.get("timestamps"))
        text = "".join(f"{stamp(at)} {line}\n" if stamped else f"{line}\n" for at, line in lines)
        return text.encode()[: bounds["limitBytes"]]


def _container(pod: Json, wanted: str) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    everyone = [
        container["name"]
        for field in ("initContainers", "containers", "ephemeralContainers")
        for container in spec.get(field) or ()
    ]
    if wanted:
        if wanted not in everyone:
            raise status.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    names = [container["name"] for container in spec["containers"]]
    default = (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER)
    if default in names:
        return str(default)
    if len(names) == 1:
        return str(names[0])
    choice = f"choose one of: [{' '.join(names)}]"
    inits = [container["name"] for container in spec.get("initContainers") or ()]
    if inits:
        choice += f" or one of the init containers: [{' '.join(inits)}]"
    raise status.bad_request(f"a container name must be specified for pod {name}, {choice}")


def _bound(pod: Json, name: str, query: Mapping[str, str]) -> int | None:
    text = query.get(name)
    if not text:
        return None
    lowest = 0 if name == "tailLines" else 1
    if not text.lstrip("-").isdigit():
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if int(text) < lowest:
        more = "greater than or equal to 0" if lowest == 0 else "greater than 0"
        cause = status.Cause(name, f"Invalid value: {text}: must be {more}")
        raise status.invalid("", "PodLogOptions", pod["metadata"]["name"], [cause])
    return int(text)


def _check_has_run(pod: Json, container: str, *, previous: bool) -> None:
    """Answers as the kubelet does for a container without the run asked for."""
    name, told = pod["metadata"]["name"], pod.get("status") or {}
    states = {
        item["name"]: item
        for field in ("initContainerStatuses", "containerStatuses")
        for item in told.get(field) or ()
    }
    found = states.get(container) or {}
    if previous and not (found.get("lastState") or {}).get("terminated"):
        raise status.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    waiting = (found.get("state") or {}).get("waiting")
    if not previous and waiting is not None and not (found.get("lastState") or {}).get("terminated"):
        if waiting.get("reason") in ("ImagePullBackOff", "ErrImagePull", "InvalidImageName"):
            why = "trying and failing to pull image"
        else:
            why = waiting.get("reason", "ContainerCreating")
        told_why = f'container "{container}" in pod "{name}" is waiting to start: {why}'
        raise status.bad_request(told_why)
