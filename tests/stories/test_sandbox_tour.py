"""The first visit to the sandbox, in a browser: the guided tour, step by step, with what a person does and nothing else.

With UPDATE_PICTURES=1 it keeps what it sees in docs/pictures (page-*.png). One sandbox serves it all.
"""

from collections.abc import Iterator

import pytest

from tests.standins.browser import PROGRAM, Tab
from tests.standins.pagehands import say
from tests.stories.sandboxed import SECONDS, looked_at, picture

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: the guided tour was not tried in a browser"
)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Somebody who was never here, at the address that the sandbox prints."""
    with (
        looked_at(tmp_path_factory.mktemp("sandbox")) as (sandbox, browser),
        browser.open(sandbox.slack.url, width=1280, height=860) as tab,
    ):
        yield tab
        assert tab.troubles == []


def step(tab: Tab, title: str) -> None:
    shown = f"document.querySelector('#tour')?.innerText.includes({title!r})"
    tab.wait_for(shown, seconds=SECONDS)


def approve(tab: Tab) -> None:
    """And say so once more, when it is asked."""
    tab.wait_for(
        "document.querySelector('#messages .message:not(.whisper) .button.primary:not([disabled])')",
        seconds=SECONDS,
    )
    tab.click("#messages .message:not(.whisper) .button.primary", "Approve")
    tab.click("#confirm button", "Approve")


def test_the_tour_goes_from_a_healthy_shop_to_a_change_that_two_people_made(tab: Tab) -> None:
    step(tab, "1 of 5")
    picture(tab, "page-tour")
    say(tab, "/sre health")

    step(tab, "2 of 5")
    tab.click("#open-break")
    picture(tab, "page-panel")
    tab.click("#faults [data-fault=crash-loop] button", "Break")
    tab.wait_for_text("#broken", "Crash loop")

    step(tab, "3 of 5")
    tab.click("#breaking .close")
    tab.wait_for("document.querySelector('#channels a[data-name=sre-alerts].unread')", seconds=SECONDS)
    tab.click("#channels a[data-name=sre-alerts]")
    tab.wait_for("document.querySelector('#messages .replies')", seconds=SECONDS)
    tab.click("#messages .replies")
    tab.wait_for_text("#replies .message", "Probable cause")

    step(tab, "4 of 5")
    tab.wait_for_text("#replies .message", "previous run")
    picture(tab, "page-light")
    tab.click("#channels a[data-name=sre-daily]")
    say(tab, "/sre restart backend --why tour")
    approve(tab)
    tab.wait_for_text("#messages .whisper", "somebody else must approve it. Nothing was done.")

    step(tab, "5 of 5")
    tab.choose("#people", "bob")
    approve(tab)
    step(tab, "That was a shift.")
    tab.prefer("dark")
    tab.wait_for_text("#messages .message", "approved by @bob")
    picture(tab, "page-dark")
    tab.click("#tour-end")
    tab.wait_for("!document.querySelector('#tour')")


def test_a_tour_that_was_left_stays_away_and_comes_back_when_it_is_wanted(tab: Tab) -> None:
    tab.resize(390, 800)
    tab.run("location.reload()")
    tab.wait_for_text("#broken", "Crash loop")
    assert tab.count("#tour") == 0
    tab.run("location.hash = '#bob'")
    tab.click("#help")
    step(tab, "1 of 5")
    tab.click("#tour-next")
    step(tab, "3 of 5")  # the second is done already: something is broken
    tab.click("#tour-show")
    tab.wait_for("document.querySelector('#channel-name').innerText === '#sre-alerts'")
    picture(tab, "page-phone")
    tab.run("location.reload()")
    step(tab, "3 of 5")
    assert tab.run("document.documentElement.scrollWidth") <= 390
    tab.click("#tour-end")
