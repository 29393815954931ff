"""Pods that do not start, do not stay, or are not ready: as their kubelets, drivers and registries tell of them."""

from cage import IMAGE, Cage, Labels, at, crashed, ended, runs, waits
from zoo import fault

from commands.model import Confidence

LIKELY, POSSIBLE = Confidence.LIKELY, Confidence.POSSIBLE
LOGS = "logs {space}/{pod} --previous --container app"
HISTORY, LIMITS = "deploy history {space}/web", "deploy limits {space}/web"
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1.9"
_UNPACK = 'rpc error: code = {} desc = failed to pull and unpack image "{}"'
_DENIED = "pull access denied, repository does not exist or may require authorization"
PROBE = {"httpGet": {"path": "/healthz", "port": 8080}}


def resolving(image: str, said: str, code: str = "Unknown") -> str:
    """What containerd says when it did not even get the manifest."""
    return f'{_UNPACK.format(code, image)}: failed to resolve reference "{image}": {said}'


# --- Crashes --------------------------------------------------------------------------------------------


@fault("KubePodCrashLooping", "{pod}/app", "exit code 1", "DATABASE_URL is not set", first=LOGS, sure=LIKELY)
def an_application_that_ends_with_1_and_says_why(cage: Cage) -> Labels:
    pod = cage.web(terminationMessagePolicy="FallbackToLogsOnError")
    cage.event(pod, "BackOff", "Back-off restarting failed container app in pod web_zoo(0b3f)", 9)
    return cage.kubelet(pod, app=crashed(1, message="starting\nfatal: DATABASE_URL is not set\n"))


@fault("KubePodCrashLooping", "{pod}/app", "memory limit of 64 MiB", first=LIMITS)
def a_container_killed_at_its_memory_limit(cage: Cage) -> Labels:
    pod = cage.web(requests={"memory": "64Mi"}, limits={"memory": "64Mi"})
    return cage.kubelet(pod, app=crashed(137, "OOMKilled"))


@fault("KubePodCrashLooping", "{pod}/app", "liveness probe fails", "not well", first=LOGS)
def a_container_restarted_by_its_liveness_probe(cage: Cage) -> Labels:
    pod = cage.web(livenessProbe=PROBE)
    cage.event(pod, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", 12)
    cage.event(pod, "Killing", "Container app failed liveness probe, will be restarted", 4, type="Normal")
    return cage.kubelet(pod, app=runs(False, last=ended(137), restarts=4))


@fault("KubePodCrashLooping", "{pod}/app", "does not find its command", "127", first=LOGS, sure=LIKELY)
def a_command_that_is_not_in_the_image(cage: Cage) -> Labels:
    return cage.kubelet(cage.web(), app=crashed(127))


@fault("KubePodCrashLooping", "{pod}/app", "cannot execute its command", "126", first=LOGS, sure=LIKELY)
def a_command_that_may_not_be_executed(cage: Cage) -> Labels:
    return cage.kubelet(cage.web(), app=crashed(126))


@fault("KubePodCrashLooping", "{pod}/app", "segmentation fault", "139", first=LOGS, sure=LIKELY)
def a_segmentation_fault(cage: Cage) -> Labels:
    return cage.kubelet(cage.web(), app=crashed(139))


@fault("KubePodCrashLooping", "{pod}/app", "asked to", "143: SIGTERM", first=LOGS, sure=POSSIBLE)
def a_container_that_was_asked_to_stop(cage: Cage) -> Labels:
    return cage.kubelet(cage.web(), app=crashed(143))


@fault("KubePodCrashLooping", "{pod}/app", "ends by itself with success", first=LOGS, sure=LIKELY)
def a_container_that_is_done_again_and_again(cage: Cage) -> Labels:
    return cage.kubelet(cage.web(), app=crashed(0, "Completed"))


@fault("KubePodNotReady", "init container migrate of {pod}", "exit code 3",
       first="logs {space}/{pod} --previous --container migrate", sure=LIKELY)  # fmt: skip
def an_init_container_that_fails(cage: Cage) -> Labels:
    pod = cage.web({"initContainers": [{"name": "migrate", "image": IMAGE}]})
    return {**cage.kubelet(pod, "Pending", migrate=crashed(3, name="migrate")), "container": ""}


@fault("KubePodCrashLooping", "sidecar proxy of {pod}", "exit code 2",
       first="logs {space}/{pod} --previous --container proxy", sure=LIKELY)  # fmt: skip
def a_sidecar_that_crashes(cage: Cage) -> Labels:
    proxy = {"name": "proxy", "image": "registry.example.com/mesh/proxy:3", "restartPolicy": "Always"}
    return cage.kubelet(cage.web({"initContainers": [proxy]}), app=runs(), proxy=crashed(2, name="proxy"))


@fault("KubeContainerWaiting", "{pod}/app cannot start", "its command is not in the image",
       first="deploy show {space}/web")  # fmt: skip
def a_command_the_runtime_cannot_find(cage: Cage) -> Labels:
    said = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed:"
        " unable to start container process: error during container init: exec: \"/app/srever\": stat /app/srever:"
        " no such file or directory: unknown"
    )  # fmt: skip
    pod = cage.web(command=["/app/srever"])
    return cage.kubelet(pod, app=crashed(128, "StartError", said))


# --- Images ---------------------------------------------------------------------------------------------


@fault("KubeContainerWaiting", "{pod}/app does not start", "no such tag", "shop/web:1.9", first=HISTORY)
def a_tag_that_is_not_there(cage: Cage) -> Labels:
    image = "registry.example.com/shop/web:1.9"
    return cage.unpulled(image, resolving(image, f"{image}: not found", "NotFound"))


@fault("KubeContainerWaiting", "no credentials from the node", ECR, first=HISTORY)
def an_ecr_without_credentials(cage: Cage) -> Labels:
    said = f"{_DENIED}: authorization failed: no basic auth credentials"
    return cage.unpulled(ECR, resolving(ECR, said))


@fault("KubeContainerWaiting", "refuses the node (403)", ECR, first=HISTORY)
def an_ecr_that_refuses_the_node(cage: Cage) -> Labels:
    url = f"https://{ECR.replace('/', '/v2/', 1).replace(':1.9', '/manifests/1.9')}"
    said = f"unexpected status from HEAD request to {url}: 403 Forbidden"
    return cage.unpulled(ECR, resolving(ECR, said))


@fault("KubeContainerWaiting", "not built for the node's architecture", first="node show {node}")
def an_image_of_another_platform(cage: Cage) -> Labels:
    said = f"{_UNPACK.format('NotFound', ECR)}: no match for platform in manifest: not found"
    labels = cage.unpulled(ECR, said)
    return {**labels, "node": cage.get("Pod", labels["pod"])["spec"]["nodeName"]}


@fault("KubeContainerWaiting", "too many pulls", "429", "redis:7", first=HISTORY)
def a_docker_hub_that_is_asked_too_often(cage: Cage) -> Labels:
    said = (
        'rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/library/redis:7": failed to copy:'
        " httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/redis/manifests/"
        "sha256:0f1d: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated"
        " pull rate limit. https://www.docker.com/increase-rate-limit"
    )
    return cage.unpulled("docker.io/library/redis:7", said)


@fault("KubeContainerWaiting", "does not reach the registry in time", first="node show {node}")
def a_registry_that_is_not_reached(cage: Cage) -> Labels:
    url = "https://registry.example.com/v2/shop/web/manifests/1.4"
    said = resolving(IMAGE, f'failed to do request: Head "{url}": dial tcp 3.94.224.37:443: i/o timeout')
    labels = cage.unpulled(IMAGE, said)
    return {**labels, "node": cage.get("Pod", labels["pod"])["spec"]["nodeName"]}


@fault("KubeContainerWaiting", "the node's disk is full", first="node show {node}")
def a_node_without_space_for_the_image(cage: Cage) -> Labels:
    said = (
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to extract layer sha256:9c2f:'
        " write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/88/fs/usr/lib/libicu.so:"
        " no space left on device: unknown"
    )
    labels = cage.unpulled(IMAGE, said)
    return {**labels, "node": cage.get("Pod", labels["pod"])["spec"]["nodeName"]}


@fault("KubeContainerWaiting", "image name cannot be read", "Shop/Web:1.0", first=HISTORY)
def a_name_that_is_no_image(cage: Cage) -> Labels:
    said = (
        'Failed to apply default image tag "Shop/Web:1.0": couldn\'t parse image name "Shop/Web:1.0": invalid reference'
        " format: repository name (library/Shop/Web) must be lowercase"
    )
    pod = cage.web(image="Shop/Web:1.0")
    cage.event(pod, "InspectFailed", said, 8)
    return cage.kubelet(pod, "Pending", app=waits("InvalidImageName", said))


@fault("KubeContainerWaiting", "pull secret regcred does not exist", first=HISTORY)
def a_pull_secret_that_is_missing(cage: Cage) -> Labels:
    said = f"{_DENIED}: server message: insufficient_scope: authorization failed"
    labels = cage.unpulled(IMAGE, resolving(IMAGE, said), {"imagePullSecrets": [{"name": "regcred"}]})
    text = (
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed."
    )
    cage.event(cage.get("Pod", labels["pod"]), "FailedToRetrieveImagePullSecret", text, 9)
    return labels


# --- Settings, volumes, network ---------------------------------------------------------------------------


def misconfigured(cage: Cage, said: str, **env: object) -> Labels:
    pod = cage.web(env=[{"name": "LEVEL", "valueFrom": env}])
    cage.event(pod, "Failed", f"Error: {said}", 8)
    return cage.kubelet(pod, "Pending", app=waits("CreateContainerConfigError", said))


@fault("KubeContainerWaiting", "{pod}/app cannot start", "ConfigMap web-config does not exist",
       first="deploy show {space}/web")  # fmt: skip
def a_config_map_that_is_missing(cage: Cage) -> Labels:
    ref = {"name": "web-config", "key": "LEVEL"}
    return misconfigured(cage, 'configmap "web-config" not found', configMapKeyRef=ref)


@fault("KubeContainerWaiting", "ConfigMap web-config has no key LEVEL", first="deploy show {space}/web")
def a_key_that_is_missing(cage: Cage) -> Labels:
    cage.make({"kind": "ConfigMap", "metadata": {"name": "web-config"}, "data": {"LEVLE": "info"}})
    ref = {"name": "web-config", "key": "LEVEL"}
    said = f"couldn't find key LEVEL in ConfigMap {cage.space}/web-config"
    return misconfigured(cage, said, configMapKeyRef=ref)


@fault("KubeContainerWaiting", "Secret db does not exist", first="deploy show {space}/web")
def a_secret_that_is_missing(cage: Cage) -> Labels:
    return misconfigured(cage, 'secret "db" not found', secretKeyRef={"name": "db", "key": "url"})


def creating(cage: Cage, pod: object, reason: str, said: str) -> Labels:
    assert isinstance(pod, dict)
    cage.event(pod, reason, said, 7)
    node = pod["spec"]["nodeName"]
    return {**cage.kubelet(pod, "Pending", app=waits("ContainerCreating")), "node": node}


@fault("KubePodNotReady", "{pod} cannot start", "ConfigMap web-files does not exist",
       first="deploy show {space}/web")  # fmt: skip
def a_volume_of_a_config_map_that_is_missing(cage: Cage) -> Labels:
    pod = cage.web({"volumes": [{"name": "conf", "configMap": {"name": "web-files"}}]},
                   volumeMounts=[{"name": "conf", "mountPath": "/etc/web"}])  # fmt: skip
    said = 'MountVolume.SetUp failed for volume "conf" : configmap "web-files" not found'
    return creating(cage, pod, "FailedMount", said)


@fault("KubePodNotReady", "{pod} cannot start", "still attached to another node", "web-old-0",
       first="node show {node}")  # fmt: skip
def a_volume_that_another_node_holds(cage: Cage) -> Labels:
    said = 'Multi-Attach error for volume "pvc-0a1b" Volume is already used by pod(s) web-old-0'
    return creating(cage, cage.web(), "FailedAttachVolume", said)


@fault("KubePodNotReady", "{pod} cannot start", "no IP address left", first="node show {node}")
def a_subnet_without_addresses(cage: Cage) -> Labels:
    said = (
        'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "5f0c":'
        ' plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
    )
    return creating(cage, cage.web(), "FailedCreatePodSandBox", said)


# --- Not ready, and put out ---------------------------------------------------------------------------------


def unready(cage: Cage, said: str) -> Labels:
    pod = cage.web(readinessProbe=PROBE)
    cage.event(pod, "Unhealthy", f"Readiness probe failed: {said}", 30)
    return cage.kubelet(pod, app=runs(False))


@fault("KubePodNotReady", "{pod}/app is not ready", "readiness probe", "answers 404",
       first="logs {space}/{pod} --container app")  # fmt: skip
def a_readiness_probe_that_asks_a_wrong_path(cage: Cage) -> Labels:
    return unready(cage, "HTTP probe failed with statuscode: 404")


@fault("KubePodNotReady", "{pod}/app is not ready", "takes no connections on the probe's port",
       first="logs {space}/{pod} --container app")  # fmt: skip
def a_readiness_probe_that_is_refused(cage: Cage) -> Labels:
    return unready(
        cage, 'Get "http://10.20.7.7:8080/healthz": dial tcp 10.20.7.7:8080: connect: connection refused'
    )


@fault("KubePodNotReady", "{pod} was evicted", "low on ephemeral-storage", "app used 5Gi",
       first="node show {node}")  # fmt: skip
def a_pod_that_filled_its_nodes_disk(cage: Cage) -> Labels:
    pod = cage.web()
    said = (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 1071721010, available: 612352Ki."
        " Container app was using 5Gi, request is 0, has larger consumption of ephemeral-storage. "
    )
    cage.event(pod, "Evicted", said)
    told = {"phase": "Failed", "reason": "Evicted", "message": said, "startTime": at(9), "conditions": [],
            "containerStatuses": []}  # fmt: skip
    cage.tell("Pod", pod["metadata"]["name"], told)
    return {**cage.labels(pod), "node": pod["spec"]["nodeName"]}
