"""What a call carries of the request it is made for: the headers it sends, and the context of its thread.

The clients know nothing of the bot; its start says what there is to carry (workers/__main__.py).
"""

from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_tell: list[Callable[[], Mapping[str, str]]] = []


def install(tell: Callable[[], Mapping[str, str]]) -> None:
    """Let every call from now on send these headers; they are asked for at each."""
    _tell[:] = [tell]


def headers() -> Mapping[str, str]:
    """In the context of whoever calls."""
    return _tell[0]() if _tell else {}


def along(call: Callable[P, T]) -> Callable[P, T]:
    """The call, for another thread and as often as one likes, in the context of this one: threads inherit none."""
    context = copy_context()

    def run(*args: P.args, **options: P.kwargs) -> T:
        return context.copy().run(call, *args, **options)

    return run
