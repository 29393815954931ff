"""Files of Slack's: to it, an address to send one to, then the bytes; and from it, what somebody shared.

What is uploaded is seen by nobody before it is shared, so an upload that is lost or made twice harms nobody;
sharing, the third step, is the courier's (bot/courier.py). There is no SDK for the second step by itself: its
files_upload_v2 does all three, and cannot say how far it came. Called by bot/wire.py.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

Ask = Callable[[str, dict[str, Any]], Any]

_SLACKS = ("slack.com", "slack-gov.com")


def upload(ask: Ask, name: str, content: bytes, *, timeout: float, proxy: str | None, tls: Any) -> str:
    """Slack's id of the file, which is shared nowhere yet. Raises OSError when the address gives no answer."""
    given: Mapping[str, Any] = ask("files.getUploadURLExternal", {"filename": name, "length": len(content)})
    url = str(given["upload_url"])
    if not url.startswith(("https://", "http://")):
        raise OSError("Slack names an upload address that is none")
    opener = _opener(proxy, tls)
    request = Request(url, data=content, method="POST")  # noqa: S310 - the scheme was looked at
    request.add_header("Content-Type", "application/octet-stream")
    with opener.open(request, timeout=timeout) as answer:  # an error status is an HTTPError, an OSError
        answer.read(1 << 16)  # whatever it says; an error is raised
    return str(given["file_id"])


def download(
    url: str, token: str, *, api: str, most: int, timeout: float, proxy: str | None, tls: Any
) -> bytes:
    """What a file holds. api: the address of Slack's methods. Raises OSError when it is not given, is more than `most`
    bytes, or lies elsewhere than with Slack."""
    if not is_slacks(url, api):
        raise OSError("it does not lie with Slack, and nothing is asked of who has it")
    request = Request(url)  # noqa: S310 - the scheme was looked at
    request.add_unredirected_header("Authorization", f"Bearer {token}")  # the token is for Slack alone
    with _opener(proxy, tls).open(request, timeout=timeout) as answer:
        if answer.url != url and "text/html" in answer.headers.get("Content-Type", ""):
            raise OSError("it leads to a page to log in: may the bot read files (files:read)?")
        content: bytes = answer.read(most + 1)
    if len(content) > most:
        raise OSError(f"it is more than {most} bytes")
    return content


def is_slacks(url: str, api: str) -> bool:
    """Whether the token may be shown there, and what is there be kept: of a file that is only linked, Slack gives the
    address of whoever has it, which may be any (docs.slack.dev, files.remote.info)."""
    try:
        there, ours = urlsplit(url), urlsplit(api)
        host = there.hostname or ""
    except ValueError:
        return False
    if host == ours.hostname:
        return there.scheme == ours.scheme
    return there.scheme == "https" and any(host == own or host.endswith(f".{own}") for own in _SLACKS)


def _opener(proxy: str | None, tls: Any) -> OpenerDirector:
    through = [ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
    return build_opener(HTTPSHandler(context=tls), *through)
