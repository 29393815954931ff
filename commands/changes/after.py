"""`change watch` and `change validate`: what the samples of a running change say, and whether it left all as it was.

Watching itself is done by the workers (workers/changewatch.py), which take the samples and keep them; `watch` shows them.
`validate` looks anew: at +5, +15 and +60 minutes by itself, and whenever somebody asks. What it finds is noted on the
record (workers/changenotes.py).
"""

from collections.abc import Mapping
from datetime import timedelta

from commands import changelines as lines
from commands.baseline import Baseline
from commands.changeclock import ANEW
from commands.changes.meant import NOTHING, about, did, entered
from commands.changes.new import is_author
from commands.changes.people import with_names
from commands.command import Command, Flag, Part, Parts
from commands.entry import Entry, Given
from commands.errors import Denied, Stale, UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Section
from commands.phrase import span
from commands.podstatus import Surveys, not_well
from commands.reads import Endpoints, Now, Pods
from commands.response.changeevents import Kind, timer
from commands.response.changerequest import ChangeRequest, Stage, TickState
from commands.responsereads import ChangeBaseline, ChangeRequestOf, ChangeSamples
from commands.site import ClusterSite, ServiceSite
from commands.validation import validated
from commands.watchverdict import finding, verdict
from commands.wording import unread


def watched(id: str, site: ClusterSite) -> Inquiry:
    record, samples = ChangeRequestOf(id), ChangeSamples(id)
    seen = yield (record, samples)
    change, kept = seen[record], seen[samples]
    title = f"Watching {id}"
    gap = next((each for each in (change, kept) if isinstance(each, Gap)), None)
    if gap is not None or change is None:
        why = gap or Gap(f"there is no change request {id}")
        return Section("watch", title, True, (unread("CM-4.0", "Samples", why),))
    if change.started is None:
        waiting = Finding(
            "CM-4.0", "Samples", Light.GREEN, f"{id} is {change.stage.value}: it is watched once it begins"
        )
        return Section("watch", title, True, (waiting,))
    judged = finding(verdict(kept, site.change.rollback, is_over=change.is_over))
    change = yield from with_names(change)
    every = f"every {site.change.rollback.interval.total_seconds():.0f} s"
    return Section("watch", title, True, (judged, *_reports(change)), f"{every}, all of them are kept")


def _reports(change: ChangeRequest) -> tuple[Finding, ...]:
    if not change.reports:
        return ()
    told = tuple(f"{user} at {at:%H:%M:%S} UTC" for user, at in change.reports)
    return (Finding("CM-4.4", "Users complain", Light.YELLOW, f"{len(change.reports)} times", evidence=told),)


# --- Afterwards -----------------------------------------------------------------------------------


def validation(id: str, site: ClusterSite) -> Inquiry:
    record, frozen = ChangeRequestOf(id), ChangeBaseline(id)
    seen = yield (Now(), record, frozen)
    change, baselines = seen[record], seen[frozen]
    title = f"Validation of {id}"
    gap = next((each for each in (seen[Now()], change, baselines) if isinstance(each, Gap)), None)
    if gap is not None or change is None:
        why = gap or Gap(f"there is no change request {id}")
        return Section("validation", title, True, (unread("CM-3.0", "Validation", why),))
    service = site.services.get(change.payload.service)
    if service is None:
        gone = Finding("CM-3.0", "Service", Light.RED, f"{change.payload.service} is not configured any more")
        return Section("validation", title, True, (gone,))
    there = yield _operational_reads(service)
    pods = not_well(Surveys.of({service.namespace: there[Pods(service.namespace)]}), seen[Now()])
    found = [
        _behind(service, there[_endpoints(service)]),
        Finding("CM-3.1", pods.label, pods.light, pods.value, pods.threshold, pods.evidence),
    ]
    base = _own(baselines, service)
    if base is None:
        found.append(unread("CM-3.3", "Errors", Gap("no baseline was frozen: it had not begun")))
    else:
        found += yield from validated(service, site, base, seen[Now()])
    named = yield from with_names(change)
    return Section("validation", title, True, (*found, _accepted(named)))


def _own(baselines: Mapping[str, Baseline] | None, service: ServiceSite) -> Baseline | None:
    return (baselines or {}).get(service.name)


def _endpoints(service: ServiceSite) -> Endpoints:
    return Endpoints(service.namespace, service.service)


def _operational_reads(service: ServiceSite) -> tuple[Endpoints, Pods]:
    return _endpoints(service), Pods(service.namespace)


def _behind(service: ServiceSite, answer: object) -> Finding:
    label = f"Endpoints of {service.service}"
    if isinstance(answer, Gap):
        return unread("CM-3.1", label, answer)
    assert isinstance(answer, tuple)
    ready = sum(each.ready and not each.terminating for each in answer)
    return Finding("CM-3.1", label, Light.GREEN if ready else Light.RED, f"{ready} of {len(answer)} ready")


def _accepted(change: ChangeRequest) -> Finding:
    tick, label = change.ticks.get(lines.ACCEPTED), "User acceptance"
    if tick is None:
        line = f"change tick {change.id} {lines.ACCEPTED}"
        return Finding(
            "CM-3.5",
            label,
            Light.UNKNOWN,
            "nobody has said so yet",
            suggestions=(Suggestion("Users accept it", line),),
        )
    light = Light.RED if tick.state is TickState.NO else Light.GREEN
    return Finding(
        "CM-3.5", label, light, f"{tick.state.value}, says {tick.by}{': ' + tick.note if tick.note else ''}"
    )


# --- A new baseline -------------------------------------------------------------------------------

SETTLED = timedelta(minutes=10)  # after its last step; before, there is too little to take one from


def rebaseline(given: Given) -> Entry:
    """What the service does now is how it is meant to be: whatever follows is compared with that. What was frozen before
    the change is kept with its time. Not before somebody said that the change worked: nothing moves the mark while it is
    judged."""
    change = about(given)
    if not is_author(given, change):
        raise Denied(
            f"Only who asked for {change.id} says that its new numbers are as they should be. {NOTHING}"
        )
    if change.stage is not Stage.SUCCEEDED or change.done is None or change.baseline is None:
        raise Stale(
            f"{change.id} is {change.stage.value}: a new baseline follows a change that worked. {NOTHING}"
        )
    since = given.now - change.done
    if since < SETTLED:
        raise Stale(
            f"{change.id} was done {span(since)} ago: a new baseline needs {span(SETTLED)} to be taken from. {NOTHING}"
        )
    why = given.args.flags.get("why", "")
    asked = did(given, Kind.NOTE, f"📏 its baseline is taken anew{': ' + why if why else ''}")
    answer = f"The baseline of {change.id} is taken anew in a few seconds; the old one is kept with its time."
    return entered(change, answer, (asked, timer(ANEW, given.now)))


def _enters(args: Args) -> bool:
    return "rebaseline" in args.flags


def parts(args: Args, site: ClusterSite) -> Parts:
    if not args.name:
        raise UsageError(f"Name the change request: `/sre change {args.verb} CR-…`.")
    if args.verb == "watch":
        return {"watch": Part(f"Watching {args.name}", watched(args.name, site))}
    return {"validation": Part(f"Validation of {args.name}", validation(args.name, site))}


WATCH = Command(
    word="change",
    verbs=("watch",),
    summary="What the samples of a running change say against its baseline.",
    rows=("CM-4.0", "CM-4.1", "CM-4.2", "CM-4.3", "CM-4.4"),
    parts=parts,
    examples=("change watch CR-2026-11-23-001",),
    names="CR-…",
)
VALIDATE = Command(
    word="change",
    verbs=("validate",),
    summary="Did a change leave everything as it was? Against its baseline.",
    rows=("CM-3.0", "CM-3.1", "CM-3.2", "CM-3.3", "CM-3.4", "CM-3.5", "CM-3.6"),
    parts=parts,
    examples=("change validate CR-2026-11-23-001", "change validate CR-2026-11-23-001 --rebaseline"),
    flags=(
        Flag("rebaseline", "what the service does now is how it should be: take its baseline anew"),
        Flag("why", "why its numbers are different on purpose", "TEXT"),
    ),
    names="CR-…",
    entry=rebaseline,
    enters=_enters,
)
