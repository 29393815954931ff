"""`debug latency`: how long requests take, and the four places where the time may go, in order."""

from commands.command import Command, Flag, Part, Parts
from commands.debug.verdict import inquiry
from commands.model import Args
from commands.site import ClusterSite
from commands.triage import database, dependencies, latency, network, served
from commands.triage.rule import Diagnosing


def parts(args: Args, site: ClusterSite) -> Parts:
    about = served.typed(args, site)
    asked: tuple[Diagnosing, ...] = (
        database.diagnose(about, site),
        network.diagnose(about, site),
        latency.saturated(about, site),
        dependencies.diagnose(site),
    )
    four = {
        f"latency-{n}": Part(f"{n}. {name}", inquiry(asking, f"latency-{n}", f"{n}. {name}", f"T2-{n}.0"))
        for n, (name, asking) in enumerate(zip(latency.PARTS, asked, strict=True), 1)
    }
    if "deps" in args.flags:
        return {"latency-4": four["latency-4"]}
    title = f"Latency of {about.name}"
    head = Part(title, inquiry(latency.felt(about, None, site), "latency", title, "T2-0"))
    return {"latency": head, **four}


LATENCY = Command(
    word="debug",
    verbs=("latency",),
    summary="Where time is lost, in four parts: database, network, saturation, dependencies.",
    rows=(
        "T2-0", "T2-1.0", "T2-2.0", "T2-3.0", "T2-3.1", "T2-3.2", "T2-3.3", "T2-4.0", "T2-4.1", "T2-4.2", "C60",
    ),
    parts=parts,
    examples=("debug latency", "debug latency backend", "debug latency --deps"),
    flags=(
        Flag("namespace", "where to look", "NAMESPACE", "n"),
        Flag("deps", "only what is called outside"),
    ),
    names="NAME",
)  # fmt: skip
