"""`health`: the manual's morning check in four parts, its red flags every five minutes, and the trend of the SLO.

Each part stands alone: what one cannot read is said in its own section and hides nothing else.
"""

from commands.command import Command, Due, Flag, Part, Parts
from commands.errors import UsageError
from commands.health import app, cluster, monitoring, slo, trend
from commands.model import Args
from commands.site import ClusterSite, ServiceSite


def parts(args: Args, site: ClusterSite) -> Parts:
    """The sections asked for: one by its verb, all four by the bare word."""
    service = _service(args, site)
    if args.verb == "monitoring" and "heartbeat" in args.flags:
        return {"heartbeat": Part("Alert delivery", monitoring.heartbeat_inquiry(site))}
    if args.verb == "trend":
        return {"trend": Part(trend.title_of(service), trend.inquiry(site, service))}
    every = {
        "slo": Part(f"SLO · {service.name}", slo.inquiry(site, service)),
        "cluster": Part(f"Cluster · {site.name}", cluster.inquiry(site)),
        "monitoring": Part("Monitoring", monitoring.inquiry(site)),
        "app": Part(f"Application · {service.name}", app.inquiry(site, service)),
    }
    return {args.verb: every[args.verb]} if args.verb in every else every


def _service(args: Args, site: ClusterSite) -> ServiceSite:
    """The service asked about; raises UsageError for one that is not known or that has no users."""
    service = site.service(args.flags.get("service", "") or args.name)
    if not service.service:
        served = ", ".join(f"`{name}`" for name, one in site.services.items() if one.service)
        raise UsageError(
            f"`{service.name}` has no Service, so there is nothing to check for its users. Known: {served}."
        )
    return service


_ROWS = (
    *("DH-0.1", "DH-1.0", "DH-1.1", "DH-1.3", "DH-1.4", "DH-1.5", "DH-1.6", "DH-1.7", "DH-1.8", "DH-1.9"),
    *("DH-1.10", "DH-1.11", "DH-1.12", "DH-1.13"),
    *("DH-2.0", "DH-2.1", "DH-2.2", "DH-2.3", "DH-2.4", "DH-2.5", "DH-2.6"),
    *("DH-3.0", "DH-3.1", "DH-3.2", "DH-3.3", "DH-3.4", "DH-3.5", "DH-3.6", "DH-3.7"),
    *("DH-4.0", "DH-4.1", "DH-4.2", "DH-4.3", "DH-4.4", "DH-4.5", "DH-4.6"),
)

COMMANDS = (
    Command(
        word="health",
        verbs=("", "all", "slo", "cluster", "monitoring", "app", "trend"),
        summary="The morning check: SLOs, cluster, monitoring stack and application.",
        rows=_ROWS,
        parts=parts,
        examples=(
            "health",
            "health slo --service backend",
            "health cluster",
            "health monitoring",
            "health app",
            "health trend",
        ),
        flags=(
            Flag("service", "the service to check; the first one configured when left out", "NAME"),
            Flag("heartbeat", "with `monitoring`: only whether alerts reach the bot"),
        ),
        schedule=(
            Due("morning-health", "30 8 * * 1-5", "health", "daily"),
            Due("weekend-health", "30 8 * * 6,0", "health", "daily", is_quiet=True),
            Due("weekly-trend", "35 8 * * 1", "health trend", "daily"),
            Due("slo-red-flags", "*/5 * * * *", "health slo", "daily", is_quiet=True),
            # The whole monitoring part would post a card for each target that is down, every five minutes;
            # the beat alone is one read of the bot's own store and red only when nobody would be alarmed.
            Due("alert-delivery", "*/5 * * * *", "health monitoring --heartbeat", "daily", is_quiet=True),
        ),
    ),
)
