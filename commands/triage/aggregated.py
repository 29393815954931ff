"""An API that the API server hands on to a Service, such as metrics.k8s.io: the first link that is missing."""

from collections.abc import Sequence

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted
from commands.reads import Endpoints, EndpointView
from commands.site import ClusterSite
from commands.triage.ownword import HEALTH, KEY
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triagereads import ApiServices, ApiServiceView
from commands.wording import one_line, unread


def aggregated(subject: Subject, site: ClusterSite) -> Diagnosing:
    """APIService → Service → endpoints: the first that is missing."""
    services: tuple[ApiServiceView, ...] | Gap = (yield (ApiServices(),))[ApiServices()]
    label = "Aggregated APIs"
    if isinstance(services, Gap):
        return Diagnosis(None, (unread(KEY, label, services),), HEALTH)
    wanted = subject.label("name")
    bad = [each for each in services if each.available.status != "True"]
    meant = next((each for each in (*bad, *services) if not wanted or _is_called(each, wanted)), None)
    lines = tuple(f"{each.name}: {each.available.reason}: {one_line(each.available.message)}" for each in bad)
    value = f"{len(bad)} of {len(services)} not available"
    listed = Finding(KEY, label, Light.RED if bad else Light.GREEN, value, evidence=lines)
    if meant is None:
        return Diagnosis(None, (listed,), HEALTH)
    namespace, _, service = meant.service.partition(":")[0].partition("/")
    asked = Endpoints(namespace, service)
    behind: tuple[EndpointView, ...] | Gap = (yield (asked,))[asked]
    return Diagnosis(
        _cause_of_api(meant, behind), (listed, _endpoints(meant, behind)), _pods(behind, namespace)
    )


def _is_called(view: ApiServiceView, wanted: str) -> bool:
    """The alert says "v1beta1.metrics.k8s.io"; some say its group only."""
    return wanted == view.name or view.name.endswith(f".{wanted}")


def _endpoints(meant: ApiServiceView, behind: Sequence[EndpointView] | Gap) -> Finding:
    label = f"Endpoints of {meant.service}"
    if isinstance(behind, Gap):
        return unread(KEY, label, behind)
    ready = sum(each.ready for each in behind)
    lines = tuple(f"{each.pod or each.address}: {'ready' if each.ready else 'not ready'}" for each in behind)
    return Finding(
        KEY, label, Light.GREEN if ready else Light.RED, f"{ready} of {len(behind)} ready", evidence=lines
    )


def _cause_of_api(meant: ApiServiceView, behind: Sequence[EndpointView] | Gap) -> Cause:
    available = meant.available
    if available.status == "True":
        return Cause(f"API {meant.name} is available again", Confidence.CERTAIN)
    known = () if isinstance(behind, Gap) else behind
    said = f"“{one_line(available.message, 140)}”"
    if not isinstance(behind, Gap) and not any(each.ready for each in known):
        what = "no pod" if not known else f"none of its {counted(len(known), 'pod')} ready"
        return Cause(
            f"API {meant.name} is down: Service {meant.service} has {what}: {said}", Confidence.CERTAIN
        )
    return Cause(f"API {meant.name} is down ({available.reason}): {said}", Confidence.CERTAIN)


def _pods(behind: Sequence[EndpointView] | Gap, namespace: str) -> tuple[Suggestion, ...]:
    known = () if isinstance(behind, Gap) else sorted(behind, key=lambda each: each.ready)
    shown = tuple(
        Suggestion(f"Show {each.pod}", f"pod show {namespace}/{each.pod}") for each in known[:1] if each.pod
    )
    return (*shown, *HEALTH)


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeAggregatedAPIDown", "KubeAggregatedAPIErrors"),
        "An API that the API server hands on to a Service of the cluster, such as metrics, fails.",
        aggregated,
        ("The APIService says why it is not available.", "Then its Service, its endpoints, its pods."),
    ),
)
