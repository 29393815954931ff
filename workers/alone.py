"""Does one of many things by itself: what is wrong with it is written to the log and holds up none of the others.

That the store does not answer concerns them all, and is raised. Called by the rounds' duties.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from redis.exceptions import RedisError

from bot import logs

log = logging.getLogger(__name__)


@contextmanager
def alone(what: str, about: str = "") -> Iterator[None]:
    """about: the id that the lines of the log inside are about."""
    with logs.bound(about) if about else nullcontext():
        try:
            yield
        except RedisError:
            raise
        except Exception:
            log.exception("%s was passed over", what)
