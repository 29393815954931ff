"""The HTTP side: an ASGI application that answers as kube-apiserver would.

Owns routing, content types and the order of things: fault, authentication, authorization, then the
resource. Every request is logged. Business belongs elsewhere: objects, eviction, access, metrics, proxy.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import orjson

from sandbox.kube import events, eviction, faults, remarks, scale, status
from sandbox.kube.access import Access, User
from sandbox.kube.catalog import Resource
from sandbox.kube.faults import Faults
from sandbox.kube.logs import PodLogs
from sandbox.kube.metrics import GROUP as METRICS
from sandbox.kube.metrics import Metrics
from sandbox.kube.objects import PATCHES, DeleteOptions, Objects, Query
from sandbox.kube.proxy import Backends, ProxyRequest
from sandbox.kube.status import ApiError
from sandbox.kube.table import Form, Presenter, negotiate
from sandbox.kube.target import Target, is_set, parse
from sandbox.kube.watching import DEFAULT_SECONDS, Wanted, Watch

Json = dict[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
AGGREGATED = "g=apidiscovery.k8s.io;v=v2;as=apigroupdiscoverylist"
LOGGED_REQUESTS = 100_000


@dataclass(slots=True)
class LoggedRequest:
    """`code` is 0 until answered, and for watches and dropped connections."""

    method: str
    path: str
    query: dict[str, str]
    user_agent: str
    time: float
    user: str = ""
    target: Target = field(default_factory=lambda: Target("", ""))
    body: bytes = b""
    code: int = 0

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Call:
    """One request on its way through."""

    method: str
    query: dict[str, str]
    raw_query: str
    headers: dict[str, str]
    body: bytes
    target: Target
    user: User

    @property
    def dry_run(self) -> bool:
        return "dryRun" in self.query

    def json(self, resource: Resource) -> Json:
        if self.headers.get("content-type", JSON).partition(";")[0].strip() not in (JSON, "*/*", ""):
            raise status.wrong_media_type()
        try:
            obj = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            text = self.body.decode(errors="replace")
            why = f"couldn't get version/kind; json parse error: {error} ({text})"
            told = f"the object provided is unrecognized (must be of type {resource.kind}): {why}"
            raise status.bad_request(told) from error
        if not isinstance(obj, dict):
            raise status.bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
        return obj


class ApiServer:
    def __init__(
        self, objects: Objects, access: Access, *, bookmark_every: float = 60.0, address: str = ""
    ) -> None:
        self.objects = objects
        self.catalog = objects.catalog
        self.access = access
        self.faults = Faults()
        self.logs = PodLogs()
        self.metrics = Metrics(objects)
        self.backends = Backends(objects)
        self.presenter = Presenter(self.catalog)
        self.requests: deque[LoggedRequest] = deque(maxlen=LOGGED_REQUESTS)
        self.address = address
        # Set by whoever runs the server, to cut a connection; gets the client's address.
        self.cut: Callable[[tuple[str, int]], None] = lambda _: None
        self._bookmark_every = bookmark_every
        self._watches: set[Watch] = set()
        self._closing = False
        self._closed = asyncio.Event()

    def close(self) -> None:
        """From the event loop: ends watches and hanging requests."""
        self._closing = True
        self._closed.set()
        for watch in tuple(self._watches):
            watch.wake()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        raw_query = scope["query_string"].decode()
        query = dict(parse_qsl(raw_query, keep_blank_values=True))
        path, method = scope["path"], scope["method"]
        target = parse(method, path, query)
        agent = headers.get("user-agent", "")
        logged = LoggedRequest(method, path, query, agent, time.time(), target=target)
        self.requests.append(logged)
        logged.body = await _body(receive)
        call = Call(method, query, raw_query, headers, logged.body, target, User(""))
        try:
            answer = await self._answer(call, logged, scope)
        except ApiError as error:
            answer = Answer(error.code, orjson.dumps(error.body), headers=error.headers)
        if isinstance(answer, Watch):
            await self._stream(answer, receive, send)
        elif answer is not None:
            logged.code = answer.code
            await _send(send, answer, with_body=method != "HEAD")

    async def _answer(self, call: Call, logged: LoggedRequest, scope: Scope) -> Answer | Watch | None:
        what = self.faults.striking(call.target)
        if isinstance(what, faults.Drop):
            self.cut(scope["client"])
            return None
        if isinstance(what, faults.Hang):
            await self._hang(what.seconds)
        elif isinstance(what, faults.Garble):
            return Answer(what.code, what.body.encode(), what.content_type)
        elif isinstance(what, (faults.Throttle, faults.Break)):
            raise what.error()
        call.user = self.access.identify(call.headers)
        logged.user = call.user.name
        if isinstance(what, faults.Forbid):
            raise self.access.refusal(call.user, call.target)
        self.access.check(call.user, call.target)
        if call.target.is_resource:
            return await self._resource(call)
        return self._document(call)

    async def _hang(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return

    def _document(self, call: Call) -> Answer:
        """Health, version and discovery; with and without a trailing slash."""
        path = call.target.path.rstrip("/") or "/"
        if path in ("/readyz", "/livez", "/healthz"):
            return Answer(200, _health(path, verbose="verbose" in call.query), TEXT)
        accept = call.headers.get("accept", "").lower().replace(" ", "")
        aggregated = any(set(AGGREGATED.split(";")) <= set(part.split(";")) for part in accept.split(","))
        document: Json | None = None
        content_type = JSON
        if path == "/version":
            document = self.catalog.server_version
        elif path in ("/api", "/apis") and aggregated:
            document = self.catalog.aggregated(core=path == "/api")
            content_type = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        elif path == "/api":
            document = self.catalog.api_versions(self.address)
        elif path == "/apis":
            document = self.catalog.group_list()
        elif path == f"/apis/{call.target.group}" and not call.target.version:
            document = self.catalog.group(path.removeprefix("/apis/"))
        elif call.target.version:
            if call.target.group == METRICS and self.metrics.mode == "unavailable":
                return _no_backend()
            document = self.catalog.resource_list(call.target.group, call.target.version)
        if document is None:
            return _no_page()
        return Answer(200, orjson.dumps(document), content_type)

    async def _resource(self, call: Call) -> Answer | Watch:
        target = call.target
        if target.group == METRICS and self.metrics.mode == "unavailable":
            return _no_backend()
        if not self.catalog.has_version(target.group, target.version):
            return _no_page()
        resource = self.catalog.find(target.group, target.version, target.resource)
        if resource is None:
            raise status.unknown_resource()
        if target.group == METRICS:
            return self._metrics(call, resource)
        if "Review" in resource.kind:
            return self._review(call, resource)
        _check_dry_run(call)
        if target.subresource:
            return await self._subresource(call, resource)
        if target.verb not in resource.verbs or (
            resource.namespaced and not target.namespace and target.verb not in ("list", "watch")
        ):
            raise status.wrong_method()
        return self._plain(call, resource)

    def _plain(self, call: Call, resource: Resource) -> Answer | Watch:
        target, objects = call.target, self.objects
        where = target.namespace if resource.namespaced else ""
        match target.verb:
            case "watch":
                return self._watch(call, resource)
            case "list":
                form = _form(call)
                listing = objects.list(resource, where, _query(call))
                now = objects.clock()
                body = self.presenter.many(resource, listing.entries, listing.metadata, form=form, now=now)
                return Answer(200, body)
            case "get":
                form = _form(call)
                entry = objects.get(resource, where, target.name)
                return Answer(200, self.presenter.one(resource, entry, form, objects.clock()))
            case "create":
                obj = self._read(call, resource)
                made = objects.create(resource, where, obj, dry_run=call.dry_run)
                shown = self._show(call, resource, made, 201)
                return replace(shown, warnings=remarks.on(resource, made))
            case "update" | "patch":
                with objects.store.lock:
                    before = objects.find(resource, where, target.name)
                    old = before.obj if before is not None else None
                    written = self._write(call, resource, "")
                shown = self._show(call, resource, written)
                return replace(shown, warnings=remarks.on(resource, written, old))
            case "delete":
                return self._show(call, resource, objects.delete(resource, where, target.name, _delete(call)))
            case _:
                gone = objects.delete_all(resource, where, _query(call), _delete(call))
                metadata = {"resourceVersion": str(objects.store.revision)}
                body = self.presenter.many(resource, gone, metadata, form=Form(), now=objects.clock())
                return Answer(200, body)

    async def _subresource(self, call: Call, resource: Resource) -> Answer:
        target, objects = call.target, self.objects
        part = target.subresource
        if part not in resource.subresources:
            raise status.unknown_resource()
        where = target.namespace if resource.namespaced else ""
        if part == "proxy":
            return await self._proxy(call)
        if part == "log":
            pod = objects.get(resource, where, target.name).obj
            return Answer(200, self.logs.read(pod, call.query, objects.clock()), TEXT)
        if part == "eviction":
            if target.verb != "create":
                raise status.wrong_method()
            answer = eviction.evict(objects, where, target.name, call.json(resource), dry_run=call.dry_run)
            return Answer(201, orjson.dumps(answer))
        if part in ("exec", "attach", "portforward"):
            objects.get(resource, where, target.name)
            raise status.bad_request("Upgrade request required")
        if target.verb == "get":
            entry = objects.get(resource, where, target.name)
            shown = scale.view(resource, entry.obj) if part == "scale" else entry.obj
            return self._show(call, resource, shown)
        if part == "binding" and target.verb == "create":
            return self._bind(call, resource)
        if target.verb not in ("update", "patch"):
            raise status.wrong_method()
        if part == "scale":
            return self._scale(call, resource)
        return self._show(call, resource, self._write(call, resource, part))

    def _write(self, call: Call, resource: Resource, part: str) -> Json:
        target = call.target
        where = target.namespace if resource.namespaced else ""
        if target.verb == "update":
            obj = self._read(call, resource)
            return self.objects.update(
                resource, where, obj, name=target.name, part=part, dry_run=call.dry_run
            )
        how, body = _patch(call, resource)
        return self.objects.patch(
            resource, where, target.name, body, how=how, part=part, dry_run=call.dry_run
        )

    def _scale(self, call: Call, resource: Resource) -> Answer:
        target, objects = call.target, self.objects
        with objects.store.lock:
            entry = objects.get(resource, target.namespace, target.name)
            seen = scale.view(resource, entry.obj)
            if call.target.verb == "update":
                wanted = call.json(resource)
            else:
                how, body = _patch(call, resource)
                wanted = PATCHES[how](seen, body)
            scaled = scale.apply(resource, entry.obj, wanted)
            where = target.namespace
            changed = objects.update(resource, where, scaled, name=target.name, dry_run=call.dry_run)
            return Answer(200, orjson.dumps(scale.view(resource, changed)))

    def _bind(self, call: Call, resource: Resource) -> Answer:
        target = call.target
        node = call.json(resource).get("target", {}).get("name", "")
        with self.objects.store.lock:
            pod = self.objects.get(resource, target.namespace, target.name).obj
            if pod["spec"].get("nodeName"):
                why = f'pod {target.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
                raise status.conflict(resource, target.name, why)
            self.objects.bind(resource, pod, node)
        done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return Answer(201, orjson.dumps(done))

    def _read(self, call: Call, resource: Resource) -> Json:
        obj = call.json(resource)
        kind = obj.setdefault("kind", resource.kind)
        version = obj.setdefault("apiVersion", resource.api_version)
        if kind != resource.kind or version != resource.api_version:
            raise status.bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}')
        return events.to_core(obj) if resource.storage[0] != resource.group else obj

    def _show(self, call: Call, resource: Resource, obj: Json, code: int = 200) -> Answer:
        if obj.get("kind") not in ("Status", "Scale"):
            obj = self.presenter.plain(resource, obj, _form(call))
        return Answer(code, orjson.dumps(obj))

    def _watch(self, call: Call, resource: Resource) -> Watch:
        target = call.target
        query = _query(call)
        if target.name:
            query = Query(query.labels, f"metadata.name={target.name}", revision=query.revision)
        seconds = call.query.get("timeoutSeconds", "")
        wanted = Wanted(
            resource,
            target.namespace if resource.namespaced else "",
            query,
            _form(call),
            seconds=float(seconds) if seconds.isdigit() and seconds != "0" else DEFAULT_SECONDS,
            bookmarks=is_set(call.query.get("allowWatchBookmarks")),
            initial_events=is_set(call.query.get("sendInitialEvents")),
        )
        return Watch(self.objects, self.presenter, wanted, bookmark_every=self._bookmark_every)

    async def _stream(self, watch: Watch, receive: Receive, send: Send) -> None:
        """Ends when the client goes, which only a pending `receive` can tell."""
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda _: watch.wake())
        headers = [(b"content-type", JSON.encode()), (b"cache-control", b"no-cache, private")]
        lines: AsyncIterator[bytes] = watch.lines(lambda: self._closing or gone.done())
        self._watches.add(watch)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for line in lines:
                await send({"type": "http.response.body", "body": line, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._watches.discard(watch)
            gone.cancel()

    async def _proxy(self, call: Call) -> Answer:
        target = call.target
        request = ProxyRequest(call.method, target.rest, call.raw_query, call.headers, call.body)
        found = await self.backends.answer(target.namespace, target.resource, target.name, request)
        headers = {key.lower(): value for key, value in found.headers.items()}
        content_type = headers.pop("content-type", "text/plain; charset=utf-8")
        return Answer(found.code, found.body, content_type, headers)

    def _metrics(self, call: Call, resource: Resource) -> Answer:
        target = call.target
        where = target.namespace if resource.namespaced else ""
        if target.verb == "get":
            found = self.metrics.one(resource, where, target.name)
            if found is None:
                source = self.catalog.named(resource.plural, "")
                missing = status.not_found(resource, f"{where}/{target.name}" if where else target.name)
                if self.objects.find(source, where, target.name) is None:
                    raise status.not_found(resource, target.name)
                raise missing
            kind = {"kind": resource.kind, "apiVersion": resource.api_version}
            return Answer(200, orjson.dumps({**kind, **found}))
        if target.verb != "list":
            raise status.wrong_method()
        items = self.metrics.many(resource, where, _query(call))
        kind = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return Answer(200, orjson.dumps({**kind, "metadata": {}, "items": items}))

    def _review(self, call: Call, resource: Resource) -> Answer:
        if call.target.verb != "create":
            raise status.wrong_method()
        body = call.json(resource)
        spec = body.get("spec") or {}
        shown: Json = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": {},
            "spec": spec,
        }
        match resource.kind:
            case "SelfSubjectRulesReview":
                shown["spec"] = {}
                shown["status"] = self.access.rules_review(call.user, spec.get("namespace", ""))
            case "SelfSubjectAccessReview":
                shown["status"] = {"allowed": self.access.allows(call.user, _reviewed(spec))}
            case "SubjectAccessReview" | "LocalSubjectAccessReview":
                user = self.access.known(spec.get("user", ""), tuple(spec.get("groups") or ()))
                shown["status"] = {"allowed": self.access.allows(user, _reviewed(spec))}
            case "SelfSubjectReview":
                info = {"username": call.user.name, "groups": list(call.user.groups)}
                shown["status"] = {"userInfo": info}
            case _:
                shown["status"] = self.access.token_review(spec.get("token", ""))
        return Answer(201, orjson.dumps(shown))


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _send(send: Send, answer: Answer, *, with_body: bool) -> None:
    headers = {
        "content-type": answer.content_type,
        "content-length": str(len(answer.body)),
        "cache-control": "no-cache, private",
        **{key.lower(): value for key, value in answer.headers.items()},
    }
    encoded = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in answer.warnings)
    encoded += [(b"warning", f'299 - "{text}"'.encode("latin-1")) for text in quoted]
    await send({"type": "http.response.start", "status": answer.code, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})


def _no_page() -> Answer:
    return Answer(404, b"404 page not found\n", TEXT)


def _no_backend() -> Answer:
    """What the aggregation layer says when the extension server is gone."""
    return Answer(503, b"service unavailable\n", TEXT)


_CHECKS = (
    "ping",
    "log",
    "etcd",
    "etcd-readiness",
    "informer-sync",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/apiservice-discovery-controller",
    "autoregister-completion",
    "shutdown",
)


def _health(path: str, *, verbose: bool) -> bytes:
    if not verbose:
        return b"ok"
    only_ready = ("etcd-readiness", "informer-sync", "shutdown")
    checks = [check for check in _CHECKS if path == "/readyz" or check not in only_ready]
    lines = [f"[+]{check} ok" for check in checks]
    return ("\n".join(lines) + f"\n{path.strip('/')} check passed\n").encode()


def _form(call: Call) -> Form:
    return negotiate(call.headers.get("accept", ""), call.query.get("includeObject", ""))


def _query(call: Call) -> Query:
    query = call.query
    limit = query.get("limit", "") or "0"
    if not limit.lstrip("-").isdigit():
        raise status.bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
    return Query(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=max(int(limit), 0),
        token=query.get("continue", ""),
        revision=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
    )


def _delete(call: Call) -> DeleteOptions:
    try:
        body = orjson.loads(call.body) if call.body else {}
    except orjson.JSONDecodeError as error:
        raise status.bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    # Options in a body make those of the query void, dryRun too.
    query = {} if call.body else call.query
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
    if body.get("orphanDependents") or is_set(query.get("orphanDependents")):
        propagation = "Orphan"
    return DeleteOptions(
        grace=None if grace is None else int(grace),
        propagation=propagation,
        uid=preconditions.get("uid") or "",
        revision=preconditions.get("resourceVersion") or "",
        dry_run="dryRun" in query or bool(body.get("dryRun")),
    )


def _patch(call: Call, resource: Resource) -> tuple[str, Any]:
    how = call.headers.get("content-type", "").partition(";")[0].strip()
    if how not in PATCHES or (resource.custom and how == "application/strategic-merge-patch+json"):
        raise status.wrong_media_type()
    try:
        return how, orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        raise status.bad_request(f"error decoding patch: {error}") from error


_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


def _check_dry_run(call: Call) -> None:
    given = call.query.get("dryRun")
    if given not in (None, "All"):
        kind = _OPTIONS.get(call.target.verb, "DeleteOptions")
        message = f'Unsupported value: ["{given}"]: supported values: "All"'
        cause = status.Cause("dryRun", message, "FieldValueNotSupported")
        raise status.invalid("meta.k8s.io", kind, "", [cause])


def _reviewed(spec: Json) -> Target:
    """What an access review asks about, as the request that would do it."""
    wanted = spec.get("resourceAttributes")
    if wanted is None:
        other = spec.get("nonResourceAttributes") or {}
        return Target(other.get("path", ""), other.get("verb", ""))
    return Target(
        "",
        wanted.get("verb", ""),
        wanted.get("group", ""),
        wanted.get("version", ""),
        wanted.get("resource", ""),
        wanted.get("subresource", ""),
        wanted.get("namespace", ""),
        wanted.get("name", ""),
    )
