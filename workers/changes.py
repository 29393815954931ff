"""What changed lately, asked of the Kubernetes API: revisions, scalings, nodes, ConfigMaps, Secrets, autoscalers.

Functions over the connection (workers/api.py), called by workers/cluster.py; changeviews.py and rolloutviews.py say
what the answers mean. Asks for metadata alone where times are enough: no value of a ConfigMap or a Secret comes
here. Pod templates are read of the rollouts in the window and of what was before them. The requests of one question
go side by side, and what one of them does not answer stands beside the others' answers.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from commands.errors import Refused, Unanswered
from commands.model import Gap, Read
from commands.phrase import counted
from commands.triagereads import Changes, ChangeSeen, ChangesSeen
from workers import changeviews, rolloutviews
from workers.api import METADATA_LIST, Api, Json, NotThere, Subject, projected, segment
from workers.carried import along
from workers.changeviews import Made, Scaling
from workers.rolloutviews import Revision, Rollout

T = TypeVar("T")

READS: tuple[type[Read], ...] = (Changes,)

# Metadata of an object is 2 kB with its managedFields, a whole ControllerRevision 5 kB.
_METADATA_PAGE, _WHOLE_PAGE = "1000", "250"
_SIDE_BY_SIDE = 6
_COMPARED = 20  # rollouts whose templates are read
_TOLD = 200
_WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
# Where events about what has no namespace are kept.
_NODE_EVENTS = "default"


def read(api: Api, asked: Changes, deadline: float) -> ChangesSeen:
    since = datetime.now(UTC) - asked.window
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="changes") as pool:
        return _Looking(api, asked.namespace, since, deadline, pool).seen()


class _Looking:
    """One question on its way. Each request is asked at once, and its answer taken when it is needed."""

    def __init__(
        self, api: Api, namespace: str, since: datetime, deadline: float, pool: ThreadPoolExecutor
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._since = since
        self._deadline = deadline
        self._pool = pool
        self._asked = 0
        self._errors: list[Unanswered] = []

    def seen(self) -> ChangesSeen:
        revisions = [self._begin(self._replica_sets), self._begin(self._controller_revisions)]
        workloads = [self._begin(self._of_kind, kind) for kind in _WORKLOADS]
        others = [self._begin(self._nodes_made), self._begin(self._nodes_gone)]
        scalings = self._begin(self._scalings)
        secrets: Future[list[ChangeSeen]] | None = None
        if self._namespace:
            others += [self._begin(self._config_maps), self._begin(self._autoscalers)]
            secrets = self._pool.submit(along(self._secrets))
        owners = self._taken(workloads)
        rollouts = rolloutviews.rollouts(self._taken(revisions), owners, self._since)
        rolled = [each.change for each in rollouts]
        found = [
            *self._compared(rollouts),
            *changeviews.scalings(owners, self._taken([scalings]), rolled, self._since),
            *self._taken(others),
        ]
        kept, why = self._secrets_of(secrets)
        if self._errors and len(self._errors) == self._asked:
            raise self._errors[0]
        return self._told([*found, *kept], why)

    def _told(self, found: list[ChangeSeen], secrets: Gap | None) -> ChangesSeen:
        ordered = sorted(found, key=lambda change: change.at, reverse=True)
        unread = dict.fromkeys(Gap.of(error) for error in self._errors)
        if len(ordered) > _TOLD:
            unread[Gap(f"{counted(len(ordered) - _TOLD, 'older change')} left out")] = None
        return ChangesSeen(tuple(ordered[:_TOLD]), tuple(unread), secrets)

    def _begin(self, ask: Callable[..., list[T]], *arguments: Any) -> "Future[list[T]]":
        self._asked += 1
        return self._pool.submit(along(ask), *arguments)

    def _taken(self, asked: "Iterable[Future[list[T]]]") -> list[T]:
        found: list[T] = []
        for each in asked:
            try:
                found += each.result()
            except Unanswered as error:
                self._errors.append(error)
        return found

    def _secrets_of(self, asked: "Future[list[ChangeSeen]] | None") -> tuple[list[ChangeSeen], Gap | None]:
        try:
            return (asked.result() if asked else []), None
        except Refused as error:
            return [], Gap.of(error)
        except Unanswered as error:
            self._errors.append(error)
            self._asked += 1
            return [], None

    # Lists.

    def _listed(
        self, resource: str, group: str, project: Callable[[Json], T], *, whole: bool = False
    ) -> list[T]:
        what = f"{resource} in {self._namespace}" if self._namespace else resource
        subject = Subject(what, resource, group.rpartition("/")[0], namespace=self._namespace)
        path = _path(group, self._namespace, resource)
        if whole:
            return self._api.listed(subject, path, self._deadline, project, limit=_WHOLE_PAGE)
        return self._api.listed(
            subject, path, self._deadline, project, bytes, METADATA_LIST, limit=_METADATA_PAGE
        )

    def _of_kind(self, kind: str) -> list[Made]:
        return self._listed(_WORKLOADS[kind], "apps/v1", lambda item: changeviews.made(kind, item))

    def _replica_sets(self) -> list[Revision]:
        return _there(self._listed("replicasets", "apps/v1", rolloutviews.revision))

    def _controller_revisions(self) -> list[Revision]:
        """Whole, because their number is no metadata; only that is kept."""
        return _there(self._listed("controllerrevisions", "apps/v1", rolloutviews.revision, whole=True))

    def _config_maps(self) -> list[ChangeSeen]:
        found = self._listed("configmaps", "v1", lambda item: changeviews.made("ConfigMap", item))
        return list(changeviews.written(found, self._since, content=True))

    def _autoscalers(self) -> list[ChangeSeen]:
        kind = "HorizontalPodAutoscaler"
        found = self._listed(
            "horizontalpodautoscalers", "autoscaling/v2", lambda item: changeviews.made(kind, item)
        )
        return list(changeviews.written(found, self._since, content=False))

    def _secrets(self) -> list[ChangeSeen]:
        found = self._listed("secrets", "v1", lambda item: changeviews.made("Secret", item))
        return list(changeviews.secrets(found, self._since))

    def _nodes_made(self) -> list[ChangeSeen]:
        subject = Subject("nodes", "nodes")
        found = self._api.listed(
            subject, "/api/v1/nodes", self._deadline, _node, bytes, METADATA_LIST, limit=_METADATA_PAGE
        )
        return [ChangeSeen("Node", "", name, "created", at) for name, at in found if at and at >= self._since]

    # Events.

    def _scalings(self) -> list[Scaling]:
        """Of one namespace: in a whole cluster the server would go over every event there is."""
        if not self._namespace:
            return []
        return _there(self._events(self._namespace, changeviews.scaling, reason="ScalingReplicaSet"))

    def _nodes_gone(self) -> list[ChangeSeen]:
        query = {"reason": "RemovingNode", "involvedObject.kind": "Node"}
        found = _there(self._events(_NODE_EVENTS, _removed, **query))
        return [change for change in found if change.at >= self._since]

    def _events(self, namespace: str, project: Callable[[Json], T], **fields: str) -> list[T]:
        subject = Subject(f"events in {namespace}", "events", namespace=namespace)
        path = _path("v1", namespace, "events")
        selector = ",".join(f"{name}={value}" for name, value in fields.items())
        return self._api.listed(subject, path, self._deadline, project, fieldSelector=selector)

    # Templates.

    def _compared(self, rollouts: list[Rollout]) -> list[ChangeSeen]:
        """The newest with their differences."""
        asked = [
            (
                each,
                [
                    self._pool.submit(along(self._template), source)
                    for source in (each.before, each.now)
                    if source
                ],
            )
            for each in rollouts[:_COMPARED]
            if each.before
        ]
        found = {id(each): self._change(each, templates) for each, templates in asked}
        return [found.get(id(each), each.change) for each in rollouts]

    def _change(self, rollout: Rollout, templates: "list[Future[Json | None]]") -> ChangeSeen:
        try:
            before, now = (each.result() for each in templates)
        except Unanswered as error:
            self._errors.append(error)
            self._asked += 1
            return rollout.change
        if before is None or now is None:
            return rollout.change
        what, differences = rolloutviews.compared(rollout, before, now)
        change = rollout.change  # of a restart there is nothing to go back from
        revision = change.revision if what == change.what else 0
        return replace(change, what=what, differences=differences, revision=revision)

    def _template(self, source: Revision) -> Json | None:
        """None where it went in the meantime."""
        resource = "controllerrevisions" if source.kind in ("StatefulSet", "DaemonSet") else "replicasets"
        what = f"{resource} {source.namespace}/{source.name}"
        subject = Subject(what, resource, "apps", verb="get", namespace=source.namespace)
        path = f"{_path('apps/v1', source.namespace, resource)}/{segment(source.name)}"
        try:
            found = self._api.get(subject, path, self._deadline)
        except NotThere:
            return None
        return projected(subject, rolloutviews.template, found)


def _path(group: str, namespace: str, resource: str) -> str:
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    return f"{root}/namespaces/{segment(namespace)}/{resource}" if namespace else f"{root}/{resource}"


def _there(found: Iterable[T | None]) -> list[T]:
    return [each for each in found if each is not None]


def _node(found: Json) -> tuple[str, datetime | None]:
    node = changeviews.made("Node", found)
    return node.name, node.created


def _removed(event: Json) -> ChangeSeen | None:
    at = changeviews.event_time(event)
    name = str((event.get("involvedObject") or {}).get("name") or "")
    return ChangeSeen("Node", "", name, "removed", at) if at and name else None
