"""Nodes, claims, aggregated APIs and targets: what breaks around the workloads."""

from cage import Cage, Json, Labels, at
from zoo import fault
from zoo_workloads import claiming, undriven

from commands.model import Confidence
from sandbox.kube import build

POSSIBLE, LIKELY = Confidence.POSSIBLE, Confidence.LIKELY


# --- Claims ---------------------------------------------------------------------------------------------


@fault("KubePersistentVolumeClaimPending", "claim {space}/data gets no volume", '"gp9" not found',
       first="pod events -n {space}")  # fmt: skip
def a_claim_of_a_class_that_is_not_there(cage: Cage) -> Labels:
    claiming(cage, "data", storageClassName="gp9")
    if not cage.is_real:
        cage.stand_in_claim("data", "Pending")
        said = 'storageclass.storage.k8s.io "gp9" not found'
        cage.event(cage.get("PersistentVolumeClaim", "data"), "ProvisioningFailed", said, 4)
    cage.until_said("PersistentVolumeClaim", "ProvisioningFailed")
    return {"persistentvolumeclaim": "data"}


@fault("KubePersistentVolumeClaimPending", "claim {space}/data", "waits for the driver ebs.csi.aws.com",
       first="pod events -n {space}", sure=LIKELY)  # fmt: skip
def a_claim_whose_driver_does_not_answer(cage: Cage) -> Labels:
    undriven(cage)
    return {"persistentvolumeclaim": "data"}


# --- Nodes ----------------------------------------------------------------------------------------------


def node(cage: Cage, **given: object) -> str:
    """A node that no pod of another cage comes to."""
    name = f"{cage.space}-bad"
    made = build.node(name, **given)  # type: ignore[arg-type]
    del made["spec"]["providerID"]
    made["spec"].setdefault("taints", []).append({"key": "zoo", "value": cage.space, "effect": "NoSchedule"})
    cage.node(made)
    return name


def renewed(cage: Cage, name: str, ago: float) -> None:
    """When its kubelet was there last."""
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": at(ago).replace("Z", ".000000Z")}
    cage.of_cluster({"kind": "Namespace", "metadata": {"name": "kube-node-lease"}})
    cage.of_cluster(
        {"kind": "Lease", "metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": spec}
    )


def tell_node(cage: Cage, name: str, **words: Json) -> None:
    told = [{"type": kind, "lastTransitionTime": at(12), "lastHeartbeatTime": at(12), **said}
            for kind, said in words.items()]  # fmt: skip
    cage.tell("Node", name, {"conditions": told})


SILENT = {
    "status": "Unknown",
    "reason": "NodeStatusUnknown",
    "message": "Kubelet stopped posting node status.",
}
READY = {"status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}


@fault("KubeNodeNotReady", "the kubelet of {node} stopped reporting 1", "min ago", first="node drain {node} --dry-run",
       sure=POSSIBLE)  # fmt: skip
def a_node_that_fell_silent(cage: Cage) -> Labels:
    name = node(cage)
    tell_node(cage, name, Ready=SILENT)
    renewed(cage, name, 13)
    return {"node": name, "namespace": "", "condition": "Ready", "status": "true"}


@fault("KubeNodeNotReady", "{node} is not Ready", "its pod network is not ready", "aws-node",
       first="node drain {node} --dry-run")  # fmt: skip
def a_node_without_its_pod_network(cage: Cage) -> Labels:
    name = node(cage)
    said = (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin"
        " returns error: cni plugin not initialized"
    )
    tell_node(cage, name, Ready={"status": "False", "reason": "KubeletNotReady", "message": said})
    return {"node": name, "namespace": ""}


@fault("KubeNodePressure", "{node} is short of disk for 12 min", first="node show {node}")
def a_node_whose_disk_is_full(cage: Cage) -> Labels:
    name = node(cage)
    full = {"status": "True", "reason": "KubeletHasDiskPressure", "message": "kubelet has disk pressure"}
    tell_node(cage, name, DiskPressure=full, Ready=READY)
    return {"node": name, "namespace": "", "condition": "DiskPressure", "status": "true"}


@fault("NodeUnschedulable", "{node} is closed (cordoned)", first="node uncordon {node}")
def a_node_that_was_left_cordoned(cage: Cage) -> Labels:
    name = node(cage, unschedulable=True)
    tell_node(cage, name, Ready=READY)
    renewed(cage, name, 0)
    return {"node": name, "namespace": ""}


# --- Services -------------------------------------------------------------------------------------------


@fault("TargetDown", "no pod stands behind Service {space}/web", first="health monitoring", sure=LIKELY)
def a_target_without_pods(cage: Cage) -> Labels:
    cage.make(build.service("web"))
    path = f"/apis/discovery.k8s.io/v1/namespaces/{cage.space}/endpointslices"
    cage.until(lambda: cage.world.call("GET", path)[1]["items"], "the service has a slice")
    return {"job": "web", "service": "web", "instance": ""}


@fault("KubeAggregatedAPIDown", "API v1beta1.custom.metrics.k8s.io is down", "has no pod",
       first="health cluster")  # fmt: skip
def an_aggregated_api_that_is_down(cage: Cage) -> Labels:
    service = {"name": "adapter", "namespace": cage.space, "port": 443}
    name = "v1beta1.custom.metrics.k8s.io"
    said = f'service/adapter in "{cage.space}" is not present'
    gone = {"type": "Available", "status": "False", "reason": "ServiceNotFound", "message": said}
    cage.of_cluster({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
        "spec": {"group": "custom.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100,
                 "versionPriority": 100, "insecureSkipTLSVerify": True, "service": service},
        **({} if cage.is_real else {"status": {"conditions": [{**gone, "lastTransitionTime": at(3)}]}}),
    })  # fmt: skip
    cage.until_told("APIService", name, "Available", "ServiceNotFound")
    return {"name": name, "namespace": "default"}
