"""Who else writes a workload: GitOps, Helm, operators, Argo Rollouts, autoscalers. They put back what we change."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from commands.finding import Finding, Light
from commands.model import Gap
from commands.wording import one_line, unread
from commands.workloads import LAST_APPLIED, AutoscalerView, WorkloadView


@dataclass(frozen=True, slots=True)
class Keeper:
    """Something that keeps a workload as its own source says. pause: how its automation is suspended."""

    name: str
    sign: str
    pause: str


def keepers(view: WorkloadView) -> tuple[Keeper, ...]:
    """By annotations and labels first; managedFields only speak where those are silent."""
    found = tuple(_by_notes(view))
    return found or tuple(_by_managers(view))


def _by_notes(view: WorkloadView) -> Iterator[Keeper]:
    notes, labels = view.annotations, view.labels
    tracking = notes.get("argocd.argoproj.io/tracking-id", "")
    if tracking:
        app = tracking.partition(":")[0]
        yield Keeper("Argo CD", f"application {app}", f"argocd app set {app} --sync-policy none")
    kustomization = labels.get("kustomize.toolkit.fluxcd.io/name")
    if kustomization:
        space = labels.get("kustomize.toolkit.fluxcd.io/namespace", "flux-system")
        pause = f"flux suspend kustomization {kustomization} -n {space}"
        yield Keeper("Flux", f"Kustomization {kustomization}", pause)
    release = labels.get("helm.toolkit.fluxcd.io/name")
    if release:
        space = labels.get("helm.toolkit.fluxcd.io/namespace", "flux-system")
        yield Keeper("Flux", f"HelmRelease {release}", f"flux suspend helmrelease {release} -n {space}")
    chart = notes.get("meta.helm.sh/release-name", "")
    if not release and (chart or labels.get("app.kubernetes.io/managed-by") == "Helm"):
        yield Keeper("Helm", f"release {chart or '?'}", "tell whoever runs `helm upgrade` to wait")


_MANAGERS = {
    "argocd-controller": ("Argo CD", "suspend the application's automated sync"),
    "kustomize-controller": ("Flux", "suspend the Kustomization"),
    "helm-controller": ("Flux", "suspend the HelmRelease"),
    "helm": ("Helm", "tell whoever runs `helm upgrade` to wait"),
}


def _by_managers(view: WorkloadView) -> Iterator[Keeper]:
    for name in dict.fromkeys(each.name for each in view.managers if each.of_template):
        if name in _MANAGERS:
            who, pause = _MANAGERS[name]
            yield Keeper(who, f"it wrote the pod template as {name}", pause)


def findings(view: WorkloadView) -> tuple[Finding, ...]:
    """Each keeper as a risk; an owner that replaces what we write at once is a reason to stop."""
    rollouts = _rollouts(view)
    if rollouts is not None:
        return (rollouts,)
    return (*_operators(view), *(_kept(each) for each in keepers(view)), *_applied(view))


def _kept(keeper: Keeper) -> Finding:
    value = f"{keeper.name} keeps it as its source says ({keeper.sign}) and may undo this within minutes"
    return Finding(
        "deploy.gitops", "Kept by others", Light.YELLOW, value, mend=f"Suspend automation: {keeper.pause}"
    )


def _rollouts(view: WorkloadView) -> Finding | None:
    """Argo Rollouts scales and replaces such a Deployment by itself, whatever its template says."""
    owner = next((each for each in view.owners if each.api.startswith("argoproj.io/")), None)
    is_noted = any(key.startswith("rollout.argoproj.io/") for key in view.annotations)
    is_written = any(each.name == "rollouts-controller" for each in view.managers)
    if not (owner or is_noted or is_written):
        return None
    name = owner.name if owner else view.target.name
    value = f"an Argo Rollout steers it ({name}): a change here would be ignored or undone"
    mend = f"kubectl argo rollouts undo {name} -n {view.target.namespace}"
    return Finding("deploy.rollouts", "Argo Rollouts", Light.RED, value, mend=mend)


def operators(view: WorkloadView) -> tuple[Finding, ...]:
    """Only what would put even a restart back."""
    rollouts = _rollouts(view)
    return (rollouts,) if rollouts is not None else _operators(view)


def _operators(view: WorkloadView) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            "deploy.operator",
            "Kept by others",
            Light.YELLOW,
            f"{each.kind} {each.name} ({each.api}) owns it and may undo this at once",
            mend=f"Change {each.kind} {each.name} instead.",
        )
        for each in view.owners
        if each.is_controller and not each.api.startswith("argoproj.io/")
    )


def _applied(view: WorkloadView) -> tuple[Finding, ...]:
    if LAST_APPLIED not in view.annotations or keepers(view):
        return ()
    value = "the next `kubectl apply` of the same file brings the present version back"
    return (
        Finding("deploy.applied", "Applied from a file", Light.YELLOW, value, mend="Change the file, too."),
    )


# --- Autoscalers ----------------------------------------------------------------------------------


def autoscaler(view: WorkloadView, found: Iterable[AutoscalerView]) -> AutoscalerView | None:
    target = view.target
    return next((each for each in found if (each.kind, each.target) == (target.kind, target.name)), None)


def autoscaler_said(found: AutoscalerView) -> str:
    keda = f" of KEDA's ScaledObject {found.keda}" if found.keda else ""
    return f"HPA {found.name}{keda}: {found.low} to {found.high}, now {found.now}, wants {found.wanted}"


def unread_autoscalers(gap: Gap) -> Finding:
    return unread("deploy.hpa", "Autoscaler", Gap(f"whether one owns it: {one_line(gap.reason)}", gap.mend))
