"""What is broken just now, since when, and what cannot be broken here and why.

Owns begin, go on and end of every fault, one after the other. What happens once is over when it has begun, and only
its time is kept. Called by Shop at each beat, and by the levers; a sandbox over a real cluster has one without a shop.
"""

from __future__ import annotations

import datetime
import threading
from typing import Any

from sandbox.shop.fault import GROUPS, World
from sandbox.shop.faults import FAULTS, Fault
from sandbox.shop.inventory import stamp

Json = dict[str, Any]


class Breakage:
    def __init__(self, world: World) -> None:
        self._world = world
        self._broken: dict[str, tuple[Fault, datetime.datetime]] = {}
        self._happened: dict[str, datetime.datetime] = {}
        self.lock = threading.RLock()

    def break_(self, name: str) -> None:
        """See FAULTS; a second time does nothing, but for what happens once."""
        fault = _fault(name)
        if why := self._off(fault):
            raise LookupError(f"{name} cannot be had here: {why}")
        with self.lock:
            if name in self._broken:
                return
            fault.begin(self._world)
            if fault.once:
                self._happened[name] = self._world.now()
            else:
                self._broken[name] = (fault, self._world.now())

    def mend(self, name: str = "") -> None:
        """One fault, or all of them, the newest first."""
        if name and _fault(name).once:
            raise LookupError(f"{name} happens once and is over: there is nothing to mend")
        with self.lock:
            for each in [name] if name else reversed(list(self._broken)):
                if each in self._broken:
                    self._broken.pop(each)[0].end(self._world)

    def go_on(self) -> None:
        with self.lock:
            for fault, _ in tuple(self._broken.values()):
                fault.go_on(self._world)

    def forget(self) -> None:
        """When what happens once last did."""
        self._happened.clear()

    def state(self) -> Json:
        """For the page: the levers in its order, and what is broken in the order in which it was."""
        with self.lock:
            broken, happened = dict(self._broken), dict(self._happened)
        levers = []
        for name, kind in FAULTS.items():
            fault, begun, last = kind(), broken.get(name), happened.get(name)
            levers.append(
                {
                    "name": name,
                    "title": fault.title,
                    "expect": fault.expect,
                    "group": fault.group,
                    "once": fault.once,
                    "on": begun is not None,
                    "since": stamp(begun[1]) if begun else None,
                    "last": stamp(last) if last else None,
                    "off": self._off(fault),
                }
            )
        return {"faults": levers, "groups": list(GROUPS), "broken": list(broken)}

    def _off(self, fault: Fault) -> str:
        return next((why for part in fault.needs if (why := self._world.outside.lacks(part))), "")


def _fault(name: str) -> Fault:
    if name not in FAULTS:
        raise LookupError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name]()
