"""`node`: the machines. Looking at them, closing them to new pods, and moving pods off them.

Each verb has its file; this one only declares them. Nothing here reads or changes anything itself.
"""

from commands.change import Change
from commands.command import Command, Flag, Parts
from commands.model import Args
from commands.node import cordon, drain, looks, proof, show
from commands.node.choice import choice
from commands.site import ClusterSite


def _meant(args: Args, site: ClusterSite) -> Parts:
    """No sections: only whether the line can be meant, told to whoever types it."""
    choice(args)
    return {}


_SELECTOR = Flag("selector", "the nodes with these labels, such as zone=a,pool in (x,y)", "LABELS")

COMMANDS: tuple[Command, ...] = (
    Command(
        word="node",
        verbs=("", "list"),
        summary="The nodes with their conditions and load, the sick ones first.",
        rows=("DH-2.1", "DR-1.4"),
        parts=looks.listed,
        examples=("node list",),
    ),
    Command(
        word="node",
        verbs=("top",),
        summary="CPU and memory by node, now and on average, the busiest first.",
        rows=("DH-2.3", "DH-2.4", "WM-2.6", "PM-1.0", "C3"),
        parts=looks.top,
        examples=("node top", "node top --window 7d"),
        flags=(Flag("window", "what to average over; 30d when left out", "30d"),),
    ),
    Command(
        word="node",
        verbs=("disk",),
        summary="How full the root disk of each node is, and who could not write.",
        rows=("WM-2.10", "T3-1.3", "C17"),
        parts=looks.disk,
        examples=("node disk",),
        names="NODE",
    ),
    Command(
        word="node",
        verbs=("show",),
        summary="One node: conditions, evictions, load, its pods, and with --logs its kernel's words.",
        rows=("TF-4.1", "TF-4.2"),
        parts=show.shown,
        examples=("node show ip-10-0-1-10.eu-central-1.compute.internal", "node show NODE --logs"),
        flags=(Flag("logs", "also what its kernel said"),),
        names="NODE",
    ),
    Command(
        word="node",
        verbs=("cordon", "uncordon"),
        summary="Close a node to new pods, or open it again.",
        rows=("SI-2.2",),
        parts=_meant,
        change=Change(cordon.plan, cordon.verify),
        examples=(
            'node cordon node-7 --why "disk is failing"',
            "node uncordon node-7",
            "cordon node-7,node-8",
        ),
        flags=(_SELECTOR,),
        names="NODE",
    ),
    Command(
        word="node",
        verbs=("drain",),
        summary="Move all pods off a node, within their disruption budgets.",
        rows=("SI-2.3",),
        parts=_meant,
        change=Change(drain.plan, proof.verify),
        examples=(
            "node drain node-7",
            'node drain node-7 --why "kernel update"',
            "drain node-7,node-8 --emptydir --timeout 30m",
            "drain node-7 --dry-run",
        ),
        flags=(
            _SELECTOR,
            Flag("orphans", "also pods that nothing makes anew; two people must agree"),
            Flag("emptydir", "also pods whose emptyDir content is lost"),
            Flag("grace", "seconds each pod gets to end, instead of its own", "60"),
            Flag("timeout", "how long the drain may take", "10m"),
        ),
        names="NODE",
    ),
)
