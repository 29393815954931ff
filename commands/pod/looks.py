"""The verbs of `pod` that only look, declared."""

from commands.command import Command, Flag
from commands.pod import happened, listing, restarts, show, top

_NAMESPACE = Flag("namespace", "where to look; all for every namespace", "NAMESPACE", "n")

LOOKS: tuple[Command, ...] = (
    Command(
        word="pod",
        verbs=("", "list"),
        summary="The pods that are not well, the worst first; or those that labels name.",
        rows=("DH-2.2", "DH-2.6", "C2"),
        parts=listing.listed,
        examples=(
            "pod list",
            "pod list -n all",
            "pod list --failed -n all",
            'pod list --selector "app=backend"',
        ),
        flags=(
            _NAMESPACE,
            Flag("failed", "only those that have failed for good"),
            Flag("selector", "all pods with these labels, as kubectl takes them", "LABELS", "l"),
        ),
    ),
    Command(
        word="pod",
        verbs=("show",),
        summary="One pod, a workload's pods or a namespace's: states, ends, limits, images, events.",
        rows=("TF-3.2", "TF-3.3", "T1-3", "T3-5.1", "C61", "C62"),
        parts=show.shown,
        examples=("pod show backend", "pod show -n sre-shop"),
        flags=(_NAMESPACE,),
        names="POD",
    ),
    Command(
        word="pod",
        verbs=("top",),
        summary="CPU and memory by pod, the greediest first; with --pod its containers.",
        rows=("WM-2.7", "WM-2.8", "PM-1.1", "PM-1.2", "T2-5.3", "C3", "C54"),
        parts=top.top,
        examples=("pod top", "pod top memory -n all", "pod top --pod POD"),
        flags=(_NAMESPACE, Flag("pod", "this pod, container by container", "POD")),
        names="cpu|memory",
    ),
    Command(
        word="pod",
        verbs=("events",),
        summary="What the cluster said: warnings first, the newest last, repeats counted.",
        rows=("TF-2.1", "T3-5.2", "C56"),
        parts=happened.events,
        examples=("pod events", "pod events backend", "pod events -n all --since 30m"),
        flags=(_NAMESPACE, Flag("since", "how far back to look", "1h")),
        names="POD",
    ),
    Command(
        word="pod",
        verbs=("restarts",),
        summary="Who was restarted how often in a window, and how it ended the last time.",
        rows=("WM-2.4",),
        parts=restarts.restarts,
        examples=("pod restarts", "pod restarts --since 7d -n all"),
        flags=(_NAMESPACE, Flag("since", "how far back to look", "1h")),
    ),
)
