"""The site: everything about this house that is configuration and no secret, as frozen values.

The dataclasses are the schema of sre-bot.yaml. An attribute is named as its YAML key with "-" written
"_" (and "for_" where the key is a Python keyword), and its default is the manual's value, so `Site()` is
what a file without keys means. What nobody can guess (people, browser addresses, buckets) is empty, and
a command that needs it names the key to set.

Constraints stand in the annotations (values.py) because the loader, bot/sitefile.py, is driven by this package
alone; nothing here reads or checks a file. Percentages are 0..100 as people write them. The sections stand in a file
for each subject; this is the face of them all, and everybody else imports from here.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from commands.errors import UsageError
from commands.site.alerting import (
    AlertRoute,
    AlertRule,
    Alerts,
    Backup,
    CriticalCheck,
    Dependency,
    Destination,
    Route,
    Security,
    Targets,
    manual_checks,
)
from commands.site.changing import Change, FreezePeriod, Rollback
from commands.site.monitoring import (
    Alertmanager,
    Dashboards,
    Grafana,
    Monitoring,
    Prometheus,
    ServiceAddress,
    Urls,
    service_address,
)
from commands.site.objectives import (
    QUERIES,
    Autoscaler,
    Availability,
    BurnRate,
    CpuObjective,
    DbPool,
    Drain,
    ErrorBudget,
    Hpa,
    Rightsizing,
    Slo,
    SuccessRate,
    Thresholds,
)
from commands.site.people import (
    CHANGES,
    ROLES,
    AccessRule,
    Act,
    Approvals,
    Channels,
    Incident,
    Labels,
    OnCall,
    Roles,
    Team,
    is_about_labels,
    is_like,
)
from commands.site.services import (
    ExpectedRoles,
    Freeze,
    Namespaces,
    Paths,
    ServiceSite,
    first_app,
    manual_services,
)
from commands.site.values import Channel, Count, OneOrMany, Region, Several, Shape, Within, Zone

__all__ = [
    "CHANGES",
    "QUERIES",
    "ROLES",
    "AccessRule",
    "Act",
    "AlertRoute",
    "AlertRule",
    "Alertmanager",
    "Alerts",
    "Approvals",
    "Availability",
    "Backup",
    "BurnRate",
    "Change",
    "Channels",
    "ClusterSite",
    "CpuObjective",
    "CriticalCheck",
    "Dependency",
    "Destination",
    "Drain",
    "ErrorBudget",
    "Freeze",
    "FreezePeriod",
    "Grafana",
    "Incident",
    "Labels",
    "Monitoring",
    "Namespaces",
    "OnCall",
    "OneOrMany",
    "Paths",
    "Prometheus",
    "Rightsizing",
    "Roles",
    "Rollback",
    "Route",
    "Sections",
    "Security",
    "ServiceAddress",
    "ServiceSite",
    "Shape",
    "Site",
    "Slo",
    "SuccessRate",
    "Team",
    "Urls",
    "Within",
    "first_app",
    "is_about_labels",
    "is_like",
    "service_address",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The sections a cluster may give for itself; what it leaves out is the top level's."""

    namespaces: Namespaces = field(default_factory=Namespaces)
    services: Mapping[str, ServiceSite] = field(default_factory=manual_services)
    monitoring: Monitoring = field(default_factory=Monitoring)
    urls: Urls = field(default_factory=Urls)
    dashboards: Dashboards = field(default_factory=Dashboards)
    slo: Slo = field(default_factory=Slo)
    thresholds: Thresholds = field(default_factory=Thresholds)
    rightsizing: Rightsizing = field(default_factory=Rightsizing)
    db_pool: DbPool = field(default_factory=DbPool)
    hpa: Hpa = field(default_factory=Hpa)
    autoscaler: Autoscaler = field(default_factory=Autoscaler)
    drain: Drain = field(default_factory=Drain)
    alerts: Alerts = field(default_factory=Alerts)
    targets: Targets = field(default_factory=Targets)
    backup: Backup = field(default_factory=Backup)
    security: Security = field(default_factory=Security)
    dependencies: tuple[Dependency, ...] = ()
    critical_checks: tuple[CriticalCheck, ...] = field(default_factory=manual_checks)
    change: Change = field(default_factory=Change)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSite(Sections):
    """What a command sees of one cluster.

    context: of the kubeconfig; "" is the current one, or the cluster the bot runs in.
    eks: True when EKS knows the cluster by `name`, another name as text, False for a cluster that is
    not on EKS. channels: where this cluster is the one meant when none is named.
    """

    name: str = "sre-training-cluster"
    context: str = ""
    region: Region = "eu-central-1"
    nodegroups: tuple[str, ...] = ("sre-training-nodes",)
    eks: bool | str = True
    expected_roles: ExpectedRoles = field(default_factory=ExpectedRoles)
    max_versions_behind: Count = 1
    ami_max_age_days: Several = 31
    channels: Annotated[tuple[Channel, ...], OneOrMany()] = ()

    @property
    def eks_name(self) -> str:
        """The name EKS knows the cluster by; "" when it is not on EKS and AWS is not asked."""
        if isinstance(self.eks, str):
            return self.eks
        return self.name if self.eks else ""

    @property
    def default_service(self) -> ServiceSite:
        """What a command means when none is named: the first service declared that answers users."""
        return first_app(self.services)

    def service(self, wanted: str = "") -> ServiceSite:
        """The service of this name, the default one for ""; raises UsageError naming the known ones."""
        if not wanted:
            return self.default_service
        for name, service in self.services.items():
            if name.casefold() == wanted.casefold():
                return service
        raise UsageError(_unknown("service", wanted, tuple(self.services)))


def _only_cluster() -> Mapping[str, ClusterSite]:
    only = ClusterSite()
    return {only.name: only}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Sections):
    """The whole file. Its own sections are what clusters inherit: a command reads its ClusterSite."""

    timezone: Zone = "Europe/Berlin"
    default_cluster: str = ""
    clusters: Mapping[str, ClusterSite] = field(default_factory=_only_cluster)
    channels: Channels = field(default_factory=Channels)
    roles: Roles = field(default_factory=Roles)
    access: tuple[AccessRule, ...] = ()
    approvals: Approvals = field(default_factory=Approvals)
    incident: Incident = field(default_factory=Incident)
    team: Team = field(default_factory=Team)

    def __post_init__(self) -> None:
        if not self.default_cluster:  # then it is the first one declared
            object.__setattr__(self, "default_cluster", next(iter(self.clusters)))

    def cluster_for(self, channel: str, wanted: str = "") -> ClusterSite:
        """The cluster meant in a channel (id, name or #name); a wanted name wins over the channel's.

        Raises UsageError naming the known clusters when the wanted one is not among them.
        """
        if wanted:
            for name, cluster in self.clusters.items():
                if name.casefold() == wanted.casefold():
                    return cluster
            raise UsageError(_unknown("cluster", wanted, tuple(self.clusters)))
        asked = _plain(channel)
        for cluster in self.clusters.values():
            if asked and asked in map(_plain, cluster.channels):
                return cluster
        return self.clusters[self.default_cluster]

    def told_apart(self, cluster: str) -> str:
        """How a command line names the cluster that it is about: "" where there is no other."""
        return cluster if len(self.clusters) > 1 else ""

    def channel(self, key: str) -> str:
        """The channel behind a key of `channels:`, "" when it is not set; the first of several."""
        value: str | tuple[str, ...] = getattr(self.channels, key)
        if isinstance(value, str):
            return value
        return value[0] if value else ""

    def oncall(self, at: datetime) -> str:
        """The user (or user-group) id on duty at that moment; "" without a rota, and before its start.

        Shifts are counted in local time, so a handover stays at its hour when the clocks change.
        """
        return next(iter(self.rota(at)), "")

    def second_oncall(self, at: datetime) -> str:
        """Who comes next in the rota after the one on duty, somebody else than them; "" where nobody does."""
        turns = self.rota(at)
        return next((member for member in turns if member != turns[0]), "")

    def rota(self, at: datetime) -> tuple[str, ...]:
        """The rota from the one on duty on; () before its start."""
        duty = self.roles.oncall
        if not duty.rota or duty.start is None:
            return duty.rota
        local = at.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None)
        if local < duty.start:
            return ()
        turn = (local - duty.start) // duty.shift % len(duty.rota)
        return duty.rota[turn:] + duty.rota[:turn]

    def approver_roles(self, line: str, cluster: str, *, own: bool = False) -> tuple[str, ...]:
        """Whom the rules of `access` let approve such a change somewhere in the cluster; own: or ask for it, where
        that is enough."""
        acts: tuple[Act, ...] = ("approve", "submit") if own else ("approve",)
        rules = (rule for rule in self.access if any(rule.is_about(act, line, cluster) for act in acts))
        return tuple(dict.fromkeys(role for rule in rules for role in rule.roles))

    def person(self, user: str) -> str:
        """The same id for every id of one person: the first of those that the file gives them."""
        return next((ids[0] for ids in self.team.people.values() if user in ids), user)

    def role_members(self, role: str) -> tuple[str, ...]:
        """The Slack ids behind a role as the file names it ("sre-lead"); () for a role nobody holds.

        An id is its own only member, because a service's owner may be given as one.
        """
        if role in ROLES:
            held: OnCall | tuple[str, ...] = getattr(self.roles, role.replace("-", "_"))
            return held.rota if isinstance(held, OnCall) else held
        return (role,) if re.fullmatch(r"[UWS][A-Z0-9]{2,}", role) else ()


def _plain(channel: str) -> str:
    return channel.removeprefix("#").casefold()


def _unknown(kind: str, wanted: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(wanted.casefold(), [name.casefold() for name in known], n=1)
    meant = next((name for name in known if near and name.casefold() == near[0]), "")
    question = f" Did you mean `{meant}`?" if meant else ""
    return f"There is no {kind} `{wanted}`.{question} Known: {', '.join(f'`{name}`' for name in known)}."
