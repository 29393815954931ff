"""The middle of Slack's three steps for a file: an address to send it to, then the bytes.

What is uploaded is seen by nobody before it is shared, so an upload that is lost or made twice harms nobody;
sharing, the third step, is the courier's (bot/courier.py), which alone calls this. There is no SDK for the
second step by itself: its files_upload_v2 does all three, and cannot say how far it came.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

Ask = Callable[[str, dict[str, Any]], Any]


def upload(ask: Ask, name: str, content: bytes, *, timeout: float, proxy: str | None, tls: Any) -> str:
    """Slack's id of the file, which is shared nowhere yet. Raises OSError when the address gives no answer."""
    given: Mapping[str, Any] = ask("files.getUploadURLExternal", {"filename": name, "length": len(content)})
    url = str(given["upload_url"])
    if not url.startswith(("https://", "http://")):
        raise OSError("Slack names an upload address that is none")
    through = [ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
    opener = build_opener(HTTPSHandler(context=tls), *through)
    request = Request(url, data=content, method="POST")  # noqa: S310 - the scheme was looked at
    request.add_header("Content-Type", "application/octet-stream")
    with opener.open(request, timeout=timeout) as answer:  # an error status is an HTTPError, an OSError
        answer.read()
    return str(given["file_id"])
