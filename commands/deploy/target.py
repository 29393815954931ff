"""Which workload is meant: the name as typed, its namespace, and the kind where two bear one name."""

import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime

from commands import grammar
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Reads, Seen
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import one_line
from commands.workloads import KINDS, SHORT, Workload, WorkloadView

_LONGEST = 253
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_KINDS_SAID = "Deployment, StatefulSet and DaemonSet"


@dataclass(frozen=True, slots=True)
class Found:
    """The one workload that is meant, and the time at which it was looked at."""

    view: WorkloadView
    now: datetime


Search = Generator[Reads, Seen, "Found | Finding"]


def checked(args: Args) -> None:
    """Raises UsageError over a name, kind or namespace that cannot be meant."""
    verb = args.verb or "show"
    if not args.name:
        raise UsageError(f"Which one? Type `deploy {verb} NAME`, such as `deploy {verb} backend`.")
    if len(args.name) > _LONGEST or not _NAME.fullmatch(args.name.casefold()):
        raise UsageError(
            f"`{one_line(args.name, 60)}` cannot be the name of a workload: small letters, digits, - and . only, "
            f"at most {_LONGEST} of them."
        )
    if args.flags.get("namespace") == "all":
        raise UsageError(f"`deploy {verb}` needs one namespace, not all of them.")
    kind(args)


def kind(args: Args) -> str:
    """ "StatefulSet" for "sts"; "" where none was typed."""
    typed = args.flags.get("kind", "")
    if typed and typed.casefold() not in KINDS:
        raise UsageError(f"`{one_line(typed, 40)}` is no kind that `deploy` knows: {_KINDS_SAID}.")
    return KINDS[typed.casefold()] if typed else ""


def wanted(args: Args, site: ClusterSite) -> Workload:
    """A service of the configuration is known by its own name, too."""
    name, namespace = args.name.casefold(), args.flags.get("namespace", "")
    for service in site.services.values():
        if name in (service.name.casefold(), service.deployment) and namespace in ("", service.namespace):
            return Workload(service.namespace, service.deployment or name, kind(args))
    return Workload(namespace or site.namespaces.app, name, kind(args))


def search(args: Args, site: ClusterSite) -> Search:
    """Yields what it has to read, and returns the workload, or the finding that says why there is none.

    That finding is red. Who only looks calls it unknown where it was not read.
    """
    asked = wanted(args, site)
    seen = yield (Now(), asked)
    found, now = seen[asked], seen[Now()]
    for answer in (found, now):
        if isinstance(answer, Gap):
            value = f"{asked.namespace}/{asked.name} was not read: {one_line(answer.reason)}"
            return Finding("deploy.unread", "Workload", Light.RED, value, mend=answer.mend)
    if len(found) == 1:
        return Found(found[0], now)
    if found:
        return _several(args, found)
    return (yield from _elsewhere(args, site, asked))


def _several(args: Args, found: tuple[WorkloadView, ...]) -> Finding:
    names = " and ".join(view.short for view in found)
    return Finding(
        "deploy.several",
        "Which one",
        Light.RED,
        f"{names} bear this name: say which",
        suggestions=tuple(Suggestion(view.short, _line(args, view)) for view in found),
    )


def _elsewhere(args: Args, site: ClusterSite, asked: Workload) -> Search:
    """It is not where it was looked for: say so, and where one of that name is."""
    spaces = site.namespaces
    others = {spaces.app, spaces.monitoring, spaces.system, *(s.namespace for s in site.services.values())}
    reads = tuple(replace(asked, namespace=each) for each in sorted(others - {asked.namespace, ""}))
    seen = (yield reads) if reads and "namespace" not in args.flags else Seen({})
    views = [view for read in seen for view in _answered(seen[read])]
    kind_said = asked.kind or "Deployment, StatefulSet or DaemonSet"
    return Finding(
        "deploy.none",
        "Workload",
        Light.RED,
        f"no {kind_said} {asked.name} in namespace {asked.namespace}",
        evidence=tuple(f"{view.target} is there" for view in views),
        mend="Name its namespace with `--namespace`." if not views else "",
        suggestions=tuple(Suggestion(view.target.path, _line(args, view)) for view in views),
    )


def _answered(answer: tuple[WorkloadView, ...] | Gap) -> tuple[WorkloadView, ...]:
    return () if isinstance(answer, Gap) else answer


def _line(args: Args, view: WorkloadView) -> str:
    flags = {**args.flags, "namespace": view.target.namespace, "kind": SHORT[view.target.kind]}
    return grammar.format(replace(args, name=view.target.name, flags=flags))


def line(verb: str, view: WorkloadView, **flags: str) -> str:
    """The command text for another verb over the same workload."""
    named = {"namespace": view.target.namespace, **{k.replace("_", "-"): v for k, v in flags.items()}}
    if view.target.kind != "Deployment":
        named["kind"] = SHORT[view.target.kind]
    return grammar.format(Args("deploy", verb, view.target.name, named))
