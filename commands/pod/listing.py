"""`pod list`: the pods that are not well, or those a selector names, in kubectl's own words."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from commands import podstatus
from commands.command import Part, Parts
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Args, Gap, Inquiry, Section
from commands.phrase import counted, shortly, span
from commands.pod.scope import Where, as_view, time_of, where
from commands.podreads import PodDetail, PodDetails
from commands.reads import Now, Pods, PodSurvey, PodView
from commands.site import ClusterSite
from commands.wording import aligned, onward, shown_and_kept, unread, worst_first

DETAIL = 500  # sick pods that are looked at one by one
ROWS = 30
_RANK = (Light.RED, Light.UNKNOWN, Light.YELLOW, Light.GREEN)


def listed(args: Args, site: ClusterSite) -> Parts:
    place = where(args, site)
    if "selector" in args.flags:
        said = args.flags["selector"]
        return {"pods": Part(f"Pods {said} · {place.said}", _selected(place, said))}
    failed = "failed" in args.flags
    title = f"{'Failed pods' if failed else 'Pods'} · {place.said}"
    return {"pods": Part(title, _survey(place, title, failed))}


# --- those that are not well ----------------------------------------------------------------------


def _survey(place: Where, title: str, only_failed: bool) -> Inquiry:
    read = Pods(place.namespace, DETAIL)
    seen = yield (Now(), read)
    survey, now = seen[read], time_of(seen[Now()])
    surveys = podstatus.Surveys.of({place.said: survey})
    well = () if only_failed else (podstatus.not_well(surveys, now),)
    findings = (*well, podstatus.failed(surveys))
    if isinstance(survey, Gap):
        return Section("pods", title, True, findings)
    listed = _to_list(survey, now, only_failed)
    table = _table(((pod, podstatus.pod_light(pod, now)) for pod in listed), place)
    lines, files = shown_and_kept(table, ROWS, "pods.txt", title)
    answer = Section("pods", title, True, findings, _counts(survey), files, lines if listed else ())
    return onward(answer, *_more(place))


def _more(place: Where) -> tuple[Suggestion, ...]:
    return (
        Suggestion("Restarts", f"pod restarts {place.flag}"),
        Suggestion("Events", f"pod events {place.flag}"),
        Suggestion("Top pods", f"pod top {place.flag}"),
    )


def _to_list(survey: PodSurvey, now: datetime | None, only_failed: bool) -> list[PodView]:
    """What the findings are about, one by one: a pod that is only starting is not among them."""
    if only_failed:
        return [pod for pod in survey.sick if pod.phase == "Failed"]
    lights = ((pod, podstatus.pod_light(pod, now)) for pod in survey.sick)
    return [pod for pod, light in lights if light is not Light.GREEN or pod.phase == "Failed"]


def _counts(survey: PodSurvey) -> str:
    words = sorted(survey.by_status.items(), key=lambda item: (-item[1], item[0]))
    return " · ".join(f"{count} {word}" for word, count in words[:8])


def _table(judged: Iterable[tuple[PodView, Light]], place: Where) -> tuple[str, ...]:
    ranked = sorted(judged, key=lambda one: (_RANK.index(one[1]), one[0].namespace, one[0].name))
    return aligned(
        ("POD", "STATUS", "READY", "RESTARTS", "AGE", "NODE"),
        [
            (
                pod.name if place.namespace else f"{pod.namespace}/{pod.name}",
                pod.status,
                pod.ready,
                str(pod.restarts),
                span(pod.age) if pod.age else "-",
                shortly(pod.node) or "-",
            )
            for pod, _ in ranked
        ],
    )


# --- those of a selector --------------------------------------------------------------------------


def _selected(place: Where, selector: str) -> Inquiry:
    read = PodDetails(place.namespace, selector=selector)
    seen = yield (Now(), read)
    pods: Sequence[PodDetail] | Gap = seen[read]
    title = f"Pods {selector} · {place.said}"
    if isinstance(pods, Gap):
        return Section("pods", title, True, (unread("DH-2.2", "Pods", pods),))
    now = time_of(seen[Now()])
    views = [as_view(pod, now) for pod in pods]
    judged = [(view, podstatus.pod_light(view, now)) for view in views]
    table = _table(judged, place)
    lines, files = shown_and_kept(table, ROWS, "pods.txt", title)
    answer = Section("pods", title, True, (_of_selector(judged),), "", files, lines if pods else ())
    return onward(answer, *_more(place))


def _of_selector(judged: Sequence[tuple[PodView, Light]]) -> Finding:
    key, label, threshold = "DH-2.2", "Pods", "all Running or Completed"
    if not judged:
        return Finding(key, label, Light.YELLOW, "no pod has these labels", threshold)
    bad = [(light, view) for view, light in judged if light is not Light.GREEN]
    facts = [
        (light, f"{view.namespace}/{view.name}: {view.status}, {view.ready} ready") for light, view in bad
    ]
    total = counted(len(judged), "pod")
    value = f"{len(bad)} of {total} not well" if bad else f"{total}, all well"
    light = worst([light for light, _ in bad] or [Light.GREEN])
    first = min(bad, key=lambda one: _RANK.index(one[0]), default=None)
    offers = podstatus.steps(first[1]) if first else ()
    return Finding(key, label, light, value, threshold, worst_first(facts), suggestions=offers)
