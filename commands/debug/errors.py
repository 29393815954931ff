"""`debug 5xx`: which requests fail, since when, what came before, and which known cause it looks like."""

from commands.command import Command, Flag, Part, Parts
from commands.debug.verdict import inquiry
from commands.model import Args
from commands.site import ClusterSite
from commands.triage import served, service


def parts(args: Args, site: ClusterSite) -> Parts:
    about = served.typed(args, site)
    title = f"Errors of {about.name}"
    return {"5xx": Part(title, inquiry(service.of(about, None, site), "5xx", title, "T1-0"))}


ERRORS = Command(
    word="debug",
    verbs=("5xx",),
    summary="Where 5xx come from: by status, pod and path, since when, after which change, like which known cause.",
    rows=(
        "T1-0", "T1-1", "T1-1.1", "T1-2.1", "T1-3.1", "T1-4.1", "T1-5.0", "T1-5.1", "T1-6.0", "T1-6.1", "T1-7.0",
        "T1-7.1",
    ),
    parts=parts,
    examples=("debug 5xx", "debug 5xx backend"),
    flags=(Flag("namespace", "where to look", "NAMESPACE", "n"),),
    names="NAME",
)  # fmt: skip
