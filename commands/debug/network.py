"""`debug net`: the way to a service: selector, ports, endpoints, name, connections, losses, policies. No ICMP, no
exec: names and ports are tried from the worker."""

from commands.command import Command, Flag, Part, Parts
from commands.debug.verdict import inquiry
from commands.model import Args
from commands.site import ClusterSite
from commands.triage import network, served


def parts(args: Args, site: ClusterSite) -> Parts:
    about = served.typed(args, site)
    if "external" in args.flags:
        title = "Names outside"
        return {"external": Part(title, inquiry(network.outside(site), "external", title, "T2-4.3"))}
    title = f"The way to {served.place(about)}"
    return {"net": Part(title, inquiry(network.diagnose(about, site), "net", title, "T2-2.0"))}


NETWORK = Command(
    word="debug",
    verbs=("net",),
    summary="DNS, selector, endpoints, ports and policies of a service; what is lost on the way to it.",
    rows=(
        "TF-2.2",
        "TF-4.3",
        "T2-2.0",
        "T2-2.1",
        "T2-2.2",
        "T2-2.3",
        "T2-4.3",
        "T2-5.1",
        "T2-5.2",
        "C7",
        "C53",
    ),
    parts=parts,
    examples=("debug net", "debug net backend-service", "debug net --external"),
    flags=(
        Flag("namespace", "where to look", "NAMESPACE", "n"),
        Flag("external", "the names that the services call outside, in place of theirs"),
    ),
    names="NAME",
)
