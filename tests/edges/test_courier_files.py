"""Files that go with a section, on the Slack stand-in: in the thread, masked, once, whatever goes wrong."""

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient
from test_courier import DAILY, MS, QUICK, answered, deliver, roots, show

from bot.courier import Courier
from bot.outbox import ClaimLost, Outbox
from bot.state import State
from commands.model import Attachment, Request
from sandbox.slack import SlackStandIn
from sandbox.slack.installed import SCOPES
from tests import build

KEY = "RTEST0001:evidence:0"
FILE = Attachment(
    "evidence.txt", "Evidence of shop/backend-1", stored=KEY, sha256="ab" * 32, size=27,
    bucket="s3://backups/evidence/training/evidence.txt",
)  # fmt: skip


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


@pytest.fixture
def courier(state: State, slack_client: WebClient) -> Courier:
    return Courier(state, slack_client, lambda text: text.replace("hunter2", "***"), QUICK)


def with_file() -> Request:
    return answered(build.request(), replace(build.section("evidence"), attachments=(FILE,)))


def open_card(state: State, content: bytes | None = b"the password is hunter2 \xe2\x82\xac") -> None:
    change = state.change().put(with_file(), was="").show(with_file())
    if content is not None:
        change.keep_file(KEY, content)
    change.commit()


def replies(slack: SlackStandIn) -> list[dict[str, Any]]:
    return slack.thread(DAILY, roots(slack)[0]["ts"])[1:]


def shared(slack: SlackStandIn) -> list[dict[str, Any]]:
    return [file for message in replies(slack) for file in message.get("files") or ()]


def content_of(slack: SlackStandIn, file: dict[str, Any]) -> bytes:
    asked = urllib.request.Request(
        file["url_private"], headers={"Authorization": f"Bearer {slack.bot_token}"}
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:
        body: bytes = answer.read()
        return body


def test_a_file_comes_into_the_thread_after_its_section_with_its_secrets_masked(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    open_card(state)
    deliver(courier, state)
    section, file = replies(slack)
    assert section["text"] == "🟢 EVIDENCE: all green"
    assert "Evidence of shop/backend-1" in file["text"]
    assert FILE.sha256 in file["text"] and FILE.bucket in file["text"]
    assert [each["title"] for each in file["files"]] == ["evidence.txt"]
    assert content_of(slack, file["files"][0]).decode() == "the password is *** €"


def test_a_file_is_shared_once_however_often_the_card_changes(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    open_card(state)
    deliver(courier, state)
    changed = replace(with_file(), sections=(*with_file().sections, build.section("slo")))
    show(state, changed, was="1")
    deliver(courier, state)
    assert len(shared(slack)) == 1


@pytest.mark.parametrize("kind", ["drop_after", "fatal_error"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_share_whose_answer_got_lost_is_looked_up_before_it_is_made_again(
    state: State, slack: SlackStandIn, courier: Courier, kind: Any, times: int
) -> None:
    slack.fault("files.completeUploadExternal", kind, times=times)
    open_card(state)
    deliver(courier, state)
    assert len(shared(slack)) == 1
    assert len(slack.calls("files.getUploadURLExternal")) == 1
    assert len(slack.calls("files.completeUploadExternal")) == 1, "found in the thread, so not made again"


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
@pytest.mark.parametrize("kind", ["drop_before", "status", "ratelimited"])
def test_a_step_without_effect_is_made_good(
    state: State, slack: SlackStandIn, courier: Courier, method: str, kind: Any
) -> None:
    slack.fault(method, kind, times=2, **({"retry_after": 0} if kind == "ratelimited" else {}))
    open_card(state)
    deliver(courier, state)
    assert len(shared(slack)) == 1


def test_a_share_that_slack_shows_late_is_waited_for(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    """Slack has shared it and says so to whoever shares it again, but the thread does not show it yet."""
    courier = Courier(state, slack_client, str, replace(QUICK, settle=200 * MS))
    open_card(state)
    deliver(courier, state, lambda: len(replies(slack)) == 1 if roots(slack) else False)
    slack.fault("files.completeUploadExternal", "drop_after", times=1)
    deliver(courier, state, lambda: slack.calls("files.completeUploadExternal"))
    [(channel, ts)] = slack.workspace.files[next(iter(slack.workspace.files))].shares
    hidden = slack.workspace.channels[channel].messages.pop(ts)
    deliver(courier, state, lambda: len(slack.calls("files.completeUploadExternal")) > 2)
    slack.workspace.channels[channel].messages[ts] = hidden
    deliver(courier, state)
    assert len(shared(slack)) == 1
    assert len(slack.calls("files.getUploadURLExternal")) == 1


def test_an_upload_that_slack_has_forgotten_is_made_anew(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("files.completeUploadExternal", "drop_before", times=1)
    open_card(state)
    deliver(courier, state, lambda: slack.calls("files.completeUploadExternal"))
    slack.workspace.files.clear()
    deliver(courier, state)
    assert len(shared(slack)) == 1
    assert len(slack.calls("files.getUploadURLExternal")) == 2


class Killed(BaseException):
    """The end of the process, at a chosen step."""


@pytest.mark.parametrize("step", ["upload", "note"])
def test_a_courier_killed_between_upload_and_share_or_after_it_leaves_one_file(
    state: State, slack: SlackStandIn, slack_client: WebClient, courier: Courier, step: str
) -> None:
    class Mortal(Courier):
        def _uploaded(self, message: Any, kept: bytes) -> str:
            uploaded = super()._uploaded(message, kept)
            if step == "upload":
                raise Killed
            return uploaded

        def _share(self, *args: Any, **where: Any) -> None:
            note, self._outbox.note_sent = self._outbox.note_sent, _die  # type: ignore[method-assign]
            try:
                super()._share(*args, **where)
            finally:
                self._outbox.note_sent = note  # type: ignore[method-assign]

    quick = replace(QUICK, lease=timedelta(milliseconds=400))
    doomed = Mortal(state, slack_client, str, quick)
    open_card(state)
    with pytest.raises(Killed):
        deliver(doomed, state)
    deliver(courier, state)
    assert len(shared(slack)) == 1


def _die(*args: Any) -> None:
    raise Killed


def test_a_courier_whose_claim_was_taken_over_does_not_share(
    state: State, slack: SlackStandIn, slack_client: WebClient, courier: Courier
) -> None:
    """Both have uploaded; the one that lost its claim meanwhile stops before anybody can see it."""

    class Overtaken(Courier):
        def _uploaded(self, message: Any, kept: bytes) -> str:
            uploaded = super()._uploaded(message, kept)
            state.redis.hset("sre:outbox:claims", "request:RTEST0001", "another")
            return uploaded

    open_card(state)
    deliver(courier, state, lambda: len(replies(slack)) == 1 if roots(slack) else False)
    overtaken = Overtaken(state, slack_client, str, QUICK)
    while not overtaken.step():
        Outbox(state).wait_for_mail(10 * MS)
    assert shared(slack) == []
    assert ClaimLost.__name__ not in str(Outbox(state).dead_letters())


def test_a_file_that_is_no_longer_kept_is_a_dead_letter_and_the_rest_of_the_card_arrives(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    open_card(state, content=None)
    deliver(courier, state, lambda: Outbox(state).dead_letters())
    assert [letter.error for letter in Outbox(state).dead_letters()] == ["file_gone"]
    assert [message["text"] for message in replies(slack)] == ["🟢 EVIDENCE: all green"]


def test_an_app_without_the_scope_for_files_still_gets_its_cards(state: State) -> None:
    with SlackStandIn(rate_limits="off", scopes=SCOPES - {"files:write"}) as slack:
        client = WebClient(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])
        courier = Courier(state, client, str, QUICK)
        open_card(state)
        deliver(courier, state, lambda: Outbox(state).dead_letters())
        assert [letter.error for letter in Outbox(state).dead_letters()] == ["missing_scope"]
        assert [message["text"] for message in replies(slack)] == ["🟢 EVIDENCE: all green"]
