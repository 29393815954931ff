"""The only names a queue knows. A job carries an id and loads everything else from the record."""

from redis.exceptions import RedisError

from bot import logs
from workers.engine import Engine

_engine: list[Engine] = []


def install(engine: Engine) -> None:
    """Give this process' jobs their engine. RQ calls jobs by dotted name, so there is no other way in."""
    _engine[:] = [engine]


def answer(id: str) -> None:
    """Read and judge what a request asks for."""
    engine = _engine[0]
    with logs.bound(id):
        try:
            engine.answer(id)
        except RedisError:
            raise  # the store is away: the request stays open, and the sweeper brings it back
        except Exception as error:  # a bug, or RQ's alarm, which RQ must see, too
            engine.fail(id, error)
            raise
