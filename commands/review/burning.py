"""How fast the error budget burns now: the four pairs of windows, of which both must be over the rate to act on it."""

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Inquiry, Section
from commands.numbers.burn import BURNS, Burn, fires, rate, unreachable
from commands.phrase import span
from commands.queries import measured, query
from commands.reads import Vector
from commands.site import ClusterSite
from commands.wording import unread

TITLE = "Error budget now"
_KEY = "OM-1.2"


def inquiry(site: ClusterSite) -> Inquiry:
    windows = tuple(dict.fromkeys(each for burn in BURNS for each in (burn.long, burn.short)))
    asked = {window: query(site, "Q-error", window=window) for window in windows}
    seen = yield tuple(asked.values())
    ratios = {window: _ratio(site, seen[read]) for window, read in asked.items()}
    findings = tuple(_judged(site, burn, ratios[burn.long], ratios[burn.short]) for burn in BURNS)
    return Section("burn", TITLE, True, findings, "both windows of a line must burn faster than its rate")


def _ratio(site: ClusterSite, answer: Vector | Gap) -> float | Gap:
    found = measured(site, "Q-error", answer)
    return Gap(found.why, found.mend) if found.percent is None else float(found.percent) / 100


def _judged(site: ClusterSite, burn: Burn, long: float | Gap, short: float | Gap) -> Finding:
    objective = site.slo.success_rate.target
    factor = float(burn.factor(site.slo.window))
    label, threshold = f"Burn over {span(burn.long)} and {span(burn.short)}", f"{burn.to} over {factor:g}"
    if burn in unreachable(objective, period=site.slo.window):
        value = f"unknown: with an objective of {objective:g} % no outage burns {factor:g} times as fast as it may"
        return Finding(_KEY, label, Light.UNKNOWN, value, threshold, mend="Raise slo.success_rate.target.")
    if isinstance(long, Gap):
        return unread(_KEY, label, long, threshold)
    if isinstance(short, Gap):
        return unread(_KEY, label, short, threshold)
    said = f"{rate(long, objective):.1f} and {rate(short, objective):.1f}"
    if not fires(burn, long, short, objective, site.slo.window):
        return Finding(_KEY, label, Light.GREEN, said, threshold)
    light = Light.RED if burn.to == "page" else Light.YELLOW
    return Finding(
        _KEY, label, light, said, threshold, suggestions=(Suggestion("Debug errors", "debug 5xx"),)
    )
