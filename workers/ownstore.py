"""The bot's own store as a source of answers: where it does not answer, that is told as of any other source.

Around every answer of the sources that read records, the trail and the beats; it reads nothing itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from commands.errors import Unreachable


@contextmanager
def asked() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise Unreachable(f"the bot's own store does not answer: {error}", mend="see /readyz") from error
