"""What the API server and EKS say of themselves, for every alert about the control plane."""

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap
from commands.phrase import counted
from commands.reads import EksCluster, EksView
from commands.site import ClusterSite
from commands.triage.measured import EVERYTHING, Locating, Place
from commands.triagereads import ApiHealth
from commands.wording import unread

KEY = "AR-5"
HEALTH = (Suggestion("Health of the cluster", "health cluster"),)


def asked_of_eks(site: ClusterSite) -> tuple[EksCluster, ...]:
    return (EksCluster(site.eks_name),) if site.eks_name else ()


def own_word(site: ClusterSite) -> Locating:
    """The place for numbers about the API server: what it and EKS say of it stands beside them."""
    asked = (ApiHealth(), *asked_of_eks(site))
    seen = yield asked
    findings = (ready(seen[ApiHealth()]), *(managed(seen[each]) for each in asked_of_eks(site)))
    return Place(f"the API server of {site.name}", {"here": EVERYTHING}, findings, HEALTH)


def ready(failed: tuple[str, ...] | Gap) -> Finding:
    label = "API server's own checks"
    if isinstance(failed, Gap):
        return unread(KEY, label, failed)
    light = Light.RED if failed else Light.GREEN
    return Finding(
        KEY, label, light, f"{counted(len(failed), 'check')} fails" if failed else "ready", evidence=failed
    )


def managed(view: EksView | Gap | None) -> Finding:
    label = "EKS"
    if isinstance(view, Gap):
        return unread(KEY, label, view)
    if view is None:
        return Finding(KEY, label, Light.YELLOW, "knows no such cluster")
    is_well = view.status == "ACTIVE" and not view.issues
    update = f", update {view.update} runs" if view.update else ""
    light = Light.GREEN if is_well else Light.RED
    return Finding(
        KEY, label, light, f"{view.status}, {view.version} ({view.platform}){update}", evidence=view.issues
    )
