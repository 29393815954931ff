"""Slack: the tokens, whose they are, the scopes, the subscriptions as far as Slack tells, and the clock.

Looks and never posts. The channels are looked at in bot/doctor/channels.py, the people in bot/doctor/people.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.doctor.check import BROKEN, GOOD, OPEN, WARNING, Check
from bot.doctor.reach import date_check, unreachable
from bot.scopes import NEEDED_SCOPES
from bot.settings import Settings

NO_ANSWER = (SlackClientError, OSError)
_SCOPES_PAGE = "under OAuth & Permissions, Bot Token Scopes, and reinstall the app"
_APP_PAGE = "App-Level Tokens (first page of the app)"
_REINSTALL = "reinstall the app and set SLACK_BOT_TOKEN to its new xoxb-… token"
_MENDS: Mapping[str, str] = {
    "invalid_auth": _REINSTALL,
    "not_authed": _REINSTALL,
    "token_revoked": _REINSTALL,
    "token_expired": _REINSTALL,
    "account_inactive": _REINSTALL,
    "not_allowed_token_type": "set SLACK_BOT_TOKEN to the xoxb-… token of OAuth & Permissions",
    "org_login_required": "let an administrator finish the move to Enterprise Grid, then reinstall the app",
    "team_access_not_granted": "let an administrator of the organisation approve the app for this workspace",
    "ratelimited": "wait a minute and run the doctor again",
}


def web_client(settings: Settings, token: str, patience: float) -> WebClient:
    return WebClient(token, base_url=settings.slack_api_url, timeout=int(patience), retry_handlers=[])


def probe(settings: Settings, patience: float, home: Callable[[], str]) -> Iterator[Check]:
    """home: the workspace that the store remembers, "" where it remembers none."""
    if not settings.slack_bot_token:
        mend = "where the bot runs, set SLACK_BOT_TOKEN, and SLACK_APP_TOKEN or SLACK_SIGNING_SECRET; a worker needs none"
        yield Check("Slack token", OPEN, "no SLACK_BOT_TOKEN here: Slack is not looked at", mend)
        return
    slack = web_client(settings, settings.slack_bot_token.reveal(), patience)
    try:
        me = slack.auth_test()
    except NO_ANSWER as error:
        yield failed("Slack token", settings, error)
        return
    yield _token(me, home())
    yield from _same_app(slack, me, settings.slack_app_token.reveal())
    yield from scopes(granted(me.headers))
    yield _events()
    yield from signing_secret(settings.slack_signing_secret.reveal())
    yield from date_check("Slack clock", me.headers, "Slack's")


def failed(about: str, settings: Settings, error: Exception) -> Check:
    """Why a call had no good answer."""
    if isinstance(error, SlackApiError):
        reason = str(error.response.get("error"))
        return Check(about, BROKEN, f"Slack says {reason}", _MENDS.get(reason, ""))
    found, mend = unreachable(error, settings.slack_api_url, "SLACK_API_URL")
    return Check(about, BROKEN, f"Slack: {found}", f"{mend}; through a proxy, set HTTPS_PROXY")


def _token(me: Any, home: str) -> Check:
    team = str(me.get("team_id"))
    if home and home != team:
        found = f"the token is of {me.get('team')} ({team}), and this Redis was used in {home}"
        mend = (
            f"set SLACK_BOT_TOKEN to the token of {home}, or REDIS_URL to a database of its own (redis://…/1)"
        )
        return Check("Slack token", BROKEN, found, mend)
    if not me.get("bot_id"):
        found = f"the token is of a person, @{me.get('user')} of {me.get('team')}, and not of the app"
        return Check("Slack token", BROKEN, found, _MENDS["not_allowed_token_type"])
    return Check("Slack token", GOOD, f"the token is @{me.get('user')} of {me.get('team')} ({team})")


def _same_app(slack: WebClient, me: Any, app_token: str) -> Iterator[Check]:
    """An app token of another app connects well, and hears nothing."""
    named = re.match(r"xapp-\d-(A[A-Z0-9]+)-", app_token)
    if not named or not me.get("bot_id"):
        return
    try:
        app = str(slack.bots_info(bot=me["bot_id"])["bot"].get("app_id", ""))
    except (*NO_ANSWER, KeyError):
        return  # users:read is missing, which has a line of its own
    if app and app != named[1]:
        found = f"SLACK_APP_TOKEN is of app {named[1]}, SLACK_BOT_TOKEN of app {app}: nothing would be heard"
        yield Check("Slack token", BROKEN, found, f"set SLACK_APP_TOKEN to one of app {app}: {_APP_PAGE}")


def granted(headers: Mapping[str, Any]) -> frozenset[str]:
    for name, value in headers.items():
        if name.lower() == "x-oauth-scopes":
            text = value if isinstance(value, str) else ",".join(value)
            return frozenset(part.strip() for part in text.split(",") if part.strip())
    return frozenset()


def scopes(given: frozenset[str]) -> Iterator[Check]:
    if not given:
        yield Check("Slack scopes", OPEN, "Slack did not say which are granted")
        return
    missing = {scope: why for scope, why in NEEDED_SCOPES.items() if scope not in given}
    for scope, (is_needed, why) in missing.items():
        yield Check(
            "Slack scopes", BROKEN if is_needed else OPEN, f"{scope} is missing: it {why}", add_scope(scope)
        )
    if not missing:
        yield Check("Slack scopes", GOOD, f"all {len(NEEDED_SCOPES)} needed are granted")
    if more := sorted(given - set(NEEDED_SCOPES)):
        found = f"granted, and used by nothing: {', '.join(more)}"
        yield Check(
            "Slack scopes", WARNING, found, f"take {'it' if len(more) == 1 else 'them'} off {_SCOPES_PAGE}"
        )


def add_scope(scope: str) -> str:
    return f"add {scope} {_SCOPES_PAGE}"


def _events() -> Check:
    """No method of the Web API that a bot token may call tells what an app is subscribed to."""
    found = "Slack does not tell which events, commands and addresses the app has"
    mend = (
        "compare App Manifest at api.slack.com/apps with `sre-bot manifest` (with --url … for HTTP); pasting that "
        "there mends every difference"
    )
    return Check("Slack events", OPEN, found, mend)


def signing_secret(secret: str) -> Iterator[Check]:
    """A wrong one is seen by nobody before Slack's first request is refused."""
    if secret and not re.fullmatch(r"[0-9a-f]{32}", secret):
        found = "SLACK_SIGNING_SECRET does not look like one (32 characters of 0-9 and a-f)"
        mend = "copy Signing Secret under App Credentials (first page of the app); Client Secret is another"
        yield Check("Slack signing secret", WARNING, found, mend)


def app_token(settings: Settings, patience: float) -> Iterator[Check]:
    """Socket Mode: may the token connect? The connection itself is not made, which would take requests away."""
    about, token = "Slack Socket Mode", settings.slack_app_token.reveal()
    try:
        web_client(settings, token, patience).apps_connections_open(app_token=token)
    except SlackApiError as error:
        mends = {
            "missing_scope": f"make a new token with connections:write under {_APP_PAGE}, and set SLACK_APP_TOKEN",
            "not_allowed_token_type": f"set SLACK_APP_TOKEN to the xapp-… token under {_APP_PAGE}",
            "socket_mode_not_enabled": "turn Socket Mode on under Settings, Socket Mode",
        }
        reason = str(error.response.get("error"))
        default = f"make a new token under {_APP_PAGE}, turn on Socket Mode, and set SLACK_APP_TOKEN"
        yield Check(about, BROKEN, f"Slack says {reason}", mends.get(reason, default))
    except NO_ANSWER as error:
        yield failed(about, settings, error)
    else:
        yield Check(about, GOOD, "the app token may connect")
