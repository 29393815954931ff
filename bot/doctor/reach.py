"""Why an address does not answer, or answers as something else: the cause and what to do, in one line each.

Reads exceptions and answers, and asks nobody. Every client wraps what the system said in errors of its own, so
the first cause is looked for below them. Used by all probes that go over the network.
"""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from bot.doctor.check import ANSWER_BYTES, BROKEN, GOOD, WARNING, Check, words

# OpenSSL's numbers of why a certificate is not believed.
_EXPIRED, _NOT_YET, _HOSTNAMES = 10, 9, (62, 64)

# Slack's signatures and AWS's are refused after five minutes, and leases are counted in seconds.
WORN_CLOCK, WRONG_CLOCK = 5.0, 60.0


# Where a certificate of one's own authority is made known, by who asks.
TRUST = "set SSL_CERT_FILE to a file with the certificate of its authority"


def unreachable(error: BaseException, url: str, key: str, trust: str = TRUST) -> tuple[str, str]:
    """What was found and what mends it. key: the setting that names the address. trust: how its authority is made
    known."""
    parts = urlsplit(url)
    where = f"{parts.hostname or url}:{parts.port}" if parts.port else (parts.hostname or url)
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return _certificate(cause, where, key, trust)
            case ssl.SSLError() if "WRONG_VERSION" in str(cause) or "RECORD_LAYER" in str(cause):
                return f"{where} speaks no TLS", f"write the address in {key} without the s of its scheme"
            case socket.gaierror():
                return f"{parts.hostname or url} is not known to DNS", (
                    f"mend the name in {key}, or run the doctor where the name is known (in the cluster)"
                )
            case ConnectionRefusedError():
                return f"{where} refuses the connection", (
                    f"start what should listen there, or mend the port in {key}"
                )
            case TimeoutError():
                return f"{where} does not answer in time", (
                    f"let this process through to {where} (NetworkPolicy, security group, firewall), or mend {key}"
                )
            case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
                return (
                    f"{where} hangs up",
                    f"look whether it wants TLS (https, rediss) in {key}, and at its log",
                )
    mend = f"mend {key}, or let this process through to {where} (NetworkPolicy, security group, firewall)"
    return f"{where} does not answer: {words(error)}", mend


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors that this one wraps, and itself last: what lies deepest says most."""
    known: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one in known:
            continue
        known.append(one)
        more = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        wrapped = getattr(one, "kwargs", {})
        waiting += [each for each in (*more, wrapped.get("error")) if isinstance(each, BaseException)]
        if isinstance(one, ssl.SSLError) and isinstance(getattr(one, "verify_code", None), int):
            break
    yield from reversed(known)


def _certificate(error: ssl.SSLCertVerificationError, where: str, key: str, trust: str) -> tuple[str, str]:
    if error.verify_code == _EXPIRED:
        return f"the certificate of {where} has expired", "renew it there"
    if error.verify_code == _NOT_YET:
        return (
            f"the certificate of {where} is not valid yet",
            "set the clock of this machine, or renew it there",
        )
    if error.verify_code in _HOSTNAMES:
        return f"the certificate of {where} is for another name", f"use in {key} a name that is in it"
    return f"the certificate of {where} is signed by nobody this machine trusts ({error.verify_message})", (
        f"{trust}, or give it a certificate that everybody trusts"
    )


def odd_answer(status: int, headers: Mapping[str, str], body: bytes, key: str) -> tuple[str, str] | None:
    """What is wrong with an answer by its status and kind alone; None where nothing is."""
    named = {name.lower(): value for name, value in headers.items()}
    if 300 <= status < 400:
        at = named.get("location", "")
        return f"redirects ({status}){f' to {at}' if at else ''}", (
            f"it redirects (to a login?): set {key} to the address inside the cluster"
        )
    if status == 401:
        return "wants a login (401)", f"set {key} to an address without one"
    if status == 403:
        return "refuses (403)", f"let the bot in there, or set {key} to an address that does"
    if status == 404:
        return "knows no such path (404)", f"look whether the path in {key} is right (behind a prefix?)"
    if status != 200:
        return f"answers {status}", f"look whether it is still starting, and whether {key} is right"
    if body.lstrip()[:1] == b"<":
        return (
            "answers with a web page, not with data",
            f"set {key} to its own address, not to a page before it",
        )
    if len(body) >= ANSWER_BYTES:
        return "answers with more than it should", f"look what is there, and whether {key} is right"
    return None


def clock(about: str, theirs: float, ours: float, whose: str) -> Check:
    """How far this machine's clock and another's are apart."""
    ahead = ours - theirs
    if abs(ahead) <= WORN_CLOCK:
        return Check(about, GOOD, f"within {WORN_CLOCK:.0f} s of ours")
    side = "ahead of" if ahead > 0 else "behind"
    found = f"this machine's clock is {abs(ahead):.0f} s {side} {whose}"
    mend = (
        "set the clock by NTP (`timedatectl set-ntp true`, chrony): signed requests are refused after 5 min"
    )
    return Check(about, BROKEN if abs(ahead) > WRONG_CLOCK else WARNING, found, mend)


def date_check(about: str, headers: Mapping[str, str], whose: str) -> Iterator[Check]:
    """The same by the Date of an answer that arrived just now; nothing where it has none."""
    now = time.time()
    said = next((value for name, value in headers.items() if name.lower() == "date"), "")
    said = said if isinstance(said, str) else next(iter(said), "")
    try:
        yield clock(about, parsedate_to_datetime(said).timestamp(), now, whose)
    except (TypeError, ValueError):
        return
