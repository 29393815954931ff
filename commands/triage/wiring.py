"""A Service and what stands behind it: its selector, its pods, its addresses and its ports. Judged, not read.

A selector with a slip finds nobody; a target port by a name that no container has leads nowhere. Used by network.py.
"""

from collections.abc import Mapping, Sequence

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap
from commands.phrase import counted
from commands.podreads import PodDetail
from commands.reads import EndpointView
from commands.triagereads import PodSpec
from commands.wording import nearest, one_line, unread
from commands.workloads import ServicePort, ServiceView, selector_text

KEY = "TF-2.2"


def selector(view: ServiceView) -> str:
    return selector_text({"matchLabels": view.selector})


def selected(
    namespace: str, view: ServiceView, pods: Sequence[PodDetail] | Gap, example: PodDetail | None
) -> Finding:
    """Whom the selector finds. example: a pod that it probably should find."""
    label = f"Selector of {view.name}"
    if isinstance(pods, Gap):
        return unread(KEY, label, pods)
    if pods:
        return Finding(KEY, label, Light.GREEN, f"{selector(view)} matches {counted(len(pods), 'pod')}")
    value = f"selector matches 0 pods: {selector(view)}"
    offer = Suggestion("Pods", f"pod list -n {namespace}")
    facts = (_differs(view.selector, example),) if example else ()
    return Finding(KEY, label, Light.RED, value, evidence=tuple(filter(None, facts)), suggestions=(offer,))


def _differs(wanted: Mapping[str, str], pod: PodDetail) -> str:
    """ "web-7 has app=backend in place of app=bakend"."""
    other = [
        f"{key}={pod.labels[key]} in place of {key}={value}"
        if key in pod.labels
        else f"no label {key}{_meant(key, pod.labels)}"
        for key, value in sorted(wanted.items())
        if pod.labels.get(key) != value
    ]
    return one_line(f"{pod.name} has {', '.join(other)}", 240) if other else ""


def _meant(key: str, labels: Mapping[str, str]) -> str:
    near = nearest(key, labels, 1)
    return f" (but {near[0]}={labels[near[0]]})" if near else ""


# --- Ports ------------------------------------------------------------------------------------------------


def target(port: ServicePort, spec: PodSpec | None) -> int:
    """The number of the pods' port that it leads to; 0 where that is not known."""
    if port.target.isdecimal():
        return int(port.target)
    named = {
        name: number for each in (spec.containers if spec else ()) for name, number in each.named.items()
    }
    return named.get(port.target, 0)


def ports(view: ServiceView, spec: PodSpec | Gap | None) -> tuple[Finding, ...]:
    """Each of its ports against what the containers declare."""
    if isinstance(spec, Gap):
        return (unread(KEY, "Target ports", spec),)
    if spec is None:
        return ()
    return tuple(_port(view, each, spec) for each in view.ports)


def _port(view: ServiceView, port: ServicePort, spec: PodSpec) -> Finding:
    label = f"Port {port.port} of {view.name}"
    names = sorted({name for each in spec.containers for name in each.named})
    numbers = sorted({number for each in spec.containers for number in each.ports})
    found = target(port, spec)
    if not found:
        have = f"; there are {', '.join(names)}" if names else "; no port has a name"
        return Finding(
            KEY, label, Light.RED, f"leads to a port named {port.target}, which no container has{have}"
        )
    if numbers and found not in numbers:
        # Declaring a port is a courtesy: an undeclared one may well be open.
        declared = ", ".join(map(str, numbers))
        value = f"leads to {found}, which no container declares (they declare {declared})"
        return Finding(KEY, label, Light.YELLOW, value)
    by_name = "" if port.target.isdecimal() else f" ({port.target})"
    return Finding(KEY, label, Light.GREEN, f"leads to {found}{by_name}")


# --- Addresses --------------------------------------------------------------------------------------------


def standing(behind: Sequence[EndpointView]) -> list[EndpointView]:
    """Without what is on its way out."""
    return [each for each in behind if not each.terminating]


def endpoints(name: str, behind: Sequence[EndpointView] | Gap) -> Finding:
    label = f"Endpoints of {name}"
    if isinstance(behind, Gap):
        return unread(KEY, label, behind)
    known = standing(behind)
    waiting = tuple(
        f"{each.pod or each.address}{f' on {each.node}' if each.node else ''}: not ready"
        for each in known
        if not each.ready
    )
    ready = len(known) - len(waiting)
    light = Light.RED if not ready else Light.YELLOW if waiting else Light.GREEN
    value = f"{ready} of {len(known)} ready" if known else "none"
    return Finding(KEY, label, light, value, evidence=waiting)
