"""Workloads that do not get, keep or change their pods: scheduler, quota, admission, rollouts, jobs, autoscalers, budgets.

On a real control plane the controllers and the scheduler say it themselves; the stand-in has not all of them, and
there their words are written down.
"""

from contextlib import ExitStack

from cage import Cage, Json, Labels, at, crashed, runs, waits
from zoo import fault
from zoo_policy import denying

from commands.model import Confidence
from sandbox.kube import build

LIKELY = Confidence.LIKELY
SHOW, HISTORY = "deploy show {space}/web", "deploy history {space}/web"


# --- No node --------------------------------------------------------------------------------------------


@fault(
    "KubePodNotReady",
    "{pod} finds no node",
    "too little CPU left",
    "it asks for 64000m CPU",
    first="node top",
)
def a_pod_that_is_too_big(cage: Cage) -> Labels:
    return cage.unscheduled(containers=[build.container(requests={"cpu": "64"})])


@fault(
    "KubePodNotReady",
    "{pod} finds no node",
    "a taint it does not tolerate",
    "dedicated=gpu",
    first="node list",
)
def a_taint_that_is_not_tolerated(cage: Cage) -> Labels:
    node = build.node(f"{cage.space}-gpu", labels={"pool": cage.space})
    node["spec"]["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
    cage.node(node)
    return cage.unscheduled(template={"nodeSelector": {"pool": cage.space}})


@fault(
    "KubePodNotReady", "{pod} finds no node", "what its node selector or affinity asks for", first="node list"
)
def a_selector_that_no_node_has(cage: Cage) -> Labels:
    return cage.unscheduled(template={"nodeSelector": {"disk": "nvme"}})


def claiming(cage: Cage, name: str, **spec: object) -> Json:
    """A pod's template that uses this claim."""
    cage.make({
        "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}, **spec},
    })  # fmt: skip
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}


def undriven(cage: Cage) -> Json:
    """A pod's template with a claim whose driver makes no volume."""
    cage.of_cluster(storage_class("ebs"))
    template = claiming(cage, "data", storageClassName="ebs")
    if not cage.is_real:
        cage.stand_in_claim("data", "Pending")
        said = (
            "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually by the"
            " system administrator. If volume creation is delayed, please verify that the provisioner is running and"
            " correctly registered."
        )
        cage.event(cage.get("PersistentVolumeClaim", "data"), "ExternalProvisioning", said, 9, type="Normal")
    cage.until_said("PersistentVolumeClaim", "ExternalProvisioning")
    return template


@fault("KubePodNotReady", "{pod} finds no node", "a claim of it has no volume yet (data is Pending)",
       "waits for the driver ebs.csi.aws.com", first="pod show {space}/{pod}")  # fmt: skip
def a_claim_without_a_volume(cage: Cage) -> Labels:
    template = undriven(cage)
    cage.scheduler_says("pod has unbound immediate PersistentVolumeClaims")
    return cage.unscheduled(template=template)


@fault("KubePodNotReady", "{pod} finds no node", "volume of data is in eu-central-1c", "no node there takes pods",
       first="node list")  # fmt: skip
def a_volume_in_a_zone_without_nodes(cage: Cage) -> Labels:
    zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-central-1c"]}
    cage.of_cluster({
        "kind": "PersistentVolume", "metadata": {"name": f"{cage.space}-pv"},
        "spec": {
            "capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0a1b"},
            "claimRef": {"namespace": cage.space, "name": "data"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
        },
    })  # fmt: skip
    template = claiming(cage, "data", storageClassName="", volumeName=f"{cage.space}-pv")
    cage.stand_in_claim("data", "Bound")
    cage.until(lambda: cage.get("PersistentVolumeClaim", "data")["status"]["phase"] == "Bound", "bound")
    cage.scheduler_says("2 node(s) didn't match PersistentVolume's node affinity")
    return cage.unscheduled(template=template)


# --- Not made -------------------------------------------------------------------------------------------


def refused(cage: Cage, said: str) -> Labels:
    """A Deployment whose ReplicaSet may not make its pods."""
    deployment = cage.make(build.deployment("web", replicas=2))
    if not cage.is_real:
        message = f'pods "web-5d9c7-" is forbidden: {said}'
        cage.make(build.replicaset("web-5d9c7", owner=deployment))
        cage.event(cage.get("ReplicaSet", "web-5d9c7"), "FailedCreate", f"Error creating: {message}", 5)
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
        cage.tell("Deployment", "web", {"conditions": [{**condition, "lastTransitionTime": at(3)}]})
    cage.until_told("Deployment", "web", "ReplicaFailure", "FailedCreate")
    return {"deployment": "web"}


@fault("KubeDeploymentReplicasMismatch", "{space}/web may not create pods", "quota small is used up", "pods=1",
       first=SHOW)  # fmt: skip
def a_quota_that_is_used_up(cage: Cage) -> Labels:
    cage.make({"kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}})
    if not cage.is_real:
        cage.tell("ResourceQuota", "small", {"hard": {"pods": "1"}, "used": {"pods": "1"}})
    cage.until(lambda: cage.get("ResourceQuota", "small").get("status", {}).get("hard"), "a quota is counted")
    return refused(cage, "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1")


@fault("KubeDeploymentReplicasMismatch", "{space}/web may not create pods", "Pod Security level", "restricted",
       first=SHOW)  # fmt: skip
def a_namespace_that_forbids_such_pods(cage: Cage) -> Labels:
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    cage.change("Namespace", cage.space, {"metadata": {"labels": level}})
    said = 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "app" must set'
    return refused(cage, f"{said} securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true")


def hook(cage: Cage, url: str, bundle: str) -> None:
    """An admission webhook that is asked about pods of this cage."""
    mine = {"matchLabels": {"kubernetes.io/metadata.name": cage.space}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    webhook = {
        "name": "policy.example.com", "clientConfig": {"url": url, "caBundle": bundle}, "rules": [rule],
        "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "namespaceSelector": mine, "timeoutSeconds": 2,
    }  # fmt: skip
    cage.of_cluster({
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": cage.space}, "webhooks": [webhook],
    })  # fmt: skip
    cage.until(lambda: cage.is_refused(), "the webhook is asked")


@fault("KubeDeploymentReplicasMismatch", "{space}/web may not create pods",
       "admission webhook policy.example.com denies it", "no image from outside", first=SHOW)  # fmt: skip
def an_admission_webhook_that_denies(cage: Cage) -> Labels:
    said = 'admission webhook "policy.example.com" denied the request: no image from outside'
    with ExitStack() as open:
        if cage.is_real:
            hook(cage, *open.enter_context(denying("no image from outside")))
        return refused(cage, said)


@fault("KubeDeploymentReplicasMismatch", "{space}/web may not create pods",
       "admission webhook policy.example.com does not answer", first=SHOW)  # fmt: skip
def an_admission_webhook_that_is_down(cage: Cage) -> Labels:
    if cage.is_real:
        hook(cage, "https://127.0.0.1:9/validate", "")
    said = 'failed calling webhook "policy.example.com": failed to call webhook: Post "https://127.0.0.1:9/validate"'
    return refused(cage, f"{said}: dial tcp 127.0.0.1:9: connect: connection refused")


# --- Rollouts -------------------------------------------------------------------------------------------


@fault("KubeDeploymentRolloutStuck", "Deployment {space}/web", "ImagePullBackOff", "no such tag",
       first="deploy rollback {space}/web", sure=LIKELY, since=0)  # fmt: skip
def a_rollout_that_is_stuck(cage: Cage) -> Labels:
    [old] = cage.deployed(progressDeadlineSeconds=2, strategy={"rollingUpdate": {"maxUnavailable": 0}})
    cage.kubelet(old, app=runs())
    containers = [build.container(image="registry.example.com/shop/web:1.9")]
    cage.change("Deployment", "web", {"spec": {"template": {"spec": {"containers": containers}}}})
    new = next(pod for pod in cage.pods(2) if pod["metadata"]["uid"] != old["metadata"]["uid"])
    said = 'Back-off pulling image "registry.example.com/shop/web:1.9": ErrImagePull: not found'
    if cage.is_real:
        cage.kubelet(new, "Pending", app=waits("ImagePullBackOff", said))
        cage.until_told("Deployment", "web", "Progressing", "ProgressDeadlineExceeded")
    else:
        cage.kubelet(new, "Pending", app=waits("ImagePullBackOff", said))
    return {"deployment": "web"}


@fault("KubeStatefulSetUpdateNotRolledOut", "StatefulSet {space}/web has partition 2", "old revision on purpose",
       first="deploy show {space}/sts/web")  # fmt: skip
def a_partition_that_was_left(cage: Cage) -> Labels:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    given = {"podManagementPolicy": "Parallel", "updateStrategy": rolling}
    for pod in cage.deployed(2, "StatefulSet", **given):
        cage.kubelet(pod, app=runs())
    containers = [build.container(image="registry.example.com/shop/web:1.9")]
    cage.change("StatefulSet", "web", {"spec": {"template": {"spec": {"containers": containers}}}})

    def seen() -> bool:
        status = cage.get("StatefulSet", "web")["status"]
        return (status.get("observedGeneration"), status.get("readyReplicas")) == (2, 2)

    cage.until(seen, "the update is seen")
    return {"statefulset": "web"}


@fault("KubeDaemonSetMisScheduled", "DaemonSet {space}/web", "1 node where it should not be",
       first="deploy show {space}/ds/web")  # fmt: skip
def a_daemon_on_a_node_that_is_not_its_any_more(cage: Cage) -> Labels:
    cage.node(build.node(f"{cage.space}-1", labels={"pool": cage.space}))
    [pod] = cage.deployed(1, "DaemonSet", template={"nodeSelector": {"pool": cage.space}})
    cage.kubelet(pod, app=runs())
    cage.change("Pod", pod["metadata"]["name"], {"metadata": {"finalizers": ["example.com/stays"]}})
    cage.change("Node", f"{cage.space}-1", {"metadata": {"labels": {"pool": "other"}}})
    if cage.is_real:
        cage.until(lambda: cage.get("DaemonSet", "web")["status"].get("numberMisscheduled"), "misscheduled")
    else:
        cage.tell("DaemonSet", "web", {"desiredNumberScheduled": 0, "numberMisscheduled": 1})
    return {"daemonset": "web"}


# --- Jobs -----------------------------------------------------------------------------------------------


@fault(
    "KubeJobFailed",
    "Job {space}/report failed",
    "every attempt failed",
    "exit code 4",
    first="logs {space}/{last}",
)
def a_job_that_gave_up(cage: Cage) -> Labels:
    cage.make(build.job("report", backoffLimit=0))
    [pod] = cage.pods(1)
    cage.kubelet(pod, "Failed", app=crashed(4).over())
    if not cage.is_real:
        told = {"status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit",
                "lastTransitionTime": at(1), "lastProbeTime": at(1)}  # fmt: skip
        both = [{"type": kind, **told} for kind in ("FailureTarget", "Failed")]
        cage.tell("Job", "report", {"failed": 1, "active": 0, "startTime": at(6), "conditions": both})
    cage.until_told("Job", "report", "Failed", "BackoffLimitExceeded")
    return {"job_name": "report", "last": pod["metadata"]["name"]}


@fault("KubernetesCronjobSuspended", "CronJob {space}/report is suspended", first="pod events -n {space}")
def a_cron_job_that_is_suspended(cage: Cage) -> Labels:
    job = build.job("report")["spec"]
    cage.make({
        "kind": "CronJob", "metadata": {"name": "report"},
        "spec": {"schedule": "0 6 * * *", "suspend": True, "jobTemplate": {"spec": job}},
    })  # fmt: skip
    return {"cronjob": "report"}


# --- Autoscalers and budgets ------------------------------------------------------------------------------

_CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
}


def condition(kind: str, status: str, reason: str, message: str = "") -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(9)}


@fault("KubeHpaMaxedOut", "HPA {space}/web runs at its maximum of 3", "cpu is at 96 % of an aimed 70 %",
       first="deploy limits {space}/web")  # fmt: skip
def an_autoscaler_at_its_maximum(cage: Cage) -> Labels:
    cage.make(build.hpa("web", target="web", low=2, high=3, metrics=[_CPU]))
    if cage.is_real:  # its controller looks every 15 s, and has just looked
        cage.until_told("HorizontalPodAutoscaler", "web", "AbleToScale", "FailedGetScale")
    cage.tell("HorizontalPodAutoscaler", "web", {
        "currentReplicas": 3, "desiredReplicas": 3,
        "currentMetrics": [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 96, "averageValue": "96m"}}}
        ],
        "conditions": [
            condition("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
            condition("ScalingActive", "True", "ValidMetricFound"),
            condition("ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum"),
        ],
    })  # fmt: skip
    return {"horizontalpodautoscaler": "web"}


@fault("KubeHpaReplicasMismatch", "HPA {space}/web cannot read its metrics", "nothing serves the API metrics.k8s.io",
       first="deploy show {space}/web")  # fmt: skip
def an_autoscaler_without_metrics(cage: Cage) -> Labels:
    cage.web()
    cage.make(build.hpa("web", target="web", low=2, high=3, metrics=[_CPU]))
    if not cage.is_real:
        said = (
            "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for"
            " resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested"
            " resource (get pods.metrics.k8s.io)"
        )
        told = [condition("AbleToScale", "True", "SucceededGetScale"),
                condition("ScalingActive", "False", "FailedGetResourceMetric", said)]  # fmt: skip
        cage.tell(
            "HorizontalPodAutoscaler", "web", {"currentReplicas": 2, "desiredReplicas": 2, "conditions": told}
        )
    cage.until_told("HorizontalPodAutoscaler", "web", "ScalingActive", "FailedGetResourceMetric")
    return {"horizontalpodautoscaler": "web"}


@fault("KubePdbNotEnoughHealthyPods", "PodDisruptionBudget {space}/web has 1 healthy of 2 it needs", "no drain",
       first="pod list -n {space}")  # fmt: skip
def a_budget_that_blocks_drains(cage: Cage) -> Labels:
    good, bad = cage.deployed(2)
    cage.make(build.pdb("web", min_available=2))
    cage.kubelet(good, app=runs())
    cage.kubelet(bad, app=crashed(1))

    def counted() -> bool:
        status = cage.get("PodDisruptionBudget", "web").get("status", {})
        return (status.get("currentHealthy"), status.get("expectedPods")) == (1, 2)

    cage.until(counted, "the budget is counted")
    return {"poddisruptionbudget": "web"}


def storage_class(name: str, mode: str = "Immediate") -> Json:
    return {"kind": "StorageClass", "metadata": {"name": name}, "provisioner": "ebs.csi.aws.com",
            "volumeBindingMode": mode}  # fmt: skip
