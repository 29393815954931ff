"""A real Kubernetes control plane on loopback: etcd, kube-apiserver, controller-manager and scheduler.

Owns the certificates, the token file, the children and their order; `seed` fills it with a large cluster
for benchmarks. There is no kubelet: pods never run by themselves, a deleted bound pod stays Terminating
until it is deleted with grace 0, and the node lifecycle controller is left out because it would declare
every node lost after 40 s. Data lives in a temporary folder and goes with it; etcd does not fsync.
Called by tests marked `cluster`, by benchmarks and by `make sandbox`; never point it at a real cluster.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox import envtest
from sandbox.process import Child, free_ports

Json = dict[str, Any]

ADMIN = "admin"
MASTERS = "system:masters"
# A user with no rights at all: RBAC tests bind it to what they are about.
USERS: Mapping[str, Sequence[str]] = {"viewer": ()}

ALL_CONTROLLERS = ("*", "-node-lifecycle-controller")
# For seeded clusters: disruption budgets, namespaces and service accounts work, but nothing creates,
# adopts or collects the seeded pods.
QUIET_CONTROLLERS = ("disruption-controller", "namespace-controller", "serviceaccount-controller")
NO_CONTROLLERS: tuple[str, ...] = ()

READY_SECONDS = 60
# Enough to keep two cores of apiserver busy; four left them idle now and then.
SEED_THREADS = 16
PODS_PER_WORKLOAD = 20


class ApiError(RuntimeError):
    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:600]}")
        self.status = status


SICK = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "CreateContainerConfigError",
    "OOMKilled",
    "Init:CrashLoopBackOff",
    "NotReady",
    "Pending",
    "Evicted",
    "Completed",
    "Terminating",
)


@dataclass(frozen=True, slots=True)
class PlannedPod:
    """One pod to seed. `sickness` is empty or one of SICK, which are the words kubectl prints."""

    namespace: str
    workload: str
    number: int
    node: str
    sickness: str = ""

    @property
    def name(self) -> str:
        return f"{self.workload}-{_hash_label(self.workload)}-{self.number:05d}"

    def body(self, owner: Json) -> Json:
        labels = {
            "app.kubernetes.io/name": self.workload,
            "app.kubernetes.io/part-of": self.namespace,
            "pod-template-hash": _hash_label(self.workload),
        }
        metadata: Json = {"name": self.name, "labels": labels, "ownerReferences": [owner]}
        spec = _pod_spec()
        spec["nodeName"] = self.node
        if self.sickness == "Completed":
            # Only pods of jobs complete; an owner that keeps replicas would have restarted it.
            del metadata["ownerReferences"]
            spec["restartPolicy"] = "Never"
        if self.sickness == "Pending":
            # Too big for any node, so a running scheduler leaves it alone.
            del spec["nodeName"]
            spec["containers"][0]["resources"] = {"requests": {"cpu": "640"}}
        if self.sickness.startswith("Init:"):
            spec["initContainers"] = [{"name": "migrate", "image": f"{IMAGE}:1.4.2"}]
        return {"metadata": metadata, "spec": spec}

    def status(self) -> Json:
        moment = _now()
        return _sick_status(self.sickness, _running_status(self.number, moment), moment)


@dataclass(frozen=True, slots=True)
class Seeded:
    """What a seeding put there; `sick` maps what is wrong to the pods it is wrong with."""

    nodes: int
    pods: int
    sick: Mapping[str, tuple[tuple[str, str], ...]]
    seconds: float


class ControlPlane:
    url: str
    token: str
    ca: Path
    kubeconfig: Path

    def __init__(
        self,
        assets: Path | None = None,
        *,
        controllers: Sequence[str] = ALL_CONTROLLERS,
        scheduler: bool = True,
        users: Mapping[str, Sequence[str]] = USERS,
    ) -> None:
        self.assets = assets or envtest.present()
        self.controllers = tuple(controllers)
        self.scheduler = scheduler
        everyone = {ADMIN: (MASTERS,), **users}
        self._groups = {user: tuple(groups) for user, groups in everyone.items()}
        self._tokens = {user: secrets.token_urlsafe(24) for user in everyone}
        self.token = self._tokens[ADMIN]
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self._closing = closing
            self.folder = Path(tempfile.mkdtemp(prefix="sre-bot-controlplane-"))
            closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._start()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Children in reverse order, then the folder; a second call does nothing."""
        self._closing.close()

    def kill_apiserver(self) -> None:
        """At once, as when its machine dies. etcd and the controllers stay, and wait for it."""
        self._apiserver.kill()

    def start_apiserver(self) -> None:
        """The same again, at the same address; returns when it is ready."""
        self._apiserver.start()
        self._wait(self._apiserver, f"{self.url}/readyz")

    def token_for(self, user: str) -> str:
        return self._tokens[user]

    def kubeconfig_for(self, user: str) -> Path:
        path = self.folder / f"{user}.kubeconfig"
        path.write_text(json.dumps(_kubeconfig(self.url, self.ca, user, self.token_for(user))))
        path.chmod(0o600)
        return path

    def kubectl(self, *args: str, stdin: str | None = None, user: str = ADMIN) -> str:
        """What kubectl printed; raises CalledProcessError with its stderr noted when it fails."""
        config = self.kubeconfig if user == ADMIN else self.kubeconfig_for(user)
        argv = [str(self.assets / "kubectl"), f"--kubeconfig={config}", *args]
        # Its discovery cache is kept beside the data: ports are reused between runs, answers are not.
        env = {**os.environ, "KUBECACHEDIR": str(self.folder / "kubectl-cache")}
        done = subprocess.run(argv, input=stdin, env=env, capture_output=True, text=True, timeout=120)
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
            error.add_note(done.stderr)
            raise error
        return done.stdout

    def request(
        self,
        method: str,
        path: str,
        body: Json | list[Any] | None = None,
        *,
        content_type: str = "application/json",
        user: str = ADMIN,
    ) -> Json:
        headers = {"Authorization": f"Bearer {self.token_for(user)}", "Content-Type": content_type}
        answer = self._pool.request(
            method,
            self.url + path,
            body=None if body is None else json.dumps(body),
            headers=headers,
            retries=False,
            timeout=urllib3.Timeout(connect=3, read=60),
        )
        if answer.status >= 300:
            raise ApiError(answer.status, answer.data.decode(errors="replace"))
        result: Json = json.loads(answer.data)
        return result

    def ensure(self, collection: str, body: Json) -> None:
        """Create it unless it is there."""
        try:
            self.request("POST", collection, body)
        except ApiError as error:
            if error.status != 409:
                raise

    def add_namespace(self, name: str) -> None:
        """With its default service account, which pods need and a controller may be late to make."""
        self.ensure("/api/v1/namespaces", {"metadata": {"name": name}})
        self.ensure(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})

    def add_node(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        zone: str = "eu-west-1a",
        taints: Iterable[Mapping[str, str]] = (),
        ready: bool = True,
        version: str = envtest.KUBERNETES,
    ) -> Json:
        """A node as its kubelet would register it, schedulable at once."""
        node = _node(name, zone=zone, labels=labels or {})
        made = self.request("POST", "/api/v1/nodes", node)
        # Admission puts node.kubernetes.io/not-ready:NoSchedule on every new node, and only the node
        # lifecycle controller would take it away.
        patch = {"spec": {"taints": list(taints)}}
        self.request("PATCH", f"/api/v1/nodes/{name}", patch, content_type="application/merge-patch+json")
        status = {"metadata": made["metadata"], "status": _node_status(name, ready=ready, version=version)}
        # The patch moved the resourceVersion on; without one the write is unconditional.
        del status["metadata"]["resourceVersion"]
        return self.request("PUT", f"/api/v1/nodes/{name}/status", status)

    def set_pod_status(self, namespace: str, name: str, status: Json) -> Json:
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
        return self.request(
            "PATCH", path, {"status": status}, content_type="application/strategic-merge-patch+json"
        )

    def seed(
        self, *, nodes: int = 300, pods: int = 10_000, namespaces: int = 20, sick_each: int = 5
    ) -> Seeded:
        """Nodes, Deployments with their ReplicaSets, and running pods bound to the nodes; `sick_each` pods
        of every kind in SICK are among them.

        Through the API, two requests per pod, because only the apiserver writes what it would read.
        """
        if not set(self.controllers) <= set(QUIET_CONTROLLERS):
            raise ValueError("seed needs QUIET_CONTROLLERS: others would replace or collect the pods")
        started = time.monotonic()
        spaces = [f"team-{number:02}" for number in range(namespaces)]
        machines = [f"node-{number:03}" for number in range(nodes)]
        planned = _plan_pods(pods, spaces, machines, sick_each)
        workloads = sorted({(pod.namespace, pod.workload) for pod in planned})
        with ThreadPoolExecutor(SEED_THREADS) as threads:
            list(threads.map(self.add_namespace, spaces))
            zones = [f"eu-west-1{'abc'[number % 3]}" for number in range(nodes)]
            list(threads.map(lambda name, zone: self.add_node(name, zone=zone), machines, zones))
            owners = dict(zip(workloads, threads.map(self._add_workload, workloads), strict=True))
            list(threads.map(lambda pod: self._add_pod(pod, owners[pod.namespace, pod.workload]), planned))
        sick: dict[str, tuple[tuple[str, str], ...]] = {}
        for pod in planned:
            if pod.sickness:
                sick[pod.sickness] = (*sick.get(pod.sickness, ()), (pod.namespace, pod.name))
        return Seeded(nodes=nodes, pods=pods, sick=sick, seconds=time.monotonic() - started)

    def _add_workload(self, which: tuple[str, str]) -> Json:
        """A Deployment and its ReplicaSet; answers the owner reference for their pods."""
        namespace, name = which
        base = f"/apis/apps/v1/namespaces/{namespace}"
        deployment = self.request("POST", f"{base}/deployments", _workload(name, PODS_PER_WORKLOAD))
        replica_set = _workload(f"{name}-{_hash_label(name)}", PODS_PER_WORKLOAD, app=name)
        replica_set["metadata"]["ownerReferences"] = [_owner(deployment, "Deployment")]
        made = self.request("POST", f"{base}/replicasets", replica_set)
        for kind, item in (("deployments", deployment), ("replicasets", made)):
            item["status"] = _workload_status(PODS_PER_WORKLOAD, is_deployment=kind == "deployments")
            self.request("PUT", f"{base}/{kind}/{item['metadata']['name']}/status", item)
        return _owner(made, "ReplicaSet")

    def _add_pod(self, pod: PlannedPod, owner: Json) -> None:
        path = f"/api/v1/namespaces/{pod.namespace}/pods"
        body = pod.body(owner)
        self.request("POST", path, body)
        # A status write takes its metadata from the body, so it repeats the one just posted; its spec is
        # ignored. Without a resourceVersion it needs no look at the answer.
        self.request(
            "PUT", f"{path}/{pod.name}/status", {"metadata": body["metadata"], "status": pod.status()}
        )
        if pod.sickness == "Terminating":
            self.request("DELETE", f"{path}/{pod.name}")

    def _start(self) -> None:
        client, peer, api, manager, scheduler = free_ports(5)
        self.url = f"https://127.0.0.1:{api}"
        self._write_files()
        self._pool = urllib3.PoolManager(ca_certs=str(self.ca), maxsize=SEED_THREADS, retries=False)
        self._closing.callback(self._pool.clear)
        etcd = self._launch("etcd", _etcd_flags(self.folder, client, peer))
        self._wait(etcd, f"http://127.0.0.1:{client}/health")
        self._apiserver = apiserver = self._launch("kube-apiserver", self._apiserver_flags(client, api))
        self._wait(apiserver, f"{self.url}/readyz")
        waiting: list[tuple[Child, str]] = []
        if self.controllers:
            child = self._launch("kube-controller-manager", self._manager_flags(manager))
            waiting.append((child, f"https://127.0.0.1:{manager}/healthz"))
        if self.scheduler:
            child = self._launch("kube-scheduler", self._component_flags(scheduler))
            waiting.append((child, f"https://127.0.0.1:{scheduler}/readyz"))
        for child, url in waiting:
            self._wait(child, url)
        # The apiserver makes the namespace itself, just after it says it is ready.
        self._wait(apiserver, f"{self.url}/api/v1/namespaces/default")
        self.add_namespace("default")

    def _launch(self, program: str, flags: Sequence[str]) -> Child:
        # Nothing of ours, for these programs read KUBECONFIG and proxies from it. Collecting garbage less
        # often saves the apiserver a fifth of its work while 10,000 pods are seeded (55 to 42 s of processor
        # time) and costs memory: 2.5 GiB instead of 1.2.
        env = {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "GOGC": "400",
            "GOMEMLIMIT": "3GiB",
        }
        child = Child([self.assets / program, *flags], log=self.folder / f"{program}.log", env=env)
        child.start()
        self._closing.callback(child.stop)
        return child

    def _write_files(self) -> None:
        _write_certificates(self.folder)
        self.ca = self.folder / "ca.crt"
        lines = [
            f'{token},{user},{user},"{",".join(self._groups[user])}"' for user, token in self._tokens.items()
        ]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")
        self.kubeconfig = self.kubeconfig_for(ADMIN)

    def _apiserver_flags(self, etcd: int, port: int) -> list[str]:
        flags = {
            "etcd-servers": f"http://127.0.0.1:{etcd}",
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "tls-cert-file": self.folder / "server.crt",
            "tls-private-key-file": self.folder / "server.key",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.folder / "accounts.key",
            "service-account-signing-key-file": self.folder / "accounts.key",
            "service-cluster-ip-range": "10.96.0.0/16",
            "token-auth-file": self.folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "allow-privileged": "true",
            "profiling": "false",
        }
        return _as_flags(flags)

    def _component_flags(self, port: int) -> list[str]:
        flags = {
            "kubeconfig": self.kubeconfig,
            "authentication-kubeconfig": self.kubeconfig,
            "authorization-kubeconfig": self.kubeconfig,
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "tls-cert-file": self.folder / "server.crt",
            "tls-private-key-file": self.folder / "server.key",
            "leader-elect": "false",
            "profiling": "false",
        }
        return _as_flags(flags)

    def _manager_flags(self, port: int) -> list[str]:
        flags = {
            "controllers": ",".join(self.controllers),
            "service-account-private-key-file": self.folder / "accounts.key",
            "root-ca-file": self.ca,
            "kube-api-qps": 200,
            "kube-api-burst": 400,
        }
        return [*self._component_flags(port), *_as_flags(flags)]

    def _wait(self, child: Child, url: str) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if url.startswith(self.url) else {}

        def answers() -> bool:
            try:
                return self._pool.request("GET", url, headers=headers, timeout=2).status == 200
            except urllib3.exceptions.HTTPError:
                return False

        child.wait_ready(answers, seconds=READY_SECONDS)


def _as_flags(flags: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


def _etcd_flags(folder: Path, client: int, peer: int) -> list[str]:
    flags = {
        "data-dir": folder / "etcd",
        "listen-client-urls": f"http://127.0.0.1:{client}",
        "advertise-client-urls": f"http://127.0.0.1:{client}",
        "listen-peer-urls": f"http://127.0.0.1:{peer}",
        "initial-advertise-peer-urls": f"http://127.0.0.1:{peer}",
        "initial-cluster": f"default=http://127.0.0.1:{peer}",
        "log-level": "warn",
        "unsafe-no-fsync": "true",
    }
    return _as_flags(flags)


def _kubeconfig(url: str, ca: Path, user: str, token: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": user}}],
        "clusters": [{"name": "sandbox", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": user, "user": {"token": token}}],
    }


def _write_certificates(folder: Path) -> None:
    """A CA, a server certificate it signed, and the key of service account tokens.

    Own ones, because the apiserver's self-signed certificate lacks the key identifiers that Python 3.13
    insists on.
    """
    ca_key, server_key, accounts_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    authority = _certificate("sandbox-ca", ca_key.public_key(), ca_key)
    server = _certificate("kube-apiserver", server_key.public_key(), ca_key, issued_by=authority)
    for name, certificate in (("ca.crt", authority), ("server.crt", server)):
        (folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for name, key in (("server.key", server_key), ("accounts.key", accounts_key)):
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        (folder / name).write_bytes(pem)


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    issued_by: x509.Certificate | None = None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_authority = issued_by is None
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issued_by is None else issued_by.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(_key_usage(is_authority), critical=True)
    )
    if not is_authority:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(usage, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _key_usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _node(name: str, *, zone: str, labels: Mapping[str, str]) -> Json:
    known = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": zone[:-1],
        "node.kubernetes.io/instance-type": "m6i.2xlarge",
    }
    provider = f"aws:///{zone}/i-{zlib.crc32(name.encode()):017x}"
    return {"metadata": {"name": name, "labels": {**known, **labels}}, "spec": {"providerID": provider}}


def _node_status(name: str, *, ready: bool, version: str) -> Json:
    moment = _now()
    pressures = ("MemoryPressure", "DiskPressure", "PIDPressure")
    conditions = [_condition(each, False, "KubeletHas", moment) for each in pressures]
    reason = "KubeletReady" if ready else "KubeletNotReady"
    conditions.append(_condition("Ready", ready, reason, moment))
    capacity = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "capacity": capacity,
        "allocatable": {**capacity, "cpu": "7910m", "memory": "30Gi"},
        "conditions": conditions,
        "addresses": [{"type": "Hostname", "address": name}],
        "nodeInfo": {
            "kubeletVersion": version,
            "kubeProxyVersion": "",
            "containerRuntimeVersion": "containerd://2.1.4",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "osImage": "Amazon Linux 2023",
            "kernelVersion": "6.12.40-64.114.amzn2023.x86_64",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }


def _condition(kind: str, is_true: bool, reason: str, moment: str) -> Json:
    return {
        "type": kind,
        "status": str(is_true),
        "reason": reason,
        "lastHeartbeatTime": moment,
        "lastTransitionTime": moment,
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


IMAGE = "registry.example/shop/api"


def _plan_pods(
    count: int, namespaces: Sequence[str], nodes: Sequence[str], sick_each: int
) -> list[PlannedPod]:
    """Workloads of PODS_PER_WORKLOAD over the namespaces, round robin over the nodes; the sick spread out."""
    ill = [kind for kind in SICK for _ in range(sick_each)]
    if len(ill) > count:
        raise ValueError(f"{len(ill)} sick pods do not fit into {count}")
    stride = count // len(ill) if ill else 0
    sickness = {position * stride: kind for position, kind in enumerate(ill)}
    planned = []
    for number in range(count):
        workload = number // PODS_PER_WORKLOAD
        planned.append(
            PlannedPod(
                namespace=namespaces[workload % len(namespaces)],
                workload=f"svc-{workload:04}",
                number=number,
                node=nodes[number % len(nodes)],
                sickness=sickness.get(number, ""),
            )
        )
    return planned


def _hash_label(workload: str) -> str:
    return f"{zlib.crc32(workload.encode()):08x}"


def _owner(owner: Json, kind: str) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _workload(name: str, replicas: int, *, app: str = "") -> Json:
    """A Deployment, or with `app` the ReplicaSet of that Deployment."""
    labels = {"app.kubernetes.io/name": app or name}
    if app:
        labels["pod-template-hash"] = _hash_label(app)
    annotations = {"deployment.kubernetes.io/revision": "1"}
    template = {"metadata": {"labels": labels}, "spec": _pod_spec()}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "labels": labels, "annotations": annotations}, "spec": spec}


def _workload_status(replicas: int, *, is_deployment: bool) -> Json:
    status: Json = {
        "observedGeneration": 1,
        "replicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
    }
    if is_deployment:
        status["updatedReplicas"] = replicas
    else:
        status["fullyLabeledReplicas"] = replicas
    return status


def _pod_spec() -> Json:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10}
    main = {
        "name": "app",
        "image": f"{IMAGE}:1.4.2",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "env": [{"name": f"SETTING_{number}", "value": f"value-{number}"} for number in range(8)],
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    proxy = {
        "name": "proxy",
        "image": "registry.example/mesh/proxy:3.2.0",
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    return {"containers": [main, proxy], "terminationGracePeriodSeconds": 30}


def _running_status(number: int, moment: str) -> Json:
    address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    return {
        "phase": "Running",
        "startTime": moment,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "qosClass": "Burstable",
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": moment} for kind in kinds],
        "containerStatuses": [_container_status(name, moment) for name in ("app", "proxy")],
    }


def _container_status(name: str, moment: str) -> Json:
    return {
        "name": name,
        "image": f"{IMAGE}:1.4.2",
        "imageID": f"{IMAGE}@sha256:{'0' * 64}",
        "containerID": f"containerd://{'0' * 64}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": moment}},
    }


def _sick_status(sickness: str, status: Json, moment: str) -> Json:
    """The running status, changed to what a kubelet writes for this sickness."""
    main = status["containerStatuses"][0]
    died = {"exitCode": 1, "reason": "Error", "startedAt": moment, "finishedAt": moment}
    match sickness:
        case "CrashLoopBackOff":
            _not_ready(status, moment)
            main.update(restartCount=17, lastState={"terminated": died})
            main["state"] = _waiting(sickness, "back-off 5m0s restarting failed container=app")
        case "ImagePullBackOff" | "CreateContainerConfigError":
            _not_ready(status, moment)
            status["phase"] = "Pending"
            main.update(imageID="", started=False, state=_waiting(sickness, "cannot start container app"))
        case "OOMKilled":
            main.update(
                restartCount=4, lastState={"terminated": {**died, "exitCode": 137, "reason": sickness}}
            )
        case "Init:CrashLoopBackOff":
            _not_ready(status, moment)
            status["phase"] = "Pending"
            migrate = _container_status("migrate", moment)
            migrate.update(ready=False, started=False, restartCount=6, lastState={"terminated": died})
            migrate["state"] = _waiting(
                "CrashLoopBackOff", "back-off 2m40s restarting failed container=migrate"
            )
            status["initContainerStatuses"] = [migrate]
            # While this says True, kubectl does not look at init containers at all.
            status["conditions"][1].update(status="False", reason="ContainersNotInitialized")
            for each in status["containerStatuses"]:
                each.update(ready=False, started=False, state=_waiting("PodInitializing", ""))
        case "NotReady":
            _not_ready(status, moment)
        case "Pending":
            message = "no node is available: Insufficient cpu."
            refused = {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": message,
            }
            return {"phase": "Pending", "conditions": [refused], "qosClass": "Burstable"}
        case "Evicted":
            message = "The node was low on resource: memory."
            return {"phase": "Failed", "reason": sickness, "message": message, "startTime": moment}
        case "Completed":
            _not_ready(status, moment)
            status["phase"] = "Succeeded"
            ended = {"terminated": {**died, "exitCode": 0, "reason": sickness}}
            for each in status["containerStatuses"]:
                each.update(ready=False, started=False, state=ended)
    return status


def _not_ready(status: Json, moment: str) -> None:
    status["containerStatuses"][0].update(ready=False, started=False)
    for condition in status["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition.update(status="False", reason="ContainersNotReady", lastTransitionTime=moment)


def _waiting(reason: str, message: str) -> Json:
    return {"waiting": {"reason": reason, "message": message}}
