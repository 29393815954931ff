"""Certificates that end soon or were not made: until when, why they are not renewed, and in whose words."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted, span
from commands.podreads import Events, EventView, PodDetail, PodDetails
from commands.queries import quoted
from commands.site import ClusterSite
from commands.triage.eventline import event_line
from commands.triage.measured import Gauge, Locating, Place, Reading, each_second, matchers, measured, read
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import one_line, unread

KEY = "AR-5"


def lasts(value: float) -> str:
    return span(timedelta(seconds=value)) if value > 0 else "expired"


# --- cert-manager ---------------------------------------------------------------------------------

# What makes a certificate, from the wish to the proof: the events of the last one that warns say why it stops.
_KINDS = ("Certificate", "CertificateRequest", "Order", "Challenge")
_LEFT = Gauge(
    "Good for",
    "clamp_min(min(certmanager_certificate_expiration_timestamp_seconds{$here}) - time(), 0)",
    lasts,
    ("certmanager_certificate_expiration_timestamp_seconds",),
)
_RENEWAL = Gauge(
    "Renewal overdue by",
    "clamp_min(time() - max(certmanager_certificate_renewal_timestamp_seconds{$here}), 0)",
    lambda value: lasts(value) if value else "not due yet",
    ("certmanager_certificate_renewal_timestamp_seconds",),
    bad=3600,
)
_READY = Gauge(
    "Ready",
    "max by (condition) (certmanager_certificate_ready_status{$here})",
    lambda value: "now",
    ("certmanager_certificate_ready_status",),
    ("condition",),
    none="not said",
)


def made(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Until when a Certificate is good, and what its last events warn of."""
    namespace, name = subject.namespace, subject.label("name", "certificate")
    words = {"here": f'name="{quoted(name)}",{_namespace(subject)}'}
    gauges = (_LEFT, _RENEWAL, _READY)
    asked = [gauge.asked(words) for gauge in gauges]
    events = Events(namespace)
    seen = yield (*asked, events)
    readings = [read(gauge, seen[query]) for gauge, query in zip(gauges, asked, strict=True)]
    said: Sequence[EventView] | Gap = seen[events]
    mine = _of(name, said)
    findings = (*(reading.finding for reading in readings), _told(said, mine))
    return Diagnosis(
        _cause(f"{namespace}/{name}", readings, mine), findings, (Suggestion("Events", "pod events"),)
    )


def _namespace(subject: Subject) -> str:
    """As the series has it: cert-manager's own namespace stands on it where honorLabels is off."""
    exported = subject.labels.get("exported_namespace", "")
    label = "exported_namespace" if exported else "namespace"
    return f'{label}="{quoted(subject.namespace)}"'


def _of(name: str, said: Sequence[EventView] | Gap) -> list[EventView]:
    """Of the certificate and what is made for it ("web-tls-1", "web-tls-1-2811"), the newest first."""
    known = () if isinstance(said, Gap) else said
    return [
        event
        for event in reversed(known)
        if event.kind in _KINDS and (event.name == name or event.name.startswith(f"{name}-"))
    ]


def _told(said: Sequence[EventView] | Gap, mine: Sequence[EventView]) -> Finding:
    label = "What cert-manager says"
    if isinstance(said, Gap):
        return unread(KEY, label, said)
    lines = tuple(event_line(event, is_named=True) for event in mine)[:8]
    light = Light.RED if any(event.type == "Warning" for event in mine) else Light.GREEN
    return Finding(
        KEY, label, light, counted(len(mine), "event") if mine else "no event is kept", evidence=lines
    )


def _cause(where: str, readings: Sequence[Reading], mine: Sequence[EventView]) -> Cause | None:
    left, renewal, ready = readings
    warning = next((event for event in mine if event.type == "Warning"), None)
    if not (left.top or ready.top or warning):
        return None
    what = f"certificate {where}"
    if left.top:
        what += " has expired" if left.value <= 0 else f" is good for {left.words}"
    if ready.top and ready.name.casefold() != "true":
        what += " and is not ready" if left.top else " is not ready"
    if warning:
        return Cause(f"{what}: “{one_line(warning.message, 160)}”", Confidence.CERTAIN)
    late = f"; its renewal is overdue by {renewal.words}" if renewal.value >= 3600 else ""
    return Cause(f"{what}{late}", Confidence.LIKELY)


# --- cert-manager itself --------------------------------------------------------------------------

_PODS = PodDetails(selector="app.kubernetes.io/instance=cert-manager")


def absent(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Whether cert-manager runs, or only its numbers are missing."""
    pods: tuple[PodDetail, ...] | Gap = (yield (_PODS,))[_PODS]
    label = "Pods of cert-manager"
    if isinstance(pods, Gap):
        return Diagnosis(None, (unread(KEY, label, pods),))
    bad = [pod for pod in pods if pod.phase != "Running" or pod.ready.partition("/")[0] == "0"]
    lines = tuple(f"{pod.place}: {pod.status}, {pod.ready} ready" for pod in pods)
    light = Light.RED if bad or not pods else Light.GREEN
    found = Finding(KEY, label, light, f"{len(pods) - len(bad)} of {len(pods)} run", evidence=lines)
    steps = tuple(Suggestion(f"Show {pod.name}", f"pod show {pod.place}") for pod in bad[:1])
    if bad:
        text = f"cert-manager does not run: {bad[0].place} is {bad[0].status}; no certificate is renewed"
        return Diagnosis(Cause(text, Confidence.CERTAIN, steps), (found,))
    if not pods:
        text = "no pod of cert-manager is there: it was removed, or is installed under another name"
        return Diagnosis(Cause(text, Confidence.LIKELY), (found,))
    text = f"cert-manager runs ({counted(len(pods), 'pod')}): only Prometheus does not see it"
    return Diagnosis(Cause(text, Confidence.LIKELY), (found,))


def _acme(status: str, label: str, bad: float | None) -> Gauge:
    return Gauge(
        label,
        f'sum by (host) (rate(certmanager_http_acme_client_request_count{{status{status}"429"}}[1h]))'
        " or 0 * sum(rate(certmanager_http_acme_client_request_count[1h]))",
        each_second,
        ("certmanager_http_acme_client_request_count",),
        ("host",),
        bad,
        "none",
    )


def _limited(where: str, readings: Sequence[Reading]) -> str:
    first = readings[0]
    return f"{first.name} turns cert-manager away ({first.words} answered with 429): too many certificates were asked for"


def _anywhere(subject: Subject, site: ClusterSite) -> Locating:
    yield ()
    return Place(subject.instance or site.name, {"here": matchers(subject, "instance", "job")})


# --- certificates that others see -----------------------------------------------------------------

_PROBED = Gauge(
    "Good for",
    "clamp_min(min(probe_ssl_earliest_cert_expiry{$here} or ssl_cert_not_after{$here}) - time(), 0)",
    lasts,
    ("probe_ssl_earliest_cert_expiry",),
)
_ANSWERS = Gauge(
    "Probe succeeds", "min(probe_success{$here})", lambda value: "yes" if value else "no", ("probe_success",)
)


def _probed(where: str, readings: Sequence[Reading]) -> str:
    left = readings[0]
    good = f"is good for {left.words}" if left.value > 0 else "has expired: whoever checks it is turned away"
    return f"the certificate that {where} shows {good}"


_CLIENTS = Gauge(
    "The certificate of a client that ends first (1 %)",
    "histogram_quantile(0.01, sum by (le, job) (rate(apiserver_client_certificate_expiration_seconds_bucket{$here}[5m])))",
    lasts,
    ("apiserver_client_certificate_expiration_seconds_bucket",),
)


def _client(where: str, readings: Sequence[Reading]) -> str:
    return f"somebody asks the API server with a certificate that is good for {readings[0].words}: renew that kubeconfig"


def _rule(
    names: tuple[str, ...], means: str, diagnose: Callable[[Subject, ClusterSite], Diagnosing], *steps: str
) -> Rule:
    return Rule(names, means, diagnose, steps)


RULES: tuple[Rule, ...] = (
    _rule(
        ("CertManagerCertExpirySoon", "CertManagerCertNotReady"),
        "A certificate that cert-manager looks after ends soon, or was not made.",
        made,
        "Its events, and those of its Order and Challenge, say what stops it.",
        "HTTP-01: is the name's address this cluster, and port 80 open? DNS-01: may it write the zone?",
    ),
    _rule(
        ("CertManagerHittingRateLimits",),
        "The authority turns cert-manager away, because it asked too often.",
        measured(
            _anywhere,
            (_acme("=", "Requests turned away", 1e-9), _acme("!=", "Other requests", None)),
            _limited,
        ),
        "Find the certificate that is made again and again; stop it before asking once more.",
        "The limits of Let's Encrypt end after an hour to a week.",
    ),
    _rule(
        ("CertManagerAbsent",),
        "Prometheus does not see cert-manager: perhaps nothing renews certificates.",
        absent,
        "See whether its pods run; then its Service and the scrape.",
    ),
    _rule(
        ("BlackboxSslCertificateWillExpireSoon", "BlackboxSslCertificateExpired", "SSLCertExpiringSoon"),
        "The certificate that an address shows ends soon.",
        measured(_anywhere, (_PROBED, _ANSWERS), _probed),
        "See who made it: cert-manager, ACM, or a person; a person's is in no machine's calendar.",
        "ACM renews by itself only while the DNS proof stands.",
    ),
    _rule(
        (
            "KubeClientCertificateExpiration",
            "KubernetesClientCertificateExpiresSoon",
            "KubernetesClientCertificateExpiresNextWeek",
        ),
        "A client of the API server uses a certificate that ends soon.",
        measured(_anywhere, (_CLIENTS,), _client),
        "On EKS people come by IAM; a certificate is a kubelet's, a controller's or an old kubeconfig's.",
        "The API server does not say whose it is: look through kubeconfigs and certificate signing requests.",
    ),
)
