"""The revisions of a workload: which is in force, which was meant by "back", and how each came to be."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from commands.differences import images_said
from commands.phrase import span
from commands.templates import normalised, template_hash
from commands.wording import aligned, one_line
from commands.workloads import RESTARTED_AT, REVISION, Manager, RevisionView, WorkloadView

SHOWN = 5  # revisions in the table of a plan
# A controller makes the new revision within seconds of the write that asked for it.
_CAUSED_WITHIN = timedelta(seconds=5)


def current(view: WorkloadView, revisions: Sequence[RevisionView]) -> RevisionView | None:
    """The revision whose template is in force; None where the controller keeps none of it (yet).

    Of two that mean the same, the one the controller calls current, else the newest.
    """
    now = template_hash(view.template)
    same = [each for each in revisions if template_hash(each.template) == now]
    said = view.annotations.get(REVISION, "") if view.target.kind == "Deployment" else view.update
    named = [each for each in same if said in (str(each.number), each.source.name)]
    return next(iter(named or same), None)


def before(now: RevisionView | None, revisions: Sequence[RevisionView]) -> RevisionView | None:
    """The newest revision but the present one, as `kubectl rollout undo` takes it."""
    others = [each for each in revisions if each is not now and each.number > 0]
    return next(iter(others), None)


def numbered(number: int, revisions: Sequence[RevisionView]) -> RevisionView | None:
    return next((each for each in revisions if each.number == number), None)


def apart_from_restarts(template: Mapping[str, Any]) -> str:
    """The hash of a template as if nobody had restarted it."""
    meant = normalised(template)
    metadata = dict(meant.get("metadata") or {})
    notes = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != RESTARTED_AT}
    return template_hash({**meant, "metadata": {**metadata, "annotations": notes}})


def writer(view: WorkloadView, *, replicas: bool = False) -> Manager | None:
    """Who wrote the template (or the number of replicas) last, as far as managedFields tell."""
    writers = [each for each in view.managers if (each.of_replicas if replicas else each.of_template)]
    return max(writers, key=lambda each: each.at.timestamp() if each.at else 0.0, default=None)


def said_by(view: WorkloadView, revision: RevisionView, now: RevisionView | None) -> str:
    """Who made a revision: managedFields know the latest write of each manager, so "" for most old ones."""
    writers = [each for each in view.managers if each.of_template and each.at and revision.created]
    for each in writers:
        assert each.at is not None and revision.created is not None
        if timedelta() <= revision.created - each.at + timedelta(seconds=1) <= _CAUSED_WITHIN:
            return each.name
    latest = writer(view)
    return latest.name if latest and revision is now else ""


def rows(view: WorkloadView, revisions: Sequence[RevisionView], now: datetime) -> tuple[tuple[str, ...], ...]:
    """Of each revision: number, age, images, who made it, change-cause; "-" for what nobody knows."""
    present = current(view, revisions)
    return tuple(
        (
            f"{each.number or '?'}{' (now)' if each is present else ''}",
            age(each, now),
            one_line(images_said(each.template), 100),
            said_by(view, each, present) or "-",
            one_line(each.cause, 80) or "-",
        )
        for each in revisions
    )


def table(view: WorkloadView, revisions: Sequence[RevisionView], now: datetime) -> tuple[str, ...]:
    """The revisions in columns, newest first, the present one marked."""
    lines = (("REVISION", "MADE", "IMAGES", "BY", "CHANGE-CAUSE"), *rows(view, revisions, now))
    # Where nobody knows who, a column of dashes says nothing.
    shown = [n for n in range(5) if n != 3 or any(each[n] != "-" for each in lines[1:])]
    header, *body = (tuple(each[n] for n in shown) for each in lines)
    return aligned(header, body)


def lines(view: WorkloadView, revisions: Sequence[RevisionView], now: datetime) -> tuple[str, ...]:
    """The newest few, a line each: "7 (now) · 3 h ago · shop:1.4 · helm"."""
    found = rows(view, revisions, now)[:SHOWN]
    return tuple(" · ".join(part for part in row if part != "-") for row in found)


def age(revision: RevisionView, now: datetime) -> str:
    return f"{span(now - revision.created)} ago" if revision.created else "?"
