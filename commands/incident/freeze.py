"""`incident freeze`: stop every write of a service, in the way its configuration says, and keep the way back.

Everything is tried at once: were the autoscaler to come first, one that cannot be stopped would keep the writers
running. An autoscaler does not bring a workload back from no pods.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from commands.change import Change, Planning, Who, blocked
from commands.command import Command, Parts
from commands.effects import FROZEN, ExceptTraffic, Freeze, Target
from commands.enforcement import enforced
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.incident import frozen
from commands.incident.frozen import BEHAVIOR, REPLICAS, SUSPEND, View, verify
from commands.incident.proof import rehearsed, waves
from commands.model import Args, Gap, Seen
from commands.phrase import counted
from commands.plan import Plan, Step, Wave
from commands.podreads import Network, Policies
from commands.securityreads import Flag, FlagView, Scalers, ScalerView, Schedules
from commands.site import ClusterSite, ServiceSite, is_like
from commands.wording import one_line, unread
from commands.workloads import KINDS, Workloads, WorkloadView, selects

_STOPPED = json.dumps({way: {"selectPolicy": "Disabled"} for way in ("scaleDown", "scaleUp")})
_USUAL_GRACE = 30
# Who puts a workload back as its repository has it.
_GITOPS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


@dataclass(frozen=True, slots=True)
class _Made:
    """What the plan is made of, as it is put together."""

    service: ServiceSite
    who: Who
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    before: list[tuple[str, str]] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)

    def add(self, view: View, field: str, to: str, was: str, text: str) -> None:
        """Unless it is frozen: the record on it is of the time before."""
        known = frozen.record(view.annotations.get(FROZEN, ""))
        by = f", by {known.request}" if known else ""
        if FROZEN in view.annotations and frozen.is_stopped(view, self.service.freeze.value):
            self.tell("freeze.already", view.target, Light.GREEN, f"is frozen already{by}")
            return
        if FROZEN in view.annotations:
            value = f"bears the record of an earlier freeze{by}, and goes on: what it is now takes its place"
            self.tell("freeze.stale", view.target, Light.YELLOW, value)
        effect = Freeze(view.target, field, to, self.who.request, self.service.name)
        self.steps.append(Step(f"freeze {view.target}", effect, text))
        self.before.append((str(view.target), was))

    def tell(self, key: str, of: Target | str, light: Light, value: str, mend: str = "") -> None:
        self.findings.append(Finding(key, str(of), light, value, mend=mend))


def service_of(args: Args, site: ClusterSite) -> ServiceSite:
    """Never guessed: what is stopped was named."""
    if not args.name:
        raise UsageError(
            f"Which service? Type `incident {args.verb} SERVICE`, such as {next(iter(site.services))}."
        )
    return site.service(args.name)


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    service = service_of(args, site)
    title = f"Freeze the writes of {service.name}"
    stop = _unset(service)
    if stop:
        return blocked(title, (stop,))
    seen = yield (*frozen.reads(service), Network())
    made = _Made(service, who)
    writers = _writers(made, seen)
    mode = {"scale": _scale, "flag": _flag, "netpol": _netpol}[service.freeze.mode]
    if not isinstance(writers, Gap):
        mode(made, seen, writers)
        _schedules(made, seen)
    return (yield from rehearsed(_whole(title, made, () if isinstance(writers, Gap) else writers)))


def _unset(service: ServiceSite) -> Finding | None:
    needed = {
        "flag": ("config_map", service.freeze.config_map),
        "netpol": ("database", service.freeze.database),
    }
    key, value = needed.get(service.freeze.mode, ("", "set"))
    if value:
        return None
    said = f"`freeze.mode` of {service.name} is {service.freeze.mode}, and `freeze.{key}` is not set"
    mend = f"Set `services.{service.name}.freeze.{key}`."
    return Finding("freeze.config", "Configuration", Light.RED, said, mend=mend)


def _whole(title: str, made: _Made, writers: Iterable[WorkloadView]) -> Plan:
    service, steps = made.service, tuple(made.steps)
    grace = max((_grace(view) for view in writers), default=timedelta())
    modes = {
        "scale": "its writers run no pods",
        "flag": f"{service.freeze.config_map} says {service.freeze.key}={service.freeze.value}",
        "netpol": f"its writers do not reach {', '.join(service.freeze.database)}",
    }
    return Plan(
        title=title,
        findings=tuple(made.findings),
        waves=waves(Wave("Freeze", steps)),
        facts=(
            f"by {service.freeze.mode}: {modes[service.freeze.mode]}",
            f"what each of them was is written on it ({FROZEN}) in the same write",
        ),
        stays=("the database itself, and whoever else writes to it",),
        scope=(f"freeze {service.name} by {service.freeze.mode}", *(str(s.effect.target) for s in steps)),
        undo=f"incident unfreeze {service.name}",
        before=tuple(made.before),
        locks=(f"freeze/{service.namespace}/{service.name}", *dict.fromkeys(made.locks)),
        estimate=grace + timedelta(seconds=10),
        timeout=grace + timedelta(minutes=3),
    )


def _grace(view: WorkloadView) -> timedelta:
    seconds = (view.template.get("spec") or {}).get("terminationGracePeriodSeconds")
    return timedelta(seconds=_USUAL_GRACE if seconds is None else int(seconds))


# --- Writers ----------------------------------------------------------------------------------------


def _writers(made: _Made, seen: Seen) -> tuple[WorkloadView, ...] | Gap:
    answer = seen[Workloads(made.service.namespace)]
    if isinstance(answer, Gap):
        value = f"unknown what writes: {one_line(answer.reason)}"
        made.tell("freeze.unread", "Workloads", Light.RED, value, answer.mend)
        return answer
    found: list[WorkloadView] = []
    for name in made.service.freeze.writers or (made.service.deployment,):
        views = [view for view in answer if _is_named(view, name)]
        found += views
        if not views:
            value = f"no workload {name} in namespace {made.service.namespace}"
            made.tell(
                "freeze.missing", "Writers", Light.YELLOW, value, "Mend `freeze.writers` of the service."
            )
    if not found and made.service.freeze.mode != "flag":
        made.tell("freeze.none", "Writers", Light.RED, "none of them is there: nothing would be stopped")
    return tuple(found)


def _is_named(view: WorkloadView, name: str) -> bool:
    kind, _, bare = name.rpartition("/")
    return view.target.name == bare and (not kind or KINDS.get(kind.casefold()) == view.target.kind)


def _scale(made: _Made, seen: Seen, writers: tuple[WorkloadView, ...]) -> None:
    for view in writers:
        made.locks.append(view.lock)
        if view.target.kind == "DaemonSet":
            value = "runs a pod on each node, and cannot be scaled"
            made.tell("freeze.daemon", view.target, Light.RED, value, "Set `freeze.mode` to flag or netpol.")
        elif not view.replicas and FROZEN not in view.annotations:
            made.tell("freeze.empty", view.target, Light.GREEN, "asks for no pods already")
        else:
            text = f"{view.target}: from {counted(view.replicas, 'pod')} to none"
            made.add(view, REPLICAS, "0", f"replicas {view.replicas}", text)
        _put_back(made, view)
    _scalers(made, seen, writers)


def _put_back(made: _Made, view: WorkloadView) -> None:
    """Who may give it pods again."""
    owner = next((each for each in view.owners if each.is_controller), None)
    notes = {**view.labels, **view.annotations}
    who = [name for key, name in _GITOPS.items() if key in notes]
    who += [f"{owner.kind} {owner.name}"] if owner else []
    if who:
        value = f"{', '.join(dict.fromkeys(who))} may put its own number of pods back"
        made.tell("freeze.owner", view.target, Light.YELLOW, value, "Pause it first.")


def _scalers(made: _Made, seen: Seen, writers: tuple[WorkloadView, ...]) -> None:
    answer = seen[Scalers(made.service.namespace)]
    if isinstance(answer, Gap):
        made.findings.append(unread("freeze.scalers", "Autoscalers", answer))
        return
    ours = {(view.target.kind, view.target.name) for view in writers}
    for scaler in answer:
        if (scaler.kind, scaler.name) in ours:
            _scaler(made, scaler)


def _scaler(made: _Made, scaler: ScalerView) -> None:
    if scaler.keda:
        value = f"ScaledObject {scaler.keda} starts pods again as soon as there is work"
        pause = "autoscaling.keda.sh/paused=true"
        mend = f"kubectl annotate scaledobject {scaler.keda} -n {scaler.target.namespace} {pause}; then freeze again."
        made.tell("freeze.keda", scaler.target, Light.RED, value, mend)
        return
    was = f"minReplicas {scaler.low}, maxReplicas {scaler.high}"
    made.add(scaler, BEHAVIOR, _STOPPED, was, f"{scaler.target}: scale neither up nor down ({was} stay)")


# --- The other ways ---------------------------------------------------------------------------------


def _flag(made: _Made, seen: Seen, writers: tuple[WorkloadView, ...]) -> None:
    freeze, space = made.service.freeze, made.service.namespace
    answer: FlagView | Gap | None = seen[Flag(space, freeze.config_map, freeze.key)]
    if isinstance(answer, Gap):
        value = f"{freeze.config_map} was not read: {one_line(answer.reason)}"
        made.tell("freeze.flag", "ConfigMap", Light.RED, value, answer.mend)
        return
    if answer is None:
        made.tell("freeze.flag", "ConfigMap", Light.RED, f"there is no {space}/{freeze.config_map}")
        return
    if answer.value == freeze.value and FROZEN not in answer.annotations:
        made.tell("freeze.already", answer.target, Light.GREEN, f"says {freeze.key}={freeze.value} already")
    else:
        was = f"{freeze.key} {'not set' if answer.value is None else answer.value}"
        text = f"{answer.target}: {freeze.key}={freeze.value}"
        made.add(answer, frozen.data(freeze.key), json.dumps(freeze.value), was, text)
    value = "pods that mount it see it within about a minute; those that take it as a variable only when they restart"
    made.tell("freeze.seen", "Pods", Light.YELLOW, value)


def _netpol(made: _Made, seen: Seen, writers: tuple[WorkloadView, ...]) -> None:
    answer = seen[Policies(made.service.namespace)]
    if isinstance(answer, Gap):
        value = f"unknown what other policies open: {one_line(answer.reason)}"
        made.tell("freeze.unread", "Network policies", Light.RED, value, answer.mend)
        return
    made.findings.append(enforced("freeze.enforced", seen[Network()]))
    there = {policy.target.name for policy in frozen.policies(seen, made.service)}
    for view in writers:
        labels = _labels(view)
        target = Target(
            "NetworkPolicy",
            view.target.namespace,
            frozen.policy_name(made.service.name, view.target.name),
            "",
        )
        if not labels:
            value = "its selector is more than labels, which a policy of the bot cannot say"
            made.tell("freeze.selector", view.target, Light.RED, value, "Set `freeze.mode` to scale.")
        elif target.name in there:
            made.tell("freeze.already", view.target, Light.GREEN, "is kept from the database already")
        else:
            cidrs = tuple(made.service.freeze.database)
            effect = ExceptTraffic(target, tuple(sorted(labels.items())), cidrs, ("Egress",))
            text = f"{view.target}: reaches everything but {', '.join(cidrs)}"
            made.steps.append(Step(f"except {view.target}", effect, text))
        opening = [
            p.target.name
            for p in answer
            if "Egress" in p.allows and p.target.name not in there and selects(p.selector, _all_labels(view))
        ]
        if opening:
            value = f"{', '.join(opening)} opens its way out: policies add up, and it would go on writing"
            made.tell("freeze.adds", view.target, Light.RED, value, "Set `freeze.mode` to scale.")
    made.tell(
        "freeze.open",
        "Connections",
        Light.YELLOW,
        "those that are open to the database may go on until they end",
    )


def _labels(view: WorkloadView) -> dict[str, str]:
    """Its selector, where that is labels alone; {} for any other."""
    parts = [part.partition("=") for part in view.selector.split(",")]
    plain = all(equals and key and " " not in f"{key}{value}" for key, equals, value in parts)
    return {key: value for key, _, value in parts} if plain else {}


def _all_labels(view: WorkloadView) -> dict[str, str]:
    return dict((view.template.get("metadata") or {}).get("labels") or {})


def _schedules(made: _Made, seen: Seen) -> None:
    """In every mode: what a CronJob starts asks no flag, and no policy of the writers selects it."""
    answer = seen[Schedules(made.service.namespace)]
    if isinstance(answer, Gap):
        made.findings.append(unread("freeze.schedules", "CronJobs", answer))
        return
    for job in answer:
        if not any(is_like(glob, job.target.name) for glob in made.service.freeze.cron_jobs):
            continue
        if job.running:
            names = ", ".join(job.running[:5])
            value = f"{names} is under way and goes on"
            mend = f"kubectl delete job -n {job.target.namespace} {' '.join(job.running[:5])}"
            made.tell("freeze.running", job.target, Light.YELLOW, value, mend)
        if not job.is_suspended or FROZEN in job.annotations:
            made.add(
                job, SUSPEND, "true", f"schedule {job.schedule}", f"{job.target}: suspend ({job.schedule})"
            )


def parts(args: Args, site: ClusterSite) -> Parts:
    service_of(args, site)
    return {}


FREEZE = Command(
    word="incident",
    verbs=("freeze",),
    summary="Stop every write of a service: its writers, their autoscalers and its CronJobs.",
    rows=("DL-4.1", "C71"),
    parts=parts,
    examples=("incident freeze backend",),
    names="SERVICE",
    change=Change(plan, verify),
)
