"""The house itself, by what it leaves in Redis: who is alive and of which version, what waits, what was not delivered."""

from collections.abc import Iterator
from datetime import timedelta

from redis.exceptions import RedisError

from bot import vitals
from bot.doctor.check import BROKEN, GOOD, OPEN, WARNING, Check
from bot.doctor.store import client
from bot.outbox import Outbox
from bot.presence import Present, present
from bot.settings import Settings
from bot.state import OVERDUE, State
from bot.vitals import Vitals
from commands.phrase import span
from commands.version import VERSION

_SECOND = timedelta(seconds=1)
# A request should begin at once; a card should be in Slack within seconds.
_LATE, _STUCK = 30 * _SECOND, 300 * _SECOND


def probe(settings: Settings, patience: float) -> Iterator[Check]:
    try:
        with client(settings, patience) as redis:
            state = State(redis)
            here, found = present(state), vitals.read(state, settings.site)
            yield from alive(here)
            yield from versions(here)
            yield from _calendar(here, found)
            yield from _waiting(found)
            yield from _undelivered(Outbox(state))
    except RedisError:
        return  # bot/doctor/store.py says why


def alive(here: tuple[Present, ...]) -> Iterator[Check]:
    bots, workers = (sum(each.part == part for each in here) for part in ("bot", "worker"))
    if not here:
        mend = "start `sre-bot bot` and `sre-bot worker` with this environment, and run the doctor again"
        yield Check("house processes", OPEN, "neither bot nor worker runs on this Redis", mend)
    elif not workers:
        mend = "start `sre-bot worker` with the same REDIS_URL (`kubectl get pods -n sre-bot`, and its log)"
        yield Check(
            "house processes", BROKEN, "no worker is alive: requests are taken and not answered", mend
        )
    elif not bots:
        mend = "start `sre-bot bot` with the same REDIS_URL (`kubectl get pods -n sre-bot`, and its log)"
        yield Check("house processes", BROKEN, "no bot is alive: Slack and alerts are not heard", mend)
    else:
        yield Check("house processes", GOOD, f"{bots} of the bot, {workers} of the workers")


def versions(here: tuple[Present, ...]) -> Iterator[Check]:
    by_part = {
        part: sorted({each.version for each in here if each.part == part}) for part in ("bot", "worker")
    }
    running = {each.version for each in here}
    told = ", ".join(f"{part} {' and '.join(found)}" for part, found in by_part.items() if found)
    if len(running) > 1:
        mend = (
            "finish the rollout (`kubectl rollout status deployment -n sre-bot`), or give both the same image"
        )
        yield Check("house versions", WARNING, f"different ones run side by side: {told}", mend)
    elif running and running != {VERSION}:
        mend = "run the doctor of the version that runs, since each looks for what it needs itself"
        yield Check("house versions", WARNING, f"{told}; this doctor is {VERSION}", mend)
    elif running:
        yield Check("house versions", GOOD, VERSION)


def _calendar(here: tuple[Present, ...], found: Vitals) -> Iterator[Check]:
    if found.silence and found.silence > OVERDUE and any(each.part == "worker" for each in here):
        mend = "look into the workers' log for `scheduler`, and restart them"
        text = f"nobody has looked at the calendar for {span(found.silence)}: what is scheduled does not run"
        yield Check("house calendar", BROKEN, text, mend)


def _waiting(found: Vitals) -> Iterator[Check]:
    what = {
        "queued_jobs": ("requests", "start more `sre-bot worker`, and look into their log"),
        "outbox": ("messages to Slack", "look into the bot's log for `Slack refuses` or `ratelimited`"),
    }
    for kind, (name, mend) in what.items():
        age, number = found.oldest.get(kind, timedelta()), found.waiting[kind]
        if age <= _LATE:
            yield Check(f"house {name}", GOOD, f"{number} wait")
        else:
            text = f"{number} wait, the oldest for {span(age)}"
            yield Check(f"house {name}", BROKEN if age > _STUCK else WARNING, text, mend)


def _undelivered(outbox: Outbox) -> Iterator[Check]:
    letters = outbox.dead_letters()
    if not letters:
        yield Check("house dead letters", GOOD, "none")
        return
    last = letters[-1]
    found = f"Slack did not take {len(letters)}, the latest to {last.channel}: {last.error}"
    mend = (
        "mend what Slack says (`/sre help outbox` lists them); what is still wanted is sent again by itself"
    )
    yield Check("house dead letters", WARNING, found, mend)
