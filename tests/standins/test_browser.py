"""The browser of the tests: what a page gets wrong is kept, and what axe-core finds is told."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from sandbox.house import wait_until
from tests.standins.browser import PROGRAM, Browser, PageFailed, axe

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: the page was not tried in a browser"
)

GOOD = '<html lang="en"><title>Desk</title><main><h1>Desk</h1><button>Approve</button></main></html>'
BAD = GOOD.replace("Approve", "").replace("<h1>", '<img src="data:,"><h1>')


def page(html: str) -> str:
    return f"data:text/html,{quote(html)}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def test_axe_names_the_rule_and_the_place_of_what_is_wrong(browser: Browser) -> None:
    with browser.open(page(BAD)) as tab:
        found = axe(tab)
        assert [each.partition(":")[0] for each in found] == ["button-name", "image-alt"]
        assert found[0].endswith(", button") and found[1].endswith(", img")
        assert axe(tab, within="h1") == [] and axe(tab, without=("button-name", "image-alt")) == []


def test_axe_finds_nothing_on_a_page_that_is_well(browser: Browser) -> None:
    with browser.open(page(GOOD)) as tab:
        assert axe(tab) == []


def test_what_a_page_gets_wrong_is_kept_and_what_it_says_is_not(browser: Browser) -> None:
    policy = '<meta http-equiv="Content-Security-Policy" content="img-src \'none\'">'
    with browser.open(page(policy + GOOD)) as tab:
        tab.run("console.log('fine')")
        assert tab.troubles == []
        tab.run("console.error('not fine')")
        tab.run("setTimeout(() => { throw new Error('out of luck'); }) && 1")
        tab.run("document.body.append(Object.assign(new Image(), { src: 'https://evil.example/x' })) ?? 1")
        wait_until(lambda: tab.run("1") and len(tab.troubles) == 3, "all three are told")
        said = "\n".join(tab.troubles)
        assert "not fine" in said and "out of luck" in said and "Content Security Policy" in said


def test_an_expression_that_is_wrong_fails_and_what_is_missing_is_waited_for(browser: Browser) -> None:
    with browser.open(page(GOOD)) as tab:
        with pytest.raises(PageFailed, match="nonsense is not defined"):
            tab.run("nonsense()")
        with pytest.raises(PageFailed, match=r"(?s)never came true.*#nothing.*Approve"):
            tab.wait_for("document.querySelector('#nothing').id", seconds=0.1)
        tab.run("setTimeout(() => { document.querySelector('h1').id = 'nothing'; }, 200) && 1")
        assert tab.wait_for("document.querySelector('#nothing').id") == "nothing"
