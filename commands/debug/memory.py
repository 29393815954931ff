"""`debug memory`: which container is near its memory limit, how it grows, what its heap does and what was killed."""

from commands.command import Command, Flag, Part, Parts
from commands.debug.verdict import inquiry
from commands.model import Args
from commands.site import ClusterSite
from commands.triage import memory, served


def parts(args: Args, site: ClusterSite) -> Parts:
    about = served.typed(args, site)
    title = f"Memory of {about.name}"
    asking = memory.near_limit(served.subject(about), site)
    return {"memory": Part(title, inquiry(asking, "memory", title, "TM-0"))}


MEMORY = Command(
    word="debug",
    verbs=("memory",),
    summary="Who is near the memory limit, how it grows and when it is full, its heap, and what was killed.",
    rows=(
        "TM-0", "TM-1.0", "TM-1.1", "TM-1.2", "TM-2.0", "TM-2.1", "TM-2.2", "TM-3.0", "TM-4.1", "TM-4.3", "PA-1.0",
        "PA-1.2", "PA-1.3", "T1-6.1", "C45", "C57", "C62", "C76",
    ),
    parts=parts,
    examples=("debug memory", "debug memory shop/web-0"),
    flags=(Flag("namespace", "where to look", "NAMESPACE", "n"),),
    names="NAME",
)  # fmt: skip
