"""What a failing probe says, and whether it is asked for too soon: the kubelet's words, and numbers that would do.

Pure; used by crash.py (a probe that restarts) and notready.py (a probe that keeps traffic away).
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from math import ceil

from commands.finding import Finding, Light
from commands.phrase import span
from commands.podreads import ContainerView, EventView
from commands.triage.knownwords import Meaning, Table, known
from commands.triage.scene import Scene
from commands.triagereads import ContainerSpec, ProbeView
from commands.wording import one_line

# kinds: path, auth, broken, port, timeout, tls, name, command, other. The texts follow "it".
_TABLE: Table = (
    (r"statuscode: 404", Meaning("path", "answers 404: there is no such path", "correct the probe's path")),
    (r"statuscode: 40[13]", Meaning("auth", "asks the probe for credentials", "let the probe's path be open")),
    (r"statuscode: 3\d\d", Meaning("path", "sends the probe elsewhere", "probe the path it leads to")),
    (r"statuscode: 5\d\d",
     Meaning("broken", "says of itself that it is not well", "read its log: something it needs is missing")),
    (r"statuscode: 4\d\d", Meaning("path", "does not take what the probe asks", "correct the probe's path and headers")),
    (r"connection refused",
     Meaning("port", "takes no connections on the probe's port: wrong port, or it is not listening (yet)",
             "compare the probe's port with the one it listens on")),
    (r"server gave HTTP response to HTTPS client|malformed HTTP response|x509|tls: ",
     Meaning("tls", "speaks another scheme than the probe, or has a certificate that cannot be read",
             "set the probe's scheme to what it speaks")),
    (r"no such host", Meaning("name", "has a probe whose host has no address", "leave the probe's host out")),
    (r"deadline exceeded|Client\.Timeout|i/o timeout|timed out|timeout",
     Meaning("timeout", "does not answer the probe in time", "raise timeoutSeconds, or find what makes it slow")),
    (r"executable file not found|no such file or directory|permission denied",
     Meaning("command", "has a probe whose command cannot be run in its image", "correct the probe's command")),
    (r"NOT_SERVING|service unhealthy", Meaning("broken", "says of itself that it does not serve", "read its log")),
    (r"connection reset|EOF", Meaning("port", "closes the probe's connection", "compare the probe's port and scheme")),
)  # fmt: skip
_FAILED = re.compile(
    r"(?P<probe>Liveness|Readiness|Startup) probe (?:failed|errored)(?: and resulted in unknown state)?:? ?(?P<said>.*)",
    re.S,
)
SLOW = timedelta(seconds=0.5)


def meaning(said: str) -> Meaning:
    found = known(_TABLE, said, 0)
    if found:
        return found[0]
    text = f"fails: {one_line(said, 160)}" if said.strip() else "fails without a word"
    return Meaning("other", text)


def failures(events: Iterable[EventView], kind: str) -> tuple[tuple[EventView, str], ...]:
    """Events of this probe with what they say, as they come."""
    found = (
        (event, _FAILED.match(event.message))
        for event in events
        if event.reason in ("Unhealthy", "ProbeWarning")
    )
    return tuple(
        (event, match["said"]) for event, match in found if match and match["probe"].casefold() == kind
    )


def last_failure(scene: Scene, kind: str) -> str:
    """ "GET :8080/healthz answers 404: there is no such path", "" where nothing was said of it."""
    found = failures(scene.said("Unhealthy", "ProbeWarning"), kind)
    return meaning(found[0][1]).text if found else ""


def of(declared: ContainerSpec | None, kind: str) -> ProbeView | None:
    return next((each for each in declared.probes if each.kind == kind), None) if declared else None


def budget(probe: ProbeView) -> timedelta:
    """How long a container may take before the probe gives up on it."""
    return timedelta(seconds=probe.initial_delay + probe.period * probe.failures)


def startup_probe(start: timedelta) -> str:
    """Numbers that leave twice the time it took: "startupProbe periodSeconds 3, failureThreshold 30 (90 s)"."""
    period = max(1, ceil(2 * start.total_seconds() / 30))
    return f"startupProbe: periodSeconds {period}, failureThreshold 30 (up to {period * 30} s)"


def said(probe: ProbeView) -> str:
    return (
        f"{probe.kind} {probe.target}: after {probe.initial_delay} s, every {probe.period} s,"
        f" {probe.timeout} s to answer, {probe.failures} misses"
    )


# --- Advice ---------------------------------------------------------------------------------------------


def advice(
    scene: Scene, container: ContainerView, kind: str, start: timedelta | None = None
) -> tuple[Finding, ...]:
    """What is wrong with how it is probed, as far as it shows. start: how long it took until it was ready."""
    declared = scene.declared(container.name)
    probe = of(declared, kind)
    if declared is None or probe is None:
        return ()
    found = (_port(declared, probe), _timing(scene, probe), _too_soon(declared, container, probe, start))
    return tuple(each for each in found if each)


def _port(declared: ContainerSpec, probe: ProbeView) -> Finding | None:
    if probe.target.startswith("exec") or not declared.ports:
        return None
    if probe.port and probe.port in declared.ports:
        return None
    known = ", ".join(map(str, declared.ports))
    port = probe.port or "a name that none of its ports bears"
    value = f"the {probe.kind} probe asks port {port}; the container declares {known}"
    return Finding("T3-4.2", "Probe port", Light.YELLOW, value, evidence=(said(probe),))


def _timing(scene: Scene, probe: ProbeView) -> Finding | None:
    found = failures(scene.said("Unhealthy", "ProbeWarning"), probe.kind)
    if not found or meaning(found[0][1]).kind != "timeout":
        return None
    wanted = max(5, 2 * probe.timeout)
    value = (
        f"it has {probe.timeout} s to answer; timeoutSeconds {wanted} and failureThreshold"
        f" {max(3, probe.failures)} would be patient"
    )
    return Finding("T3-4.1", "Probe timing", Light.YELLOW, value, evidence=(said(probe),))


def _too_soon(
    declared: ContainerSpec, container: ContainerView, probe: ProbeView, start: timedelta | None
) -> Finding | None:
    """A start that takes longer than the probe waits, where no startup probe holds it back."""
    if probe.kind == "readiness" or (probe.kind == "liveness" and of(declared, "startup")):
        return None
    lived = _lived(container)
    longer = start if start and start > budget(probe) else None
    if longer is None and (lived is None or lived > budget(probe) + timedelta(seconds=2 * probe.period + 60)):
        return None
    took = (
        f"its start takes {span(longer)}"
        if longer
        else f"it never came up within {span(lived or budget(probe))}"
    )
    value = f"{took}; the {probe.kind} probe gives it {span(budget(probe))}"
    proposal = startup_probe(longer or max(lived or timedelta(0), budget(probe)))
    return Finding(
        "T3-4.3", "Start and probe", Light.YELLOW, value, evidence=(f"would do: {proposal}", said(probe))
    )


def _lived(container: ContainerView) -> timedelta | None:
    ending = container.ended
    return ending.finished - ending.started if ending and ending.started and ending.finished else None
