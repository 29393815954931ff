"""What each read and each effect needs to be allowed: rules of Kubernetes, actions of AWS, or nothing.

The one list of rights: the roles of k8s/ and k8s/aws-policy.json are written from it (`make rbac`), and the
doctor asks for these (bot/doctor/cluster.py, bot/doctor/aws.py). It follows what the clients in workers/ really ask for,
which tests/edges/test_needs.py holds. A class without an entry is an error: `()` says that it needs no right.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from commands import (
    alertreads,
    changereads,
    effects,
    podreads,
    reads,
    responsereads,
    scheduling,
    securityreads,
    triagereads,
    workloads,
)
from commands.effects import Effect
from commands.model import Read


class Where(StrEnum):
    """In which namespaces: those watched, those of the services, that of the monitoring; or the whole cluster,
    which is also said of what has no namespace."""

    CLUSTER = "cluster"
    WATCHED = "watched"
    SERVICES = "services"
    MONITORING = "monitoring"


class Extra(StrEnum):
    """Rights that are more than they look and stand in roles of their own, which nobody has by default."""

    PODS_PROXY = "pods-proxy"
    SERVICES_PROXY = "services-proxy"
    SILENCES_PROXY = "silences-proxy"
    NODES_PROXY = "nodes-proxy"
    SECRETS = "secrets"
    TOKENS = "tokens"
    FLAGS = "flags"


@dataclass(frozen=True, slots=True)
class Rule:
    """One right, as RBAC names it: `resource` with its subresource ("pods/log")."""

    verb: str
    resource: str
    group: str = ""
    where: Where = Where.CLUSTER
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One right of IAM ("eks:DescribeCluster") and the part of the ARN after region and account; ANY where AWS
    lets a policy name no resource for it."""

    name: str
    resource: str


ANY = "*"

Need = Rule | Action
Needs = tuple[Need, ...]


def _list(*resources: str, where: Where = Where.CLUSTER) -> tuple[Rule, ...]:
    return tuple(_rule("list", resource, where) for resource in resources)


def _get(*resources: str, where: Where = Where.CLUSTER) -> tuple[Rule, ...]:
    return tuple(_rule("get", resource, where) for resource in resources)


def _rule(verb: str, resource: str, where: Where = Where.CLUSTER) -> Rule:
    """Of "deployments.apps", "deployments.apps/scale"."""
    named, _, sub = resource.partition("/")
    name, _, group = named.partition(".")
    return Rule(verb, f"{name}/{sub}" if sub else name, group, where)


_BY_POD_PROXY = (Rule("get", "pods/proxy", where=Where.SERVICES, extra=Extra.PODS_PROXY),)
_BY_SERVICE_PROXY = (Rule("get", "services/proxy", where=Where.MONITORING, extra=Extra.SERVICES_PROXY),)

# To make one, and to end one: a twin of one that was just made is ended as well.
_SILENCING = tuple(
    Rule(verb, "services/proxy", where=Where.MONITORING, extra=Extra.SILENCES_PROXY)
    for verb in ("create", "delete")
)
# Where Prometheus is Amazon's (`monitoring.prometheus.sigv4`), which knows no Service.
_AMP_QUERY = (Action("aps:QueryMetrics", "workspace/*"),)
_AMP_RULES = (Action("aps:ListRules", "workspace/*"),)

_WATCHED = Where.WATCHED
_TEMPLATED = ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
_SCALED = ("deployments.apps", "statefulsets.apps")
_REVISIONS = ("replicasets.apps", "controllerrevisions.apps")

READS: Mapping[type[Read], Needs] = {
    reads.Now: (),
    # Kubernetes.
    reads.Nodes: _list("nodes"),
    reads.Pods: _list("pods", where=_WATCHED),
    reads.Endpoints: _list("endpointslices.discovery.k8s.io", where=Where.SERVICES),
    reads.Deployment: _get("deployments.apps", where=Where.SERVICES),
    reads.NodeMetrics: _list("nodes.metrics.k8s.io"),
    reads.DryRun: (),  # those of its effect: only a worker that may change something may rehearse it
    # Scheduling.
    scheduling.NodeDetails: _list("nodes"),
    scheduling.AttachLimits: _list("csinodes.storage.k8s.io"),
    scheduling.PodsOnNode: _list("pods"),
    scheduling.Newcomer: _get("deployments.apps", "statefulsets.apps", "replicasets.apps", where=_WATCHED),
    scheduling.Placements: _list("pods"),
    scheduling.Budgets: _list("poddisruptionbudgets.policy"),
    scheduling.Owners: _list("replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch"),
    scheduling.Backends: _list("endpointslices.discovery.k8s.io"),
    scheduling.Webhooks: _list(
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    ),
    scheduling.Volumes: _list("persistentvolumes"),
    # Workloads.
    workloads.Workload: _get(*_TEMPLATED, where=_WATCHED),
    workloads.Workloads: _list(*_TEMPLATED, where=_WATCHED),
    workloads.Revisions: _list(*_REVISIONS, where=_WATCHED),
    workloads.Members: _list("pods", where=_WATCHED),
    workloads.Autoscalers: _list("horizontalpodautoscalers.autoscaling", where=_WATCHED),
    workloads.WorkloadBudgets: _list("poddisruptionbudgets.policy", where=_WATCHED),
    workloads.Quotas: _list("resourcequotas", where=_WATCHED),
    workloads.ServicesOf: _list("services", where=_WATCHED),
    workloads.IngressesOf: _list("ingresses.networking.k8s.io", where=_WATCHED),
    workloads.Referred: (
        *_get("configmaps", "serviceaccounts", "persistentvolumeclaims", where=_WATCHED),
        Rule("get", "secrets", where=_WATCHED, extra=Extra.SECRETS),
    ),
    # Single pods.
    podreads.PodDetails: _list("pods", where=_WATCHED),
    podreads.PodRows: _list("pods", where=_WATCHED),
    podreads.ConfigMapChange: _get("configmaps", where=_WATCHED),
    podreads.PodMetrics: _list("pods.metrics.k8s.io", where=_WATCHED),
    podreads.NodeDisk: (Rule("get", "nodes/proxy", extra=Extra.NODES_PROXY),),
    podreads.Events: _list("events", where=_WATCHED),
    podreads.OnePod: _get("pods", where=_WATCHED),
    podreads.IsolatedPods: _list("pods", where=_WATCHED),
    podreads.Document: (
        *_get("nodes"),
        *_get("pods", "replicasets.apps", *_TEMPLATED, "jobs.batch", where=_WATCHED),
    ),
    podreads.ContainerLog: _get("pods/log", where=_WATCHED),
    podreads.Network: (*_list("daemonsets.apps"), *_get("configmaps")),
    podreads.Policies: _list("networkpolicies.networking.k8s.io", where=_WATCHED),
    # Diagnoses. Of the whole cluster, and of nodes (whose events are kept in the namespace default), what is not
    # granted stands as not read beside the rest.
    triagereads.Changes: (
        *_list(*_TEMPLATED, *_REVISIONS, "horizontalpodautoscalers.autoscaling", where=_WATCHED),
        *_list("configmaps", "events", where=_WATCHED),
        *_get(*_REVISIONS, where=_WATCHED),
        *_list("nodes"),
        Rule("list", "secrets", where=_WATCHED, extra=Extra.SECRETS),
    ),
    triagereads.OwnerNotes: (
        *_get("namespaces"),
        *_get(*_TEMPLATED, "jobs.batch", "cronjobs.batch", where=_WATCHED),
    ),
    triagereads.NamespaceNotes: _list("namespaces"),
    triagereads.PodSpecOf: _get("pods", where=_WATCHED),
    triagereads.Claim: (
        *_get("persistentvolumeclaims", where=_WATCHED),
        *_list("pods", where=_WATCHED),
        *_get("persistentvolumes", "storageclasses.storage.k8s.io"),
    ),
    triagereads.Jobs: _list("jobs.batch", where=_WATCHED),
    triagereads.CronJob: _get("cronjobs.batch", where=_WATCHED),
    triagereads.NodeLease: _get("leases.coordination.k8s.io"),
    triagereads.NodeClaims: _list("nodeclaims.karpenter.sh"),
    triagereads.ApiServices: _list("apiservices.apiregistration.k8s.io"),
    triagereads.ApiHealth: (),  # whoever may log in may ask: ClusterRole system:public-info-viewer
    triagereads.ProviderId: _get("nodes"),
    # The containment of an incident.
    securityreads.Ranges: (
        *_list("nodes", "servicecidrs.networking.k8s.io"),
        *_get("services"),
    ),
    securityreads.Account: _get("serviceaccounts", where=_WATCHED),
    securityreads.AccountPods: _list("pods", where=_WATCHED),
    securityreads.AccountTokens: (Rule("list", "secrets", where=_WATCHED, extra=Extra.SECRETS),),
    securityreads.Scalers: _list("horizontalpodautoscalers.autoscaling", where=_WATCHED),
    securityreads.Schedules: _list("cronjobs.batch", where=_WATCHED),
    securityreads.Flag: _get("configmaps", where=_WATCHED),
    securityreads.ClusterVpc: (
        Action("eks:DescribeCluster", "cluster/*"),
        Action("eks:DescribeNodegroup", "nodegroup/*"),
        Action("ec2:DescribeVpcs", ANY),
        Action("ec2:DescribeSubnets", ANY),
    ),
    securityreads.NetworkAcls: (Action("ec2:DescribeNetworkAcls", ANY),),
    securityreads.SecurityGroups: (Action("ec2:DescribeSecurityGroups", ANY),),
    securityreads.AccountRoles: (
        Action("eks:ListPodIdentityAssociations", "cluster/*"),
        Action("eks:DescribePodIdentityAssociation", "podidentityassociation/*"),
    ),
    securityreads.Role: (Action("iam:GetRole", "role/*"), Action("iam:GetRolePolicy", "role/*")),
    securityreads.ManagedSecret: (Action("secretsmanager:DescribeSecret", "secret:*"),),
    # AWS.
    triagereads.Instance: (
        Action("ec2:DescribeInstances", ANY),
        Action("ec2:DescribeInstanceStatus", ANY),
    ),
    triagereads.ImageTags: (Action("ecr:DescribeImages", "repository/*"),),
    changereads.CloudChanges: (Action("cloudtrail:LookupEvents", ANY),),
    changereads.EksUpdates: tuple(
        Action(f"eks:{verb}", resource)
        for resource in ("cluster/*", "nodegroup/*")
        for verb in ("ListUpdates", "DescribeUpdate")
    ),
    triagereads.CloudEvents: (
        Action("health:DescribeEvents", ANY),
        Action("health:DescribeEventDetails", ANY),
    ),
    reads.EksCluster: (
        Action("eks:DescribeCluster", "cluster/*"),
        Action("eks:ListUpdates", "cluster/*"),
        Action("eks:DescribeUpdate", "cluster/*"),
    ),
    reads.Nodegroup: (Action("eks:DescribeNodegroup", "nodegroup/*"),),
    workloads.ImageInRegistry: (Action("ecr:DescribeImages", "repository/*"),),
    # Monitoring and pods by HTTP: by the API server's proxy where `monitoring.access` is proxy.
    reads.Query: (*_BY_SERVICE_PROXY, *_AMP_QUERY),
    alertreads.QueryRange: (*_BY_SERVICE_PROXY, *_AMP_QUERY),
    alertreads.Rules: (*_BY_SERVICE_PROXY, *_AMP_RULES),
    alertreads.ScrapeTargets: _BY_SERVICE_PROXY,
    reads.Targets: _BY_SERVICE_PROXY,
    reads.Retention: _BY_SERVICE_PROXY,
    reads.Probe: _BY_SERVICE_PROXY,
    reads.GrafanaHealth: _BY_SERVICE_PROXY,
    reads.Dashboards: _BY_SERVICE_PROXY,
    reads.AlertmanagerStatus: _BY_SERVICE_PROXY,
    alertreads.AlertmanagerConfig: _BY_SERVICE_PROXY,
    alertreads.AmAlerts: _BY_SERVICE_PROXY,
    alertreads.Silences: _BY_SERVICE_PROXY,
    reads.PodHttp: _BY_POD_PROXY,
    reads.PodExposition: _BY_POD_PROXY,
    # The network as the worker sees it; a Service by the proxy, as above.
    triagereads.Resolve: (),
    triagereads.Connect: (),
    triagereads.Fetch: (Rule("get", "services/proxy", where=Where.SERVICES, extra=Extra.SERVICES_PROXY),),
    alertreads.RunbookOf: (),  # files of the worker's own
    # The bot's own store.
    reads.WebhookHeartbeat: (),
    reads.RunLog: (),
    reads.DeadLetters: (),
    reads.Whoami: (),
    reads.EvidenceKept: (),
    reads.EffectiveConfig: (),
    alertreads.GroupOf: (),
    alertreads.OpenGroups: (),
    alertreads.Occurrences: (),
    responsereads.IncidentOf: (),
    responsereads.OpenIncidents: (),
    responsereads.EventsOf: (),
    responsereads.HouseZone: (),
    responsereads.TasksOf: (),
    responsereads.Tasks: (),
    responsereads.Asker: (),
    responsereads.Awaiting: (),
    responsereads.Incidents: (),
    responsereads.ChangeRequestOf: (),
    responsereads.ChangeRequests: (),
    responsereads.ChangeBaseline: (),
    responsereads.ChangeSamples: (),
    responsereads.ChangeOutcomes: (),
    responsereads.CommandCounts: (),
    responsereads.OnCallTurns: (),
    alertreads.Called: (),
    reads.AuditTrail: (),
    reads.AuditChain: (),
    # Its bucket.
    reads.AuditCopies: (Action("s3:ListBucket", ""),),
    reads.KeepAudit: (Action("s3:ListBucket", ""), Action("s3:PutObject", "audit/*")),
}

_FROZEN = (*_SCALED, "horizontalpodautoscalers.autoscaling", "cronjobs.batch")
_FREEZING = (
    *_get(*_FROZEN, "configmaps"),
    *(_rule("patch", resource) for resource in _FROZEN),
    Rule("patch", "configmaps", where=Where.SERVICES, extra=Extra.FLAGS),
)


def _on_guards(action: str) -> tuple[Action, ...]:
    return tuple(Action(f"ec2:{action}", f"{what}/*") for what in ("network-acl", "security-group"))


def _on_groups(action: str) -> tuple[Action, ...]:
    ways = (Action(f"ec2:{action}SecurityGroup{way}", "security-group/*") for way in ("Ingress", "Egress"))
    return (Action("ec2:DescribeSecurityGroups", ANY), *ways)


# Each looks at its object before it changes it, and once more when somebody else wrote to it in between.
EFFECTS: Mapping[type[Effect], Needs] = {
    effects.Cordon: (*_get("nodes"), _rule("patch", "nodes")),
    effects.Uncordon: (*_get("nodes"), _rule("patch", "nodes")),
    effects.Evict: (*_get("pods"), _rule("create", "pods/eviction")),
    effects.DeletePod: (*_get("pods"), _rule("delete", "pods")),
    effects.Relabel: (*_get("pods"), _rule("patch", "pods")),
    effects.DenyTraffic: tuple(
        _rule(verb, "networkpolicies.networking.k8s.io") for verb in ("get", "create")
    ),
    effects.AllowTraffic: tuple(
        _rule(verb, "networkpolicies.networking.k8s.io") for verb in ("get", "delete")
    ),
    effects.RollBack: (
        *_get(*_TEMPLATED, *_REVISIONS),
        *(_rule("patch", resource) for resource in _TEMPLATED),
    ),
    effects.Restart: (*_get(*_TEMPLATED), *(_rule("patch", resource) for resource in _TEMPLATED)),
    effects.Scale: (
        *_get(*_SCALED),
        *(_rule(verb, f"{resource}/scale") for resource in _SCALED for verb in ("get", "update")),
    ),
    effects.Silence: (*_BY_SERVICE_PROXY, *_SILENCING),
    effects.Unsilence: (*_BY_SERVICE_PROXY, *_SILENCING),
    effects.ExceptTraffic: tuple(
        _rule(verb, "networkpolicies.networking.k8s.io") for verb in ("get", "create")
    ),
    effects.Freeze: _FREEZING,
    effects.Thaw: _FREEZING,
    effects.DeleteToken: (Rule("delete", "secrets", extra=Extra.TOKENS),),
    # In AWS; the policy of these is a file of its own (bot/rbac.py).
    effects.Tag: (Action("ec2:DescribeTags", ANY), *_on_guards("CreateTags")),
    effects.Untag: (Action("ec2:DescribeTags", ANY), *_on_guards("DeleteTags")),
    effects.DenyEntry: (
        Action("ec2:DescribeNetworkAcls", ANY),
        Action("ec2:CreateNetworkAclEntry", "network-acl/*"),
    ),
    effects.DropEntry: (
        Action("ec2:DescribeNetworkAcls", ANY),
        Action("ec2:DeleteNetworkAclEntry", "network-acl/*"),
    ),
    effects.RevokeRule: _on_groups("Revoke"),
    effects.GrantRule: _on_groups("Authorize"),
    effects.RevokeSessions: (
        Action("iam:GetRole", "role/*"),
        Action("iam:GetRolePolicy", "role/*"),
        Action("iam:PutRolePolicy", "role/*"),
    ),
    effects.RotateSecret: (
        Action("secretsmanager:DescribeSecret", "secret:*"),
        Action("secretsmanager:RotateSecret", "secret:*"),
    ),
}

# What is kept of an answer's files, whatever asked for them (workers/keeping.py).
FILES: Needs = (Action("s3:PutObject", "evidence/*"),)


def rules(table: Mapping[type, Needs]) -> tuple[Rule, ...]:
    """Every rule of Kubernetes in it, once."""
    return tuple(dict.fromkeys(need for needs in table.values() for need in needs if isinstance(need, Rule)))


def actions() -> tuple[Action, ...]:
    """Every action of AWS that looks or keeps, once."""
    return _actions((*READS.values(), FILES))


def changing_actions() -> tuple[Action, ...]:
    """Every action of AWS that an approved change takes beyond those, once."""
    return tuple(each for each in _actions(EFFECTS.values()) if each not in actions())


def _actions(table: Iterable[Needs]) -> tuple[Action, ...]:
    return tuple(dict.fromkeys(need for needs in table for need in needs if isinstance(need, Action)))


def changes(rule: Rule) -> bool:
    return rule.verb not in ("get", "list", "watch")
