"""The only names a queue knows. A job carries an id and loads everything else from the record."""

import logging

from redis.exceptions import RedisError

from bot import logs
from bot.state import TRIAGE
from workers.engine import Engine
from workers.triage import Bay

log = logging.getLogger(__name__)

_engine: list[Engine] = []
_bay: list[Bay] = []


def install(engine: Engine) -> Bay:
    """Give this process' jobs their engine. RQ calls jobs by dotted name, so there is no other way in."""
    _engine[:] = [engine]
    _bay[:] = [Bay(_diagnose)]
    return _bay[0]


def answer(id: str) -> None:
    """Read and judge what a request asks for; a triage beside the queue, because nobody waits for it."""
    if id.startswith(TRIAGE):
        _bay[0].take(id)
    else:
        _answer(id)


def _diagnose(id: str) -> None:
    try:
        _answer(id)
    except RedisError as error:
        log.warning("%s waits for the store: %s", id, error)
    except Exception:
        return  # told in the record and in the log by `_answer`; this thread is the last who could hear of it


def _answer(id: str) -> None:
    engine = _engine[0]
    with logs.bound(id):
        try:
            engine.answer(id)
        except RedisError:
            raise  # the store is away: the request stays open, and the sweeper brings it back
        except Exception as error:  # a bug, or RQ's alarm, which RQ must see, too
            engine.fail(id, error)
            raise
