"""One request to a Kubernetes API server with its end, the paging of lists, and the error table.

Every request has an explicit end; every list is paged and its pages dropped. A read is asked again over a
broken connection, a write (`send`) never: what became of it is for its caller to find out. Nothing here
judges, retries a refusal, or puts a credential into a reason. Called by the clients that project what they
read (workers/cluster.py and its like); workers/effects.py alone may call `send`.
"""

import gc
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import urllib3
from urllib3 import exceptions as net

from commands.errors import Forbidden, Refused, TimedOut, Unanswered, Unreachable
from commands.site import ClusterSite
from workers import carried
from workers.fields import part
from workers.link import (
    BAD_CONFIG,
    NO_CREDENTIALS,
    BadProxy,
    Link,
    PluginFailed,
    StillLoading,
    from_inside,
    from_kubeconfig,
)
from workers.reader import Answer, seconds_header, user_agent

CONNECT_SECONDS = 3.05
# The longest a single answer may take, however far away the deadline is.
ANSWER_SECONDS = 5.0
# A write waits for admission webhooks, an eviction for other writers of the pod. Cut off earlier, it would be
# one of which nobody knows what became.
WRITE_SECONDS = 15.0
PAGE_BYTES = 32 * 1024 * 1024
PAGE = 250
LIST_ATTEMPTS = 3

Json = dict[str, Any]
T = TypeVar("T")
Trim = Callable[[bytes], bytes]

JSON = "application/json"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json"
# The API server leaves everything but metadata out of its answer. Nothing else is taken: of a Secret nothing
# else may come here.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# Base64 without padding, so nothing in it is escaped. Objects begin after the list's own metadata.
_CONTINUE = re.compile(rb'^[^\[]{0,1000}?"continue":"([A-Za-z0-9_=-]+)"')
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for, in people's words and in RBAC's."""

    what: str
    resource: str
    group: str = ""
    verb: str = "list"
    namespace: str = ""

    @property
    def rule(self) -> str:
        if self.resource.startswith("/"):
            return f"- {{nonResourceURLs: [{self.resource}], verbs: [{self.verb}]}}"
        return f'- {{apiGroups: ["{self.group}"], resources: [{self.resource}], verbs: [{self.verb}]}}'

    @property
    def need(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        scope = f"in namespace {self.namespace}" if self.namespace else "at the cluster scope"
        return f"needs {self.verb} on {resource} {scope}"


@dataclass(frozen=True, slots=True)
class _Ask:
    """One HTTP request below the API server's address."""

    target: str
    accept: str = JSON
    method: str = "GET"
    body: bytes | None = None
    content_type: str = ""

    @property
    def headers(self) -> dict[str, str]:
        sent = {"Content-Type": self.content_type} if self.body is not None else {}
        return {"Accept": self.accept, "User-Agent": user_agent(), **sent}

    @property
    def seconds(self) -> float:
        return ANSWER_SECONDS if self.method == "GET" else WRITE_SECONDS


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API server said to a write: the object it made, or its Status.

    warnings: the texts of its Warning headers (admission, deprecation), in its order.
    """

    answer: Answer
    body: Json
    warnings: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        return self.answer.status

    @property
    def is_taken(self) -> bool:
        return 200 <= self.code < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message") or "")

    def cause(self, reason: str) -> str | None:
        """The message of the Status's first cause with this reason."""
        found = (
            each for each in part(self.body, "details").get("causes") or () if each.get("reason") == reason
        )
        return next((str(each.get("message") or "") for each in found), None)


class _Collecting:
    """Python's search for cycles goes over every new dictionary of a page, and with them over the whole
    process again and again: 50 ms for a page of 500 pods, and 12 ms without; and there are no cycles in
    JSON. Several reads may pause it at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses = 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self._lock:
            self._pauses += 1
            gc.disable()
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if not self._pauses:
                    gc.enable()


COLLECTING = _Collecting()


class Expired(Exception):
    """A continue token is no longer good (410): the list has to be read from its start."""


# --- The client -----------------------------------------------------------------------------------


class Api:
    """One API server: that of the context of a kubeconfig, or of the cluster the bot runs in."""

    def __init__(self, site: ClusterSite, kubeconfig: Path | None = None) -> None:
        self._site = site
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._link: Link | None = None

    def close(self) -> None:
        """Connections only; the next request opens new ones."""
        link, self._link = self._link, None
        if link is not None:
            link.pool.clear()

    # Objects and lists.

    def get(self, subject: Subject, path: str, deadline: float, accept: str = JSON) -> Json:
        return self._read(subject, self._whole(subject, path, deadline, accept))

    def _whole(self, subject: Subject, path: str, deadline: float, accept: str = JSON) -> Answer:
        answer = self._asked(subject, _Ask(path, accept), deadline, PAGE_BYTES)
        if answer.cut:
            raise Refused(f"{subject.what}: more than {PAGE_BYTES >> 20} MiB in one answer")
        if answer.status != 200:
            raise self.refusal(subject, answer, status_object(answer))
        return answer

    def _read(self, subject: Subject, answer: Answer) -> Json:
        found = _parsed(answer)
        if found is None:
            raise self._stranger(subject, answer)
        return found

    def find(self, subject: Subject, path: str, deadline: float) -> Json | None:
        """The object, or None where the API knows its kind and has none of this name."""
        try:
            return self.get(subject, path, deadline)
        except NotThere:
            return None

    def pages(
        self,
        subject: Subject,
        path: str,
        deadline: float,
        query: Mapping[str, str],
        trim: Trim = bytes,
        *,
        accept: str = JSON,
    ) -> Iterator[Json]:
        """The pages of a list. A list must be read from its start again when `Expired` comes out.

        The next page is on its way while one is worked on: its token stands at the head of a page.
        """

        def fetch(token: str) -> Answer:
            more = {"continue": token} if token else {}
            return self._whole(subject, f"{path}?{urlencode({**query, **more})}", deadline, accept)

        with ThreadPoolExecutor(1, thread_name_prefix="page") as ahead:
            answer = fetch("")
            while True:
                expected = _token(answer.body)
                coming = ahead.submit(carried.along(fetch), expected) if expected else None
                page = self._read(subject, replace(answer, body=trim(answer.body)))
                del answer
                yield page
                token = str(part(page, "metadata").get("continue") or "")
                if not token:
                    return
                del page
                answer = coming.result() if coming and token == expected else fetch(token)

    def listed(
        self,
        subject: Subject,
        path: str,
        deadline: float,
        project: Callable[[Json], T],
        trim: Trim = bytes,
        accept: str = JSON,
        /,
        **query: str,
    ) -> list[T]:
        """Every item, projected. trim: makes a page smaller before it is parsed. accept: METADATA_LIST leaves all
        but metadata where it is."""

        def attempt() -> list[T]:
            pages = self.pages(subject, path, deadline, {"limit": str(PAGE), **query}, trim, accept=accept)
            # `items` is null instead of [] from some servers.
            return [projected(subject, project, item) for page in pages for item in page.get("items") or ()]

        return from_the_start(subject, attempt)

    def text(self, subject: Subject, path: str, deadline: float, cap: int) -> tuple[str, bool]:
        """A plain text such as a log, at most `cap` bytes of it; and whether there was more."""
        answer = self._asked(subject, _Ask(path, "*/*"), deadline, cap)
        if answer.status != 200:
            raise self.refusal(subject, answer, status_object(answer))
        return answer.body.decode(errors="replace"), answer.cut

    def through_proxy(self, subject: Subject, target: str, deadline: float, cap: int) -> Answer:
        answer = self._asked(subject, _Ask(target, "*/*"), deadline, cap)
        status = status_object(answer)
        if status is not None:
            # The API server's own words: behind it nobody answered, or it would not ask.
            raise self.refusal(subject, answer, status)
        return answer

    # Writes.

    def send(
        self,
        subject: Subject,
        method: str,
        path: str,
        body: Any,
        content_type: str,
        deadline: float,
        query: Mapping[str, str] | None = None,
        *,
        is_passed_on: bool = False,
    ) -> Reply:
        """One write, sent once. A refusal in the API server's own words is a Reply and the caller's to judge;
        of one that it only passes on to a Service, the answer is that Service's.

        Raises Unanswered when it has none: nothing was sent (no connection, no credentials), or what became
        of it is not known, which is always Unreachable.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        ask = _Ask(target, JSON, method, None if body is None else orjson.dumps(body), content_type)
        answer = self._asked(subject, ask, deadline, PAGE_BYTES)
        if is_passed_on:
            return self._passed_on(subject, answer)
        if answer.status == 401:
            raise self._unauthorized(subject)
        found = _parsed(answer) if answer.status < 300 else status_object(answer)
        if found is None:
            raise self._unknown(subject, answer)
        return Reply(answer, found, tuple(_warning(each) for each in answer.warnings))

    def _passed_on(self, subject: Subject, answer: Answer) -> Reply:
        status = status_object(answer)
        if status is not None:  # the API server's own words: it did not pass it on
            raise self.refusal(subject, answer, status)
        return Reply(answer, {})

    def _unknown(self, subject: Subject, answer: Answer) -> Unanswered:
        """An answer to a write that is not the API server's: perhaps a balancer's, after it was passed on."""
        known = self.meaning(subject, answer, None)
        if isinstance(known, Unreachable) or 300 <= answer.status < 500:
            return known
        reason = f"{subject.what}: {answer.status} that does not say what became of it"
        return Unreachable(reason, mend=self._mend_address, retry_after=answer.retry_after)

    # One request.

    def _asked(self, subject: Subject, ask: _Ask, deadline: float, cap: int) -> Answer:
        link = self._connected(subject, deadline)
        answer = self._tried(subject, link, ask, deadline, cap)
        if answer.status == 401:
            # A kubeconfig's tokenFile is read once and never again, so rotated credentials show up here.
            # A write, too, is sent again: it was turned away before anything was done with it.
            link = self._connected(subject, deadline, instead_of=link)
            answer = self._tried(subject, link, ask, deadline, cap)
        return answer

    def _tried(self, subject: Subject, link: Link, ask: _Ask, deadline: float, cap: int) -> Answer:
        """A read once more when the connection broke: an API server closes idle ones without a word."""
        try:
            return self._once(link, ask, deadline, cap)
        except (net.HTTPError, OSError, NO_CREDENTIALS) as error:
            is_broken = isinstance(error, (net.ProtocolError, ConnectionError))
            if not is_broken or ask.method != "GET":
                raise self._no_answer(subject, link, error) from error
        try:
            return self._once(link, ask, deadline, cap)
        except (net.HTTPError, OSError, NO_CREDENTIALS) as error:
            raise self._no_answer(subject, link, error) from error

    def _once(self, link: Link, ask: _Ask, deadline: float, cap: int) -> Answer:
        credentials = link.credentials(deadline)
        started = time.monotonic()
        left = min(deadline - started, ask.seconds)
        if left <= 0:
            raise net.TimeoutError("no time left")
        response = link.pool.request(
            ask.method,
            link.config.host + ask.target,
            body=ask.body,
            headers={**carried.headers(), **ask.headers, **credentials},
            timeout=urllib3.Timeout(total=left, connect=min(CONNECT_SECONDS, left), read=left),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            body, cut = _body(response, cap)
        finally:
            response.release_conn()
        return Answer(
            status=response.status,
            content_type=response.headers.get("Content-Type", ""),
            body=body,
            took=timedelta(seconds=time.monotonic() - started),
            retry_after=seconds_header(response.headers.get("Retry-After")),
            location=response.headers.get("Location", ""),
            cut=cut,
            warnings=tuple(response.headers.getlist("Warning")),
        )

    def _connected(self, subject: Subject, deadline: float, instead_of: Link | None = None) -> Link:
        """The link, made once; a new one when the caller's was refused and nobody replaced it yet."""
        link = self._link
        if link is not None and link is not instead_of:
            return link
        # Loading may run a credential plugin, which may take longer than a read.
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unreachable(f"{subject.what}: credentials for the Kubernetes API are still being loaded")
        try:
            if self._link is None or self._link is instead_of:
                self._link = self._load(subject)
            return self._link
        finally:
            self._lock.release()

    def _load(self, subject: Subject) -> Link:
        try:
            if self._is_inside:
                return from_inside()
            return from_kubeconfig(self._kubeconfig_path, self._site.context)
        except PluginFailed as error:
            raise self._plugin_failed(subject, str(error)) from error
        except BadProxy as error:  # its words may hold the proxy's password
            raise Refused(
                f"{subject.what}: the proxy to the Kubernetes API is no HTTP address",
                mend="check HTTPS_PROXY, or `proxy-url` in the kubeconfig",
            ) from error
        except (*BAD_CONFIG, OSError) as error:
            raise self._unconfigured(subject, error) from error

    @property
    def _is_inside(self) -> bool:
        named = self._site.context or self._kubeconfig or os.environ.get("KUBECONFIG")
        return not named and "KUBERNETES_SERVICE_HOST" in os.environ

    @property
    def _kubeconfig_path(self) -> str:
        return str(self._kubeconfig or os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser())

    # What went wrong, in one place.

    @property
    def _mend_address(self) -> str:
        if self._is_inside:
            return "let the bot reach the API server (NetworkPolicy), or set `context` and KUBECONFIG"
        return f"check the server of context `{self._site.context or 'current'}` in the kubeconfig"

    def _unconfigured(self, subject: Subject, error: Exception) -> Unanswered:
        text = short(str(error)) or type(error).__name__
        where = "the service account" if self._is_inside else "the kubeconfig"
        mend = f"set `context` of cluster {self._site.name} to a context of the file KUBECONFIG names"
        return Refused(
            f"{subject.what}: no credentials from {where}: {text}",
            mend="mount the ServiceAccount token" if self._is_inside else mend,
        )

    def _plugin_failed(self, subject: Subject, words: str) -> Unanswered:
        return Unreachable(
            f"{subject.what}: no credentials from the kubeconfig's plugin: {short(words)}",
            mend=f"run the `exec` command of cluster {self._site.name} in the kubeconfig by hand",
        )

    def _no_answer(self, subject: Subject, link: Link, error: Exception) -> Unanswered:
        what, host = subject.what, link.config.host
        match error:
            case PluginFailed():
                return self._plugin_failed(subject, link.scrubbed(str(error)))
            case StillLoading():
                return Unreachable(f"{what}: credentials for the Kubernetes API are still being loaded")
            case NO_CREDENTIALS():
                return Refused(f"{what}: no credentials: {short(link.scrubbed(str(error)))}")
            case net.NameResolutionError():
                return Refused(f"{what}: the name in {host} does not resolve", mend=self._mend_address)
            case net.NewConnectionError():
                return Unreachable(f"{what}: no connection to {host}", mend=self._mend_address)
            case net.ConnectTimeoutError():
                return Unreachable(f"{what}: {host} does not accept connections", mend=self._mend_address)
            case net.SSLError():
                return Refused(f"{what}: {host} is not trusted: {_tls_words(error)}", mend=self._mend_address)
            case net.ProxyError():
                return Unreachable(
                    f"{what}: the HTTP proxy does not let us through", mend="check HTTPS_PROXY"
                )
            case net.TimeoutError() | TimeoutError():
                return TimedOut(f"{what}: no complete answer of the Kubernetes API in time")
            case net.ProtocolError() | ConnectionError():
                return Unreachable(f"{what}: the Kubernetes API dropped the connection")
        return Unreachable(f"{what}: {type(error).__name__} from {host}")

    def _stranger(self, subject: Subject, answer: Answer) -> Unanswered:
        kind = "HTML" if answer.is_html else answer.content_type.partition(";")[0] or "no content type"
        return Refused(
            f"{subject.what}: not a Kubernetes API answer ({answer.status}, {kind})", mend=self._mend_address
        )

    def refusal(self, subject: Subject, answer: Answer, status: Json | None) -> Unanswered | Expired:
        if answer.status == 410 and subject.verb == "list":
            return Expired()
        return self.meaning(subject, answer, status)

    def meaning(self, subject: Subject, answer: Answer, status: Json | None) -> Unanswered:
        """The error table: what an answer other than 200 means."""
        if answer.status == 429:
            return Unreachable(
                f"{subject.what}: the Kubernetes API is too busy (429)", retry_after=answer.retry_after
            )
        if status is None:
            return self._wordless(subject, answer)
        return self._status_error(subject, answer, status)

    def _wordless(self, subject: Subject, answer: Answer) -> Unanswered:
        """A status code without the API's Status object: aggregated APIs and filters write plain text."""
        if answer.status in (500, 503, 504) and not answer.is_html:
            return _failing(subject, answer, self.said(answer.body.decode(errors="replace")))
        if answer.status == 401:
            return self._unauthorized(subject)
        if answer.status == 404 and answer.body.strip() == b"404 page not found":
            return _absent_api(subject)
        return self._stranger(subject, answer)

    def _status_error(self, subject: Subject, answer: Answer, status: Json) -> Unanswered:
        message = self.said(str(status.get("message") or ""))
        match answer.status:
            case 401:
                return self._unauthorized(subject)
            case 403:
                return Forbidden(f"{subject.what}: forbidden, {subject.need}", mend=subject.rule)
            case 404 if part(status, "details").get("name"):
                return NotThere(f"{subject.what}: not found: {message}")
            case 404:
                return _absent_api(subject)
            case code if code >= 500:
                return _failing(subject, answer, message)
        return Refused(f"{subject.what}: the Kubernetes API answers {answer.status}: {message}")

    def said(self, text: str) -> str:
        """A server's own words: short, and without our credentials should it echo them."""
        link = self._link
        return short(link.scrubbed(text) if link else text)

    def _unauthorized(self, subject: Subject) -> Unanswered:
        where = "the ServiceAccount token" if self._is_inside else "the kubeconfig's credentials"
        return Forbidden(
            f"{subject.what}: unauthorized, the Kubernetes API does not accept the bot's credentials",
            mend=f"renew {where} of cluster {self._site.name}",
        )


class NotThere(Refused):
    """The API knows the kind, and has no object of this name."""


class NotInstalled(Refused):
    """The API does not know the kind."""


def _absent_api(subject: Subject) -> Unanswered:
    if subject.group == "metrics.k8s.io":
        return NotInstalled(
            f"{subject.what}: the cluster has no metrics.k8s.io API",
            mend="install metrics-server",
        )
    return NotInstalled(f"{subject.what}: the cluster has no such API (404)")


def _failing(subject: Subject, answer: Answer, message: str) -> Unanswered:
    mend = ""
    if subject.group == "metrics.k8s.io":
        mend = "kubectl describe apiservice v1beta1.metrics.k8s.io"
    said = f": {message}" if message else ""
    return Unreachable(
        f"{subject.what}: the Kubernetes API answers {answer.status}{said}",
        mend=mend,
        retry_after=answer.retry_after,
    )


def status_object(answer: Answer) -> Json | None:
    """The API server's own Status, told from whatever a proxied page holds."""
    if answer.status < 300 or b'"Status"' not in answer.body:
        return None
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    is_status = isinstance(found, dict) and (found.get("kind"), found.get("apiVersion")) == ("Status", "v1")
    return found if is_status else None


def _parsed(answer: Answer) -> Json | None:
    try:
        with COLLECTING.paused():
            found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _token(page: bytes) -> str:
    """The continue token of a page that is not parsed yet; "" where it does not stand at the head."""
    found = _CONTINUE.search(page, 0, 2000)
    return found[1].decode() if found else ""


def _warning(header: str) -> str:
    """The text inside `299 - "unknown field \\"spec.x\\""`, as RFC 7234 writes a warning."""
    found = re.fullmatch(r'\d{3} \S+ "(.*)"(?: "[^"]*")?', header)
    return short(re.sub(r"\\(.)", r"\1", found[1]) if found else header)


def _body(response: urllib3.BaseHTTPResponse, cap: int) -> tuple[bytes, bool]:
    """At most `cap` bytes, decoded; a longer body costs the connection, not our memory."""
    pieces: list[bytes] = []
    size = 0
    for piece in response.stream(64 * 1024, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > cap:
            response.close()
            return b"".join(pieces)[:cap], True
    return b"".join(pieces), False


def from_the_start(subject: Subject, attempt: Callable[[], T]) -> T:
    for _ in range(LIST_ATTEMPTS):
        try:
            return attempt()
        except Expired:
            continue
    raise Unreachable(f"{subject.what}: the list expired {LIST_ATTEMPTS} times while it was read (410)")


def projected(subject: Subject, project: Callable[[Json], T], item: Json) -> T:
    """The projection is also the validation: what it trips over is not what the API promises."""
    try:
        return project(item)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"{subject.what}: an item of the answer is malformed") from error


def segment(name: str) -> str:
    """A name that is safe as a part of a path; names come from people and from configuration."""
    if not _NAME.fullmatch(name):
        raise Refused(f"`{short(name)}` is not a name Kubernetes allows")
    return name


def short(text: str, limit: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _tls_words(error: Exception) -> str:
    """The reason inside "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: … (_ssl.c:1006)"."""
    return short(re.sub(r"\[[^]]*\] *|\(_ssl[^)]*\)", "", str(error)), 120).strip()
