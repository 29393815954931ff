"""`node`: the machines. Looking at them, closing them to new pods, and moving pods off them.

Each verb has its file; this one only declares them. Nothing here reads or changes anything itself.
"""

from commands.command import Command, Flag
from commands.node import looks, show

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
)
