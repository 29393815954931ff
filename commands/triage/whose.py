"""The pods that a typed name means: a pod's own name, or that of the workload they were made from.

Used by `logs` and `debug startup`; commands/pod/scope.py has its own for looks over several namespaces.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from commands.errors import UsageError
from commands.model import Args
from commands.podreads import PodRow, workload
from commands.site import ClusterSite
from commands.wording import nearest, one_line

_LONGEST = 253
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed, in one namespace."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.name}"

    def pods(self, rows: Sequence[PodRow]) -> tuple[PodRow, ...]:
        """The pod of this name alone, else all that this workload has."""
        exact = tuple(row for row in rows if row.name == self.name)
        return exact or tuple(row for row in rows if is_of(row.name, self.name))

    def near(self, rows: Sequence[PodRow]) -> list[str]:
        return nearest(self.name, sorted({workload(row.name) for row in rows}))


def wanted(args: Args, site: ClusterSite) -> Wanted:
    """The name that was typed, or the default service's; raises UsageError over one that cannot be meant."""
    namespace = args.flags.get("namespace", "")
    if namespace == "all":
        raise UsageError(f"`{f'{args.word} {args.verb}'.strip()}` needs one namespace, not all of them.")
    name = args.name.casefold()
    if not name:
        service = site.default_service
        return Wanted(namespace or service.namespace, service.deployment or service.name)
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise UsageError(f"`{one_line(args.name, 60)}` cannot be the name of a pod or workload.")
    for known in site.services.values():
        if name in (known.name.casefold(), known.deployment) and namespace in ("", known.namespace):
            return Wanted(known.namespace, known.deployment or name)
    return Wanted(namespace or site.namespaces.app, name)


def is_of(pod: str, name: str) -> bool:
    """ "web-5d9f8c7b6d-x7k2p" and "web-x7k2p" are of web, and so is "web-0"."""
    return workload(pod) == name or re.fullmatch(rf"{re.escape(name)}-\d+", pod) is not None


def short(pod: str) -> str:
    """What tells a pod from its fellows: "x7k2p", or its whole name where it was not made up."""
    return pod.rpartition("-")[2] if workload(pod) != pod else pod
