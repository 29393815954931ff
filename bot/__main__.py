"""`python -m bot`: Slack intake, HTTP ingress and the Slack sender. `python -m bot doctor` checks a setup."""

import logging
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

from redis.exceptions import RedisError
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackClientError

from bot import duties, logs, metrics, rooms, settings, slack, tracing, vitals, web
from bot.courier import Courier
from bot.desk import Desk, Receipt, Said
from bot.ears import Ears, Heard
from bot.homes import Homes, Sweep, opened
from bot.homeview import Views
from bot.intake import Intake
from bot.people import People
from bot.presence import Presence
from bot.records import Records
from bot.scribe import Scribe
from bot.state import GIVEN_UP, State, connect
from bot.turns import in_turns
from bot.wire import TIMEOUT, Told, Wire
from commands.catalog import Catalog
from commands.finding import Suggestion
from commands.model import Actor, Place
from commands.site import Site

log = logging.getLogger("bot")

_LISTEN = timedelta(seconds=10)

COURIERS = 4  # Slack calls under way at once; each channel still gets its messages one by one


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["doctor"]:
        from bot import doctor  # it brings clients that the serving process does not need

        return doctor.main(arguments[1:], os.environ)
    if arguments:
        print("usage: python -m bot [doctor [--json]]", file=sys.stderr)
        return 2
    try:
        loaded = settings.load(os.environ)
    except settings.BadSettings as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(loaded.redactor(), loaded.log_level)
    _forget_environment()
    metrics.started("bot")
    tracing.configure(loaded.otlp_endpoint, "bot")
    if missing := tracing.missing(loaded.otlp_endpoint):
        log.warning("%s", missing)
    _serve(loaded)
    return 0


def _forget_environment() -> None:
    """Bolt reads the environment by itself: SLACK_CLIENT_ID there would switch OAuth on and drop the token.
    And what is no longer in the environment cannot be told by anything that dumps it."""
    for name in [name for name in os.environ if name.startswith("SLACK_")]:
        del os.environ[name]


def _serve(loaded: settings.Settings) -> None:
    stop = Event()
    redact = loaded.redactor()
    client = Told(
        loaded.slack_bot_token.reveal(), base_url=loaded.slack_api_url, timeout=TIMEOUT, retry_handlers=[]
    )
    # Intake must say "not accepted" within Slack's three seconds; the sender may wait for Redis to return.
    url = loaded.redis_url.reveal()
    front = State(connect(url, patient=False), GIVEN_UP, redact)
    back = State(connect(url, patient=True), redact=redact)
    quick = Told(loaded.slack_bot_token.reveal(), base_url=loaded.slack_api_url, timeout=1, retry_handlers=[])
    people = People(front, loaded.site, quick)
    catalog = Catalog.load(zone=ZoneInfo(loaded.site.timezone))
    desk = Desk(front, catalog, loaded.site, people, effective_config=settings.effective(loaded))
    ears = Ears(front, Records(front, loaded.site))
    secret, wire = loaded.slack_signing_secret.reveal(), Wire(back, client, timedelta(minutes=1))
    bolt = slack.app(desk, people, quick, secret, redact, ears.hear, partial(opened, front))
    views = Views(back, catalog, loaded.site, People(back, loaded.site, quick))
    courier = Courier(
        back, client, redact, fallback=(loaded.site.channel("alerts"), loaded.site.channel("incidents")),
        site=loaded.site, offered=catalog.offered, homes=Homes(back, views, wire, redact),
    )  # fmt: skip
    socket = _socket(loaded, bolt)
    app = web.Web(
        Intake(front, catalog, loaded.site),
        bolt,
        signing_secret=secret,
        alert_tokens=tuple(token.reveal() for token in loaded.alertmanager_tokens),
        not_ready=lambda: _not_ready(front, people, socket),
        told=lambda: vitals.read(front, loaded.site),
    )
    server = web.serve(app, loaded.port)
    threads = [Thread(target=courier.run, args=(stop,), name=f"courier-{n}") for n in range(COURIERS)]
    scribe = Scribe(
        back, Records(back, loaded.site), wire, me=people.bot_user,
        greet=lambda user, channel, delivery: _greet(desk, people, user, channel, delivery),
        offer=lambda heard, text, suggestion: _offer(desk, people, heard, text, suggestion),
    )  # fmt: skip
    threads.append(Thread(target=scribe.run, args=(stop,), name="scribe"))
    threads.append(Thread(target=people.keep_fresh, args=(client, stop), name="people"))
    threads.append(Thread(target=back.beat, args=("bot-start",), name="bot-start"))
    threads.append(Thread(target=Presence(back, "bot").run, args=(stop,), name="presence"))
    threads.append(Thread(target=_listen, args=(back, stop), name="listening"))
    threads.append(Thread(target=_look_after_rooms, args=(back, loaded.site, stop), name="rooms"))
    threads.append(Thread(target=Sweep(back, views, redact).run, args=(stop,), name="homes"))
    if socket:
        threads.append(Thread(target=_connect, args=(socket, stop), name="socket-mode"))
    for thread in threads:
        thread.start()
    log.info("bot listens on port %s: %s", loaded.port, _described(loaded))
    signal.signal(signal.SIGTERM, _stop_serving)
    server.run()
    stop.set()
    if socket:
        socket.close()  # type: ignore[no-untyped-call]
    for thread in threads:
        thread.join()
    log.info("bot stopped")


def _greet(desk: Desk, people: People, user: str, channel: str, delivery: str) -> None:
    """Who comes to an incident is told how it stands, as if they had asked."""
    said = Said(Actor(user, people.home_team()), Place(channel), "incident brief", delivery)
    desk.whisper(said, desk.submit(said))


def _offer(desk: Desk, people: People, heard: Heard, text: str, suggestion: Suggestion) -> None:
    """Once for each ☑, to who put it there."""
    place = Place(heard.channel, heard.thread)
    delivery = f"offered {heard.channel} {heard.ts} {heard.by}"
    said = Said(Actor(heard.by, people.home_team()), place, "", delivery)
    desk.whisper(said, Receipt(text, suggestions=(suggestion,)))


def _stop_serving(signum: int, frame: Any) -> None:
    """waitress ends its loop on SystemExit, after the requests under way."""
    raise SystemExit


def _socket(loaded: settings.Settings, bolt: App) -> SocketModeHandler | None:
    if not loaded.socket_mode:
        return None
    client = Told(base_url=loaded.slack_api_url, timeout=TIMEOUT)
    return SocketModeHandler(bolt, loaded.slack_app_token.reveal(), web_client=client)


def _connect(socket: SocketModeHandler, stop: Event) -> None:
    """Open the first connection, however long Slack is away; the client itself reconnects later ones."""
    while not stop.is_set():
        try:
            socket.connect()  # type: ignore[no-untyped-call]
            return
        except (SlackClientError, OSError) as error:
            log.warning("Socket Mode: no connection yet: %s", error)
            stop.wait(2)


def _look_after_rooms(state: State, site: Site, stop: Event) -> None:
    """See that the channel of each incident is looked at now and then."""

    def remind() -> None:
        with state.lease("rooms") as is_ours:
            if is_ours:
                rooms.remind(state, site)

    in_turns(stop, rooms.REMIND, remind)


def _listen(state: State, stop: Event) -> None:
    """Note from when on somebody was here to hear a Watchdog (bot/duties.py, Ear)."""

    def listen() -> None:
        if duties.is_break(state.heard("listening"), datetime.now(UTC)):
            state.beat("listening-since")
        state.beat("listening")

    in_turns(stop, _LISTEN, listen, at_once=True)


def _not_ready(state: State, people: People, socket: SocketModeHandler | None) -> list[str]:
    """What keeps this process from doing its work, each with its reason.

    Slack being away, or refusing the sender, is not in it: a pod that still takes in alerts must keep its
    traffic. The doctor, the log and the metrics tell that.
    """
    try:
        state.probe()
        missing = [] if people.home_team() else ["Slack has not told the bot its workspace (auth.test)"]
    except RedisError as error:
        return [f"Redis does not answer: {error}"]
    if socket and not socket.client.is_connected():
        missing.append("Socket Mode is not connected")
    return missing


def _described(loaded: settings.Settings) -> str:
    modes = [name for name, on in (("HTTP", loaded.http_mode), ("Socket Mode", loaded.socket_mode)) if on]
    clusters = ", ".join(loaded.site.clusters)
    return f"Slack at {loaded.slack_api_url} by {' and '.join(modes)}, Redis {loaded.redis_shown}, clusters: {clusters}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
