"""The cluster and the services that run in it: namespaces, paths, and what `incident freeze` may stop.

A part of the site (commands/site/__init__.py), of nothing but values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from commands.site.values import (
    Cidrs,
    Globs,
    Name,
    Namespace,
    OneOrMany,
    OwnNamespace,
    Path,
    Port,
    Shape,
    Within,
    Words,
)


@dataclass(frozen=True, slots=True)
class ExpectedRoles:
    """IAM role names the audits compare with; the real ones are read from EKS."""

    node: str = "EKSNodeGroupRole"
    cluster: str = "EKSClusterRole"


@dataclass(frozen=True, slots=True)
class Namespaces:
    app: Namespace = "sre-shop"
    monitoring: Namespace = "monitoring"
    system: Namespace = "kube-system"
    bot: Namespace = "sre-bot"
    watch: Annotated[tuple[Namespace, ...], OneOrMany()] = ("all",)

    @property
    def watched(self) -> tuple[str, ...]:
        """The namespaces to read, as `reads.Pods` wants them: "" alone stands for all."""
        return ("",) if "all" in self.watch else self.watch


@dataclass(frozen=True, slots=True)
class Paths:
    """HTTP paths of a service; "" where it has none, and then nothing is asked there."""

    health: Path = "/healthz"
    ready: Path = "/readyz"
    metrics: Path = "/metrics"


@dataclass(frozen=True, slots=True)
class Freeze:
    """How writes of a service are stopped in an incident.

    scale: its writers run no pods. flag: one key of a ConfigMap says that it only reads. netpol: its writers do not
    reach the addresses of its database, which is outside the cluster. writers: workloads ("worker", "sts/queue") of
    its namespace, its Deployment where none is named. cron_jobs: names of CronJobs there that are suspended, too.
    """

    mode: Literal["scale", "flag", "netpol"] = "scale"
    writers: Words = ()
    cron_jobs: Globs = ("*",)
    config_map: Name = ""
    key: Annotated[str, Shape("config key")] = "read-only"
    value: str = "true"
    database: Cidrs = ()


@dataclass(frozen=True, slots=True)
class ServiceSite:
    """One application. The key it stands under is `name`; the loader fills what is left empty:
    namespace from `namespaces.app`, deployment (and, for role "app", service) from the name.

    role: "app" answers users; "synthetic" makes traffic and has no Service of its own.
    replicas: how many are expected; None when whatever the Deployment asks for is right.
    owner: a key of `roles:`, or a Slack user or user-group id.
    """

    name: str = field(default="", metadata={"key": ""})  # not a key of its own: the key above it
    namespace: OwnNamespace = ""
    deployment: Name = ""
    service: Name = ""
    port: Port = 8080
    paths: Paths = Paths()
    must_export: tuple[str, ...] = ()
    owner: Annotated[str, Shape("owner")] = "service-owner"
    replicas: Annotated[int | None, Within(0)] = None
    role: Literal["app", "synthetic"] = "app"
    freeze: Freeze = Freeze()


def first_app(services: Mapping[str, ServiceSite]) -> ServiceSite:
    """The first one with users who could miss it; the first of all where none has any."""
    return min(services.values(), key=lambda each: (each.role != "app", not each.service))


def manual_services() -> Mapping[str, ServiceSite]:
    backend = ServiceSite(
        name="backend",
        namespace="sre-shop",
        deployment="backend",
        service="backend-service",
        must_export=("http_requests_total", "http_request_duration_seconds_bucket"),
    )
    generator = ServiceSite(
        name="traffic-generator",
        namespace="sre-shop",
        deployment="traffic-generator",
        replicas=1,
        role="synthetic",
    )
    return {backend.name: backend, generator.name: generator}
