"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says where they go; the one importer of it.

Everybody else knows `span`, `carried` and `headers` alone, and notices no difference where nothing is traced or the
extra `sre-bot[otel]` is not installed. Everything but the address is set by OpenTelemetry's own variables. A trace is a
hint, never a truth: nothing may be decided by it, and no text of anybody's may stand in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bot import logs
from commands.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

MISSING = 'traces go nowhere: OTEL_EXPORTER_OTLP_ENDPOINT is set, and "sre-bot[otel]" is not installed'

_tracer: "list[Tracer]" = []  # of this process, none while nothing is traced


def missing(endpoint: str) -> str:
    """What keeps traces from going there, "" for nothing."""
    try:
        is_installed = all(map(find_spec, ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")))
    except ModuleNotFoundError:
        is_installed = False
    return MISSING if endpoint and not is_installed else ""


def configure(endpoint: str, part: str) -> None:
    """Trace from now on, where there is an address and nothing is missing."""
    if not endpoint or missing(endpoint):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = "sre-bot" if part == "bot" else f"sre-bot-{part}"
    ours = Resource({"service.name": name, "service.version": VERSION})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer[:] = [provider.get_tracer("sre-bot", VERSION)]


@contextmanager
def span(name: str, *, request: str = "", after: str = "", **facts: str) -> Iterator[None]:
    """What the block does, as one step of its trace. request: whom its log lines are about from here on. after: the
    `carried` of what it follows, in another process; else it belongs to the step around it."""
    with logs.bound(request) if request else nullcontext():
        if _tracer:
            with _step(name, after, facts):
                yield
        else:
            yield


@contextmanager
def _step(name: str, after: str, facts: dict[str, str]) -> Iterator[None]:
    # The words of an exception may be anybody's: its kind is all that is told.
    with _tracer[0].start_as_current_span(
        name, _context(after), attributes=_told(facts), record_exception=False, set_status_on_exception=False
    ) as step:
        try:
            yield
        except BaseException as error:
            step.set_attribute("error.type", type(error).__name__)
            raise


def waited(name: str, since: datetime, *, after: str, **facts: str) -> None:
    """A step that ends now and was nobody's work."""
    if _tracer:
        start = int(since.timestamp() * 1_000_000_000)
        _tracer[0].start_span(name, _context(after), attributes=_told(facts), start_time=start).end()


def carried() -> str:
    """The step under way, for whoever goes on with it elsewhere (W3C traceparent); "" where nothing is traced."""
    if not _tracer:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def headers() -> dict[str, str]:
    """What a call to a source says of why it is made."""
    told = {"X-Request-Id": logs.request(), "traceparent": carried()}
    return {name: value for name, value in told.items() if value}


def _told(facts: dict[str, str]) -> dict[str, Any]:
    request = {"request": logs.request()} if logs.request() else {}
    return {f"sre.{name}": value for name, value in {**request, **facts}.items()}


def _context(after: str) -> "Context | None":
    if not after:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": after})
