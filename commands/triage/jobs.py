"""Jobs and CronJobs that failed, do not end, or do not begin."""

from collections.abc import Generator, Iterable, Sequence
from datetime import datetime

from commands.finding import Finding, Light, Suggestion
from commands.loglines import entries, telling
from commands.model import Cause, Confidence, Gap, Reads, Seen
from commands.phrase import counted, moment, span
from commands.podreads import ContainerLog, Events, EventView, LogText, PodDetail, PodDetails
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage.eventline import event_line
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triagereads import CronJob, CronJobView, Jobs, JobView
from commands.wording import one_line, unread

KEY = "AR-5"
_LINES = 8
_RUNS = 5

# The API's reasons of a Job's Failed condition, in plain words.
_REASONS = {
    "BackoffLimitExceeded": "every attempt failed",
    "DeadlineExceeded": "it ran longer than activeDeadlineSeconds",
    "PodFailurePolicy": "its podFailurePolicy ended it",
    "MaxFailedIndexesExceeded": "too many of its indexes failed",
    "FailedIndexes": "some of its indexes failed",
}


def diagnose(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Why a Job failed or does not end: its condition, its last pod's exit and its last words."""
    place = subject.namespace
    read, pods, events, now = (
        Jobs(place, subject.job),
        PodDetails(place, selector=f"job-name={subject.job}"),
        Events(place, "Job", subject.job, warnings=True),
        Now(),
    )
    seen = yield (read, pods, events, now)
    found = seen[read]
    if isinstance(found, Gap):
        return Diagnosis(findings=(unread(KEY, "Job", found),))
    if not found:
        gone = f"there is no Job {place}/{subject.job} (any more): it was deleted, or its ttlSecondsAfterFinished was over"
        return Diagnosis(findings=(Finding(KEY, "Job", Light.YELLOW, gone),))
    job: JobView = found[0]
    last = _last(seen[pods])
    log = yield from _last_words(last)
    findings = (_stand(job, seen[now]), *_pod(seen[pods], last), *_words(log), *_events(seen[events]))
    line = telling(entries(log.text)) if isinstance(log, LogText) else ""
    return Diagnosis(_cause(job, last, seen[now], line), findings, _steps(job, last))


def _cause(job: JobView, last: PodDetail | None, now: datetime, line: str) -> Cause | None:
    """line: what the log of the container that failed comes down to."""
    name = f"Job {job.namespace}/{job.name}"
    failed = next((each for each in job.conditions if each.type == "Failed" and each.status == "True"), None)
    ended = _ending(last, line)
    if failed:
        why = _REASONS.get(failed.reason) or one_line(failed.message or failed.reason)
        attempts = f" ({counted(job.failed, 'attempt')} of {job.backoff_limit + 1})" if job.failed else ""
        return Cause(f"{name} failed: {why}{attempts}{ended}", Confidence.CERTAIN)
    if job.suspended:
        return Cause(f"{name} is suspended", Confidence.CERTAIN)
    if last and last.phase == "Pending":
        return Cause(
            f"{name} waits for a pod that is {last.status}: {one_line(last.message)}", Confidence.LIKELY
        )
    if job.active and job.started:
        length = span(now - job.started)
        attempts = f", attempt {job.failed + 1}" if job.failed else ""
        limit = f" of at most {span(job.deadline)}" if job.deadline else ", and has no deadline"
        return Cause(f"{name} has run for {length}{attempts}{limit}", Confidence.POSSIBLE)
    return None


def _ending(pod: PodDetail | None, line: str) -> str:
    ends = [each for each in (pod.containers if pod else ()) if each.ended and each.ended.code]
    if not ends or ends[0].ended is None:
        return ""
    end = ends[0].ended
    why = f" ({end.reason})" if end.reason and end.reason != "Error" else ""
    said = f": “{one_line(line, 160)}”" if line else ""
    return f"; container {ends[0].name} ended with exit code {end.code}{why}{said}"


def _stand(job: JobView, now: datetime) -> Finding:
    told = [f"{job.succeeded} of {job.wanted} done", counted(job.failed, "failed attempt")]
    if job.active:
        told.append(f"{job.active} running")
    if job.started:
        told.append(f"begun {span(now - job.started)} ago")
    made = (f"made by CronJob {job.cronjob}",) if job.cronjob else ()
    return Finding(KEY, f"Job {job.namespace}/{job.name}", Light.RED if job.failed else Light.YELLOW,
                   ", ".join(told), evidence=made)  # fmt: skip


def _last(pods: Sequence[PodDetail] | Gap) -> PodDetail | None:
    if isinstance(pods, Gap) or not pods:
        return None
    return max(pods, key=lambda pod: pod.created.timestamp() if pod.created else 0.0)


def _last_words(pod: PodDetail | None) -> Generator[Reads, Seen, LogText | Gap | None]:
    """Of the container that failed, else of the first one; None where there is no pod."""
    if pod is None or not pod.containers:
        return None
    ill = [each for each in pod.containers if each.ended and each.ended.code] or [
        each for each in pod.containers if not each.kind
    ]
    read = ContainerLog(pod.namespace, pod.name, (ill or list(pod.containers))[0].name, limit=16 * 1024)
    found: LogText | Gap = (yield (read,))[read]
    return found


def _words(log: LogText | Gap | None) -> Iterable[Finding]:
    if isinstance(log, Gap):
        yield unread("AL-22", "Last words", log)
    elif isinstance(log, LogText):
        lines = tuple(one_line(line, 200) for line in log.text.splitlines() if line.strip())[-_LINES:]
        if lines or log.missing:
            value = one_line(log.missing) or counted(len(lines), "line")
            yield Finding("AL-22", "Last words", Light.YELLOW, value, evidence=lines)


def _pod(pods: Sequence[PodDetail] | Gap, last: PodDetail | None) -> Iterable[Finding]:
    if isinstance(pods, Gap):
        yield unread(KEY, "Pods", pods)
    elif last is None:
        yield Finding(KEY, "Pods", Light.YELLOW, "none left: they were cleaned up")
    else:
        said = (one_line(last.message),) if last.message else ()
        where = f" on {last.node}" if last.node else ""
        yield Finding(KEY, "Last pod", Light.RED, f"{last.name}: {last.status}{where}", evidence=said)


def _events(events: Sequence[EventView] | Gap) -> Iterable[Finding]:
    if isinstance(events, Gap):
        yield unread("AL-26", "Events", events)
    elif events:
        lines = tuple(map(event_line, reversed(events)))
        yield Finding("AL-26", "Events", Light.YELLOW, counted(len(events), "kind"), evidence=lines[:_LINES])


def _steps(job: JobView, last: PodDetail | None) -> tuple[Suggestion, ...]:
    if last is None:
        return (Suggestion("Events", f"pod events -n {job.namespace}"),)
    return (Suggestion("Logs", f"logs {last.place}"), Suggestion("Show pod", f"pod show {last.place}"))


# --- CronJobs -------------------------------------------------------------------------------------


def diagnose_schedule(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Why a CronJob runs too long, too often or not at all, from its last runs."""
    read, runs, now = CronJob(subject.namespace, subject.cronjob), Jobs(subject.namespace), Now()
    seen = yield (read, runs, now)
    found, jobs = seen[read], seen[runs]
    if isinstance(found, Gap):
        return Diagnosis(findings=(unread(KEY, "CronJob", found),))
    if found is None:
        gone = f"there is no CronJob {subject.namespace}/{subject.cronjob} (any more)"
        return Diagnosis(findings=(Finding(KEY, "CronJob", Light.YELLOW, gone),))
    own = [] if isinstance(jobs, Gap) else [job for job in jobs if job.cronjob == found.name]
    findings = (
        _schedule(found, seen[now]),
        *((unread(KEY, "Runs", jobs),) if isinstance(jobs, Gap) else _history(own)),
    )
    events = Suggestion("Events", f"pod events -n {subject.namespace}")
    return Diagnosis(_cause_of_schedule(found, own, seen[now]), findings, (events,))


def _cause_of_schedule(view: CronJobView, runs: Sequence[JobView], now: datetime) -> Cause | None:
    name = f"CronJob {view.namespace}/{view.name}"
    if view.suspended:
        return Cause(f"{name} is suspended: nothing starts", Confidence.CERTAIN)
    failed = [run for run in runs[:_RUNS] if run.failed and not run.succeeded]
    if failed and runs and failed[0] is runs[0]:
        return Cause(f"The last {counted(len(failed), 'run')} of {name} failed", Confidence.CERTAIN)
    if len(view.active) > 1 and view.concurrency == "Allow":
        text = f"{len(view.active)} runs of {name} are under way at once: concurrencyPolicy is Allow"
        text += f", and a run takes longer than its schedule `{view.schedule}`"
        return Cause(text, Confidence.CERTAIN)
    if view.active and view.last_scheduled:
        return Cause(
            f"A run of {name} has been under way for {span(now - view.last_scheduled)}", Confidence.LIKELY
        )
    return None


def _schedule(view: CronJobView, now: datetime) -> Finding:
    last = f"last begun {span(now - view.last_scheduled)} ago" if view.last_scheduled else "never begun"
    good = f"last success {span(now - view.last_succeeded)} ago" if view.last_succeeded else "never a success"
    return Finding(
        KEY, f"CronJob {view.namespace}/{view.name}", Light.YELLOW, f"`{view.schedule}`, {last}, {good}"
    )


def _history(runs: Sequence[JobView]) -> tuple[Finding, ...]:
    lines = tuple(_run(run) for run in runs[:_RUNS])
    return (Finding(KEY, "Last runs", Light.YELLOW, str(len(runs)) if runs else "none kept", evidence=lines),)


def _run(run: JobView) -> str:
    state = (
        "running" if run.active else "succeeded" if run.succeeded else "failed" if run.failed else "waiting"
    )
    begun = f", begun {moment(run.started)}" if run.started else ""
    took = f", took {span(run.finished - run.started)}" if run.finished and run.started else ""
    return f"{run.name}: {state}{begun}{took}"


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeJobFailed", "KubernetesJobFailed"),
        "A Job gave up: its pods failed more often than it may try.",
        diagnose,
        ("Read the last words of its pod.", "Was its image or its configuration changed since the last success?",
         "Is it a CronJob's? Then the next run may mend it: look whether earlier runs failed, too."),
        ("namespace", "job"),
    ),
    Rule(
        ("KubeJobNotCompleted", "KubeJobCompletion", "KubernetesJobSlowCompletion", "KubernetesJobNotStarting"),
        "A Job has been running for far longer than usual.",
        diagnose,
        ("Does its pod run, or wait for room or a volume?", "Look in its log whether it still makes progress."),
        ("namespace", "job"),
    ),
    Rule(
        (
            "KubeCronJobRunning", "KubernetesCronjobTooLong", "KubernetesCronjobSuspended", "KubernetesCronjobFailing",
            "KubeCronJobFailed",
        ),
        "A CronJob does not run as its schedule says.",
        diagnose_schedule,
        ("Look at its last runs.", "Is it suspended?", "Does one run hold up the next?"),
        ("namespace", "cronjob"),
    ),
)  # fmt: skip
