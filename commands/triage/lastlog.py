"""The last words of a container: its current and its previous run, bounded by the API, shown in short and kept whole.

Used by crash.py and notready.py. Both logs go into the thread as files that name container and run; the table
shows at most fifteen lines of the run that says more.
"""

from dataclasses import dataclass

from commands.finding import Finding, Light
from commands.loglines import Entry, entries, telling
from commands.model import Attachment, Gap, Seen
from commands.phrase import counted
from commands.podreads import ContainerLog, ContainerView, LogText, PodDetail
from commands.wording import one_line, unread

LINES = 50  # asked of each run
BYTES = 64 * 1024
SHOWN = 15
_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Words:
    """telling: the one line it comes down to, and `run` the run that said it ("previous", "current")."""

    telling: str = ""
    run: str = ""
    findings: tuple[Finding, ...] = ()
    table: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def reads(pod: PodDetail, container: ContainerView) -> tuple[ContainerLog, ContainerLog]:
    """The previous run, and the current one."""
    before = ContainerLog(pod.namespace, pod.name, container.name, True, BYTES, LINES)
    return before, ContainerLog(pod.namespace, pod.name, container.name, False, BYTES, LINES)


def heard(pod: PodDetail, container: ContainerView, seen: Seen, *, current_first: bool = False) -> Words:
    """What the runs said. current_first: the pod runs and is not ready, so what it says now matters."""
    asked = dict(zip(("previous", "current"), reads(pod, container), strict=True))
    answers: dict[str, LogText | Gap] = {run: seen[read] for run, read in asked.items()}
    logs = {
        run: entries(each.text)
        for run, each in answers.items()
        if isinstance(each, LogText) and each.text.strip()
    }
    gaps = [each for each in answers.values() if isinstance(each, Gap)]
    order = ("current", "previous") if current_first else ("previous", "current")
    run = next((each for each in order if each in logs), "")
    findings = tuple(unread("AL-22", f"Log of {container.name}", gap) for gap in gaps[:1])
    if not run:
        silent = Finding("AL-22", f"Log of {container.name}", Light.YELLOW, "it wrote nothing")
        return Words(findings=findings or (silent,))
    files = tuple(_file(pod, container, each, answers[each]) for each in order if each in logs)
    table = _shown(logs[run])
    value = f"{counted(len(table), 'line')} of the {run} run of {container.name}, {counted(len(files), 'file')} beside"
    said = Finding("AL-22", "Last words", Light.YELLOW, value, evidence=(one_line(telling(logs[run]), 300),))
    return Words(telling(logs[run]), run, (said, *findings), table, files)


def _shown(log: tuple[Entry, ...]) -> tuple[str, ...]:
    lines = [line for entry in log for line in str(entry).split("\n") if line.strip()]
    return tuple(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in lines[-SHOWN:])


def _file(pod: PodDetail, container: ContainerView, run: str, log: LogText | Gap) -> Attachment:
    text = log.text if isinstance(log, LogText) else ""
    name = f"{pod.name}-{container.name}-{run}.log"
    return Attachment(name, f"Log of {container.name} in {pod.place}, {run} run", text)
