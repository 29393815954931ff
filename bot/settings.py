"""The only reader of the environment and of the policy file; both front and back process start here.

`load` gives a frozen `Settings`, or raises `BadSettings` with everything that is wrong, from the variables
and from the file together: one start, one list to mend. A variable's message names the variable and what
was probably pasted, never the value. `__main__` prints the problems one per line and exits with 2.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from bot.secret import Redactor, Secret
from bot.sitefile import MOST_BYTES, BadSettings, Problem, parse
from bot.siteschema import keys_of
from commands.site import ClusterSite, Sections, Site

__all__ = ["BadSettings", "Problem", "Secret", "Settings", "effective", "load", "load_worker"]

# Every variable that is read, with what it is; docs/configuration.md and the manifests are held to it.
VARIABLES: Mapping[str, str] = {
    "SLACK_BOT_TOKEN": "the Bot User OAuth Token (xoxb-…)",
    "SLACK_SIGNING_SECRET": "the app's signing secret; with it Slack's requests are served over HTTP",
    "SLACK_APP_TOKEN": "an app-level token (xapp-…); with it the bot connects by Socket Mode",
    "SLACK_API_URL": "Slack's API address",
    "REDIS_URL": "the Redis server that holds all state",
    "ALERTMANAGER_WEBHOOK_TOKEN": "the bearer token of Alertmanager's webhook; two, by comma, while rotating",
    "GRAFANA_TOKEN": "a Grafana service-account token (Viewer); not passed on with `monitoring.access: proxy`",
    "STATUS_PAGE_TOKEN": "the token sent to urls.status_page_webhook",
    "GIT_TOKEN": "the token for dashboards.git",
    "PORT": "where the bot listens for Slack, Alertmanager, probes and metrics",
    "WORKER_PORT": "where a worker listens for probes and metrics; 0 for nowhere",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "where traces go, by OTLP over HTTP; unset for none. Needs the extra `otel`",
    "LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR",
    "KUBECONFIG": "kubeconfig files; unset inside a cluster, where the service account is used",
    "SRE_BOT_CONFIG": "the policy file, sre-bot.yaml; unset for every default",
}


UNSET = Secret()
_LOCAL_REDIS = Secret("redis://localhost:6379/0")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process starts from. Secrets show as ***, so printing it is safe."""

    site: Site = field(default_factory=Site)
    slack_bot_token: Secret = UNSET
    slack_signing_secret: Secret = UNSET
    slack_app_token: Secret = UNSET
    slack_api_url: str = "https://slack.com/api/"
    redis_url: Secret = _LOCAL_REDIS
    alertmanager_tokens: tuple[Secret, ...] = ()
    grafana_token: Secret = UNSET
    status_page_token: Secret = UNSET
    git_token: Secret = UNSET
    port: int = 3000
    worker_port: int = 0
    otlp_endpoint: str = ""
    log_level: str = "INFO"
    kubeconfig: str = ""
    config: str = ""

    @property
    def socket_mode(self) -> bool:
        """Slack's requests come over a WebSocket that the bot opens."""
        return bool(self.slack_app_token)

    @property
    def http_mode(self) -> bool:
        """Slack's signed requests are (also) served over HTTP; never without the secret to check them."""
        return bool(self.slack_signing_secret)

    @property
    def redis_shown(self) -> str:
        """The Redis address without its user, password and options, for messages."""
        return re.sub(r"(?<=://)[^/]*@", "***@", self.redis_url.reveal().partition("?")[0])

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every loaded secret, Redis's password by itself, for the redactor."""
        named = (
            self.slack_bot_token,
            self.slack_signing_secret,
            self.slack_app_token,
            self.grafana_token,
            self.status_page_token,
            self.git_token,
            *_passwords(self.redis_url.reveal()),
            *self.alertmanager_tokens,
        )
        return tuple(secret for secret in named if secret)

    def redactor(self) -> Redactor:
        """Masks this process's secrets and everything that looks like one."""
        return Redactor(self.secrets)


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of the front process, which speaks with Slack. Raises BadSettings."""
    reader = _Environment(environ)
    settings = reader.settings()
    if "SLACK_BOT_TOKEN" not in reader.given:
        reader.wrong(
            "SLACK_BOT_TOKEN", "is not set: it is the Bot User OAuth Token (xoxb-…) of the Slack app"
        )
    if not {"SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN"} & reader.given:
        text = "set SLACK_APP_TOKEN (Socket Mode, no address needed) or SLACK_SIGNING_SECRET (HTTP), or both"
        reader.wrong("SLACK_APP_TOKEN, SLACK_SIGNING_SECRET", f"neither is set: {text}")
    return reader.result(settings)


def load_worker(environ: Mapping[str, str]) -> Settings:
    """The settings of the back process, which sends nothing to Slack: its variables may be absent."""
    reader = _Environment(environ)
    return reader.result(reader.settings())


# --- The environment ------------------------------------------------------------------------------


class _Environment:
    """Reads variables one by one and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # A Secret made from `echo token | base64` ends in a line feed, which no value here means.
        stripped = {name: environ.get(name, "").strip() for name in VARIABLES}
        self._values = {name: value for name, value in stripped.items() if value}
        self.given = frozenset(self._values)
        self.problems: list[Problem] = []

    def wrong(self, variable: str, text: str) -> None:
        self.problems.append(Problem(variable, 0, 0, text))

    def result(self, settings: Settings) -> Settings:
        if self.problems:
            raise BadSettings(tuple(self.problems))
        return settings

    def settings(self) -> Settings:
        return Settings(
            slack_bot_token=self._secret("SLACK_BOT_TOKEN", _bad_bot_token),
            slack_signing_secret=self._secret("SLACK_SIGNING_SECRET", _bad_signing_secret),
            slack_app_token=self._secret("SLACK_APP_TOKEN", _bad_app_token),
            slack_api_url=self._slack_api_url(),
            redis_url=self._secret("REDIS_URL", _bad_redis_url) or _LOCAL_REDIS,
            alertmanager_tokens=self._webhook_tokens(),
            grafana_token=self._secret("GRAFANA_TOKEN"),
            status_page_token=self._secret("STATUS_PAGE_TOKEN"),
            git_token=self._secret("GIT_TOKEN"),
            port=self._port("PORT", 3000, at_least=1),
            worker_port=self._port("WORKER_PORT", 0, at_least=0),
            otlp_endpoint=self._otlp_endpoint(),
            log_level=self._log_level(),
            kubeconfig=self._kubeconfig(),
            config=self._values.get("SRE_BOT_CONFIG", ""),
            site=self._site(),
        )

    def _secret(self, name: str, objection: Callable[[str], str] | None = None) -> Secret:
        value = self._values.get(name, "")
        text = _bad_text(value) or (objection(value) if objection and value else "")
        if text:
            self.wrong(name, text)
        return Secret(value)

    def _slack_api_url(self) -> str:
        url = self._values.get("SLACK_API_URL", "https://slack.com/api/")
        if text := _bad_address(url, "https://slack.com/api/"):
            self.wrong("SLACK_API_URL", text)
        return url.rstrip("/") + "/"

    def _webhook_tokens(self) -> tuple[Secret, ...]:
        name = "ALERTMANAGER_WEBHOOK_TOKEN"
        tokens = [token.strip() for token in self._values.get(name, "").split(",") if token.strip()]
        if len(tokens) > 2:
            self.wrong(name, f"has {len(tokens)} tokens: two are valid at once, the new and the old one")
        if any(len(token) < 16 for token in tokens):
            self.wrong(name, "is shorter than 16 characters: make one with `openssl rand -hex 32`")
        if any(_bad_text(token) for token in tokens):
            self.wrong(name, "must not contain quotes or spaces")
        return tuple(map(Secret, tokens))

    def _port(self, name: str, default: int, *, at_least: int) -> int:
        value = self._values.get(name, str(default))
        if re.fullmatch(r"[0-9]{1,5}", value) and at_least <= int(value) < 65536:
            return int(value)
        self.wrong(name, f"must be a number between {at_least} and 65535")
        return default

    def _otlp_endpoint(self) -> str:
        url = self._values.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        if url and (text := _bad_address(url, "http://otel-collector:4318")):
            self.wrong("OTEL_EXPORTER_OTLP_ENDPOINT", text)
        return url

    def _log_level(self) -> str:
        level = self._values.get("LOG_LEVEL", "INFO").upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            self.wrong("LOG_LEVEL", "must be one of DEBUG, INFO, WARNING, ERROR")
        return level

    def _kubeconfig(self) -> str:
        value = self._values.get("KUBECONFIG", "")
        files = [each for each in value.split(os.pathsep) if each]
        if files and not any(Path(each).is_file() for each in files):
            self.wrong("KUBECONFIG", f"there is no file {value}")
        return value

    def _site(self) -> Site:
        name = self._values.get("SRE_BOT_CONFIG", "")
        try:
            return parse(_file_text(name), name) if name else Site()
        except BadSettings as bad:
            self.problems += bad.problems
        return Site()


def _file_text(name: str) -> str:
    """The text of the policy file; every way it cannot be read is a problem of its own."""
    try:
        with open(name, "rb") as file:
            return file.read(MOST_BYTES + 1).decode("utf-8-sig")
    except FileNotFoundError:
        reason = "there is no such file; SRE_BOT_CONFIG names it"
    except IsADirectoryError:
        reason = "is a directory; SRE_BOT_CONFIG must name the file in it, such as sre-bot.yaml"
    except PermissionError:
        reason = f"may not be read by user {os.geteuid()}: allow it with chmod a+r"
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 text (byte {error.start})"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise BadSettings((Problem(name, 0, 0, reason),))


# --- What was probably pasted ---------------------------------------------------------------------

_OAUTH_PAGE = "it is under OAuth & Permissions of the Slack app"


def _bad_text(value: str) -> str:
    if value[:1] in "\"'" and value[:1]:
        return "stands in quotes: take them off"
    return "contains a space or a line feed" if re.search(r"\s", value) else ""


def _bad_bot_token(value: str) -> str:
    if re.match(r"xoxe\.", value):
        return "is a rotating token (xoxe.…): turn token rotation off, or create the app anew without it"
    if value.startswith("xoxp-"):
        return f"is a user token (xoxp-…): the bot needs the Bot User OAuth Token (xoxb-…); {_OAUTH_PAGE}"
    if value.startswith("xapp-"):
        return "is an app-level token (xapp-…): put that into SLACK_APP_TOKEN, and the xoxb-… one here"
    if not re.fullmatch(r"xoxb-[\w-]+", value):
        return f"is no bot token, which begins with xoxb-; {_OAUTH_PAGE}"
    return ""


def _bad_app_token(value: str) -> str:
    if re.match(r"xox", value):
        return "is not an app-level token (xapp-…) but an OAuth token: put that into SLACK_BOT_TOKEN"
    if not re.fullmatch(r"xapp-[\w-]+", value):
        page = "Basic Information, App-Level Tokens (scope connections:write)"
        return f"is no app-level token, which begins with xapp-; it is under {page}"
    return ""


def _bad_signing_secret(value: str) -> str:
    if re.match(r"xox|xapp-", value):
        return "is a token: the signing secret is under Basic Information, App Credentials"
    return "is too short for a signing secret (32 characters)" if len(value) < 16 else ""


def _bad_redis_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in ("redis", "rediss", "unix") and (parts.port or 1) > 0
    except ValueError:
        is_valid = False
    if not is_valid or not (parts.hostname or parts.path):
        return "must be an address such as redis://redis:6379/0 (a password is percent-encoded)"
    return ""


def _bad_address(value: str, such_as: str) -> str:
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_valid = False
    if not is_valid:
        return f"must be an address such as {such_as}"
    if parts.username is not None or parts.query or parts.fragment:
        return "must be an address alone, without a user, a password, ? and #"
    return ""


def _passwords(url: str) -> tuple[Secret, ...]:
    """Of a Redis address, as written and as meant: before the host, or as an option behind it."""
    try:
        parts = urlsplit(url)
        written = [parts.password or "", *parse_qs(parts.query).get("password", ())]
    except ValueError:
        return ()
    return tuple(Secret(way) for each in written for way in dict.fromkeys((each, unquote(each))))


# --- Shown back -----------------------------------------------------------------------------------


def effective(settings: Settings) -> str:
    """The configuration as it is in force: YAML that loads to the same site, then the environment as
    comments, secrets only as set or not."""
    text: str = yaml.safe_dump(site_as_data(settings.site), sort_keys=False, allow_unicode=True, width=100)
    return text + "".join(f"# {line}\n" for line in _environment_lines(settings))


def _environment_lines(settings: Settings) -> list[str]:
    def state(secret: Secret) -> str:
        # No colon: the redactor would take the word behind "TOKEN:" for a token.
        return "set" if secret else "absent"

    tokens = len(settings.alertmanager_tokens)
    return [
        f"SLACK_BOT_TOKEN is {state(settings.slack_bot_token)}",
        f"SLACK_SIGNING_SECRET is {state(settings.slack_signing_secret)}",
        f"SLACK_APP_TOKEN is {state(settings.slack_app_token)}",
        f"SLACK_API_URL: {settings.slack_api_url}",
        f"REDIS_URL: {settings.redis_shown}",
        f"ALERTMANAGER_WEBHOOK_TOKEN is {f'set, {tokens} of them' if tokens else 'absent'}",
        f"GRAFANA_TOKEN is {state(settings.grafana_token)}",
        f"STATUS_PAGE_TOKEN is {state(settings.status_page_token)}",
        f"GIT_TOKEN is {state(settings.git_token)}",
        f"PORT: {settings.port}",
        f"WORKER_PORT: {settings.worker_port or 'absent'}",
        f"OTEL_EXPORTER_OTLP_ENDPOINT: {settings.otlp_endpoint or 'absent'}",
        f"LOG_LEVEL: {settings.log_level}",
        f"KUBECONFIG: {settings.kubeconfig or 'absent'}",
        f"SRE_BOT_CONFIG: {settings.config or 'absent'}",
    ]


def site_as_data(site: Site) -> dict[str, Any]:
    """The site as plain YAML data. A cluster shows its own keys and only those sections that differ."""
    whole = _as_data(site)
    shared = {key: whole[key] for key in keys_of(Sections)}
    clusters = whole.pop("clusters")
    for name in site.clusters:
        clusters[name] = _own(clusters[name], shared)
    return {"timezone": whole.pop("timezone"), "clusters": clusters, **whole}


def _own(cluster: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    own_keys = [key for key in keys_of(ClusterSite) if key not in shared and key != "name"]
    differing = {key: cluster[key] for key in shared if cluster[key] != shared[key]}
    return {**{key: cluster[key] for key in own_keys}, **differing}


def _as_data(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        of = {key.name: getattr(value, key.attribute) for key in keys_of(type(value)).values()}
        return {name: _as_data(each) for name, each in of.items() if each is not None}
    if isinstance(value, Mapping):
        return {name: _as_data(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_as_data(each) for each in value]
    if isinstance(value, timedelta):
        return duration_text(value)
    return value.isoformat(" ", "minutes") if isinstance(value, datetime) else value


def duration_text(span: timedelta) -> str:
    """A timedelta as the file writes it, in the largest unit that divides it: "30d", "90m", "500ms"."""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if span % timedelta(seconds=seconds) == timedelta(0):
            return f"{span // timedelta(seconds=seconds)}{unit}"
    return f"{span / timedelta(milliseconds=1):g}ms"


assert len(fields(Settings)) == len(VARIABLES) + 1  # the site is the one that is no variable
