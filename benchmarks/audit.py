"""What the hash chain of the audit trail costs: a commit with one line, chained and not; memory and speed per line.

Both sides are the real commit script on one real Redis, taking turns; the other side's script writes the same
line without number and hash, as version 0.1 did. Then: bytes that a line takes in Redis, and how many lines a
second the chain is followed at.
"""

import sys
import time
from collections.abc import Callable

from redis import Redis

from benchmarks.common import Sample, main
from bot import audit
from bot.state import State, connect
from commands.reads import AuditProgress
from sandbox.redis_server import RedisServer

# As a changing command's line is: who, what, why, what about.
FACTS = {
    "id": "RTEST0001", "by": "U0ALICE0001", "text": "node drain ip-10-0-3-17.eu-central-1.compute.internal",
    "why": "kernel update, announced on Monday", "cluster": "sre-training-cluster", "digest": "0123456789abcdef",
    "objects": "node/ip-10-0-3-17.eu-central-1.compute.internal",
}  # fmt: skip

_PLAIN = """
for _ = 1, tonumber(take()) do
  local line = {'at', string.format('%.0f', clock)}
  for _ = 1, tonumber(take()) do line[#line + 1] = take() end
  redis.call('XADD', 'sre:audit', '*', unpack(line))
end
"""


def run(is_quick: bool) -> list[str]:
    rounds, each, lines = (4, 200, 5_000) if is_quick else (10, 1_000, 50_000)
    with RedisServer() as server:
        chained, plain = _sides(server)
        ours, theirs = _in_turns(chained, plain, rounds, each)
        chained.redis.flushall()
        size, speed = _lines(chained, lines)
    return [
        f"audit: a commit with one chained line p50 {ours.p50:.3f} ms, without the chain {theirs.p50:.3f} ms: "
        f"x{ours.p50 / theirs.p50:.2f} (best {ours.best:.3f} and {theirs.best:.3f} ms: "
        f"x{ours.best / theirs.best:.2f})",
        f"audit: {size:,.0f} bytes of Redis's memory per line; followed at {speed:,.0f} lines/s",
    ]


def _sides(server: RedisServer) -> tuple[State, State]:
    chained, plain = (State(connect(server.url, patient=False)) for _ in range(2))
    whole: str = chained.commit_script.script
    assert audit.CHAIN in whole
    client: Redis = plain.redis
    plain.commit_script = client.register_script(whole.replace(audit.CHAIN, _PLAIN))
    return chained, plain


def _in_turns(chained: State, plain: State, rounds: int, each: int) -> tuple[Sample, Sample]:
    ours, theirs = Sample(), Sample()
    for state in (chained, plain):
        for _ in range(50):
            _commit(state)()
    for _ in range(rounds):
        for state, sample in ((chained, ours), (plain, theirs)):
            for _ in range(each):
                sample.time(_commit(state))
    return ours, theirs


def _commit(state: State) -> Callable[[], None]:
    return state.change().audit("submitted", **FACTS).commit


def _lines(state: State, count: int) -> tuple[float, float]:
    """Bytes per line, and lines a second."""
    before = state.redis.info("memory")["used_memory"]
    for n in range(count):
        state.change().audit("submitted", **{**FACTS, "id": f"R{n:08d}"}).commit()
    size = (state.redis.info("memory")["used_memory"] - before) / count
    started = time.perf_counter()
    found = state.trail.follow(AuditProgress(), (), lambda: False)
    took = time.perf_counter() - started
    assert (found.lines, found.fault_count) == (count, 0)
    return size, count / took


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
