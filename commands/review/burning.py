"""How fast the error budget burns now: of each pair of windows both must be over the rate for somebody to act."""

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Inquiry, Section
from commands.numbers.burn import factor, fires, rate, short
from commands.phrase import span
from commands.queries import measured, query
from commands.reads import Vector
from commands.site import BurnRate, ClusterSite
from commands.wording import unread

TITLE = "Error budget now"
_KEY = "OM-1.2"


def inquiry(site: ClusterSite) -> Inquiry:
    windows = dict.fromkeys(each for burn in site.slo.burn for each in (burn.over, short(burn)))
    asked = {window: query(site, "Q-error", window=window) for window in windows}
    seen = yield tuple(asked.values())
    ratios = {window: _ratio(site, seen[read]) for window, read in asked.items()}
    findings = tuple(_judged(site, burn, ratios[burn.over], ratios[short(burn)]) for burn in site.slo.burn)
    return Section("burn", TITLE, True, findings, "both windows of a line must burn faster than its rate")


def _ratio(site: ClusterSite, answer: Vector | Gap) -> float | Gap:
    found = measured(site, "Q-error", answer)
    return Gap(found.why, found.mend) if found.percent is None else float(found.percent) / 100


def _judged(site: ClusterSite, burn: BurnRate, long: float | Gap, recent: float | Gap) -> Finding:
    label = f"Burn over {span(burn.over)} and {span(short(burn))}"
    threshold = f"{burn.to} over {float(factor(burn, site.slo.window)):.4g}"
    if isinstance(long, Gap):
        return unread(_KEY, label, long, threshold)
    if isinstance(recent, Gap):
        return unread(_KEY, label, recent, threshold)
    said = f"{rate(long, site.slo):.1f} and {rate(recent, site.slo):.1f}"
    if not fires(burn, long, recent, site.slo):
        return Finding(_KEY, label, Light.GREEN, said, threshold)
    light = Light.RED if burn.to == "page" else Light.YELLOW
    return Finding(
        _KEY, label, light, said, threshold, suggestions=(Suggestion("Debug errors", "debug 5xx"),)
    )
