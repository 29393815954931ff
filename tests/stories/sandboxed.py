"""The sandbox as the stories in a browser need it: nothing happens in it but what they do, however busy the machine is."""

from bot.state import State, connect
from sandbox.assembly import Sandbox
from sandbox.house import PATIENCE
from tests.stories.almanac import still


def undisturbed(sandbox: Sandbox) -> None:
    """Its calendar rests, and what is typed or pressed on its page may be answered late."""
    sandbox.slack.courier.ack_timeout = PATIENCE
    with connect(sandbox.house.redis_url, patient=True) as connection:
        still(State(connection))
