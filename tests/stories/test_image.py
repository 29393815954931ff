"""The image without an engine: built by the Dockerfile's own lines, then run as nobody, with a root it cannot write to.

Both processes come from what was built and from nothing else; a stand-in is Slack and another the cluster.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.version import VERSION
from sandbox.house import House, Member
from sandbox.kube import KubeStandIn, build
from sandbox.process import Child
from sandbox.slack import SlackStandIn
from tests.image import Followed, follow, stages

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

MOST_MEGABYTES = 240  # installed; the base comes on top of it

READ = "3/5 green"  # nodes, pods and events of a cluster that has no metrics

PROGRAMS = {"bot": "bot", "workers": "worker"}

# Nobody may write below the root then, root itself neither: it keeps its files and loses what lets it pass over rights.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
AS_NOBODY = POWERLESS if os.geteuid() == 0 else []

DRAW = """
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo
from commands.picture import Curve, Picture
from workers.pictures import Painter
now = datetime(2026, 1, 1, tzinfo=UTC)
curve = Curve("errors", tuple(((now + timedelta(minutes=n)).timestamp(), n / 60) for n in range(60)))
picture = Picture(title="Errors", start=now, end=now + timedelta(hours=1), curves=(curve,), unit="ratio")
print(len(Painter(str, ZoneInfo("Europe/Berlin")).draw(picture)))
"""


@pytest.fixture(scope="module")
def image() -> Iterator[Followed]:
    folder = Path(tempfile.mkdtemp(prefix="sre-bot-image-"))
    try:
        built = follow(folder)
        subprocess.run(["chmod", "-R", "a-w", built.root], check=True)
        yield built
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        shutil.rmtree(folder)


def run(image: Followed, *words: str) -> subprocess.CompletedProcess[str]:
    """With nothing of this machine but the clock: not even HOME."""
    env = {name: image.environment[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE")}
    with tempfile.TemporaryDirectory() as tmp:
        env["MPLCONFIGDIR"] = f"{tmp}/matplotlib"
        words = (*AS_NOBODY, *words)
        return subprocess.run(words, cwd="/", env=env, capture_output=True, text=True, timeout=120)


def test_its_entry_point_starts_by_itself(image: Followed) -> None:
    (program,) = stages()[-1].last("ENTRYPOINT").value
    done = run(image, program, "version")
    assert (done.returncode, done.stdout.strip()) == (0, VERSION), done.stderr


def test_it_says_what_is_not_configured_and_ends(image: Followed) -> None:
    done = run(image, "sre-bot", "bot")
    assert done.returncode == 2
    assert "SLACK_BOT_TOKEN" in done.stderr


def test_it_draws_graphs_without_what_was_left_out(image: Followed) -> None:
    done = run(image, "python", "-c", DRAW)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


def test_it_knows_the_services_of_aws_that_are_asked(image: Followed) -> None:
    made = "import boto3; boto3.client('eks', 'eu-central-1'); boto3.client('ec2', 'eu-central-1')"
    assert run(image, "python", "-c", made).returncode == 0


def test_it_is_small_and_whole(image: Followed) -> None:
    app = image.path("/opt/sre-bot")
    size = sum(file.lstat().st_size for file in app.rglob("*") if file.is_file()) / 1e6
    print(f"\ninstalled: {size:.0f} MB")
    assert size < MOST_MEGABYTES
    named = {path.name for path in app.rglob("*")}
    assert not named & {"pip", "pytest", "moto", "sandbox", "tests"}
    modules = [path for path in app.rglob("*.py") if path.parent.name == "bot"]
    compiled = {path.name.partition(".")[0] for path in app.rglob("bot/__pycache__/*.pyc")}
    assert {path.stem for path in modules} == compiled


class ImageHouse(House):
    """The house as the image runs it: its programs, its environment, no folder of its own."""

    def __init__(self, image: Followed, **options: object) -> None:
        self._image = image
        super().__init__(**options)  # type: ignore[arg-type]

    def member(self, name: str, module: str, is_ready: Callable[[], bool]) -> Member:
        program = self._image.path("/opt/sre-bot/bin/sre-bot")
        given = {
            key: value for key, value in self._environment().items() if key not in ("PYTHONPATH", "HOME")
        }
        argv = [*AS_NOBODY, str(program), PROGRAMS[module]]
        return Member(name, Child(argv, log=self.folder / f"{name}.log", env=given | self._own()), is_ready)

    def _own(self) -> dict[str, str]:
        tmp = self.folder / "tmp"
        tmp.mkdir(exist_ok=True)
        own = {name: self._image.environment[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE")}
        return {**own, "MPLCONFIGDIR": f"{tmp}/matplotlib", "TMPDIR": str(tmp)}


def test_both_processes_answer_from_it_and_write_nothing_into_it(image: Followed) -> None:
    before = sorted(image.root.rglob("*"))
    folder = image.root.parent / "house"
    with KubeStandIn() as kube, SlackStandIn() as slack:
        kube.apply([build.node("node-1", zone="eu-central-1a")])
        config = kube.kubeconfig(image.root.parent / "kubeconfig")
        site = {"cluster": {"eks": False}}
        with ImageHouse(
            image, slack=slack, kubeconfig=config, site=site, folder=folder, worker_count=1
        ) as house:
            assert slack.command("alice", "#sre-daily", "health cluster").status == 200
            slack.wait_for(lambda: [m for m in slack.messages("#sre-daily") if READ in m["text"]], timeout=60)
            logs = "".join(member.log() for member in house.members)
    assert "Traceback" not in logs, logs
    assert sorted(image.root.rglob("*")) == before
