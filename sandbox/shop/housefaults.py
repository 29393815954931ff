"""What goes wrong with the house itself: Slack turns it away or is gone, Redis starts again, a worker is killed.

Nothing of the shop breaks: what it shows is that no request, card or alert is lost on the way.
"""

from __future__ import annotations

from sandbox.shop.fault import Group, Part, Trouble, World


class _OfTheHouse:
    group: Group = "house"
    needs: tuple[Part, ...] = ()
    once = False

    def go_on(self, world: World) -> None:
        """It lasts by itself, or is over at once."""

    def end(self, world: World) -> None:
        """Nothing is left of what happens once."""


class _SlackTrouble(_OfTheHouse):
    needs: tuple[Part, ...] = ("slack",)
    kind: Trouble

    def begin(self, world: World) -> None:
        world.outside.trouble(self.kind, True)

    def end(self, world: World) -> None:
        world.outside.trouble(self.kind, False)


class SlackTurnsAway(_SlackTrouble):
    kind = "ratelimited"
    title = "Slack answers 429 to every call"
    expect = "Commands are still heard; cards wait, and come in order once it is mended: none is lost, none comes twice"


class SlackDown(_SlackTrouble):
    kind = "down"
    title = "Slack does not answer"
    expect = "Alerts and requests are taken in and worked on; their cards come once it is mended, each once"


class RedisRestarts(_OfTheHouse):
    needs: tuple[Part, ...] = ("redis",)
    once = True
    title = "Redis is started again"
    expect = (
        "For a second nothing is accepted; then all goes on where it was, for Redis keeps what it was told"
    )

    def begin(self, world: World) -> None:
        world.outside.restart_redis()


class WorkerKilled(_OfTheHouse):
    once = True
    title = "A worker is killed"
    expect = (
        "Ask `/sre health` and kill it: the next one goes on within seconds, and the card is finished once"
    )

    def begin(self, world: World) -> None:
        world.outside.kill_worker()
