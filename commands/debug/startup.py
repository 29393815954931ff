"""`debug startup`: why a pod, or the pods of a workload, do not start: one verdict and the next step.

The same questions as for an alert (commands/triage/pods.py). Where there is no pod at all, what the API server said
to whoever wanted to make one.
"""

from collections.abc import Sequence
from datetime import timedelta

from commands.command import Command, Flag, Part, Parts
from commands.debug.verdict import LABEL, inquiry
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Cause, Confidence, Gap, Inquiry
from commands.phrase import counted
from commands.podreads import Events, PodRow, PodRows
from commands.reads import RESTARTED_LATELY
from commands.site import ClusterSite
from commands.triage import pods, refused
from commands.triage.rule import Diagnosing, Diagnosis, Subject
from commands.triage.scene import is_well
from commands.triage.whose import Wanted, wanted
from commands.wording import unread

_KEY, _LABEL = "T3-0", LABEL
# The worst first; what is not here comes behind, what runs last.
_ORDER = (
    "CrashLoopBackOff",
    "Error",
    "OOMKilled",
    "CreateContainer",
    "ImagePull",
    "ErrImage",
    "InvalidImage",
)


def parts(args: Args, site: ClusterSite) -> Parts:
    about = wanted(args, site)
    return {"startup": Part(f"Start of {about.path}", _inquiry(about, site))}


def _inquiry(about: Wanted, site: ClusterSite) -> Inquiry:
    return (yield from inquiry(diagnose(about, site), "startup", f"Start of {about.path}", _KEY))


def diagnose(about: Wanted, site: ClusterSite) -> Diagnosing:
    read = PodRows(about.namespace)
    rows: Sequence[PodRow] | Gap = (yield (read,))[read]
    if isinstance(rows, Gap):
        return Diagnosis(None, (unread(_KEY, "Pods", rows),))
    mine = about.pods(rows)
    if not mine:
        return (yield from _none(about, rows))
    bad = sorted((row for row in mine if not _is_up(row)), key=_rank)
    if not bad:
        value = f"{counted(len(mine), 'pod')} of {about.name}: all up"
        offer = (Suggestion("Show them", f"pod show {about.path}"),)
        return Diagnosis(None, (Finding(_KEY, _LABEL, Light.GREEN, value),), offer)
    subject = Subject(
        "",
        {"namespace": about.namespace, "pod": bad[0].name},
        others=tuple({"pod": row.name} for row in bad[1:]),
    )
    return (yield from pods.diagnose(subject, site))


def _is_up(row: PodRow) -> bool:
    return is_well(row) and not (row.restarted is not None and row.restarted < RESTARTED_LATELY)


def _rank(row: PodRow) -> tuple[int, timedelta, str]:
    word = row.status.removeprefix("Init:")
    rank = next((n for n, begin in enumerate(_ORDER) if word.startswith(begin)), len(_ORDER))
    return rank + (row.status == "Running") * 10, row.restarted or timedelta.max, row.name


def _none(about: Wanted, rows: Sequence[PodRow]) -> Diagnosing:
    """No pod: was one refused?"""
    read = Events(about.namespace, warnings=True)
    answer = (yield (read,))[read]
    near = about.near(rows)
    offers = tuple(Suggestion(name, f"debug startup {about.namespace}/{name}") for name in near)
    if isinstance(answer, Gap):
        return Diagnosis(None, (unread(_KEY, "Events", answer),), offers)
    found = refused.latest(answer, about.name)
    if found is None:
        value = f"there is no pod of {about.name} in {about.namespace}, and nothing was said of one"
        show = Suggestion("Show it", f"deploy show {about.path}")
        evidence = (f"nearest: {', '.join(near)}",) if near else ()
        return Diagnosis(
            None, (Finding(_KEY, _LABEL, Light.YELLOW, value, evidence=evidence),), (*offers, show)
        )
    event, why = found
    text = f"no pod of {about.name} is made: {why.text}"
    show = Suggestion("Show it", f"deploy show {about.path}")
    return Diagnosis(Cause(text, Confidence.CERTAIN, (show,)), (refused.finding(event, why),))


STARTUP = Command(
    word="debug",
    verbs=("startup",),
    summary="Why a pod, or a workload's pods, do not start: one verdict, its facts and the next step.",
    rows=(
        "T3-0", "T3-1.0", "T3-1.1", "T3-1.2", "T3-2.0", "T3-2.1", "T3-2.2", "T3-2.3", "T3-3.0", "T3-3.1", "T3-3.3",
        "T3-4.0", "T3-4.1", "T3-4.2", "T3-4.3", "C55",
    ),
    parts=parts,
    examples=("debug startup backend", "debug startup shop/web-0"),
    flags=(Flag("namespace", "where to look", "NAMESPACE", "n"),),
    names="NAME",
)  # fmt: skip
