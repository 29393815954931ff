"""Pods in kubectl's words: the API server's own table, and whole objects only for the few that are sick.

The server prints the STATUS column that kubectl shows, so it is read and not computed again. Ten thousand
pods are a tenth of a second and 1.5 MB as rows without objects, but such rows have no namespace: that, and
what a person needs to know about a sick pod, is asked for afterwards. Knows the API through one callable
(a page of the table for a query); no vendor, no connection. Called by workers/cluster.py.
"""

import re
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from commands.errors import Refused, Unanswered
from commands.reads import RESTARTED_LATELY, PodSurvey, PodView
from workers.carried import along
from workers.fields import moment, part

Json = dict[str, Any]
AskPage = Callable[[Mapping[str, str], float], Json]

PAGE = 1000
# Whole objects are about 7 kB each and ten times as dear to the server as rows.
OBJECTS_PAGE = 250
PARALLEL = 8
# What is left of the deadline when the details stop coming, so that the count is never lost over them.
SPARE_SECONDS = 0.3

_COLUMNS = ("Name", "Status", "Ready", "Restarts", "Node")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table; `restarted` is how long ago, `namespace` and `pod`, the object, are there where
    they were asked for."""

    name: str
    status: str
    ready: str
    restarts: int
    node: str
    restarted: timedelta | None = None
    namespace: str = ""
    pod: Json | None = field(default=None, compare=False)

    @property
    def is_sick(self) -> bool:
        if self.status == "Running":
            ready, _, total = self.ready.partition("/")
            return ready != total or self.is_restless
        return self.status != "Completed"

    @property
    def is_restless(self) -> bool:
        """It runs, perhaps only between two crashes."""
        return self.status == "Running" and self.restarted is not None and self.restarted < RESTARTED_LATELY

    @property
    def kind(self) -> str:
        return f"{self.status}, restarted" if self.is_restless else self.status

    @property
    def place(self) -> tuple[str, str]:
        return self.namespace, self.name


@dataclass(slots=True)
class _Count:
    total: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    sick: list[Row] = field(default_factory=list)


class PodTable:
    def __init__(self, ask: AskPage, what: str, deadline: float) -> None:
        self._ask = ask
        self._what = what
        self._deadline = deadline
        self._columns: list[int] = []

    def count(self) -> _Count:
        count = _Count()
        for rows in self._pages({"limit": str(PAGE), "includeObject": "None"}):
            count.total += len(rows)
            count.by_status.update(row.status for row in rows)
            count.sick += [row for row in rows if row.is_sick]
        return count

    def not_running(self) -> list[Row]:
        """The pods whose phase is neither Running nor Succeeded: the first ones with their objects.

        One cheap question answers for most sick pods. It also finds what the STATUS column hides: a
        Failed pod is printed as Completed when its first container succeeded.
        """
        query = {"fieldSelector": "status.phase!=Running,status.phase!=Succeeded"}
        whole = {**query, "limit": str(OBJECTS_PAGE), "includeObject": "Object"}
        rows, token = self._page(whole, "", self._deadline)
        bare = {**query, "limit": str(PAGE), "includeObject": "None"}
        for more in self._pages(bare, token) if token else ():
            rows += more
        return rows

    def named(self, name: str, node: str) -> list[Row]:
        """The pods of this name in any namespace. The node is what the server has an index for: with it
        2.5 ms among 10,000 pods, without 15 ms, and a page of a thousand whole objects 300 ms."""
        selector = f"metadata.name={name}" + (f",spec.nodeName={node}" if node else "")
        query = {"fieldSelector": selector, "includeObject": "Object"}
        return self._page(query, "", self._deadline - SPARE_SECONDS)[0]

    def rows(self, query: Mapping[str, str]) -> list[Row]:
        """All the rows that a query of the API finds."""
        return [row for rows in self._pages(query) for row in rows]

    def _pages(self, query: Mapping[str, str], token: str = "") -> Iterable[list[Row]]:
        while True:
            rows, token = self._page(query, token, self._deadline)
            yield rows
            if not token:
                return

    def _page(self, query: Mapping[str, str], token: str, deadline: float) -> tuple[list[Row], str]:
        page = self._ask({**query, "continue": token} if token else query, deadline)
        try:
            at = self._positions(page)
            rows = [_row(row, at) for row in page.get("rows") or ()]
            return rows, str((page.get("metadata") or {}).get("continue") or "")
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise Refused(f"{self._what}: the server does not print pods as a table") from error

    def _positions(self, page: Json) -> list[int]:
        """Where our columns are; a later page may leave the definitions out."""
        names = [column["name"] for column in page.get("columnDefinitions") or ()]
        if names or not self._columns:
            self._columns = [names.index(name) for name in _COLUMNS]
        return self._columns


def _row(row: Json, at: Sequence[int]) -> Row:
    name, status, ready, restarts, node = (row["cells"][position] for position in at)
    # Restarts is 17 or "17 (3m12s ago)".
    number, _, ago = str(restarts).partition(" ")
    pod = row.get("object")
    return Row(
        name=str(name),
        status=str(status),
        ready=str(ready),
        restarts=int(number) if number.isdigit() else 0,
        node="" if node in (None, "<none>") else str(node),
        restarted=_ago(ago) if ago else None,
        namespace=str(((pod or {}).get("metadata") or {}).get("namespace") or ""),
        pod=pod if pod and "spec" in pod else None,
    )


def _ago(text: str) -> timedelta | None:
    """ "(3m12s ago)", which is exact to the second below ten minutes.

    "<invalid>" is what the server prints when the node's clock is ahead of its own: it was just now.
    """
    if "<invalid>" in text:
        return timedelta(0)
    parts = re.findall(r"(\d+)([smhdy])", text)
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts)) if parts else None


# --- From rows to a survey ------------------------------------------------------------------------


def survey(table: PodTable, namespace: str, detail: int) -> PodSurvey:
    """`namespace` is what rows without an object belong to, "" when they may be anyone's."""
    asked = datetime.now(UTC)
    count, not_running = together([table.count, table.not_running])
    hidden = [row for row in not_running if not row.is_sick]
    known = [row for row in not_running if row.pod]
    missing = _without(count.sick, known) + [row for row in hidden if not row.pod]
    # Last, and those that crash most first: they run at least, and most of them go on doing so.
    restless = sorted((row for row in missing if row.is_restless), key=lambda row: -row.restarts)
    chosen = fair([*known, *(row for row in missing if not row.is_restless), *restless], detail)
    sick = _resolved(table, chosen)
    now = datetime.now(UTC)
    views = [replace(_view(row, namespace, now), last_restart=_before(asked, row.restarted)) for row in sick]
    views.sort(key=lambda view: (view.namespace, view.name))
    return PodSurvey(
        total=count.total,
        by_status=dict(count.by_status),
        sick=tuple(views),
        # A pod may have fallen sick between the two lists.
        sick_total=max(len(count.sick) + len(hidden), len(views)),
    )


def _before(asked: datetime, ago: timedelta | None) -> datetime | None:
    return None if ago is None else asked - ago


def _without(counted: Iterable[Row], known: Iterable[Row]) -> list[Row]:
    """The counted rows that no known one answers for; a name may exist in several namespaces."""
    answered = Counter((row.name, row.status) for row in known)
    left = []
    for row in counted:
        key = (row.name, row.status)
        if answered[key]:
            answered[key] -= 1
        else:
            left.append(row)
    return left


def fair(rows: Iterable[Row], limit: int) -> list[Row]:
    """At most `limit` rows, taken from every kind in turn: a thousand Evicted hide no CrashLoopBackOff."""
    queues: dict[str, deque[Row]] = defaultdict(deque)
    for row in rows:
        queues[row.kind].append(row)
    chosen: list[Row] = []
    while queues and len(chosen) < limit:
        for kind in list(queues):
            chosen.append(queues[kind].popleft())
            if not queues[kind]:
                del queues[kind]
    return chosen[:limit]


def _resolved(table: PodTable, chosen: Sequence[Row]) -> list[Row]:
    """The chosen rows with their objects; as they are where the object did not come in time, or is gone."""
    found = {row.place: row for row in chosen if row.pod}
    missing: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in chosen:
        if not row.pod:
            missing[row.name, row.node].append(row)
    answers = together([_forgiving(partial(table.named, *wanted)) for wanted in missing])
    left: list[Row] = []
    for asked, fresh in zip(missing.values(), answers, strict=True):
        found.update((row.place, row) for row in _matching(asked, fresh) if row.place not in found)
        left += [] if fresh else asked
    return [*found.values(), *left]


def _matching(asked: Sequence[Row], fresh: Sequence[Row]) -> list[Row]:
    """Of the pods of one name, those that were counted as sick.

    A single pod keeps the word it was counted under, whatever it says by now: one that crashes in a loop
    is Running for seconds at a time, and the count and the list must not disagree.
    """
    if len(fresh) == 1:
        return [replace(asked[0], pod=fresh[0].pod)]
    return [row for row in fresh if row.is_sick]


def _forgiving(question: Callable[[], list[Row]]) -> Callable[[], list[Row]]:
    def ask() -> list[Row]:
        try:
            return question()
        except Unanswered:
            return []

    return ask


def together(calls: Sequence[Callable[[], Any]], width: int = PARALLEL) -> list[Any]:
    """The results in order; the first exception is raised. Daemon threads: none may outlive the process."""
    waiting = deque(enumerate(calls))
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def work() -> None:
        while waiting and not errors:
            try:
                position, call = waiting.popleft()
            except IndexError:
                return
            try:
                results[position] = call()
            except BaseException as error:  # not handled here: carried to the caller's thread
                errors.append(error)

    threads = [threading.Thread(target=along(work), daemon=True) for _ in range(min(width, len(calls)) - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# --- From an object to a view ---------------------------------------------------------------------


def _view(row: Row, namespace: str, now: datetime) -> PodView:
    if row.pod is None:
        return PodView(
            namespace=namespace,
            name=row.name,
            status=row.status,
            ready=row.ready,
            restarts=row.restarts,
            age=timedelta(0),
            node=row.node,
            message="no details: they did not come in time, or the pod is gone",
        )
    metadata, status = part(row.pod, "metadata"), part(row.pod, "status")
    created = moment(metadata.get("creationTimestamp"))
    ready = _condition(status, "Ready")
    return PodView(
        namespace=str(metadata.get("namespace", "")),
        name=row.name,
        status=row.status,
        ready=row.ready,
        restarts=row.restarts,
        age=now - created if created else timedelta(0),
        node=row.node,
        owner=owner(metadata),
        message=message(status),
        phase=str(status.get("phase", "")),
        not_ready_since=moment(ready.get("lastTransitionTime")) if ready.get("status") != "True" else None,
        last_exit=_last_exit(status),
    )


def owner(metadata: Json) -> str:
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return f"{owner.get('kind', '')}/{owner.get('name', '')}"
    return ""


def message(status: Json) -> str:
    """The most telling text: why it was ended, why a container waits, why it finds no node, why it died."""
    states = [part(each, "state") for each in containers(status)]
    waiting = [part(state, "waiting") for state in states]
    ended = [part(state, "terminated") for state in states]
    candidates = [
        status.get("message"),
        *(each.get("message") for each in waiting),
        *(_condition(status, kind).get("message") for kind in ("PodScheduled", "Initialized")),
        *(each.get("message") for each in ended),
        _condition(status, "Ready").get("message"),
    ]
    return next((str(text) for text in candidates if text), "")


def _last_exit(status: Json) -> str:
    """The latest termination of any container, "OOMKilled 137"; one that has ended for good counts too."""
    ends: list[Json] = []
    for each in containers(status):
        ends += [end for state in ("lastState", "state") if (end := part(part(each, state), "terminated"))]
    if not ends:
        return ""
    end = max(ends, key=lambda end: str(end.get("finishedAt") or ""))
    return f"{end.get('reason') or 'Exit'} {end.get('exitCode', '')}".strip()


def containers(status: Json) -> list[Json]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _condition(status: Json, kind: str) -> Json:
    conditions: list[Json] = status.get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})
