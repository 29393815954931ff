"""Pods by their STATUS word: who is not well, and who has failed.

`kubectl get pods` shows a crash loop as phase Running and a missing image as Pending, so pods are judged
by their STATUS word, never by phase alone. Between two crashes that word is Running too: then the last
restart tells. Several pods of one owner with one trouble are one line.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Gap
from commands.phrase import counted, span
from commands.reads import RESTARTED_LATELY, PodSurvey, PodView
from commands.wording import NEW, Fact, buttons, one_line, unread, worst_first

BACK_OFF = timedelta(minutes=5)  # the kubelet's longest pause between two starts of a container
CREATING = timedelta(minutes=5)  # network and volumes are attached by then
# The view does not hold the grace period. 15 min is longer than any sane one and is what the checked
# rule "pod_stuck_terminating" waits for; the same patience holds for a running pod that is not ready.
PATIENCE = timedelta(minutes=15)
# More restarts than this, the last of them lately, are a crash loop; fewer may be over.
FEW_RESTARTS = 3

_LIGHTS = (Light.RED, Light.UNKNOWN, Light.YELLOW)

_BROKEN = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PostStartHookError",
        "OOMKilled",
        "Error",
        "ContainerCannotRun",
        "StartError",
        "DeadlineExceeded",
        "Unknown",
        "NodeLost",
    }
)
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_WAITING = frozenset({"SchedulingGated"})  # somebody holds it back on purpose


def status_light(status: str) -> Light | None:
    """How a STATUS word alone is judged; None where it depends on time or on the scheduler."""
    word = status.removeprefix("Init:")
    if word in _BROKEN or word.startswith(("ExitCode:", "Signal:")):
        return Light.RED
    if status in ("Completed", "Succeeded") or status in _WAITING:
        return Light.GREEN
    return Light.YELLOW if status == "Evicted" else None


def pod_light(pod: PodView, now: datetime | None) -> Light:
    """How one pod is judged; GREEN is not listed."""
    fixed = status_light(pod.status)
    if _without_details(pod):
        return fixed or Light.UNKNOWN
    if pod.age < NEW:
        return Light.GREEN
    if fixed is not None:
        return fixed
    if pod.status == "Pending":
        # Without a node the scheduler found no place; with one, its kubelet has not taken it up yet.
        return Light.RED if not pod.node or pod.age > CREATING else Light.GREEN
    if pod.status in _STARTING:
        return Light.RED if pod.age > CREATING else Light.GREEN
    if pod.status.startswith("Init:"):
        return Light.YELLOW if pod.age > CREATING else Light.GREEN
    if _is_restless(pod, now):
        is_loop = pod.restarts > FEW_RESTARTS and not _has_outlived_back_off(pod, now)
        return Light.RED if is_loop else Light.YELLOW
    if pod.status in ("Terminating", "Running", "NotReady"):
        return Light.YELLOW if _unready_for(pod, now) > PATIENCE else Light.GREEN
    return Light.YELLOW


def _without_details(pod: PodView) -> bool:
    """Only its STATUS word was read: age and all the rest are not known, so it is not "new" either."""
    return not pod.phase


def _unready_for(pod: PodView, now: datetime | None) -> timedelta:
    """How long it has not been ready; zero for a Job's pod, which nobody sends requests to.

    Without the time of day it has lasted too long: better a line too many than one that is missing.
    """
    if pod.not_ready_since is None or _is_of_a_job(pod):
        return timedelta(0)
    return now - pod.not_ready_since if now else timedelta.max


def _is_restless(pod: PodView, now: datetime | None) -> bool:
    """It runs, but was restarted lately; a Job's pod is tried again on purpose.

    Without the time of day any restart is a late one, for the same reason as above.
    """
    if pod.status not in ("Running", "NotReady") or pod.last_restart is None or _is_of_a_job(pod):
        return False
    return now is None or now - pod.last_restart < RESTARTED_LATELY


def _has_outlived_back_off(pod: PodView, now: datetime | None) -> bool:
    """It has run for longer than the kubelet ever waits before the next start, so it is not the same loop."""
    return bool(now and pod.last_restart and now - pod.last_restart > BACK_OFF)


def _is_of_a_job(pod: PodView) -> bool:
    return pod.owner.casefold().startswith(("job", "cronjob"))


def _owner(pod: PodView) -> str:
    """ "Kind/name"; for a ReplicaSet its Deployment, whose name is followed by the template's hash."""
    made_by = re.fullmatch(r"ReplicaSet/(.+)-[bcdfghjklmnpqrstvwxz2456789]{1,10}", pod.owner)
    return f"Deployment/{made_by[1]}" if made_by else pod.owner


@dataclass(frozen=True, slots=True)
class _Group:
    """Pods of one owner that have the same trouble."""

    light: Light
    pods: tuple[PodView, ...]
    seen_at: datetime | None

    @property
    def line(self) -> str:
        first = self.pods[0]
        kind, _, name = (_owner(first) or f"/{first.name}").partition("/")
        count = f" × {len(self.pods)}" if len(self.pods) > 1 else ""
        oldest = max(pod.age for pod in self.pods)
        is_restless = _is_restless(first, self.seen_at)
        word = f"{first.status} between crashes" if is_restless and self.light is Light.RED else first.status
        facts = [f"{word}{count}", *([f"oldest {span(oldest)}"] if oldest else [])]
        restarts = sum(pod.restarts for pod in self.pods)
        if restarts:
            facts.append(counted(restarts, "restart"))
        if is_restless and self.seen_at:
            latest = max(pod.last_restart for pod in self.pods if pod.last_restart)
            facts.append(f"restarted {span(self.seen_at - latest)} ago")
        facts += [text for text in (first.last_exit, one_line(first.message)) if text]
        return f"{first.namespace}/{name}{f' ({kind})' if kind else ''}: {', '.join(facts)}"


@dataclass(frozen=True, slots=True)
class Surveys:
    """The answers of all namespaces watched: what was read, and what was not."""

    read: tuple[PodSurvey, ...]
    unread: Mapping[str, Gap]

    @classmethod
    def of(cls, answers: Mapping[str, PodSurvey | Gap]) -> "Surveys":
        read = tuple(answer for answer in answers.values() if isinstance(answer, PodSurvey))
        unread = {name: answer for name, answer in answers.items() if isinstance(answer, Gap)}
        return cls(read, unread)

    @property
    def sick(self) -> list[PodView]:
        return [pod for survey in self.read for pod in survey.sick]

    @property
    def left(self) -> int:
        """Sick pods beyond those that were read in detail."""
        return sum(survey.sick_total - len(survey.sick) for survey in self.read)

    @property
    def nothing(self) -> Gap | None:
        """Why nothing at all was read, or None when something was."""
        return None if self.read else next(iter(self.unread.values()))

    @property
    def gaps(self) -> list[Fact]:
        return [
            (Light.UNKNOWN, f"{name}: unknown: {one_line(gap.reason)}") for name, gap in self.unread.items()
        ]

    @property
    def mend(self) -> str:
        return next((gap.mend for gap in self.unread.values()), "")


def not_well(surveys: Surveys, now: datetime | None) -> Finding:
    key, label, threshold = "DH-2.2", "Pods", "all Running or Completed"
    if surveys.nothing:
        return unread(key, label, surveys.nothing, threshold)
    listed = [(pod_light(pod, now), pod) for pod in surveys.sick if pod.phase != "Failed"]
    groups = _grouped([(light, pod) for light, pod in listed if light is not Light.GREEN], now)
    facts = [(group.light, group.line) for group in groups]
    facts += _not_looked_at(surveys.read) + surveys.gaps
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    return Finding(
        key,
        label,
        light,
        _pods_value(surveys, sum(len(group.pods) for group in groups)),
        threshold,
        worst_first(facts),
        suggestions=buttons(light, *(steps(groups[0].pods[0]) if groups else ())),
        mend=surveys.mend,
    )


def _pods_value(surveys: Surveys, bad: int) -> str:
    total = counted(sum(survey.total for survey in surveys.read), "pod")
    parts = [f"{bad} of {total} not well"] if bad else [total]
    if surveys.left:
        parts.append(f"{surveys.left} not looked at")
    if surveys.unread:
        parts.append(f"{counted(len(surveys.unread), 'namespace')} not read")
    return ", ".join(parts if bad or len(parts) > 1 else [total, "all well"])


def _grouped(listed: Iterable[tuple[Light, PodView]], now: datetime | None) -> list[_Group]:
    """One group per owner and trouble: the reds first, and among them the biggest."""
    groups: dict[tuple[Light, str, str, str, bool], list[PodView]] = defaultdict(list)
    for light, pod in listed:
        trouble = (light, pod.namespace, _owner(pod) or pod.name, pod.status, _is_restless(pod, now))
        groups[trouble].append(pod)
    found = [_Group(light, tuple(pods), now) for (light, *_), pods in groups.items()]
    return sorted(found, key=lambda group: (_LIGHTS.index(group.light), -len(group.pods)))


def _not_looked_at(surveys: Iterable[PodSurvey]) -> list[Fact]:
    """Sick pods beyond those read in detail: still counted, and red when their words leave no doubt."""
    facts: list[Fact] = []
    for survey in surveys:
        left = survey.sick_total - len(survey.sick)
        if left > 0:
            broken = any(status_light(word) is Light.RED for word in survey.by_status)
            said = f"{counted(left, 'more pod')} not well or just restarted, not looked at one by one"
            facts.append((Light.RED if broken else Light.YELLOW, said))
    return facts


def steps(pod: PodView) -> tuple[Suggestion, ...]:
    """What one does next about a pod that is not well."""
    name = f"{pod.namespace}/{pod.name}"
    crashed = pod.restarts or pod.status.endswith(("CrashLoopBackOff", "Error", "OOMKilled"))
    logs = (Suggestion("Logs before the crash", f"logs {name} --previous"),) if crashed else ()
    return (Suggestion("Show pod", f"pod show {name}"), *logs, *back(pod))


def back(pod: PodView) -> tuple[Suggestion, ...]:
    """The way back to what ran before, for what a rollout may have broken."""
    kind, _, name = _owner(pod).partition("/")
    word = pod.status.removeprefix("Init:")
    if kind != "Deployment" or (word not in _BROKEN and not _is_restless(pod, None)):
        return ()
    return (Suggestion(f"Roll back {name}", f"deploy rollback {pod.namespace}/{name}"),)


def failed(surveys: Surveys) -> Finding:
    """Pods of phase Failed: leftovers that something has replaced or given up, so never more than yellow."""
    key, label, threshold = "DH-2.6", "Failed pods", "expected none"
    if surveys.nothing:
        return unread(key, label, surveys.nothing, threshold)
    ended = [pod for pod in surveys.sick if pod.phase == "Failed"]
    facts: list[Fact] = [(Light.YELLOW, _failed_line(pod)) for pod in ended]
    vague = sum(_without_details(pod) for pod in surveys.sick)
    if vague:
        facts.append(
            (Light.UNKNOWN, f"{counted(vague, 'pod')} without details: whether it failed is not known")
        )
    if surveys.left:
        facts.append((Light.YELLOW, f"perhaps more among the {surveys.left} pods not looked at one by one"))
    facts += surveys.gaps
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    value = str(len(ended)) if ended else "none among those read" if facts else "none"
    offer = buttons(light, Suggestion("List them", "pod list --failed -n all"))
    evidence = worst_first(facts)
    return Finding(key, label, light, value, threshold, evidence, None, offer, mend=surveys.mend)


def _failed_line(pod: PodView) -> str:
    said = ", ".join(text for text in (pod.last_exit, one_line(pod.message)) if text)
    return f"{pod.namespace}/{pod.name}: {pod.status}, {span(pod.age)} old" + (f", {said}" if said else "")
