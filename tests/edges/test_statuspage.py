"""Status updates on their way to a status page that is there, away, or takes its time."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.state import State
from commands.response.events import Kind, draft, written
from commands.site import ClusterSite, Site, Urls
from tests.edges.test_records import Post
from workers.statuspage import StatusPage


class Page:
    """A webhook that keeps what it is sent; status: what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, object]]] = []
        self.status = 204
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                page.got.append((dict(self.headers.items()), body))
                self.send_response(page.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def page() -> Iterator[Page]:
    found = Page()
    yield found
    found.server.shutdown()
    found.server.server_close()


def site(url: str) -> Site:
    cluster = ClusterSite(urls=Urls(status_page_webhook=url))
    return Site(clusters={cluster.name: cluster})


class Public(Post):
    def __init__(self, state: State, page: Page) -> None:
        super().__init__(state, site(page.url))
        self.poster = StatusPage(state, self.site, "s3cret-token", self.clock)

    def tell(self, text: str, id: str, to: str = "public") -> None:
        receipt = self.type(f'incident update "{text}" --to {to} --incident {id}')
        assert receipt.accepted, receipt.text


@pytest.fixture
def public(state: State, page: Page) -> Public:
    return Public(state, page)


def test_an_update_for_the_public_is_posted_once_with_its_token(public: Public, page: Page) -> None:
    id = public.declare("sev2 checkout is slow --service checkout").id
    public.tell("half of the payments fail", id)
    for _ in range(3):
        public.poster.post_due()
    ((headers, body),) = page.got
    assert headers["Authorization"] == "Bearer s3cret-token" and headers["Idempotency-Key"] == f"{id}-1"
    assert (body["title"], body["severity"], body["service"]) == ("checkout is slow", 2, "checkout")
    assert body["message"] == "Conditions: half of the payments fail" and body["next_update"]


def test_what_is_needed_and_of_whom_is_not_for_the_public(public: Public, page: Page) -> None:
    id = public.declare("sev2 checkout is slow").id
    public.type(
        f'incident update "it is slow" --actions "more pods" --needs "root on db-1" --to public --incident {id}'
    )
    public.poster.post_due()
    ((_, body),) = page.got
    assert body["message"] == "Conditions: it is slow\nActions: more pods" and "db-1" not in str(body)


def test_what_is_for_the_channel_or_the_stakeholders_is_not_posted(public: Public, page: Page) -> None:
    id = public.declare().id
    public.tell("we look", id, "channel")
    public.tell("we look", id, "stakeholders")
    public.poster.post_due()
    assert page.got == []


def test_a_drill_is_nobodys_news(public: Public, page: Page) -> None:
    id = public.declare("sev1 checkout is down --drill").id
    public.tell("all is lost", id)
    public.poster.post_due()
    assert page.got == []


def test_a_page_that_does_not_take_it_is_tried_again_and_the_incident_says_so_once(
    public: Public, page: Page
) -> None:
    id = public.declare().id
    public.tell("we look", id)
    page.status = 503
    public.poster.post_due()
    public.poster.post_due()  # not before its wait is over
    assert len(page.got) == 1
    page.status = 200
    public.state.redis.delete(*public.state.redis.keys("sre:memo:rest-*"))
    public.poster.post_due()
    assert len(page.got) == 2 and len({headers["Idempotency-Key"] for headers, _ in page.got}) == 1
    said = [event.text for event in public.records.events(id) if event.kind == Kind.NUDGE]
    assert said == [
        "the status page does not have update 1 yet: the status page answered 503. It is tried again"
    ]
    assert all(timer.fired for timer in public.incident(id).timers if timer.key.startswith("statuspage"))


def test_each_try_waits_longer_than_the_one_before(public: Public, page: Page) -> None:
    public.tell("we look", public.declare().id)
    page.status = 503
    waits = []
    for _ in range(5):
        public.poster.post_due()
        (rest,) = (key for key in public.state.redis.keys("sre:memo:rest-*") if not key.endswith(b":tries"))
        waits.append(-(-public.state.redis.pttl(rest) // 1000))
        public.state.redis.delete(rest)
    assert waits == [5, 15, 60, 300, 300]


def test_one_update_that_cannot_be_posted_holds_up_no_other(public: Public, page: Page) -> None:
    good, bad = public.declare("sev2 checkout is slow").id, public.declare("sev2 login fails").id
    timer = draft(Kind.TIMER, "of an update that is not there", key="statuspage:9", due=written(public.now))
    public.records.append(bad, lambda _: [timer])
    public.tell("we look", good)
    public.poster.post_due()
    assert [body["incident"] for _, body in page.got] == [good]


def test_an_update_is_still_posted_by_another_worker_when_the_first_died(public: Public, page: Page) -> None:
    id = public.declare().id
    public.tell("we look", id)
    public.later(minutes=5)
    StatusPage(public.state, public.site, "", public.clock).post_due()
    assert [body["number"] for _, body in page.got] == [1]
    assert timedelta() < public.now - public.incident(id).updates[0].at


def test_without_a_page_who_tells_the_public_is_told_to_do_so_by_hand(state: State) -> None:
    post = Post(state)
    id = post.declare().id
    receipt = post.type(f'incident update "we look" --to public --incident {id}')
    assert "No status page is configured" in receipt.text
    assert not [timer for timer in post.incident(id).timers if timer.key.startswith("statuspage")]
