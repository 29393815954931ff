"""The verbs that change one pod: `pod delete`, `pod isolate`, `pod release`."""

from commands.change import Change
from commands.command import Command, Flag, Parts
from commands.grammar import EVERYWHERE
from commands.model import Args
from commands.pod import deletion, proof, quarantine, single
from commands.site import ClusterSite

_WHERE = tuple(flag for flag in EVERYWHERE if flag.name == "namespace")


def checked(args: Args, site: ClusterSite) -> Parts:
    """Raises UsageError over what cannot be meant, before anything is planned."""
    single.wanted(args, site)
    deletion.grace(args)
    return {}


CHANGES: tuple[Command, ...] = (
    Command(
        word="pod",
        verbs=("delete",),
        summary="Delete a pod, so that its controller makes a new one.",
        rows=("SI-2.0",),
        parts=checked,
        examples=("pod delete backend-5d9f8c7b6d-x7k2p",),
        names="POD",
        flags=(*_WHERE, Flag("grace", "seconds it has to end, instead of its own", "SECONDS")),
        change=Change(deletion.plan, deletion.verify),
    ),
    Command(
        word="pod",
        verbs=("isolate",),
        summary="Cut a pod off the network and out of its Services, and keep it running.",
        rows=("SI-2.1",),
        parts=checked,
        examples=("pod isolate backend-5d9f8c7b6d-x7k2p --why INC-7",),
        names="POD",
        flags=_WHERE,
        change=Change(quarantine.isolate, proof.isolated),
    ),
    Command(
        word="pod",
        verbs=("release",),
        summary="Undo an isolation: the pod's labels come back, its policy goes.",
        rows=("SI-2.1",),
        parts=checked,
        examples=("pod release backend-5d9f8c7b6d-x7k2p",),
        names="POD",
        flags=_WHERE,
        change=Change(quarantine.release, proof.released),
    ),
)
