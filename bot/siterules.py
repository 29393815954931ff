"""What sre-bot.yaml means beyond its single values: what follows from what, and what contradicts what.

Pure functions over `Site` values. An objection names the key paths it is about, so that the loader
(bot/sitefile.py) can point at the line; it drops those about keys that nobody gave.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from bot.siteschema import Where
from commands.numbers.burn import factor, unreachable
from commands.phrase import span
from commands.site import CriticalCheck, Sections, ServiceSite, Site, first_app, is_like, service_address

Objection = tuple[tuple[str, ...], str]
Given = Callable[[str], bool]  # whether the file gives this key path here or in what is inherited

AnySections = TypeVar("AnySections", bound=Sections)


def derive(sections: AnySections, given: Given) -> AnySections:
    """The sections with what a service leaves out filled in, and the critical check that follows."""
    app = sections.namespaces.app
    services = {name: _service(service, app, given) for name, service in sections.services.items()}
    found = replace(sections, services=services)
    is_changed = given("services") or given("namespaces.app")
    if is_changed and not given("critical_checks"):
        found = replace(found, critical_checks=_checks(first_app(services)))
    return found


def _service(service: ServiceSite, app: str, given: Given) -> ServiceSite:
    at = f"services.{service.name}"
    is_named = given(f"{at}.service") or bool(service.service) or service.role != "app"
    return replace(
        service,
        namespace=service.namespace if given(f"{at}.namespace") else app,
        deployment=service.deployment or service.name,
        service=service.service if is_named else service.name,
    )


def _checks(service: ServiceSite) -> tuple[CriticalCheck, ...]:
    if not service.service or not service.paths.health:
        return ()
    address = f"http://{service.service}.{service.namespace}.svc:{service.port}{service.paths.health}"
    return (CriticalCheck(f"{service.name} answers", address),)


def section_objections(of: Sections) -> Iterator[Objection]:
    """Contradictions within the sections of one cluster (or of the top level)."""
    yield from _thresholds(of)
    yield from _perfect(of)
    yield from _burning(of)
    yield from _proxied(of)
    yield from _watched(of)
    yield from _frozen(of)
    if not of.namespaces.watch:
        yield ("namespaces.watch",), "names no namespace; write all, or leave the key out"
    if not (app := first_app(of.services)).service or app.role != "app":
        yield ("services",), "names no service that answers users: one needs `role: app` and a `service`"
    if of.backup.secrets == "encrypted" and not of.backup.kms_key:
        yield ("backup.secrets", "backup.kms_key"), "encrypted needs `backup.kms_key`"
    for name, rule in of.alerts.rules.items():
        if (rule.over is None) == (rule.over_s is None):
            at = f"alerts.rules.{name}"
            yield (at, f"{at}.over", f"{at}.over_s"), "needs either `over` (a ratio) or `over_s` (seconds)"


def _thresholds(of: Sections) -> Iterator[Objection]:
    slo, days = of.slo, of.thresholds.cert_days
    ordered = (
        (
            "slo.availability.red_below",
            slo.availability.red_below,
            "slo.availability.target",
            slo.availability.target,
        ),
        (
            "slo.error_budget.yellow_from",
            slo.error_budget.yellow_from,
            "slo.error_budget.red_above",
            slo.error_budget.red_above,
        ),
        ("slo.cpu.green_below", slo.cpu.green_below, "slo.cpu.red_above", slo.cpu.red_above),
        ("thresholds.cert_days.red", days.red, "thresholds.cert_days.yellow", days.yellow),
    )
    for low_path, low, high_path, high in ordered:
        if low > high:
            yield (low_path, high_path), f"`{low_path}` ({low:g}) must not be above `{high_path}` ({high:g})"
    success = slo.success_rate
    if success.red_error_rate < 100 - success.target - 1e-9:
        paths = ("slo.success_rate.red_error_rate", "slo.success_rate.target")
        text = (
            f"red from {success.red_error_rate:g} % errors, but the target allows {100 - success.target:g} %"
        )
        yield paths, f"{text}: raise `{paths[0]}` or `{paths[1]}`"


def _perfect(of: Sections) -> Iterator[Objection]:
    for name in ("availability", "success_rate"):
        if getattr(of.slo, name).target >= 100:
            text = "must be below 100: a target of 100 leaves no error budget to spend or to measure"
            yield (f"slo.{name}.target",), text


def _burning(of: Sections) -> Iterator[Objection]:
    """A rate that no outage could reach would be a rule that never speaks."""
    if of.slo.success_rate.target >= 100:
        return
    for burn in unreachable(of.slo):
        what = f"{burn.budget_pct:g} % of the budget in {span(burn.over)}"
        rate = float(factor(burn, of.slo.window))
        text = (
            f"with an objective of {of.slo.success_rate.target:g} % no outage can burn {what}, {rate:,.4g} times as fast "
            "as it may: raise `slo.success_rate.target`, or leave that line out of `slo.burn`"
        )
        yield ("slo.success_rate.target", "slo.burn", "slo.window"), text


def _proxied(of: Sections) -> Iterator[Objection]:
    if of.monitoring.access != "proxy":
        return
    for component in ("prometheus", "grafana", "alertmanager"):
        url: str = getattr(of.monitoring, component).url
        if url and service_address(url) is None:
            paths = (f"monitoring.{component}.url", "monitoring.access")
            yield (
                paths,
                (
                    f"`monitoring.access: proxy` needs `{paths[0]}` to name a Service of the cluster, "
                    "such as http://name.namespace.svc:9090"
                ),
            )


def _watched(of: Sections) -> Iterator[Objection]:
    rules, at = of.change.rollback, "change.rollback"
    if rules.samples > rules.among:
        yield (
            (f"{at}.samples", f"{at}.among"),
            f"{rules.samples} of {rules.among} samples can never be reached",
        )
    if rules.initial_delay + rules.interval > rules.bake:
        paths = (f"{at}.bake", f"{at}.initial_delay", f"{at}.interval")
        yield paths, "the bake time ends before there is a second sample"


def _frozen(of: Sections) -> Iterator[Objection]:
    for number, period in enumerate(of.change.freezes):
        at = f"change.freezes.[{number}]"
        if period.ends <= period.begins:
            yield (f"{at}.to", f"{at}.from"), f"`{period.name}` ends before it begins"


def site_objections(of: Site) -> Iterator[Objection]:
    """Contradictions between keys of the top level, and between clusters."""
    phases = of.incident.phases_min
    steps = (phases.immediate, phases.investigation, phases.recovery, *phases.postmortem)
    if list(steps) != sorted(set(steps)):
        names = tuple(
            f"incident.phases_min.{name}" for name in ("immediate", "investigation", "recovery", "postmortem")
        )
        yield names, "each phase must be later than the one before it"
    if len(of.roles.oncall.rota) > 1 and of.roles.oncall.start is None:
        yield (
            ("roles.oncall.rota", "roles.oncall"),
            "a rota of several needs `roles.oncall.start`, the first handover",
        )
    if of.default_cluster not in of.clusters:
        known = ", ".join(of.clusters)
        yield ("default_cluster",), f"is no cluster of this file; it has {known}"
    yield from _shared_channels(of)
    yield from _shared_ids(of)
    for number, rule in enumerate(of.access):
        for glob in rule.clusters:
            if not any(is_like(glob, name) for name in of.clusters):
                known = ", ".join(of.clusters)
                yield (f"access.[{number}].clusters",), f"{glob} is no cluster of this file; it has {known}"


def _shared_channels(of: Site) -> Iterator[Objection]:
    owners: dict[str, str] = {}
    for name, cluster in of.clusters.items():
        for channel in cluster.channels:
            first = owners.setdefault(channel.removeprefix("#"), name)
            if first != name:
                yield (f"clusters.{name}.channels",), f"{channel} is the channel of cluster `{first}` already"


def _shared_ids(of: Site) -> Iterator[Objection]:
    owners: dict[str, str] = {}
    for name, ids in of.team.people.items():
        if not ids:
            yield (f"team.people.{name}",), "names no Slack id; leave the person out"
        for id in ids:
            first = owners.setdefault(id, name)
            if first != name:
                yield (f"team.people.{name}",), f"{id} is an id of `{first}` already"


def as_path(dotted: str) -> Where:
    return tuple(dotted.split("."))
