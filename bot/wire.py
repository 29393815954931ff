"""The line to Slack: its methods as the courier calls them, where a name is, and what Slack says instead of yes.

One call at a time and no retry: what a refusal means for a message is the courier's (bot/courier.py), which alone
uses this.
"""

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot import files, tracing
from bot.blocks import Message
from bot.metrics import SLACK_CALLS, SLACK_TOOK, SLACK_WAIT
from bot.state import State

log = logging.getLogger(__name__)

# Seconds one HTTP call to Slack may take.
TIMEOUT = 10

_LATER = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_LOCKED_OUT = {
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "org_login_required",
}  # fmt: skip
# Slack cannot draw this card; the plain text still tells it.
_TOO_RICH = {
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "metadata_too_large",
}

# What Slack's own words look like: a proxy's page must not become a label.
_CODE = re.compile(r"[a-z][a-z0-9_]{0,60}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Slack said instead of yes. code: Slack's word, or "http_502" for a body that is not Slack's."""

    code: str
    status: int
    retry_after: timedelta
    needed: str = ""

    @classmethod
    def of(cls, error: SlackApiError) -> "Refusal":
        answer = error.response
        if not isinstance(answer, SlackResponse):  # the body was not JSON: a proxy's page, an empty 502
            return cls(f"http_{answer.get('status', 0)}", int(answer.get("status", 0)), timedelta(seconds=1))
        wait = timedelta(seconds=float(answer.headers.get("Retry-After", 1)))
        code = str(answer.get("error") or f"http_{answer.status_code}")
        return cls(code, answer.status_code, wait, str(answer.get("needed") or ""))

    @property
    def is_limit(self) -> bool:
        return self.status == 429 or self.code in {"ratelimited", "rate_limited"}

    @property
    def is_locked_out(self) -> bool:
        """The token is no good: nothing at all goes until somebody mends it."""
        return self.code in _LOCKED_OUT

    @property
    def is_silence(self) -> bool:
        return self.status >= 500 or self.code in _LATER or self.code.startswith("http_")


class Told(WebClient):
    """Every method of Slack ends here: counted by its outcome, timed, a step of its trace."""

    def api_call(self, api_method: str, *args: Any, **body: Any) -> SlackResponse:
        outcome = "no answer"
        try:
            with tracing.span("slack", method=api_method), SLACK_TOOK.labels(api_method).time():
                answer = super().api_call(api_method, *args, **body)
            outcome = "ok"
        except SlackApiError as error:
            no = Refusal.of(error)
            outcome = no.code if _CODE.fullmatch(no.code) else "other"
            if no.is_limit:
                SLACK_WAIT.labels(api_method).inc(no.retry_after.total_seconds())
            raise
        finally:
            SLACK_CALLS.labels(api_method, outcome).inc()
        return answer


class Wire:
    """missing: so long a name that no channel bears is not looked up again."""

    def __init__(self, state: State, slack: WebClient, missing: timedelta) -> None:
        self._state = state
        self._slack = slack
        self._missing = missing

    def upload(self, name: str, content: bytes) -> str:
        """Slack's id of a file, put there for nobody to see yet."""
        by, tls = self._slack.proxy, self._slack.ssl
        return files.upload(self.ask, name, content, timeout=TIMEOUT, proxy=by, tls=tls)

    def download(self, url: str, most: int) -> bytes:
        """What somebody shared; raises OSError when Slack does not give it, or it is more than `most` bytes."""
        by, tls, token = self._slack.proxy, self._slack.ssl, self._slack.token or ""
        api = self._slack.base_url
        return files.download(url, token, api=api, most=most, timeout=TIMEOUT, proxy=by, tls=tls)

    def place(self, lane: str) -> str:
        """Where to post: "#name" and "@user" as the ids that history, too, takes; an id as it is.

        A name that no channel bears is tried as it is, so that Slack says what is wrong with it.
        """
        if lane.startswith("@"):
            return self._direct(lane[1:])
        if not lane.startswith("#"):
            return lane
        known = self._state.recall(f"channel-{lane}")
        if not known:
            known = str((self._listed(lane[1:]) or {}).get("id") or lane)
            # A list of all channels is much to ask of Slack for each message to one that is not there.
            keep = timedelta(hours=1) if known != lane else self._missing
            self._state.remember(f"channel-{lane}", known, keep)
        return known

    def find_channel(self, name: str) -> dict[str, Any] | None:
        """The channel that bears a name, also an archived one; None where the bot sees none."""
        return self._listed(name, also_archived=True)

    def _listed(self, name: str, *, also_archived: bool = False) -> dict[str, Any] | None:
        where: dict[str, Any] = {
            "types": "public_channel,private_channel",
            "exclude_archived": not also_archived,
            "limit": 999,
        }
        while True:
            answer = self.ask("conversations.list", where)
            for channel in answer["channels"]:
                if channel["name"] == name:
                    return dict(channel)
            where["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor")
            if not where["cursor"]:
                return None

    def _direct(self, user: str) -> str:
        known = self._state.recall(f"dm-{user}")
        if not known:
            known = str(self.ask("conversations.open", {"users": user})["channel"]["id"])
            self._state.remember(f"dm-{user}", known, timedelta(days=1))
        return known

    def send(self, method: str, message: Message, **where: Any) -> SlackResponse:
        """Send blocks and text; the text alone when Slack cannot draw the blocks, because a card in plain
        words is better than a lost one."""
        where = {name: value for name, value in where.items() if value}
        content = {"text": message.text, "unfurl_links": False, "unfurl_media": False, **where}
        try:
            return self.call(method, json={**content, "blocks": list(message.blocks)})
        except SlackApiError as error:
            if Refusal.of(error).code not in _TOO_RICH:
                raise
            log.warning("Slack cannot draw %s (%s): sent as plain text", message.key, Refusal.of(error).code)
            return self.call(method, json={**content, "blocks": []})

    def ask(self, method: str, params: dict[str, Any]) -> SlackResponse:
        """A method that reads: as a form, because Slack ignores JSON bodies of several of them."""
        return self.call(method, params={name: value for name, value in params.items() if value})

    def call(self, method: str, **body: Any) -> SlackResponse:
        return self._slack.api_call(method, **body)
