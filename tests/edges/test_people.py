"""Who is who, as Slack tells it now and then: what it tells wrongly once is asked for again."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rude_server import RudeServer, page
from slack_sdk import WebClient

from bot.people import People
from bot.state import State
from commands.site import Site
from sandbox.house import wait_until


def test_an_answer_of_slack_that_is_none_keeps_nobody_from_asking_again(state: State) -> None:
    whole = threading.Event()

    def odd(asked: Any) -> bytes:
        if asked.target.endswith("auth.test"):
            return page(200, {"ok": True, "team_id": "T0ODD000001", "user_id": "U1", "url": "https://odd"})
        return page(200, {"ok": True, "users": ["U0BOB000001"]} if whole.is_set() else {"ok": True})

    site = replace(Site(), roles=replace(Site().roles, approvers=("S0APPROVERS",)))
    people, stop = People(state, site), threading.Event()
    with RudeServer(odd) as server:
        slack = WebClient("xoxb-odd", base_url=f"{server.url}/api/", timeout=30, retry_handlers=[])
        asking = threading.Thread(target=people.keep_fresh, args=(slack, stop, timedelta(milliseconds=20)))
        asking.start()
        wait_until(lambda: len(server.asked) > 2)
        whole.set()
        wait_until(lambda: state.recall("group-S0APPROVERS") == ",U0BOB000001,")
        stop.set()
        asking.join()
    assert people.home_team() == "T0ODD000001"
