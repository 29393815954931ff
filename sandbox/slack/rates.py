"""Slack's rate limits: token buckets per method, and per channel for chat.postMessage.

Limits: docs.slack.dev rate limits; tiers as listed by slack-api-ref and java-slack-sdk metadata. Slack
promises "at least" these numbers; the stand-in grants exactly them, so that a bot which passes here is safe
there. It only answers how long to wait; `api` turns that into a 429.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sandbox.slack.workspace import Clock

TIER_2, TIER_3, TIER_4 = 20, 50, 100
# auth.test ("hundreds of requests per minute") and chat.getPermalink have tiers of their own, unpublished.
SPECIAL = 300

POST_PER_SECOND = 1.0
POST_BURST = 4  # assumed: "short bursts are allowed", no number published


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class RateLimits:
    """`policy` is "slack" or "off"; `scale` multiplies what is granted."""

    def __init__(
        self, clock: Clock, *, policy: str = "slack", scale: float = 1.0, post_burst: int = POST_BURST
    ) -> None:
        if policy not in ("slack", "off"):
            raise ValueError(f'rate_limits must be "slack" or "off", not {policy!r}')
        self.policy = policy
        self.scale = scale
        self.post_burst = post_burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, method: str, per_minute: int, channel: str | None) -> int | None:
        """Seconds to send as Retry-After, or None when the call may go ahead (and is counted)."""
        if self.policy == "off":
            return None
        if method == "chat.postMessage":
            return self._take(
                f"{method}:{channel}", POST_PER_SECOND * self.scale, self.post_burst * self.scale
            )
        granted = per_minute * self.scale
        return self._take(method, granted / 60.0, granted)

    def _take(self, key: str, per_second: float, burst: float) -> int | None:
        now = self._clock.now()
        bucket = self._buckets.setdefault(key, _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled_at) * per_second)
        bucket.filled_at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return None
        return max(1, math.ceil((1.0 - bucket.tokens) / per_second))
