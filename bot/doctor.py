"""`python -m bot doctor`: does everything the configuration names answer, and may the bot do what it needs?

One line per check (✓ good, ✗ broken, ? not known or not set) and under each miss the line that mends it.
The probes run side by side, each with five seconds, and none can hide another. Nothing is written
anywhere: not to Slack, not to Redis, not to the cluster. The needs are declared here as data
(NEEDED_SCOPES) and in commands/needs.py, and the manifests are compared with them.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any

import boto3
import httpx
import orjson
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from kubernetes import config as kubernetes_config
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.rights import KubeNeed, change_needs, kube_needs
from bot.settings import Settings
from commands.site import ROLES, ClusterSite, Site, service_address

PATIENCE = 5.0  # seconds for each probe

GOOD, BROKEN, OPEN = "✓", "✗", "?"

# What the Slack app must be granted, and what for; with False the bot gets by without it.
NEEDED_SCOPES: Mapping[str, tuple[bool, str]] = {
    "chat:write": (True, "posts and updates cards"),
    "commands": (True, "receives /sre"),
    "app_mentions:read": (True, "hears mentions in channels and threads, where slash commands do not work"),
    "im:history": (True, "hears direct messages"),
    "usergroups:read": (True, "looks up who is in the user groups of `roles` and `access`"),
    "users:read": (True, "tells members from guests and bots before a change is asked for or approved"),
    "im:write": (True, "opens the direct messages that --private answers in"),
    "channels:read": (True, "finds public channels by their names"),
    "groups:read": (True, "finds private channels by their names"),
    "channels:history": (True, "looks up a post whose answer got lost, so that it is not made twice"),
    "groups:history": (True, "the same in private channels"),
    "files:write": (True, "shares kept files, such as a pod's evidence, in the thread"),
    "channels:manage": (
        True,
        "opens, names, renames and archives the channel of an incident, and invites into it",
    ),
    "groups:write": (True, "the same for a private incident"),
    "reactions:read": (True, "sees the 📌 that puts a message into an incident's timeline"),
    "reactions:write": (True, "marks the messages that it has put there"),
    "pins:read": (True, "sees what is pinned in the channel of an incident"),
    "pins:write": (True, "pins the card of an incident"),
    "bookmarks:read": (True, "sees which of its bookmarks are still there"),
    "bookmarks:write": (True, "puts an incident's links over its channel"),
    "files:read": (True, "keeps the hash of files that are shared in an incident"),
    "canvases:write": (False, "writes the postmortem as a canvas, too; without it there is the file alone"),
    "metadata.message:read": (False, "reads the mark on its own posts when it looks one up"),
}

OLDEST_REDIS = (6, 2)


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it stands, what was found, and the line that mends it."""

    about: str
    state: str
    found: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{self.state} {self.about}: {self.found}"
        return f"{line}\n    → {self.mend}" if self.mend else line


Probe = Callable[[], Iterable[Check]]


def main(settings: Settings, environ: Mapping[str, str]) -> int:
    """Print every check; 1 when something is broken, else 0."""
    # Retries and refusals are what is examined here; the libraries' own lines about them would be noise.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    redact = settings.redactor()
    checks = examine(settings, environ)
    for check in checks:
        print(redact(str(check)))
    broken, unsure = (sum(check.state == state for check in checks) for state in (BROKEN, OPEN))
    print(f"\n{len(checks)} checks: {broken} broken, {unsure} not known or not set")
    return 1 if broken else 0


def examine(
    settings: Settings, environ: Mapping[str, str], patience: float = PATIENCE, only: str = ""
) -> list[Check]:
    """Every check (of the probes whose name begins so), in the order of the probes, not of the answers."""
    probes = [each for each in _probes(settings, environ, patience) if each[0].startswith(only)]
    running = [_Run(name, probe) for name, probe in probes]
    until = time.monotonic() + patience + 0.5  # the clients' own limits say more, so they go first
    return [check for run in running for check in run.result(until)]


class _Run:
    """A probe in a thread of its own; what it found before it hung or failed is kept."""

    def __init__(self, name: str, probe: Probe) -> None:
        self._name = name
        self._found: list[Check] = []
        self._thread = Thread(target=self._collect, args=(probe,), name=f"doctor-{name}", daemon=True)
        self._thread.start()

    def _collect(self, probe: Probe) -> None:
        try:
            for check in probe():
                self._found.append(check)
        except Exception as error:  # a broken check is a line, and the others go on
            self._found.append(Check(self._name, OPEN, f"could not be checked: {_words(error)}"))

    def result(self, until: float) -> list[Check]:
        self._thread.join(max(0.0, until - time.monotonic()))
        found = list(self._found)
        if self._thread.is_alive():
            found.append(Check(self._name, BROKEN, "did not answer in time"))
        return found


def _probes(settings: Settings, environ: Mapping[str, str], patience: float) -> Iterator[tuple[str, Probe]]:
    yield "configuration", partial(_configuration, settings)
    yield "Slack", partial(_slack, settings, patience)
    if settings.socket_mode:
        yield "Slack Socket Mode", partial(_app_token, settings, patience)
    yield "Redis", partial(_redis, settings, patience)
    for cluster in settings.site.clusters.values():
        kube = _Kube(cluster, settings, environ, patience)
        yield f"Kubernetes {cluster.name}", partial(_kubernetes, kube)
        for name in ("prometheus", "alertmanager", "grafana"):
            yield f"{name.capitalize()} {cluster.name}", partial(_component, kube, name, settings, patience)
        if cluster.eks_name:
            yield f"AWS {cluster.name}", partial(_aws, cluster, patience)


def _words(error: BaseException) -> str:
    """An exception in one short line; redaction happens where it is printed."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


# --- The configuration itself ---------------------------------------------------------------------


def _configuration(settings: Settings) -> Iterator[Check]:
    ways = [way for way, on in (("Socket Mode", settings.socket_mode), ("HTTP", settings.http_mode)) if on]
    source = settings.config or "every default, because SRE_BOT_CONFIG is not set"
    yield Check("configuration", GOOD, f"{source}; Slack by {' and '.join(ways) or 'nothing'}")
    if not settings.alertmanager_tokens:
        yield Check(
            "configuration",
            OPEN,
            "the alert webhook refuses every call",
            "set ALERTMANAGER_WEBHOOK_TOKEN to the output of `openssl rand -hex 32`, and Alertmanager's "
            "http_config.authorization.credentials to the same",
        )
    empty = [role for role in ROLES if not settings.site.role_members(role)]
    if empty:
        line = "roles: {" + ", ".join(f"{role}: [U…]" for role in empty) + "}"
        yield Check("configuration", OPEN, f"nobody is {', '.join(empty)}", f"add {line}")
    for act in ("submit", "approve"):
        if not any(act in rule.may and rule.roles and rule.verbs for rule in settings.site.access):
            line = f'`{{roles: [approvers], may: {act}, verbs: ["*"]}}`'
            yield Check(
                "configuration", OPEN, f"nobody may {act} a change", f"add to `access` such as {line}"
            )


# --- Slack ----------------------------------------------------------------------------------------

_DEAD_TOKENS = ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired")


def _slack(settings: Settings, patience: float) -> Iterator[Check]:
    if not settings.slack_bot_token:
        yield Check("Slack", OPEN, "no SLACK_BOT_TOKEN here", "set SLACK_BOT_TOKEN")
        return
    slack = _web_client(settings, settings.slack_bot_token.reveal(), patience)
    try:
        me = slack.auth_test()
    except (SlackClientError, OSError) as error:
        yield _slack_failed(
            "Slack", error, "reinstall the app and set SLACK_BOT_TOKEN to its new xoxb-… token"
        )
        return
    yield Check("Slack", GOOD, f"the token is @{me.get('user')} of {me.get('team')} ({me.get('team_id')})")
    yield from _scopes(_granted(me.headers))
    yield from _channels(slack, settings.site)


def _web_client(settings: Settings, token: str, patience: float) -> WebClient:
    return WebClient(token, base_url=settings.slack_api_url, timeout=int(patience), retry_handlers=[])


def _slack_failed(about: str, error: Exception, mend: str) -> Check:
    if isinstance(error, SlackApiError):
        reason = str(error.response.get("error"))
        return Check(about, BROKEN, f"Slack says {reason}", mend if reason in _DEAD_TOKENS else "")
    mend = "allow the way out to slack.com:443, or set HTTPS_PROXY"
    return Check(about, BROKEN, f"Slack does not answer: {_words(error)}", mend)


def _granted(headers: Mapping[str, Any]) -> frozenset[str]:
    for name, value in headers.items():
        if name.lower() == "x-oauth-scopes":
            text = value if isinstance(value, str) else ",".join(value)
            return frozenset(part.strip() for part in text.split(",") if part.strip())
    return frozenset()


def _scopes(granted: frozenset[str]) -> Iterator[Check]:
    if not granted:
        yield Check("Slack scopes", OPEN, "Slack did not say which are granted")
        return
    missing = {scope: why for scope, why in NEEDED_SCOPES.items() if scope not in granted}
    for scope, (is_needed, why) in missing.items():
        mend = f"add {scope} under OAuth & Permissions, Bot Token Scopes, and reinstall the app"
        yield Check("Slack scopes", BROKEN if is_needed else OPEN, f"{scope} is missing: it {why}", mend)
    if not missing:
        yield Check("Slack scopes", GOOD, f"all {len(NEEDED_SCOPES)} needed are granted")


def configured_channels(site: Site) -> dict[str, list[str]]:
    """Every channel the configuration names, with the keys that name it."""
    found: dict[str, list[str]] = {}
    for key in ("daily", "alerts", "incidents", "changes", "security", "support"):
        found.setdefault(getattr(site.channels, key), []).append(f"channels.{key}")
    for channel in site.channels.stakeholders:
        found.setdefault(channel, []).append("channels.stakeholders")
    for name, cluster in site.clusters.items():
        for channel in cluster.channels:
            found.setdefault(channel, []).append(f"clusters.{name}.channels")
    found.pop("", None)
    return found


def _channels(slack: WebClient, site: Site) -> Iterator[Check]:
    wanted = configured_channels(site)
    try:
        known = _listed(slack.users_conversations, wanted)
        if set(wanted) - set(known):  # the whole workspace only when something is not among the bot's own
            known = _listed(slack.conversations_list, wanted) | known
    except (SlackClientError, OSError) as error:
        yield _channels_unread(error)
        return
    for channel, keys in wanted.items():
        yield _channel(channel, " and ".join(f"`{key}`" for key in keys), known.get(channel))


def _channels_unread(error: Exception) -> Check:
    if isinstance(error, SlackApiError) and error.response.get("error") == "missing_scope":
        scope = error.response.get("needed") or "channels:read,groups:read"
        mend = f"add {scope} under OAuth & Permissions, Bot Token Scopes, and reinstall the app"
        return Check("Slack channels", OPEN, "may not be looked up", mend)
    return Check("Slack channels", OPEN, f"could not be looked up: {_words(error)}")


def _listed(method: Callable[..., Any], wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The wanted channels that a listing has, by "#name" and by id; ends as soon as it has them all."""
    found: dict[str, dict[str, Any]] = {}
    cursor, left = "", set(wanted)
    is_own = method.__name__ == "users_conversations"
    while left:
        page = method(
            types="public_channel,private_channel", limit=1000, cursor=cursor, exclude_archived=False
        )
        for channel in page["channels"]:
            for key in (f"#{channel['name']}", channel["id"]):
                if key in left:
                    found[key] = {**channel, "is_member": is_own or channel.get("is_member", False)}
                    left.discard(key)
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return found


def _channel(channel: str, keys: str, found: Mapping[str, Any] | None) -> Check:
    about = f"Slack channel {channel}"
    if found is None:
        mend = f"create it (a private one: /invite the bot there), or change {keys}"
        return Check(about, BROKEN, f"does not exist, or is private without the bot ({keys})", mend)
    if found.get("is_archived"):
        return Check(about, BROKEN, f"is archived ({keys})", f"unarchive it, or change {keys}")
    if not found["is_member"]:
        return Check(about, BROKEN, f"the bot is not in it ({keys})", f"type `/invite @sre-bot` in {channel}")
    return Check(about, GOOD, f"the bot is in it ({keys})")


def _app_token(settings: Settings, patience: float) -> Iterator[Check]:
    slack = _web_client(settings, settings.slack_app_token.reveal(), patience)
    page = "Basic Information, App-Level Tokens"
    try:
        slack.apps_connections_open(app_token=settings.slack_app_token.reveal())
    except SlackApiError as error:
        mends = {
            "missing_scope": f"make a new token with connections:write under {page}, and set SLACK_APP_TOKEN",
            "not_allowed_token_type": f"set SLACK_APP_TOKEN to the xapp-… token under {page}",
        }
        reason = str(error.response.get("error"))
        default = f"make a new token under {page}, turn on Socket Mode, and set SLACK_APP_TOKEN"
        yield Check("Slack Socket Mode", BROKEN, f"Slack says {reason}", mends.get(reason, default))
    except (SlackClientError, OSError) as error:
        yield _slack_failed("Slack Socket Mode", error, "")
    else:
        yield Check("Slack Socket Mode", GOOD, "the app token may connect")


# --- Redis ----------------------------------------------------------------------------------------


def _redis(settings: Settings, patience: float) -> Iterator[Check]:
    where = settings.redis_shown
    client = Redis.from_url(
        settings.redis_url.reveal(), socket_timeout=patience, socket_connect_timeout=patience, retry=None
    )
    try:
        with client:
            info = client.info()
            yield Check("Redis", GOOD, f"{where} answers")
            yield from _redis_facts(info, _fsync(client))
    except RedisError as error:
        mend = "set REDIS_URL to a server that this process may reach and log in to"
        yield Check("Redis", BROKEN, f"{where}: {_words(error)}", mend)


def _fsync(client: "Redis") -> str:
    """appendfsync, or "" where CONFIG is not for us (managed services)."""
    try:
        answer: Any = client.config_get("appendfsync")
    except ResponseError:
        return ""
    return str(answer.get("appendfsync", ""))


def _redis_facts(info: Mapping[str, Any], fsync: str) -> Iterator[Check]:
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        mend = f"run Redis {OLDEST_REDIS[0]}.{OLDEST_REDIS[1]} or newer, or Valkey"
        yield Check("Redis version", BROKEN, f"{version} is too old", mend)
    else:
        yield Check("Redis version", GOOD, version)
    policy = str(info.get("maxmemory_policy", ""))
    if policy == "noeviction":
        yield Check("Redis memory", GOOD, "nothing is evicted")
    else:
        mend = "set `maxmemory-policy noeviction`"
        yield Check(
            "Redis memory", BROKEN, f"policy {policy} drops requests and messages under pressure", mend
        )
    yield _durability(bool(info.get("aof_enabled")), fsync)


def _durability(has_aof: bool, fsync: str) -> Check:
    if not has_aof:
        mend = "set `appendonly yes` and `appendfsync always`"
        return Check("Redis durability", BROKEN, "what was accepted is lost when Redis restarts", mend)
    if fsync == "no":
        mend = "set `appendfsync always`"
        return Check(
            "Redis durability", BROKEN, "the append-only file is written when the kernel likes", mend
        )
    if not fsync:
        return Check(
            "Redis durability", GOOD, "append-only file (CONFIG is not allowed, so its fsync is not known)"
        )
    if fsync == "everysec":
        lost = "what was accepted in the last second is lost with the machine"
        return Check("Redis durability", BROKEN, lost, "set `appendfsync always`")
    return Check("Redis durability", GOOD, f"append-only file, appendfsync {fsync}")


# --- Kubernetes -----------------------------------------------------------------------------------


class _Kube:
    """Plain requests to one cluster's API server, with the credentials the workers would use."""

    def __init__(
        self, cluster: ClusterSite, settings: Settings, environ: Mapping[str, str], patience: float
    ) -> None:
        self.cluster = cluster
        self._kubeconfig = settings.kubeconfig
        self._environ = environ
        self._timeout = urllib3.Timeout(total=patience)
        self._link: tuple[Any, urllib3.PoolManager] | None = None

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body; raises OSError, urllib3's HTTPError or ConfigException when nobody answers."""
        config, pool = self._link = self._link or self._connection()
        bearer = config.auth_settings().get("BearerToken")
        headers = {"Accept": "application/json", "User-Agent": "sre-bot-doctor"}
        if bearer and bearer["value"]:
            headers["Authorization"] = bearer["value"]
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = pool.request(
            method,
            config.host + path,
            headers=headers,
            body=None if body is None else orjson.dumps(body),
            timeout=self._timeout,
            retries=False,
            redirect=False,
        )
        return answer.status, answer.data

    def _connection(self) -> tuple[Any, urllib3.PoolManager]:
        config: Any = Configuration()
        is_inside = "KUBERNETES_SERVICE_HOST" in self._environ
        if is_inside and not (self._kubeconfig or self.cluster.context):
            kubernetes_config.load_incluster_config(config)  # type: ignore[no-untyped-call]
        else:
            kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=self._kubeconfig or os.path.expanduser("~/.kube/config"),
                context=self.cluster.context or None,
                client_configuration=config,
                persist_config=False,
            )
        config.retries = False
        return config, RESTClientObject(config).pool_manager


_KUBE_ERRORS = (kubernetes_config.ConfigException, urllib3.exceptions.HTTPError, OSError, ValueError)


def _kubernetes(kube: _Kube) -> Iterator[Check]:
    about = f"Kubernetes {kube.cluster.name}"
    try:
        status, body = kube.request("GET", "/version")
    except _KUBE_ERRORS as error:
        mend = f"set KUBECONFIG, and `context` of cluster {kube.cluster.name} to a context in it"
        yield Check(about, BROKEN, f"no answer: {_words(error)}", mend)
        return
    if status == 401:
        mend = "renew the ServiceAccount token, or the credentials in KUBECONFIG"
        yield Check(about, BROKEN, "the credentials are not accepted (401)", mend)
        return
    version = _git_version(body) if status == 200 else ""
    if not version and status != 403:  # 403: it keeps its version to itself
        mend = (
            "look at the API server, or at what stands between: KUBECONFIG may name a proxy or a login page"
        )
        yield Check(about, BROKEN, f"/version answers {status}, and not as an API server does", mend)
        return
    yield Check(about, GOOD, f"answers, {version or 'but does not tell its version (403)'}")
    yield from _rights(kube, about)
    yield from _metrics_api(kube, about)


def _git_version(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return ""


def _rights(kube: _Kube, about: str) -> Iterator[Check]:
    needs, more = kube_needs(kube.cluster), change_needs(kube.cluster)
    try:
        missing, lacking = _missing(kube, needs), _missing(kube, more)
    except _NotTold as status:
        mend = "bind ClusterRole system:basic-user to group system:authenticated, as Kubernetes itself does"
        yield Check(about, OPEN, f"what it may do cannot be asked ({status})", mend)
        return
    yield from (_refused(about, need) for need in missing)
    if not missing:
        yield Check(about, GOOD, f"all {len(needs)} rights that reads need are there")
    if len(lacking) == len(more):
        mend = "where changes are wanted, run the workers with k8s/components/change"
        yield Check(about, OPEN, "it may only read: no change can be carried out", mend)
    else:
        yield from (_refused(about, need) for need in lacking)
        if not lacking:
            yield Check(about, GOOD, f"all {len(more)} rights that changes need are there")


class _NotTold(Exception):
    """The API server does not answer what one may do; its argument is the status."""


def _missing(kube: _Kube, needs: Iterable[KubeNeed]) -> list[KubeNeed]:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    missing = []
    for need in needs:
        status, body = kube.request("POST", path, need.review())
        if status != 201:
            raise _NotTold(status)
        if not orjson.loads(body)["status"].get("allowed"):
            missing.append(need)
    return missing


def _refused(about: str, need: KubeNeed) -> Check:
    role = f"a Role in {need.namespace}" if need.namespace else "a ClusterRole"
    return Check(about, BROKEN, f"may not {need.words}", f"in {role} add {need.rule}")


def _metrics_api(kube: _Kube, about: str) -> Iterator[Check]:
    status, _ = kube.request("GET", "/apis/metrics.k8s.io/v1beta1")
    if status == 200:
        yield Check(about, GOOD, "metrics.k8s.io answers")
    else:
        found = f"metrics.k8s.io is not there ({status}): node use comes from Prometheus instead"
        yield Check(about, OPEN, found, "install metrics-server (at EKS: the add-on metrics-server)")


# --- Prometheus, Alertmanager, Grafana ------------------------------------------------------------

_READY = {"prometheus": "/-/ready", "alertmanager": "/-/ready", "grafana": "/api/health"}


def _component(kube: _Kube, name: str, settings: Settings, patience: float) -> Iterator[Check]:
    cluster = kube.cluster
    about, key = f"{name.capitalize()} {cluster.name}", f"`monitoring.{name}.url`"
    url: str = getattr(cluster.monitoring, name).url
    if not url:
        yield Check(about, OPEN, "is not configured", f"set {key}")
        return
    way = "through the API server" if cluster.monitoring.access == "proxy" else "directly"
    get = partial(_get, kube, url, patience)
    try:
        status, _ = get(_READY[name], {})
    except (*_KUBE_ERRORS, httpx.HTTPError) as error:
        mend = f"mend {key}, let the bot through (NetworkPolicy), or set `monitoring.access: proxy`"
        yield Check(about, BROKEN, f"{url} does not answer {way}: {_words(error)}", mend)
        return
    if status != 200:
        yield Check(about, BROKEN, f"{url}{_READY[name]} answers {status} {way}", _status_mend(status, key))
        return
    yield Check(about, GOOD, f"{url} is ready {way}")
    if name == "grafana":
        by_proxy = cluster.monitoring.access == "proxy"
        yield from _grafana_by_proxy(about, get) if by_proxy else _grafana_token(about, settings, get)


def _status_mend(status: int, key: str) -> str:
    if status in (301, 302, 303, 307, 308):
        return f"it redirects (to a login?): set {key} to the address inside the cluster"
    if status in (401, 403):
        return f"it asks for a login: set {key} to an address without one, or grant services/proxy"
    return f"look whether it is still starting, and whether {key} is right"


def _get(kube: _Kube, url: str, patience: float, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    if kube.cluster.monitoring.access == "proxy":
        at = service_address(url)
        if at is None:
            raise ValueError(f"{url} names no Service of the cluster")
        name = f"{at.scheme}:{at.service}:{at.port}" if at.scheme == "https" else f"{at.service}:{at.port}"
        return kube.request("GET", f"/api/v1/namespaces/{at.namespace}/services/{name}/proxy{at.path}{path}")
    answer = httpx.get(
        url.rstrip("/") + path, headers=dict(headers), timeout=patience, follow_redirects=False
    )
    return answer.status_code, answer.content


def _grafana_by_proxy(
    about: str, get: Callable[[str, Mapping[str, str]], tuple[int, bytes]]
) -> Iterator[Check]:
    status, _ = get("/api/search?limit=1", {})
    if status == 200:
        yield Check(about, GOOD, "dashboards may be searched without a token")
        return
    found = f"GRAFANA_TOKEN is not tried: the API server's proxy cannot pass a token (without: {status})"
    yield Check(about, OPEN, found, "set `monitoring.access: direct`, or let Grafana show without a login")


def _grafana_token(
    about: str, settings: Settings, get: Callable[[str, Mapping[str, str]], tuple[int, bytes]]
) -> Iterator[Check]:
    mend = "make a service account with role Viewer in Grafana, and set GRAFANA_TOKEN to a token of it"
    if not settings.grafana_token:
        yield Check(about, OPEN, "dashboards are not looked up without a token", mend)
        return
    bearer = {"Authorization": f"Bearer {settings.grafana_token.reveal()}"}
    status, _ = get("/api/search?limit=1", bearer)
    if status == 200:
        yield Check(about, GOOD, "the token may search dashboards")
    else:
        yield Check(about, BROKEN, f"the token is refused ({status})", mend)


# --- AWS ------------------------------------------------------------------------------------------

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def _aws(cluster: ClusterSite, patience: float) -> Iterator[Check]:
    about = f"AWS {cluster.name}"
    limits = Config(connect_timeout=patience, read_timeout=patience, retries={"total_max_attempts": 1})
    session = boto3.session.Session(region_name=cluster.region or None)
    try:
        who = session.client("sts", config=limits).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        mend = "give the ServiceAccount an IAM role (IRSA or EKS Pod Identity), or set `eks: false`"
        yield Check(about, BROKEN, f"no identity: {_words(error)}", mend)
        return
    yield Check(about, GOOD, f"is {who['Arn']} in {cluster.region}")
    yield from _eks(session.client("eks", config=limits), cluster, about, _arn_prefix(who, cluster.region))


def _arn_prefix(who: Mapping[str, str], region: str) -> str:
    """Of the account and partition the identity is in; China and GovCloud have partitions of their own."""
    return f"arn:{who['Arn'].split(':')[1]}:eks:{region}:{who['Account']}"


def _eks(eks: Any, cluster: ClusterSite, about: str, prefix: str) -> Iterator[Check]:
    name = cluster.eks_name
    yield _attempt(
        partial(eks.describe_cluster, name=name),
        Check(about, GOOD, f"eks:DescribeCluster {name} is allowed"),
        "eks:DescribeCluster",
        f"{prefix}:cluster/{name}",
        f"change `eks` or `region` of cluster {cluster.name}",
    )
    for group in cluster.nodegroups:
        yield _attempt(
            partial(eks.describe_nodegroup, clusterName=name, nodegroupName=group),
            Check(about, GOOD, f"eks:DescribeNodegroup {group} is allowed"),
            "eks:DescribeNodegroup",
            f"{prefix}:nodegroup/{name}/{group}/*",
            f"change `nodegroups` of cluster {cluster.name}",
        )


def _attempt(call: Callable[[], Any], good: Check, action: str, arn: str, absent: str) -> Check:
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _DENIED:
            statement = f'{{"Effect": "Allow", "Action": "{action}", "Resource": "{arn}"}}'
            return Check(
                good.about, BROKEN, f"{action} is not allowed", f"add to the role's policy {statement}"
            )
        if code == "ResourceNotFoundException":
            return Check(good.about, BROKEN, f"{action}: EKS does not know {arn}", absent)
        return Check(good.about, BROKEN, f"{action}: {code}")
    except BotoCoreError as error:
        return Check(
            good.about,
            BROKEN,
            f"{action}: {_words(error)}",
            "allow the way out to eks.<region>.amazonaws.com",
        )
    return good
