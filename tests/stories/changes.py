"""What the stories of changes share: a house that may drain, nodes to drain, and what became of them.

Every name is a node with three pods, a second node that takes them, a namespace and a channel, so that
many drains can stand at different steps at once. Alice asks; Bob, and whoever else approves, decides.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from commands.model import Request
from commands.model import State as Standing
from commands.reads import AuditProgress
from sandbox.house import wait_until
from sandbox.kube import Fault, Healthy, KubeStandIn, NeverTerminates, Throttle, build
from sandbox.process import ChildFailed
from sandbox.slack import Delivery
from sandbox.slack.cast import ALICE, TEAM_ID, Cast, Room, default_cast
from sandbox.slack.workspace import User
from tests.build import audit_lines
from tests.stories.faults import PATIENCE, Json, World, payload

PODS = 3


class ChangeWorld(World):
    """`crowd` more people may approve; `extra` is laid over the configuration; with `is_empty` the nodes and
    pods of a name come with `place`."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        crowd: int = 0,
        extra: Json | None = None,
        is_empty: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(names, **options)
        self._is_empty = is_empty
        self.crowd = tuple(f"approver{number}" for number in range(crowd))
        self._extra = extra or {}
        self._held: dict[str, Fault] = {}

    # --- building it

    def site(self) -> Json:
        site = super().site()
        site.pop("services", None)
        allowed = [
            {"roles": [ALICE.id], "may": "submit", "verbs": "*"},
            {"roles": "approvers", "may": ["submit", "approve"], "verbs": "*"},
        ]
        return {
            **site,
            "roles": {"approvers": ["S0APPROVERS"]},
            "access": allowed,
            "drain": {"parallel": True},
            **self._extra,
        }

    def _cluster(self) -> KubeStandIn:
        return KubeStandIn(tick_every=0.1)

    def _cast(self) -> Cast:
        cast = default_cast()
        more = [
            User(f"U0APPROVE{number:02}", name, f"Approver {number}", f"{name}@example.com", TEAM_ID)
            for number, name in enumerate(self.crowd)
        ]
        groups = [
            replace(group, users=[*group.users, *(each.id for each in more)])
            if group.id == "S0APPROVERS"
            else group
            for group in cast.usergroups
        ]
        members = ("alice", "bob", *self.crowd, "sre_bot")
        rooms = [Room(name, f"C0PLACE{number:04}", members) for number, name in enumerate(self.names)]
        return replace(cast, users=[*cast.users, *more], usergroups=groups, rooms=[*cast.rooms, *rooms])

    def _furnish(self) -> None:
        if not self._is_empty:
            self.place(self.names)

    def place(self, names: Sequence[str]) -> None:
        """Their nodes, and three pods on each first one."""
        for name in names:
            pool = {"pool": name}
            self.kube.apply(build.node(name, labels=pool))
            self.kube.apply(build.node(f"{name}-spare", labels=pool, unschedulable=True))
            self.kube.apply(build.deployment("web", name, replicas=PODS, template={"nodeSelector": pool}))
        self.kube.settle()
        for name in names:
            assert len(self.pods(name)) == PODS, name
            self.kube.patch("nodes", f"{name}-spare", {"spec": {"unschedulable": None}})
        self.kube.settle()  # and their taints are gone

    def add_workload(self, name: str, workload: str) -> None:
        """One pod of a Deployment more, on the node of this name."""
        spare = f"{name}-spare"
        self.kube.patch("nodes", spare, {"spec": {"unschedulable": True}})
        self.kube.settle()
        pool = {"pool": name}
        self.kube.apply(build.deployment(workload, name, template={"nodeSelector": pool}))
        self.kube.settle()
        self.kube.patch("nodes", spare, {"spec": {"unschedulable": None}})
        self.kube.settle()
        assert len(self.pods(name)) == PODS + 1

    def pods(self, name: str) -> list[Json]:
        """The pods of the workload that are on the node of this name."""
        found = self.kube.list("pods", name)
        return [pod for pod in found if pod["spec"].get("nodeName") == name]

    # --- what people do

    def wait_people(self) -> None:
        """Who is in a group is read from Slack in the background; before that nobody may do anything."""
        known = "group-S0APPROVERS"
        wait_until(lambda: self.state.recall(known), seconds=PATIENCE, what="the groups are read")

    def drain(self, name: str) -> None:
        """Alice asks for it, and its plan is put before people."""
        self.wait_people()
        self.ask(name, "node drain {name} --why 'kernel update'")
        self.wait_card(name, "wants approval")

    def ask_silently(self, name: str) -> None:
        """Asked for, and Slack shows nothing until the channel is opened."""
        self.wait_people()
        self.close_channel(name)
        self.ask(name, "node drain {name} --why 'kernel update'")

    def approve_typed(self, name: str, seconds: float = PATIENCE) -> None:
        self.wait_state(name, Standing.AWAITING, seconds)
        assert "Approved" in self.slack.command("bob", f"#{name}", f"approve {self.ids[name]}").text

    def press(self, name: str, action: str, by: str = "bob") -> Delivery:
        return self.slack.press(by, f"#{name}", self.card(name)["ts"], action)

    def approve(self, name: str, by: str = "bob") -> None:
        assert self.press(name, "approve", by).ok
        self.wait_audit(name, "approved")

    def started(self, name: str) -> None:
        """Asked for, approved, and its node is closed."""
        self.drain(name)
        self.approve(name)
        self.wait_closed(name)

    def wait_closed(self, name: str) -> None:
        wait_until(lambda: self.is_closed(name), seconds=PATIENCE, what=f"{name} is closed")

    def is_closed(self, name: str) -> bool:
        node = self.kube.get("nodes", name)
        return node is not None and bool(node["spec"].get("unschedulable"))

    def press_again(self, name: str) -> Delivery:
        """The last press in the channel of this name, delivered once more, letter by letter."""
        channel = self.slack.workspace.channel(f"#{name}").id
        presses = self.slack.deliveries("interactive")
        last = next(each for each in reversed(presses) if each.payload["channel"]["id"] == channel)
        return self.slack.courier.deliver("interactive", last.payload)

    def told_privately(self, user: str, words: str) -> str:
        """What only this person was told, once it has these words."""

        def found() -> str | None:
            return next((each["text"] for each in self.slack.ephemerals(user) if words in each["text"]), None)

        return str(self._wait(found, f"{words!r} for {user} alone"))

    # --- holding work

    def hold(self, name: str) -> None:
        """The API server has no time for evictions in the namespace of this name."""
        self._held[name] = self.kube.fail(Throttle(1), "create", "pods/eviction", namespace=name)

    def let_go(self, name: str) -> None:
        self.kube.faults.remove(self._held.pop(name))

    def keep_pods(self, name: str) -> None:
        """Evicted pods stay, terminating."""
        self.kube.behave(NeverTerminates(), namespace=name)

    def release_pods(self, name: str) -> None:
        """And now they go."""
        self.kube.behave(Healthy(), namespace=name)
        self.kube.patch("nodes", name, {"metadata": {"labels": {"touched": "yes"}}})  # so that a tick looks

    def wait_evictions(self, name: str, count: int = 1) -> None:
        """So many were sent, taken or not."""
        wait_until(lambda: self.sent(name) >= count, seconds=PATIENCE, what=f"{count} evictions in {name}")

    def sent(self, name: str) -> int:
        return sum(each.target.namespace == name for each in self.kube.requests if each.method == "POST")

    # --- what is seen in the end

    def card(self, name: str) -> Json:
        """The message that shows where the change is."""
        return next(m for m in self._bot_messages(f"#{name}") if payload(m)["key"] == "card")

    def headlines(self, name: str) -> list[str]:
        """Every text that the card of this name had, in order."""
        ts = self.card(name)["ts"]
        channel = self.slack.workspace.channel(f"#{name}").id
        calls = [each.args for each in self.slack.calls() if each.args.get("channel") == channel]
        posted = next(each for each in calls if not each.get("thread_ts"))
        return [posted["text"], *(each["text"] for each in calls if each.get("ts") == ts and "text" in each)]

    def request(self, name: str) -> Request:
        stored = self.state.request(self.ids[name])
        assert stored is not None
        return stored.record

    def wait_state(self, name: str, state: Standing, seconds: float = PATIENCE) -> None:
        what = f"{name} is {state}"
        try:
            wait_until(lambda: self.request(name).state is state, seconds=seconds, what=what)
        except ChildFailed:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{self.report(name)}") from None

    def wait_over(self, name: str, words: str = "done in") -> None:
        """The card and the closing line say so."""

        def told() -> bool:
            shown = dict(self.shown(name))
            return words in shown.get("card", "") and words in shown.get("closing", "")

        self._wait(told, f"{words!r} on the card and in the closing line of #{name}")

    def wait_shown(self, name: str, key: str) -> None:
        """A message of the thread is there, by its key."""
        self._wait(lambda: key in dict(self.shown(name)), f"{key} in #{name}")

    def taken(self, name: str) -> Counter[str]:
        """What the API server really took for the node and the namespace of this name: the pods that were
        evicted, by uid, and how often the node was written."""
        found: Counter[str] = Counter()
        for request in self.kube.requests:
            target = request.target
            is_here = target.namespace == name or (target.resource, target.name) == ("nodes", name)
            is_written = request.method not in ("GET", "HEAD") and 200 <= request.code < 300
            if not (is_here and is_written) or "dryRun" in request.query:
                continue
            if target.subresource == "eviction":
                found[request.json()["deleteOptions"]["preconditions"]["uid"]] += 1
            else:
                found[f"{request.method} {target.what}"] += 1
        return found

    def assert_drained_once(self, name: str, uids: set[str]) -> None:
        """The node was closed by one request and each of these pods evicted by one; the card and one closing
        line that mentions Alice say so; the trail has each transition once and holds together."""
        assert self.taken(name) == Counter({"PATCH nodes": 1, **dict.fromkeys(uids, 1)}), self.report(name)
        assert self.request(name).state is Standing.SUCCEEDED, self.report(name)
        assert not self.pods(name) and len(self.kube.list("pods", name)) == PODS
        self.assert_told_truly(name, "done in")
        counted = Counter(self.audit(name))
        once = ("submitted", "approved", "applying", "succeeded")
        assert [counted[each] for each in once] == [1] * len(once), self.report(name)
        self.assert_trail_holds()

    def assert_told_truly(self, name: str, words: str) -> None:
        """One card with these words, one closing line with them that mentions Alice, nothing said twice."""
        shown = self.shown(name)
        keys = Counter(key for key, _ in shown)
        assert set(keys.values()) == {1}, self.report(name)
        told = dict(shown)
        assert words in told["card"], self.report(name)
        assert words in told["closing"] and f"<@{ALICE.id}>" in told["closing"], self.report(name)

    def report(self, name: str = "") -> str:
        standing = {each: self.state.request(id) for each, id in self.ids.items() if name in ("", each)}
        said = [
            f"{each}: {stored.record.state}, {stored.record.progress}, {stored.record.verdict}"
            for each, stored in standing.items()
            if stored
        ]
        return "\n".join([*said, f"{self.state.depths()}", super().report(name)])

    def assert_trail_holds(self) -> None:
        written = len(audit_lines(self.state))  # others go on meanwhile
        found = self.state.trail.follow(AuditProgress(), (), lambda: False)
        assert found.is_over and not found.faults and not found.missing, found
        assert found.lines >= written

    def uids(self, name: str) -> set[str]:
        return {pod["metadata"]["uid"] for pod in self.pods(name)}
