"""`review alerts`: the daily, weekly and monthly look at the alerts, each as one message.

Nothing is judged here: each section is the very answer of an `alert` verb, over the window that was asked for. Which
of them belong together is the manual's: what fires and what ended for a day, how good the rules are for a week, what
they are worth for a month.
"""

from dataclasses import replace
from datetime import timedelta

from commands.alert import gaps, listing, load, order, rank, resolved, routes, rules, tuning
from commands.command import Command, Due, Flag, Part, Parts
from commands.model import Args, Inquiry
from commands.numbers.firings import window_of
from commands.site import ClusterSite

_DAILY, _WEEKLY = timedelta(days=2), timedelta(days=14)  # up to which a window is looked at as such


def parts(args: Args, site: ClusterSite) -> Parts:
    since = window_of(args, "since", timedelta(hours=24))
    if since <= _DAILY:
        return _daily(site, since)
    return _weekly(site, since) if since <= _WEEKLY else _monthly(site, since)


def _daily(site: ClusterSite, since: timedelta) -> Parts:
    return _numbered(
        ("What fires", listing.listed(Args("alert", "list"), site)),
        ("Who is told", routes.inquiry(site)),
        ("What ended", resolved.inquiry(site, since)),
        ("Rules and runbooks", rules.inquiry(site)),
    )


def _weekly(site: ClusterSite, since: timedelta) -> Parts:
    return _numbered(
        ("False alarms", tuning.inquiry(site, since)),
        ("Alerts by person on call", load.inquiry(site, since)),
        ("What no alert would tell of", gaps.inquiry(site, since)),
    )


def _monthly(site: ClusterSite, since: timedelta) -> Parts:
    return _numbered(
        ("Alerts against what users felt", rank.inquiry(site, since)),
        ("Which alerts come first", order.inquiry(site, since)),
    )


def _numbered(*steps: tuple[str, Inquiry]) -> Parts:
    titles = [f"{number}. {title}" for number, (title, _) in enumerate(steps, 1)]
    return {
        f"step-{number}": Part(title, _titled(f"step-{number}", title, steps[number - 1][1]))
        for number, title in enumerate(titles, 1)
    }


def _titled(key: str, title: str, inquiry: Inquiry) -> Inquiry:
    return replace((yield from inquiry), key=key, title=title)


REVIEW = Command(
    word="review",
    verbs=("alerts",),
    summary="The look at the alerts: of a day what fired, of a week how good the rules are, of a month their worth.",
    rows=("AD-0", "AW-0", "AM-0"),
    parts=parts,
    examples=("review alerts", "review alerts --since 7d", "review alerts --since 30d"),
    flags=(Flag("since", "how far back to look; 24h when left out", "24h"),),
    schedule=(
        Due("alerts-daily", "15 9 * * 1-5", "review alerts --since 24h", "daily"),
        Due("alerts-weekly", "0 10 * * 1", "review alerts --since 7d", "daily"),
        Due("alerts-monthly", "0 10 * * 4#1", "review alerts --since 30d", "daily"),
    ),
)
