"""`python -m sandbox.slack --port N`: the stand-in in a process of its own, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import threading

from sandbox.slack.server import SlackStandIn


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.slack", description="A local stand-in for Slack."
    )
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--request-url", help="where the bot listens, e.g. http://127.0.0.1:3000/slack/events"
    )
    parser.add_argument("--rate-limits", choices=["slack", "off"], default="slack")
    parser.add_argument("--allow-any-host", action="store_true", help="listen and deliver beyond loopback")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stand_in = SlackStandIn(
        host=options.host,
        port=options.port,
        request_url=options.request_url,
        rate_limits=options.rate_limits,
        allow_any_host=options.allow_any_host,
    )
    with stand_in as slack:
        ready = {
            "url": slack.url,
            "api_url": slack.api_url,
            "bot_token": slack.bot_token,
            "app_token": slack.app_token,
            "signing_secret": slack.signing_secret,
        }
        print(json.dumps(ready), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
