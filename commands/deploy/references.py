"""What a pod template cannot do without: ConfigMaps, Secrets, a ServiceAccount, claims. Are they there?

Names and keys only. A Secret whose existence may not be read is a risk that is told, not a reason to stop;
whatever is known to be missing is one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from commands.deploy.telling import told
from commands.finding import Finding, Light
from commands.model import Gap, Seen
from commands.wording import one_line
from commands.workloads import Referred, ReferredView


@dataclass(frozen=True, slots=True)
class Reference:
    """An object a template names. keys: those it wants of it. is_optional: pods start without it, too."""

    kind: str
    name: str
    keys: frozenset[str] = frozenset()
    is_optional: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def read(self, namespace: str) -> Referred:
        return Referred(namespace, self.kind, self.name)


def references(template: Mapping[str, Any]) -> tuple[Reference, ...]:
    """Everything the template names, each object once, by kind and name."""
    merged: dict[tuple[str, str], Reference] = {}
    for each in _all(template.get("spec") or {}):
        known = merged.get((each.kind, each.name))
        if not each.name:
            continue
        merged[each.kind, each.name] = each if known is None else _joined(known, each)
    return tuple(merged[key] for key in sorted(merged))


def _joined(one: Reference, other: Reference) -> Reference:
    """Keys that are wanted by an optional use alone are not missed."""
    wanted = [each for each in (one, other) if not each.is_optional] or [one, other]
    keys = frozenset(key for each in wanted for key in each.keys)
    return replace(one, keys=keys, is_optional=one.is_optional and other.is_optional)


def _all(spec: Mapping[str, Any]) -> Iterator[Reference]:
    account = str(spec.get("serviceAccountName") or "")
    if account not in ("", "default"):  # every namespace has that one
        yield Reference("ServiceAccount", account)
    for secret in spec.get("imagePullSecrets") or ():
        yield Reference("Secret", str(secret.get("name", "")), is_optional=True)
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        yield from _of_container(container)
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume)


def _of_container(container: Mapping[str, Any]) -> Iterator[Reference]:
    for variable in container.get("env") or ():
        origin = variable.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if origin.get(field):
                yield _named(kind, origin[field], keys=(origin[field].get("key"),))
    for source in container.get("envFrom") or ():
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if source.get(field):
                yield _named(kind, source[field])


def _of_volume(volume: Mapping[str, Any]) -> Iterator[Reference]:
    if volume.get("persistentVolumeClaim"):
        yield _named("PersistentVolumeClaim", volume["persistentVolumeClaim"], name="claimName")
    for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        if source.get("configMap"):
            yield _named("ConfigMap", source["configMap"], keys=_items(source["configMap"]))
        if source.get("secret"):
            # A volume says secretName, a projected source says name.
            field = "secretName" if "secretName" in source["secret"] else "name"
            yield _named("Secret", source["secret"], name=field, keys=_items(source["secret"]))


def _items(source: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(item.get("key") for item in source.get("items") or ())


def _named(kind: str, source: Mapping[str, Any], name: str = "name", keys: tuple[Any, ...] = ()) -> Reference:
    wanted = frozenset(str(key) for key in keys if key)
    return Reference(kind, str(source.get(name) or ""), wanted, bool(source.get("optional")))


# --- Are they there? ------------------------------------------------------------------------------


def judged(wanted: tuple[Reference, ...], namespace: str, seen: Seen) -> tuple[Finding, ...]:
    """What is missing (red), and what may be for all that was read (unknown); all there is one green line."""
    missing = [line for each in wanted for line in _missing(each, seen[each.read(namespace)])]
    gaps = [(each, seen[each.read(namespace)]) for each in wanted]
    unread = [(each, gap) for each, gap in gaps if isinstance(gap, Gap)]
    findings = []
    if missing:
        value, lines = told(missing, "things it needs are missing")
        findings.append(Finding("deploy.missing", "Not there", Light.RED, value, evidence=lines))
    if unread:
        reasons = tuple(f"{each}: {one_line(gap.reason)}" for each, gap in unread)
        value = f"whether {', '.join(str(each) for each, _ in unread)} exists is not known"
        mend = unread[0][1].mend
        findings.append(
            Finding("deploy.unread", "Not read", Light.UNKNOWN, value, evidence=reasons, mend=mend)
        )
    if wanted and not findings:
        said = ", ".join(str(each) for each in wanted)
        findings.append(Finding("deploy.references", "Needs", Light.GREEN, f"{said}: all there"))
    return tuple(findings)


def _missing(wanted: Reference, found: ReferredView | Gap) -> Iterator[str]:
    if isinstance(found, Gap) or wanted.is_optional:
        return
    if not found.exists:
        yield f"{wanted} does not exist"
    elif found.keys is not None and wanted.keys - found.keys:
        yield f"{wanted} has no key {', '.join(sorted(wanted.keys - found.keys))}"
