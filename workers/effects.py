"""Carries out effects: the only place that changes anything in a cluster (its silences: workers/silencing.py).

One `case` for each effect of commands/effects.py. Each looks at its object first, says `Already` or `Moved`
where that decides it, and sends one write that holds only for the object it looked at. A refusal in the API
server's words is an Outcome; where it gave none, or says "later" to everybody, Unanswered is raised, and to
apply the same effect again is right. Called by workers/applying.py with approved effects; the same requests
with `dryRun=All` answer the read DryRun.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from commands import reads
from commands.effects import (
    AllowTraffic,
    Already,
    Blocked,
    Cordon,
    DeletePod,
    DeleteToken,
    DenyEntry,
    DenyTraffic,
    Done,
    DropEntry,
    Effect,
    Evict,
    ExceptTraffic,
    Freeze,
    GrantRule,
    Moved,
    Outcome,
    Rejected,
    Relabel,
    Restart,
    RevokeRule,
    RevokeSessions,
    RollBack,
    RotateSecret,
    Scale,
    Silence,
    Tag,
    Target,
    Thaw,
    Uncordon,
    Unsilence,
    Untag,
)
from commands.errors import Refused, Unreachable
from commands.model import Read
from commands.site import ServiceAddress
from workers import patches
from workers.api import Api, Json, Reply, Subject, segment
from workers.fields import part
from workers.reader import Answer

MANAGER = "sre-bot"
# How often an object is looked at again because somebody else wrote to it between look and write. A rollout
# writes its status several times a second.
LOOKS = 5

Method = Literal["POST", "PUT", "PATCH", "DELETE"]
Judge = Callable[[Json], Outcome | None]

_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_TWO_BUDGETS = "more than one PodDisruptionBudget"
# 403s of a budget that its controller has yet to catch up with.
_BUDGET_BEHIND = ("pdb disruptions allowed is negative", "DisruptedPods map too big")
# The 403 of admission in a server that has only just started: nothing was written, and it is no refusal.
_STARTING = "not yet ready to handle request"


class Silencing(Protocol):
    """What may be done in the cluster's Alertmanager: workers.silencing."""

    def make(self, effect: Silence, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def end(self, effect: Unsilence, deadline: float, is_rehearsal: bool) -> Outcome: ...


class Containing(Protocol):
    """What may be done in AWS about addresses and credentials: workers.awswrites."""

    def tag(self, effect: Tag, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def untag(self, effect: Untag, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def deny_entry(self, effect: DenyEntry, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def drop_entry(self, effect: DropEntry, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def revoke_rule(self, effect: RevokeRule, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def grant_rule(self, effect: GrantRule, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def revoke_sessions(self, effect: RevokeSessions, deadline: float, is_rehearsal: bool) -> Outcome: ...

    def rotate_secret(self, effect: RotateSecret, deadline: float, is_rehearsal: bool) -> Outcome: ...


class Effects:
    """What may be done in one cluster. silencing: None where there is no Alertmanager to ask, containing: None
    where there is no AWS."""

    def __init__(
        self, api: Api, silencing: Silencing | None = None, containing: Containing | None = None
    ) -> None:
        self._api = api
        self._silencing = silencing
        self._containing = containing

    def apply(self, effect: Effect, deadline: float) -> Outcome:
        """deadline on the clock of time.monotonic(). Raises Unanswered, and nothing else but bugs."""
        return _Carrying(self._api, deadline, self._silencing, self._containing).outcome(effect)


class ProxiedWrites:
    """Writes to a Service through the API server's proxy, for workers.silencing where there is no direct way."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def via_service(
        self,
        address: ServiceAddress,
        method: Literal["POST", "DELETE"],
        path: str,
        body: Any,
        deadline: float,
    ) -> Answer:
        """Whatever the Service says; raises Unanswered where it was not asked."""
        verb = _VERBS[method]
        subject = Subject(
            f"{address.service}.{address.namespace}",
            "services/proxy",
            verb=verb,
            namespace=address.namespace,
        )
        scheme = "https:" if address.scheme == "https" else ""
        name = f"{scheme}{address.service}:{address.port}"
        base = f"/api/v1/namespaces/{segment(address.namespace)}/services/{name}/proxy{address.path}"
        reply = self._api.send(subject, method, base + path, body, _JSON, deadline, is_passed_on=True)
        return reply.answer


class Rehearsals:
    """The source of the read DryRun. It cannot apply anything: every request it sends is a dry run."""

    def __init__(
        self, api: Api, silencing: Silencing | None = None, containing: Containing | None = None
    ) -> None:
        self._api = api
        self._silencing = silencing
        self._containing = containing

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((reads.DryRun,),)

    def read(self, read: Read, deadline: float) -> reads.Rehearsal:
        assert isinstance(read, reads.DryRun)
        return self.rehearse(read.effect, deadline)

    def rehearse(self, effect: Effect, deadline: float) -> reads.Rehearsal:
        carrying = _Carrying(self._api, deadline, self._silencing, self._containing, is_rehearsal=True)
        match carrying.outcome(effect):
            case Done(note, warnings):
                return reads.Rehearsal(True, note, warnings)
            case Already(note):
                return reads.Rehearsal(True, note)
            case Blocked(reason) | Moved(reason):
                return reads.Rehearsal(False, reason)
            case Rejected(reason, mend):
                return reads.Rehearsal(False, f"{reason} ({mend})" if mend else reason)


# --- Where objects are ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    root: str
    resource: str

    @property
    def group(self) -> str:
        return self.root.split("/")[2] if self.root.startswith("/apis/") else ""


_KINDS = {
    "Node": _Kind("/api/v1", "nodes"),
    "Pod": _Kind("/api/v1", "pods"),
    "NetworkPolicy": _Kind("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Deployment": _Kind("/apis/apps/v1", "deployments"),
    "StatefulSet": _Kind("/apis/apps/v1", "statefulsets"),
    "DaemonSet": _Kind("/apis/apps/v1", "daemonsets"),
    "ReplicaSet": _Kind("/apis/apps/v1", "replicasets"),
    "ControllerRevision": _Kind("/apis/apps/v1", "controllerrevisions"),
    "HorizontalPodAutoscaler": _Kind("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "CronJob": _Kind("/apis/batch/v1", "cronjobs"),
    "ConfigMap": _Kind("/api/v1", "configmaps"),
    "Secret": _Kind("/api/v1", "secrets"),
}


def _path(target: Target, sub: str = "", *, is_list: bool = False) -> str:
    kind = _KINDS[target.kind]
    scope = f"/namespaces/{segment(target.namespace)}" if target.namespace else ""
    name = "" if is_list else f"/{segment(target.name)}"
    return f"{kind.root}{scope}/{kind.resource}{name}{sub}"


def _subject(target: Target, verb: str, sub: str = "") -> Subject:
    kind = _KINDS[target.kind]
    return Subject(str(target), kind.resource + sub, kind.group, verb, target.namespace)


_VERBS: dict[Method, str] = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class _Write:
    """One write about to be sent. at: below which resource of the target, "" for itself."""

    target: Target
    method: Method
    body: Any
    content_type: str = _JSON
    at: str = ""

    @property
    def subject(self) -> Subject:
        return _subject(self.target, _VERBS[self.method], self.at)

    @property
    def path(self) -> str:
        return _path(self.target, self.at, is_list=self.method == "POST" and not self.at)


# --- One effect -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Carrying:
    """One effect on its way to its outcome, or, in a rehearsal, to what would be."""

    api: Api
    deadline: float
    silencing: Silencing | None = None
    containing: Containing | None = None
    is_rehearsal: bool = False

    def outcome(self, effect: Effect) -> Outcome:
        match effect:
            case Cordon():
                return self._cordon(effect)
            case Uncordon():
                return self._uncordon(effect)
            case Evict():
                return self._evict(effect)
            case DeletePod():
                return self._delete_pod(effect)
            case Relabel():
                return self._relabel(effect)
            case DenyTraffic():
                return self._deny_traffic(effect)
            case AllowTraffic():
                return self._allow_traffic(effect)
            case RollBack():
                return self._roll_back(effect)
            case Restart():
                return self._restart(effect)
            case Scale():
                return self._scale(effect)
            case Silence():
                return self._alertmanager.make(effect, self.deadline, self.is_rehearsal)
            case Unsilence():
                return self._alertmanager.end(effect, self.deadline, self.is_rehearsal)
            case ExceptTraffic():
                return self._except_traffic(effect)
            case Freeze():
                return self._freeze(effect)
            case Thaw():
                return self._thaw(effect)
            case DeleteToken():
                return self._delete_token(effect)
            case Tag():
                return self._aws.tag(effect, self.deadline, self.is_rehearsal)
            case Untag():
                return self._aws.untag(effect, self.deadline, self.is_rehearsal)
            case DenyEntry():
                return self._aws.deny_entry(effect, self.deadline, self.is_rehearsal)
            case DropEntry():
                return self._aws.drop_entry(effect, self.deadline, self.is_rehearsal)
            case RevokeRule():
                return self._aws.revoke_rule(effect, self.deadline, self.is_rehearsal)
            case GrantRule():
                return self._aws.grant_rule(effect, self.deadline, self.is_rehearsal)
            case RevokeSessions():
                return self._aws.revoke_sessions(effect, self.deadline, self.is_rehearsal)
            case RotateSecret():
                return self._aws.rotate_secret(effect, self.deadline, self.is_rehearsal)

    @property
    def _aws(self) -> Containing:
        if self.containing is None:
            raise Refused("aws: this cluster is not on EKS", mend="set `cluster.eks` and `cluster.region`")
        return self.containing

    @property
    def _alertmanager(self) -> Silencing:
        if self.silencing is None:
            raise Refused(
                "alertmanager: this cluster has none to ask", mend="set `monitoring.alertmanager.url`"
            )
        return self.silencing

    # Nodes.

    def _cordon(self, effect: Cordon) -> Outcome:
        def judge(node: Json) -> Outcome | None:
            return Already("is cordoned already") if _is_cordoned(node) else None

        return self._patched(effect.target, judge, lambda _: (patches.cordon(effect), _MERGE))

    def _uncordon(self, effect: Uncordon) -> Outcome:
        def judge(node: Json) -> Outcome | None:
            is_ours = patches.CORDONED in part(part(node, "metadata"), "annotations")
            return None if is_ours or _is_cordoned(node) else Already("is schedulable already")

        return self._patched(effect.target, judge, lambda _: (patches.uncordon(effect.target), _MERGE))

    # Pods.

    def _evict(self, effect: Evict) -> Outcome:
        """The look comes first: a refused uid precondition still spends the disruption budget."""
        over = self._pod_is_over(effect.target, effect.node)
        if over is not None:
            return over
        reply = self._send(_Write(effect.target, "POST", patches.eviction(effect), at="/eviction"))
        if reply.code == 429 and reply.cause("DisruptionBudget") is not None:
            return self._spent(effect.target, reply)
        if reply.code == 500 and _TWO_BUDGETS in reply.message:
            mend = "leave it to one PodDisruptionBudget: kubectl get pdb -n " + effect.target.namespace
            return Rejected(f"{effect.target}: {self.api.said(reply.message)}", mend)
        return self._gone_or(effect.target, "/eviction", "create", reply)

    def _delete_pod(self, effect: DeletePod) -> Outcome:
        over = self._pod_is_over(effect.target)
        if over is not None:
            return over
        body = patches.delete_options(effect.target, effect.grace)
        reply = self._send(_Write(effect.target, "DELETE", body))
        return self._gone_or(effect.target, "", "delete", reply)

    def _pod_is_over(self, target: Target, node: str = "") -> Outcome | None:
        """Why there is nothing to do for this pod any more; None when there is."""
        pod = self._find(target)
        if pod is None:
            return Already("is gone")
        if _uid(pod) != target.uid:
            return Already("is gone, another pod has its name now")
        where = str(part(pod, "spec").get("nodeName") or "")
        if node and where != node:
            return Moved(f"{target} is on {where or 'no node'}, not on {node}")
        return Already("is going") if part(pod, "metadata").get("deletionTimestamp") else None

    def _gone_or(self, target: Target, sub: str, verb: str, reply: Reply) -> Outcome:
        """After a request to remove this pod."""
        if reply.is_taken:
            return _done(reply)
        is_closing = reply.code == 403 and reply.cause("NamespaceTerminating") is not None
        if reply.code in (404, 409) or is_closing:
            over = self._pod_is_over(target)
            if over is not None:
                return over
        if reply.code == 409:
            return Blocked(f"{target}: {self.api.said(reply.message)}")
        return self._refused(_subject(target, verb, sub), reply)

    def _spent(self, target: Target, reply: Reply) -> Blocked:
        """Two 429s look alike: a budget's has a cause, and waits for pods; the other waits for the server."""
        words = self.api.said(reply.cause("DisruptionBudget") or "")
        named = re.match(r"The disruption budget (\S+)", words)
        by = f"{target.namespace}/{named[1]}" if named else ""
        numbers = re.search(r"needs (\d+) healthy pods? and has (\d+) currently", words)
        reason = f"{by} needs {numbers[1]} healthy and has {numbers[2]}" if numbers and by else words
        return Blocked(reason, by, _seconds(reply))

    def _relabel(self, effect: Relabel) -> Outcome:
        def judge(pod: Json) -> Outcome | None:
            return Already("is labelled so already") if patches.is_relabelled(effect, pod) else None

        return self._patched(effect.target, judge, lambda _: (patches.relabel(effect), _MERGE))

    # Network policies.

    def _deny_traffic(self, effect: DenyTraffic) -> Outcome:
        return self._made(effect.target, patches.denial(effect), lambda found: patches.denies(effect, found))

    def _except_traffic(self, effect: ExceptTraffic) -> Outcome:
        body = patches.exception(effect)
        return self._made(effect.target, body, lambda found: patches.excepts(effect, found))

    def _made(self, target: Target, body: Json, says: Callable[[Json], bool]) -> Outcome:
        write = _Write(target, "POST", body)
        reply = self._send(write)
        if reply.is_taken:
            return _done(reply)
        found = self._find(target) if reply.code == 409 else None
        if found is None:
            return self._refused(write.subject, reply)
        if says(found):
            return Already("is there already")
        return Moved(f"{target} is there already and says something else")

    def _allow_traffic(self, effect: AllowTraffic) -> Outcome:
        found = self._find(effect.target)
        if found is None:
            return Already("is gone")
        if effect.target.uid and _uid(found) != effect.target.uid:
            return Moved(f"{effect.target} was made anew")
        reply = self._send(_Write(effect.target, "DELETE", patches.delete_options(effect.target)))
        if reply.code == 404:
            return Already("is gone")
        if reply.code == 409:
            return Moved(f"{effect.target} was made anew")
        return _done(reply) if reply.is_taken else self._refused(_subject(effect.target, "delete"), reply)

    # Workloads.

    def _roll_back(self, effect: RollBack) -> Outcome:
        def judge(workload: Json) -> Outcome | None:
            if patches.hash_of(workload) == effect.target_template:
                return Already(f"its template is that of revision {effect.revision} already")
            return _unlike_planned(effect.target, effect.template, workload)

        source = self._find(effect.source)
        held = source is not None and _uid(source) == effect.source.uid
        if source is None or not held:
            return self._looked(effect.target, judge) or Moved(f"revision {effect.revision} is gone")
        if patches.hash_of({"spec": {"template": patches.held_template(source)}}) != effect.target_template:
            return Moved(f"revision {effect.revision} holds another template than was shown")
        return self._patched(effect.target, judge, lambda found: _roll_back_body(effect, found, source))

    def _restart(self, effect: Restart) -> Outcome:
        def judge(workload: Json) -> Outcome | None:
            if patches.restarted_at(workload) == effect.at:
                return Already("is restarted already")
            return _unlike_planned(effect.target, effect.template, workload)

        return self._patched(effect.target, judge, lambda found: (patches.restart(effect, found), _STRATEGIC))

    def _scale(self, effect: Scale) -> Outcome:
        def judge(found: Json) -> Outcome | None:
            replicas = int(part(found, "spec").get("replicas") or 0)
            if replicas == effect.replicas:
                return Already(f"has {replicas} replicas already")
            if replicas != effect.was:
                return Moved(f"{effect.target} has {replicas} replicas, not {effect.was}")
            return None

        return self._written(
            effect.target,
            judge,
            lambda found: _Write(effect.target, "PUT", patches.scale(effect, found), at="/scale"),
            "/scale",
        )

    # What is frozen, and tokens.

    def _freeze(self, effect: Freeze) -> Outcome:
        def judge(found: Json) -> Outcome | None:
            return Already("is frozen already") if patches.is_frozen(effect, found) else None

        return self._patched(effect.target, judge, lambda found: (patches.freeze(effect, found), _JSON_PATCH))

    def _thaw(self, effect: Thaw) -> Outcome:
        def judge(found: Json) -> Outcome | None:
            note = patches.frozen(found)
            if note is None:
                return Already("is not frozen any more")
            return None if note == effect.note else Moved(f"{effect.target} was frozen anew meanwhile")

        return self._patched(effect.target, judge, lambda found: (patches.thaw(effect, found), _JSON_PATCH))

    def _delete_token(self, effect: DeleteToken) -> Outcome:
        """Without a look, which would bring the token here."""
        reply = self._send(_Write(effect.target, "DELETE", patches.delete_options(effect.target)))
        if reply.code == 404:
            return Already("is gone")
        if reply.code == 409:
            return Moved(f"{effect.target} was made anew")
        return _done(reply) if reply.is_taken else self._refused(_subject(effect.target, "delete"), reply)

    # Look, judge, write.

    def _patched(self, target: Target, judge: Judge, body: Callable[[Json], tuple[Any, str]]) -> Outcome:
        def write(found: Json) -> _Write:
            patch, kind = body(found)
            # A request of a worker that died may reach the server late, after somebody took the change back.
            return _Write(
                target, "PATCH", patches.of_version(patch, found) if kind == _MERGE else patch, kind
            )

        return self._written(target, judge, write)

    def _written(
        self, target: Target, judge: Judge, write: Callable[[Json], _Write], sub: str = ""
    ) -> Outcome:
        """Again from the look when somebody else wrote in between: that says whether it still holds."""
        for _ in range(LOOKS):
            found = self._find(target, sub)
            over = _judged(target, judge, found)
            if found is None or over is not None:
                return over or _missing(target)
            sent = write(found)
            reply = self._send(sent)
            if reply.is_taken:
                return _done(reply)
            if reply.code != 404 and not self._is_overtaken(target, sub, found, reply):
                return self._refused(sent.subject, reply)
        return Blocked(f"{target}: it was changed by others {LOOKS} times meanwhile")

    def _is_overtaken(self, target: Target, sub: str, found: Json, reply: Reply) -> bool:
        """A JSON patch whose `test` fails is a 422 that does not say why: the object does."""
        if reply.code not in (409, 422):
            return False
        now = self._find(target, sub)
        return now is None or _version(now) != _version(found)

    def _looked(self, target: Target, judge: Judge) -> Outcome | None:
        return _judged(target, judge, self._find(target))

    def _find(self, target: Target, sub: str = "") -> Json | None:
        return self.api.find(_subject(target, "get", sub), _path(target, sub), self.deadline)

    def _send(self, write: _Write) -> Reply:
        query = {"fieldManager": MANAGER} if write.method != "DELETE" else {}
        body = write.body
        if self.is_rehearsal:
            query["dryRun"] = "All"
            if write.method == "DELETE":  # whose options are taken from the body, and then only from there
                body = {**body, "dryRun": ["All"]}
        return self.api.send(
            write.subject, write.method, write.path, body, write.content_type, self.deadline, query
        )

    # A refusal.

    def _refused(self, subject: Subject, reply: Reply) -> Outcome:
        said = f"{subject.what}: {self.api.said(reply.message)}"
        if reply.code == 429 or reply.code >= 500:
            raise self.api.meaning(subject, reply.answer, reply.body)
        if reply.code == 404:
            return Moved(said)
        if reply.code != 403:
            return Rejected(said)
        if reply.cause("NamespaceTerminating") is not None:
            return Blocked(f"namespace {subject.namespace} is being deleted")
        if any(words in reply.message for words in _BUDGET_BEHIND):
            return Blocked(said)
        if _STARTING in reply.message:
            raise Unreachable(said, retry_after=reply.answer.retry_after)
        if re.search(r'User ".*" cannot ', reply.message):
            return Rejected(f"{subject.what}: forbidden, {subject.need}", subject.rule)
        return Rejected(said)


def _judged(target: Target, judge: Judge, found: Json | None) -> Outcome | None:
    if found is None:
        return _missing(target)
    if _uid(found) != target.uid:
        return Moved(f"{target} is another one of the same name now")
    return judge(found)


def _missing(target: Target) -> Moved:
    return Moved(f"{target} is gone")


def _unlike_planned(target: Target, template: str, workload: Json) -> Outcome | None:
    if patches.hash_of(workload) != template:
        return Moved(f"{target} has another template now: somebody deployed since")
    if part(workload, "spec").get("paused"):
        return Moved(f"{target} is paused now")
    return None


def _roll_back_body(effect: RollBack, found: Json, source: Json) -> tuple[Any, str]:
    if effect.source.kind == "ReplicaSet":
        return patches.roll_back_deployment(effect, found, source), _JSON_PATCH
    return patches.roll_back_revision(effect, found, source), _STRATEGIC


def _done(reply: Reply) -> Done:
    return Done(warnings=reply.warnings)


def _is_cordoned(node: Json) -> bool:
    return bool(part(node, "spec").get("unschedulable"))


def _uid(found: Json) -> str:
    return str(part(found, "metadata").get("uid") or "")


def _version(found: Json) -> str:
    return str(part(found, "metadata").get("resourceVersion") or "")


def _seconds(reply: Reply) -> float | None:
    after = reply.answer.retry_after
    return None if after is None else after.total_seconds()
