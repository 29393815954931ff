"""`deploy`: workloads, that is Deployments, StatefulSets and DaemonSets. What runs, and back, anew, more or less.

Looks read; rollback, restart and scale are changes with a plan and a verification of their own.
"""

from collections.abc import Callable
from dataclasses import replace

from commands.change import Change
from commands.command import Command, Flag, Parts
from commands.deploy import limits, looks, restart, rollback, scale
from commands.deploy.target import checked
from commands.deploy.verify import verify
from commands.errors import UsageError
from commands.model import Args
from commands.site import ClusterSite

Look = Callable[[Args, ClusterSite], Parts]

_LOOKS: dict[str, Look] = {
    "list": looks.listed,
    "show": looks.show,
    "history": looks.history,
    "limits": limits.limits,
}


def parts(args: Args, site: ClusterSite) -> Parts:
    """The bare word lists, and shows what is named; a look without a name is about the default service."""
    verb = args.verb or ("show" if args.name else "list")
    if verb != "list":
        name = args.name or site.default_service.deployment
        args = replace(args, name=name)
        checked(args)
    if verb != "limits" and "window" in args.flags:
        raise UsageError("`--window` belongs to `deploy limits`; nothing was done.")
    return _LOOKS[verb](args, site)


def named(args: Args, site: ClusterSite) -> Parts:
    checked(args)
    return {}


def scaled(args: Args, site: ClusterSite) -> Parts:
    checked(args)
    scale.replicas(args)
    return {}


_NAMESPACE = Flag("namespace", "where it is; the application's namespace when left out", "NAMESPACE", "n")
_KIND = Flag("kind", "deploy, sts or ds, where two kinds bear one name", "KIND")

COMMANDS = (
    Command(
        word="deploy",
        verbs=("", "list", "show", "history", "limits"),
        summary="Workloads: ready counts, one in detail, its revisions, requests and limits against real use.",
        rows=("TF-1.3", "T1-4", "PA-2.0", "PA-2.1", "PA-2.2", "PA-2.3", "PA-2.4", "C46", "C52", "C78"),
        parts=parts,
        examples=(
            "deploy",
            "deploy list --namespace monitoring",
            "deploy show backend",
            "deploy history backend",
            "deploy limits backend --window 7d",
        ),
        flags=(_NAMESPACE, _KIND, Flag("window", "with `limits`: what use to look at", "7d")),
        names="NAME",
    ),
    Command(
        word="deploy",
        verbs=("rollback",),
        summary="Put the pod template of an earlier revision back.",
        rows=("EM-3.1",),
        parts=named,
        examples=("rollback backend", "deploy rollback backend --to-revision 3"),
        flags=(_NAMESPACE, _KIND, Flag("to-revision", "its number; the one before when left out", "3")),
        names="NAME",
        change=Change(rollback.plan, verify),
    ),
    Command(
        word="deploy",
        verbs=("restart",),
        summary="Replace all pods by new ones of the same template.",
        rows=("DR-2.6", "DR-2.8", "T1-6.2"),
        parts=named,
        examples=("restart grafana -n monitoring", "deploy restart sts/alertmanager -n monitoring"),
        flags=(_NAMESPACE, _KIND),
        names="NAME",
        change=Change(restart.plan, verify),
    ),
    Command(
        word="deploy",
        verbs=("scale",),
        summary="Another number of pods.",
        rows=("EM-3.2",),
        parts=scaled,
        examples=("scale backend 5", "deploy scale backend --replicas 5"),
        flags=(_NAMESPACE, _KIND, Flag("replicas", "how many pods there shall be", "5")),
        names="NAME REPLICAS",
        change=Change(scale.plan, verify),
    ),
)
