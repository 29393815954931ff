"""A desk for change requests, with a worker beside it that makes their looks and watches them: a test says what is seen."""

from typing import Any

from bot.changerecords import ChangeRecords
from bot.state import State
from commands.model import Actor, Gap, Read
from commands.reads import (
    Now,
    Query,
    Sample,
    Vector,
)
from commands.response.changerequest import ChangeRequest
from commands.responsereads import (
    ChangeBaseline,
    ChangeRequestOf,
    ChangeRequests,
    ChangeSamples,
    OpenIncidents,
)
from commands.site import AccessRule, Roles, Site, Team
from tests.build import ALICE, BOB, TEAM, audit_lines
from tests.edges.test_records import CATALOG, Post
from tests.fakes import FakeReader
from tests.pure.change_world import WELL
from workers.changesource import ChangeSource
from workers.changewatch import ChangeWatch
from workers.engine import Engine

CAROL, DAVE = Actor("U0CAROL0001", TEAM), Actor("U0DAVE00001", TEAM)
SITE = Site(
    roles=Roles(approvers=(BOB.user, CAROL.user), service_owner=(BOB.user,)),
    access=(AccessRule(("approvers",), ("approve",), ("change start",)),),
    team=Team(people={"alice": (ALICE.user, DAVE.user)}),
)


class Shop(FakeReader):
    """Answers from the table, and what is the bot's own from its store."""

    def __init__(self, post: Post, records: ChangeRecords) -> None:
        super().__init__(WELL)
        self.bad, self.requests, self.is_dark, self.is_empty = 4.0, 2000.0, False, False
        self._source, self._post = ChangeSource(records), post

    def _answer(self, read: Read) -> Any:
        if isinstance(read, Now):
            return self._post.now
        if isinstance(read, ChangeRequestOf | ChangeRequests | ChangeBaseline | ChangeSamples):
            return self._source.read(read, 0)
        if isinstance(read, OpenIncidents):
            return self._post.records.open_incidents()
        if isinstance(read, Query):
            return self._measured(read.expr)
        return super()._answer(read)

    def _measured(self, expr: str) -> Any:
        if self.is_dark:
            return Gap("prometheus: HTTP 503")
        if self.is_empty:
            return Vector(())
        told = (
            ("/ 0.001", 0.2), ('status=~"5.."', self.bad), ("increase(", self.requests),
            ("histogram_quantile", 0.2), ("up{", 1), ("cpu_usage", 0.1), ("working_set", 1e8),
        )  # fmt: skip
        return Vector((Sample({}, next((number for words, number in told if words in expr), 0.2)),))


class Changes(Post):
    """A desk, and a worker that makes the looks."""

    def __init__(self, state: State, site: Site = SITE) -> None:
        super().__init__(state, site)
        self.changes = ChangeRecords(state, site, self.clock)
        self.shop = Shop(self, self.changes)
        self.engine = Engine(state, CATALOG, site, lambda cluster: self.shop, now=self.clock)
        self.watching = ChangeWatch(state, CATALOG, site, lambda cluster: self.shop, now=self.clock)

    def later(self, **span: float) -> "Changes":
        super().later(**span)
        return self

    def work(self) -> None:
        """Answer all that is open."""
        for id in self.state.redis.zrange("sre:open", 0, -1):
            self.engine.answer(id.decode())

    def ask(self, text: str = "", by: Actor = ALICE) -> ChangeRequest:
        """A change request with its pre-checks made."""
        receipt = self.type(f"change new {text or LINE}", by)
        assert receipt.accepted, receipt.text
        self.work()
        return self.change(receipt.text.partition(" ")[0])

    def change(self, id: str) -> ChangeRequest:
        stored = self.changes.stored(id)
        assert stored is not None
        return stored.record

    def tick(self, id: str) -> None:
        """What people say before it begins."""
        for item in ("staging", "backup"):
            assert self.type(f"change tick {id} {item} it is so").accepted
        assert self.type(f"change standby {id} yes").accepted
        assert self.type(f"change notify {id}").accepted

    def approved(self, text: str = "") -> ChangeRequest:
        change = self.ask(text)
        self.tick(change.id)
        receipt = self.type(f"approve {change.id}", BOB)
        assert receipt.accepted, receipt.text
        return self.change(change.id)

    def minutes(self, count: int) -> None:
        """So much time goes by, and the worker looks every minute."""
        for _ in range(count):
            self.later(minutes=1)
            self.watching.follow()
            self.watching.watch()
            self.work()

    def started(self, text: str = "") -> ChangeRequest:
        change = self.approved(text)
        receipt = self.type(f"change start {change.id}")
        assert receipt.accepted, receipt.text
        return self.change(change.id)


LINE = (
    '"checkout 2.0" --at now --for 30m --rollback "/sre deploy rollback backend" --why "fixes the lost orders" '
    '--risk medium --steps "/sre health app; switch the flag"'
)


def refused(post: Changes, text: str, by: Actor) -> str:
    """What somebody is told who is not let, with what the audit has of it."""
    receipt = post.type(text, by)
    assert not receipt.accepted
    last = audit_lines(post.state)[-1]
    assert (last["what"], last["by"]) == ("refused", by.user)
    return receipt.text
