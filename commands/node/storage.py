"""What data a drain touches: local files that go or stay behind, and volumes that bind a pod to a place.

Also the pods that nothing makes anew, and those that must not go before their evidence is kept. Called by
the plan of a drain.
"""

from collections.abc import Iterable

from commands.evidence import without_evidence
from commands.finding import Finding, Light, Suggestion
from commands.model import Gap
from commands.node.cases import Case, Kind
from commands.node.choice import Choice
from commands.phrase import counted
from commands.scheduling import PodVolume, VolumeView
from commands.simulation import Claims


def findings(
    cases: tuple[Case, ...], chosen: Choice, claims: Claims | Gap, kept: frozenset[str] | Gap
) -> tuple[Finding, ...]:
    moved = tuple(case for case in cases if case.kind in (Kind.EVICT, Kind.ORPHAN))
    return (
        *_orphans(moved, chosen),
        *_scratch(moved, chosen),
        *_host(moved),
        *_claimed(moved, claims),
        *_quarantined((case for case in cases if case.kind.is_moved and case.pod.quarantined), kept),
    )


def _orphans(cases: tuple[Case, ...], chosen: Choice) -> Iterable[Finding]:
    lines = tuple(f"{case.path}: {case.reasons[0]}" for case in cases if case.kind is Kind.ORPHAN)
    if not lines:
        return
    value = f"{counted(len(lines), 'pod')} that nothing makes anew"
    if chosen.orphans:
        yield Finding(
            "drain.orphans", "Unmanaged pods", Light.YELLOW, f"{value}: gone for good", evidence=lines
        )
    else:
        mend = "add --orphans to remove them for good; two people must agree"
        yield Finding("drain.orphan", "Unmanaged pods", Light.RED, value, evidence=lines, mend=mend)


def _scratch(cases: tuple[Case, ...], chosen: Choice) -> Iterable[Finding]:
    lines = tuple(
        f"{case.path}: {_emptydir(volume)}"
        for case in cases
        for volume in case.pod.volumes
        if volume.kind == "emptyDir"
    )
    if not lines:
        return
    value = f"{counted(len(lines), 'emptyDir')} whose content goes"
    if chosen.emptydir:
        yield Finding("drain.emptydir", "Local data", Light.YELLOW, value, evidence=lines)
    else:
        mend = "add --emptydir when the content may be lost"
        yield Finding("drain.emptydir-data", "Local data", Light.RED, value, evidence=lines, mend=mend)


def _emptydir(volume: PodVolume) -> str:
    medium = "in memory" if volume.detail == "Memory" else volume.detail
    details = ", ".join(each for each in (medium, f"at most {volume.limit}" if volume.limit else "") if each)
    return f"emptyDir {volume.name}" + (f" ({details})" if details else "")


def _host(cases: tuple[Case, ...]) -> Iterable[Finding]:
    lines = tuple(
        f"{case.path}: {volume.detail or volume.name}"
        for case in cases
        for volume in case.pod.volumes
        if volume.kind == "hostPath"
    )
    if lines:
        value = f"{counted(len(lines), 'hostPath')} whose content stays on this node"
        yield Finding("drain.hostpath", "Host paths", Light.YELLOW, value, evidence=lines)


# --- Claims ---------------------------------------------------------------------------------------


def _claimed(cases: tuple[Case, ...], claims: Claims | Gap) -> Iterable[Finding]:
    held = [(case, claim) for case in cases for claim in case.pod.claims]
    if not held:
        return
    if isinstance(claims, Gap):
        value = f"unknown where {counted(len(held), 'claim')} can be attached: {claims.reason}"
        yield Finding("drain.volumes", "Volumes", Light.UNKNOWN, value, mend=claims.mend)
        return
    found = [(case, claim, claims.get((case.pod.target.namespace, claim))) for case, claim in held]
    local = tuple(f"{case.path}: {claim}" for case, claim, volume in found if volume and volume.local)
    bound = tuple(
        f"{case.path}: {claim}{_places(volume)}"
        for case, claim, volume in found
        if volume and not volume.local and not volume.shared
    )
    if local:
        value = f"{counted(len(local), 'volume')} of this node: the pod is Pending until the node is back"
        yield Finding("drain.local-volume", "Local volumes", Light.YELLOW, value, evidence=local)
    if bound:
        value = f"{counted(len(bound), 'volume')} to be detached and attached again, which takes minutes"
        yield Finding("drain.volume", "Volumes", Light.YELLOW, value, evidence=bound)


def _places(volume: VolumeView) -> str:
    zones = sorted(
        value
        for term in volume.terms
        for line in term.labels
        if line.key.endswith("zone")
        for value in line.values
    )
    return f" (only in {', '.join(dict.fromkeys(zones))})" if zones else ""


# --- Quarantine -----------------------------------------------------------------------------------


def _quarantined(cases: Iterable[Case], kept: frozenset[str] | Gap) -> Iterable[Finding]:
    for case in cases:
        target = case.pod.target
        reasons = without_evidence((target,), kept)
        if not reasons:
            value = f"{case.path} is in quarantine; its evidence is kept"
            yield Finding("drain.quarantine-kept", "Quarantine", Light.YELLOW, value)
            continue
        yield Finding(
            "drain.quarantine", "Quarantine", Light.RED,
            f"{case.path} is cut off for an investigation, and {reasons[0].text}",
            mend=reasons[0].mend or "keep its evidence first",
            suggestions=(Suggestion("Keep evidence", f"pod evidence {target.namespace}/{target.name}"),),
        )  # fmt: skip
