"""Alerts about what a managed control plane does not show: on EKS they are false alarms, and the rule is to go.

Scheduler, controller manager and etcd run at AWS and are scraped by nobody; kube-proxy runs on every node, and by
default tells its numbers only to the node itself.
"""

from collections.abc import Sequence

from commands.finding import Finding, Light
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted
from commands.podreads import PodDetail, PodDetails
from commands.reads import EksCluster, EksView
from commands.site import ClusterSite
from commands.triage import targets
from commands.triage.ownword import KEY, managed
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import unread

_PROXIES = PodDetails(namespace="kube-system", selector="k8s-app=kube-proxy")
# Of the chart kube-prometheus-stack, by how an alert's name begins.
_SETTINGS = {"KubeScheduler": "kubeScheduler", "KubeControllerManager": "kubeControllerManager", "etcd": "kubeEtcd",
             "KubeProxy": "kubeProxy"}  # fmt: skip
_NAMES = {
    "KubeScheduler": "the scheduler",
    "KubeControllerManager": "the controller manager",
    "etcd": "etcd",
}


def hidden(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Certain on EKS, whatever else is read; elsewhere a target like any other."""
    if not site.eks_name:
        return (yield from targets.down(subject, site))
    view: EksView | Gap | None = (yield (EksCluster(site.eks_name),))[EksCluster(site.eks_name)]
    name = next((said for begins, said in _NAMES.items() if subject.name.startswith(begins)), "it")
    text = f"a false alarm: EKS runs {name} where Prometheus cannot scrape it; {_mend(subject)}"
    return Diagnosis(Cause(text, Confidence.CERTAIN), (managed(view),))


def _mend(subject: Subject) -> str:
    key = next((key for begins, key in _SETTINGS.items() if subject.name.startswith(begins)), "")
    return f"remove the rule (kube-prometheus-stack: {key}.enabled=false in its values)"


def proxy(subject: Subject, site: ClusterSite) -> Diagnosing:
    """kube-proxy has pods, which can be looked at; only its numbers are hidden."""
    if not site.eks_name:
        return (yield from targets.down(subject, site))
    pods: tuple[PodDetail, ...] | Gap = (yield (_PROXIES,))[_PROXIES]
    if isinstance(pods, Gap):
        text = f"probably a false alarm: on EKS kube-proxy tells its numbers only to its own node; {_mend(subject)}"
        return Diagnosis(Cause(text, Confidence.LIKELY), (_proxies(pods, ()),))
    bad = [pod for pod in pods if pod.phase != "Running" or pod.ready.partition("/")[0] == "0"]
    if bad:
        text = f"{len(bad)} of {counted(len(pods), 'pod')} of kube-proxy do not run: {bad[0].name} is {bad[0].status}"
        return Diagnosis(Cause(text, Confidence.CERTAIN), (_proxies(pods, bad),))
    if not pods:
        text = "kube-proxy has no pod: something else does its work, or Services do not"
        return Diagnosis(Cause(text, Confidence.POSSIBLE), (_proxies(pods, bad),))
    text = (
        f"a false alarm: all {counted(len(pods), 'pod')} of kube-proxy run, but on EKS they tell their numbers only to"
        f" their own node (127.0.0.1); set metricsBindAddress: 0.0.0.0, or {_mend(subject)}"
    )
    return Diagnosis(Cause(text, Confidence.CERTAIN), (_proxies(pods, bad),))


def _proxies(pods: Sequence[PodDetail] | Gap, bad: Sequence[PodDetail]) -> Finding:
    label = "Pods of kube-proxy"
    if isinstance(pods, Gap):
        return unread(KEY, label, pods)
    lines = tuple(f"{pod.name} on {pod.node}: {pod.status}" for pod in bad)
    light = Light.RED if bad or not pods else Light.GREEN
    return Finding(KEY, label, light, f"{len(pods) - len(bad)} of {len(pods)} run", evidence=lines)


_ETCD = (
    "etcdMembersDown", "etcdInsufficientMembers", "etcdNoLeader", "etcdHighNumberOfLeaderChanges",
    "etcdHighNumberOfFailedGRPCRequests", "etcdGRPCRequestsSlow", "etcdMemberCommunicationSlow",
    "etcdHighNumberOfFailedProposals", "etcdHighFsyncDurations", "etcdHighCommitDurations",
    "etcdDatabaseQuotaLowSpace", "etcdExcessiveDatabaseGrowth", "etcdDatabaseHighFragmentationRatio",
)  # fmt: skip
_STEPS = (
    "On EKS remove the rule: AWS watches this part.",
    "Elsewhere: see its pods in kube-system, and its log.",
)

RULES: tuple[Rule, ...] = (
    Rule(("KubeSchedulerDown",), "Prometheus does not see the scheduler.", hidden, _STEPS),
    Rule(("KubeControllerManagerDown",), "Prometheus does not see the controller manager.", hidden, _STEPS),
    Rule(
        _ETCD,
        "Prometheus' numbers about etcd, the store of the control plane, are bad or missing.",
        hidden,
        _STEPS,
    ),
    Rule(
        ("KubeProxyDown",),
        "Prometheus does not see kube-proxy.",
        proxy,
        (
            "See whether its pods run on every node.",
            "On EKS its numbers are told to its own node only, by default.",
        ),
    ),
)
