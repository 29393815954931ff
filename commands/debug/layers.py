"""`debug layers`, and the bare `debug`: the five layers under a service, from what users feel to what AWS says."""

from commands.command import Command, Flag, Part, Parts
from commands.debug.verdict import inquiry
from commands.errors import UsageError
from commands.model import Args
from commands.site import ClusterSite
from commands.triage import served
from commands.triage.layers import LAYERS


def parts(args: Args, site: ClusterSite) -> Parts:
    service = served.typed(args, site)
    wanted = _wanted(args)
    return {
        f"layer-{n}": Part(title, inquiry(layer(service, site), f"layer-{n}", title, f"TF-{n}.0"))
        for n, (name, layer) in LAYERS.items()
        if n in wanted
        for title in (f"{n} · {name}",)
    }


def _wanted(args: Args) -> frozenset[int]:
    if "layer" not in args.flags:
        return frozenset(LAYERS)
    number = int(args.flags["layer"])
    if number not in LAYERS:
        named = ", ".join(f"{n} {name.casefold()}" for n, (name, _) in LAYERS.items())
        raise UsageError(f"There is no layer {number}. There are: {named}.")
    return frozenset({number})


LAYERED = Command(
    word="debug",
    verbs=("", "layers"),
    summary="Five layers under a service, top to bottom: users, Kubernetes, containers, nodes, infrastructure.",
    rows=(
        "TF-0", "TF-1.0", "TF-1.1", "TF-2.0", "TF-2.1", "TF-2.2", "TF-2.3", "TF-3.0", "TF-3.1", "TF-3.2", "TF-3.3",
        "TF-4.0", "TF-4.1", "TF-5.0", "TF-5.1", "TF-5.3", "C55", "C65",
    ),
    parts=parts,
    examples=("debug", "debug layers backend", "debug layers backend --layer 3"),
    flags=(
        Flag("namespace", "where to look", "NAMESPACE", "n"),
        Flag("layer", "this layer alone, 1 to 5", "3"),
    ),
    names="NAME",
)  # fmt: skip
