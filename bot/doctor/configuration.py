"""The configuration itself: what loads and yet cannot work, by its own words alone. Asks nobody."""

from collections.abc import Iterator

from bot import tracing
from bot.doctor.channels import unset
from bot.doctor.check import BROKEN, GOOD, OPEN, WARNING, Check
from bot.settings import Settings
from commands.site import ROLES, Site

_ABOUT = "configuration"


def probe(settings: Settings) -> Iterator[Check]:
    ways = [way for way, on in (("Socket Mode", settings.socket_mode), ("HTTP", settings.http_mode)) if on]
    source = settings.config or "every default, because SRE_BOT_CONFIG is not set"
    is_workers = not settings.slack_bot_token  # the bot's own do not load without
    slack = "nothing of Slack, as workers have it" if is_workers else f"Slack by {' and '.join(ways)}"
    yield Check(_ABOUT, GOOD, f"{source}; {slack}")
    if not (settings.alertmanager_tokens or is_workers):
        mend = (
            "set ALERTMANAGER_WEBHOOK_TOKEN to the output of `openssl rand -hex 32`, and Alertmanager's "
            "http_config.authorization.credentials to the same"
        )
        yield Check(_ABOUT, OPEN, "the alert webhook refuses every call", mend)
    if missing := tracing.missing(settings.otlp_endpoint):
        yield Check(_ABOUT, WARNING, missing, 'pip install "sre-bot[otel]", or unset the variable')
    yield from _nobody(settings.site)
    yield from _access(settings.site)
    yield from _pointing(settings.site)


def _nobody(site: Site) -> Iterator[Check]:
    empty = [role for role in ROLES if not site.role_members(role)]
    if empty:
        line = "roles: {" + ", ".join(f"{role}: [U…]" for role in empty) + "}"
        yield Check(_ABOUT, OPEN, f"nobody is {', '.join(empty)}", f"add {line}")


def _access(site: Site) -> Iterator[Check]:
    for act in ("submit", "approve"):
        rules = [rule for rule in site.access if act in rule.may and rule.roles and rule.verbs]
        if not rules:
            line = f'`{{roles: [approvers], may: {act}, verbs: ["*"]}}`'
            yield Check(_ABOUT, OPEN, f"nobody may {act} a change", f"add to `access` such as {line}")
        elif not any(site.role_members(role) for rule in rules for role in rule.roles):
            roles = ", ".join(dict.fromkeys(role for rule in rules for role in rule.roles))
            mend = f"add Slack ids to `roles`: {roles}"
            yield Check(
                _ABOUT, BROKEN, f"nobody may {act} a change: `access` names {roles}, which nobody is", mend
            )
    yield from _alone(site)


def _alone(site: Site) -> Iterator[Check]:
    """Who asks for a change cannot approve it, so one person alone can do neither half of the other's."""
    may = {
        act: {
            id
            for rule in site.access
            if act in rule.may
            for role in rule.roles
            for id in site.role_members(role)
        }
        for act in ("submit", "approve")
    }
    (alone,) = may["approve"] if len(may["approve"]) == 1 else ("",)
    if alone.startswith(("U", "W")) and may["submit"] == {alone}:
        found = f"{alone} alone may submit and approve changes, and nobody may approve their own"
        yield Check(
            _ABOUT,
            BROKEN,
            found,
            "add a second person, or a user group (S…), to a role that `access` lets approve",
        )


def _pointing(site: Site) -> Iterator[Check]:
    """Roles and channels that a key names and that stand empty."""
    for key, channel in dict.fromkeys(unset(site)):
        found = f"`{key}` is {channel}, and `channels.{channel}` is empty: what goes there is told nowhere"
        yield Check(_ABOUT, BROKEN, found, f'set `channels.{channel}: "#…"`')
    for key, role in dict.fromkeys(_named_roles(site)):
        if role in ROLES and not site.role_members(role):
            found = f"`{key}` is {role}, which nobody is: nobody is called"
            yield Check(_ABOUT, WARNING, found, f"add `roles: {{{role}: [U…]}}`, or change `{key}`")


def _named_roles(site: Site) -> Iterator[tuple[str, str]]:
    for cluster in site.clusters.values():
        for number, route in enumerate(cluster.alerts.routes):
            yield f"alerts.routes.[{number}].mention", route.mention
            yield f"alerts.routes.[{number}].owner", route.owner
