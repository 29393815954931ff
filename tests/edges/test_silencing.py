"""Silences in a real Alertmanager, and in one that misbehaves: made once, ended once, whatever dies in between."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from rude_server import DROP, HTML, Asked, RudeServer, page
from test_signals import NoProxy, ask, site, soon

from commands.alertreads import AmAlerts, Silences
from commands.effects import Already, Done, Moved, Outcome, Rejected, Silence, Target, Unsilence
from commands.errors import Refused, Unanswered, Unreachable
from commands.reads import DryRun, Rehearsal
from commands.silences import comment, request_of
from sandbox import monitoring as real
from sandbox.kube import KubeStandIn, build
from workers.api import Api
from workers.cluster import Cluster
from workers.effects import Effects, ProxiedWrites, Rehearsals
from workers.silencing import Silencing

MATCHERS = ('alertname="X"', 'pod=~"web-.*"')


class NoWrites:
    def via_service(self, *_: Any) -> Any:
        raise AssertionError("direct access must not use the API server")


def effect(
    request: str = "R1", matchers: tuple[str, ...] = MATCHERS, hours: float = 1, why: str = "why"
) -> Silence:
    until = datetime.now(UTC) + timedelta(hours=hours)
    target = Target("Silence", "", request, "")
    return Silence(target, matchers, until.isoformat(), "U0ALICE", request, why)


def silencing(url: str) -> Silencing:
    return Silencing(site(url), NoProxy(), NoWrites(), {"U0ALICE": "Alice Ø"}.get)  # type: ignore[arg-type]


def make(url: str, wanted: Silence, *, is_rehearsal: bool = False) -> Outcome:
    client = silencing(url)
    try:
        return client.make(wanted, soon(), is_rehearsal)
    finally:
        client.close()


def end(url: str, id: str) -> Outcome:
    client = silencing(url)
    try:
        return client.end(Unsilence(Target("Silence", "", id, id)), soon())
    finally:
        client.close()


@pytest.fixture(scope="module")
def server() -> Iterator[real.Alertmanager]:
    if not real.available():
        pytest.skip(f"not on PATH: {', '.join(real.lacking())}")
    with real.Alertmanager(real.webhook_config("http://127.0.0.1:1/", "t")) as running:
        running.alert({"alertname": "X", "pod": "web-1"})
        running.alert({"alertname": "X", "pod": "web-2"})
        running.alert({"alertname": "X", "pod": "db-1"})
        yield running


@pytest.fixture
def alertmanager(server: real.Alertmanager) -> Iterator[str]:
    yield server.url
    for each in server.request("GET", "/api/v2/silences"):
        if each["status"]["state"] != "expired":
            server.request("DELETE", f"/api/v2/silence/{each['id']}")


def states(url: str) -> dict[str, str]:
    return {each.labels["pod"]: each.state for each in ask(AmAlerts(('alertname="X"',)), url)}


def running(url: str, request: str) -> list[Any]:
    known = ask(Silences(), url)
    return [each for each in known if request_of(each.comment) == request and each.state == "active"]


@pytest.mark.monitoring
class TestRealAlertmanager:
    def test_what_the_preview_counts_is_hidden_and_comes_back(self, alertmanager: str) -> None:
        counted = {each.labels["pod"] for each in ask(AmAlerts(MATCHERS), alertmanager)}
        outcome = make(alertmanager, effect("RA"))
        assert isinstance(outcome, Done)
        wait_until(lambda: "suppressed" in states(alertmanager).values())
        assert {pod for pod, state in states(alertmanager).items() if state == "suppressed"} == counted
        (made,) = running(alertmanager, "RA")
        assert outcome.note == f"silence {made.id}"
        assert end(alertmanager, made.id) == Done()
        wait_until(lambda: "suppressed" not in states(alertmanager).values())
        assert end(alertmanager, made.id) == Already("has ended already")

    def test_who_made_it_why_and_for_how_long_is_written_there(self, alertmanager: str) -> None:
        wanted = effect("RB", ('alertname="X"', 'a!="b"', 'c!~"d|e"'), why='<!channel> "quoted" [sre-bot RZ]')
        make(alertmanager, wanted)
        (made,) = running(alertmanager, "RB")
        assert made.created_by == "Alice Ø (U0ALICE)"
        assert made.comment == '<!channel> "quoted" [sre-bot RZ] [sre-bot RB]'
        assert set(made.matchers) == set(wanted.matchers)
        assert abs(made.ends_at - datetime.fromisoformat(wanted.until)) < timedelta(seconds=1)
        assert running(alertmanager, "RZ") == []  # a request named in a reason is not found by it

    def test_a_worker_that_died_after_it_was_made_makes_no_second_one(self, alertmanager: str) -> None:
        wanted = effect("RC")
        make(alertmanager, wanted)
        again = make(alertmanager, wanted)
        (made,) = running(alertmanager, "RC")
        assert again == Already(f"silence {made.id}")

    def test_of_two_for_one_request_all_agree_on_one(
        self, alertmanager: str, server: real.Alertmanager
    ) -> None:
        wanted = effect("RD")
        make(alertmanager, wanted)
        (first,) = running(alertmanager, "RD")
        late = {
            "matchers": [{"name": "alertname", "value": "X", "isRegex": False, "isEqual": True},
                         {"name": "pod", "value": "web-.*", "isRegex": True, "isEqual": True}],
            "startsAt": datetime.now(UTC).isoformat(), "endsAt": wanted.until,
            "createdBy": "a late twin", "comment": comment("why", "RD"),
        }  # fmt: skip
        server.request("POST", "/api/v2/silences", late)
        assert len(running(alertmanager, "RD")) == 2
        assert make(alertmanager, wanted) == Already(f"silence {first.id}")
        assert [each.id for each in running(alertmanager, "RD")] == [first.id]

    def test_one_that_was_ended_meanwhile_is_not_made_anew(self, alertmanager: str) -> None:
        wanted = effect("RE")
        make(alertmanager, wanted)
        (made,) = running(alertmanager, "RE")
        end(alertmanager, made.id)
        assert make(alertmanager, wanted) == Already(f"silence {made.id}")
        assert running(alertmanager, "RE") == []

    def test_the_same_request_with_other_matchers_is_not_it(self, alertmanager: str) -> None:
        make(alertmanager, effect("RF"))
        assert isinstance(make(alertmanager, effect("RF", ('alertname="Y"',))), Moved)

    def test_matchers_that_alertmanager_does_not_take(self, alertmanager: str) -> None:
        outcome = make(alertmanager, effect("RG", ('alertname=""',)))
        assert isinstance(outcome, Rejected)
        assert "at least one matcher must not match the empty string" in outcome.reason

    def test_one_whose_time_is_over_is_not_made(self, alertmanager: str) -> None:
        assert isinstance(make(alertmanager, effect("RH", hours=-0.1)), Moved)
        assert running(alertmanager, "RH") == []

    def test_a_rehearsal_makes_nothing(self, alertmanager: str) -> None:
        assert make(alertmanager, effect("RI"), is_rehearsal=True) == Done()
        assert running(alertmanager, "RI") == []

    def test_one_that_nobody_knows_is_gone(self, alertmanager: str) -> None:
        assert end(alertmanager, "00000000-0000-4000-8000-000000000000") == Already("is gone")
        assert isinstance(end(alertmanager, "no-uuid"), Rejected)

    def test_through_the_api_server(self, alertmanager: str, tmp_path: Path) -> None:
        where = site("http://alertmanager.monitoring.svc:9093", "proxy")
        with KubeStandIn() as kube:
            kube.apply(
                [build.namespace("monitoring"), build.service("alertmanager", "monitoring", port=9093)]
            )
            kube.proxy("monitoring", "service/alertmanager", alertmanager)
            config = kube.kubeconfig(tmp_path / "config")
            cluster, api = Cluster(where, config), Api(where, config)
            effects = Effects(api, Silencing(where, cluster, ProxiedWrites(api)))
            outcome = effects.apply(effect("RJ"), soon(10))
            assert isinstance(outcome, Done), outcome
            (made,) = running(alertmanager, "RJ")
            assert made.created_by == "U0ALICE"  # whom nobody knows by name
            assert effects.apply(effect("RJ"), soon(10)) == Already(f"silence {made.id}")
            ending = Unsilence(Target("Silence", "", made.id, made.id))
            assert effects.apply(ending, soon(10)) == Done()
            assert effects.apply(ending, soon(10)) == Already("has ended already")
            cluster.close()
            api.close()


def wait_until(is_so: Any) -> None:
    patience = soon(30)
    while not is_so():
        assert time.monotonic() < patience


# One that misbehaves.


def answering(*answers: Any) -> Any:
    left = list(answers)
    return lambda _: left.pop(0) if left[1:] else left[0]


NONE = page(200, [])


@pytest.mark.parametrize(
    ("answers", "kind", "reason"),
    [
        ((page(503, "x", "text/plain"),), Unreachable, "alertmanager: answers 503"),
        ((NONE, page(500, '"boom"')), Unreachable, "alertmanager: answers 500"),
        ((NONE, DROP), Unreachable, "alertmanager: the connection was dropped"),
        ((NONE, HTML), Refused, "alertmanager: not an answer of Alertmanager (200, HTML)"),
        ((NONE, page(401, "no", "text/plain")), Refused, "alertmanager: needs a login (401)"),
    ],
)
def test_what_is_no_answer_is_asked_again_or_told(answers: Any, kind: type[Unanswered], reason: str) -> None:
    with RudeServer(answering(*answers)) as server, pytest.raises(kind) as caught:
        make(server.url, effect())
    assert caught.value.reason == reason


def test_a_silence_that_was_taken_while_the_answer_was_lost_is_found_again() -> None:
    """Alertmanager takes it and the line breaks; the next try finds it by its comment and posts nothing."""
    taken: list[Asked] = []

    def say(asked: Asked) -> Any:
        if asked.method == "POST":
            taken.append(asked)
            return DROP
        if not taken:
            return NONE
        body = orjson.loads(taken[0].body)
        return page(200, [{**body, "id": "s1", "status": {"state": "active"}}])

    wanted = effect()
    with RudeServer(say) as server:
        with pytest.raises(Unreachable):
            make(server.url, wanted)
        assert make(server.url, wanted) == Already("silence s1")
    assert len(taken) == 1


def test_a_cluster_without_alertmanager_says_so(tmp_path: Path) -> None:
    with KubeStandIn() as kube:
        api = Api(site(""), kube.kubeconfig(tmp_path / "config"))
        with pytest.raises(Refused, match="has none to ask"):
            Effects(api).apply(effect(), soon())
        with RudeServer(lambda _: NONE) as server:
            client = silencing(server.url)
            assert Rehearsals(api, client).read(DryRun(effect()), soon()) == Rehearsal(True)
            client.close()
        assert [asked.method for asked in server.asked] == ["GET"]
        api.close()


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        (comment("why", "R1"), "R1"),
        (comment("", "R1"), "R1"),
        (comment("[sre-bot R2]", "R1"), "R1"),
        (comment("why\n[sre-bot R2]\n", "R1"), "R1"),
        ("[sre-bot R2] and more", ""),
        ("[sre-bot R2]\n", ""),
        ("made by hand", ""),
    ],
)
def test_a_comment_names_the_request_that_made_it_and_no_other(text: str, request_id: str) -> None:
    assert request_of(text) == request_id
