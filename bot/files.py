"""Files of Slack's: to it, an address to send one to, then the bytes; and from it, what somebody shared.

What is uploaded is seen by nobody before it is shared, so an upload that is lost or made twice harms nobody;
sharing, the third step, is the courier's (bot/courier.py). There is no SDK for the second step by itself: its
files_upload_v2 does all three, and cannot say how far it came. Called by bot/wire.py.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

Ask = Callable[[str, dict[str, Any]], Any]


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
        answer.read()
    return str(given["file_id"])


def download(url: str, token: str, *, most: int, timeout: float, proxy: str | None, tls: Any) -> bytes:
    """What a file holds. Raises OSError when it is not given, or is more than `most` bytes."""
    if not url.startswith(("https://", "http://")):
        raise OSError("Slack names no address of it")
    request = Request(url)  # noqa: S310 - the scheme was looked at
    request.add_unredirected_header("Authorization", f"Bearer {token}")  # the token is for Slack alone
    with _opener(proxy, tls).open(request, timeout=timeout) as answer:
        content: bytes = answer.read(most + 1)
    if len(content) > most:
        raise OSError(f"it is more than {most} bytes")
    return content


def _opener(proxy: str | None, tls: Any) -> OpenerDirector:
    through = [ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
    return build_opener(HTTPSHandler(context=tls), *through)
