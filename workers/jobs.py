"""The only names a queue knows. A job carries an id and loads everything else from the record."""

from rq.timeouts import BaseTimeoutException

from workers.engine import Engine

_engine: list[Engine] = []


def install(engine: Engine) -> None:
    """Give this process' jobs their engine. RQ calls jobs by dotted name, so there is no other way in."""
    _engine[:] = [engine]


def answer(id: str) -> None:
    """Read and judge what a request asks for."""
    engine = _engine[0]
    try:
        engine.answer(id)
    except BaseTimeoutException as error:  # RQ's alarm: the job must end now, and RQ must know
        engine.fail(id, error)
        raise
    except Exception as error:
        engine.fail(id, error)
        raise
