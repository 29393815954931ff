"""Graphs drawn by the real library: what is on them, how long it takes, and that bad data costs nothing."""

import math
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from test_engine import SITE, opened, stored
from test_keeping import WithFiles

from bot.state import State
from commands.finding import Light
from commands.model import Attachment, Section
from commands.picture import Curve, Picture
from tests import build
from tests.fakes import FakeReader
from workers.engine import Engine
from workers.pictures import CURVES, Painter

PNG = b"\x89PNG\r\n\x1a\n"
START = build.NOW - timedelta(hours=1)
PAINTER = Painter(lambda text: text.replace("hunter2", "***"), ZoneInfo("Europe/Berlin"))
ROOT = Path(__file__).parents[2]


def curve(label: str, at: Callable[[int], float], count: int = 240) -> Curve:
    begin = START.timestamp()
    return Curve(label, tuple((begin + 15 * n, at(n)) for n in range(count)))


def picture(*curves: Curve, **changes: object) -> Picture:
    made = Picture("HighMemoryUsage", curves or (curve("web-7", float),), START, build.NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_graph_is_a_png_of_a_size_that_a_phone_shows_whole() -> None:
    drawn = PAINTER.draw(picture())
    assert drawn is not None and drawn.startswith(PNG)
    assert struct.unpack(">II", drawn[16:24]) == (1000, 600)
    assert len(drawn) < 200_000


def test_threshold_and_onset_are_lines_of_their_own() -> None:
    plain = PAINTER.draw(picture())
    level = PAINTER.draw(picture(threshold=120.0, threshold_text="> 120"))
    began = PAINTER.draw(picture(onset=build.NOW - timedelta(minutes=20)))
    assert len({plain, level, began}) == 3
    assert reds(level) > 200 > reds(plain) == reds(began)


def reds(drawn: bytes | None) -> int:
    """Pixels in the colour of the threshold, which no curve has."""
    assert drawn is not None
    raw = Image.open(BytesIO(drawn)).convert("RGB").tobytes()
    return sum(1 for n in range(0, len(raw), 3) if raw[n] > 170 and raw[n + 1] < 90 and raw[n + 2] < 90)


@pytest.mark.parametrize("unit", ["ratio", "bytes", "seconds", "cores", "", "furlongs"])
@pytest.mark.parametrize("top", [0.0, 1e-9, 0.3, 42.0, 7e9, 1e17, -5.0])
def test_every_unit_is_drawn_at_every_height(unit: str, top: float) -> None:
    assert PAINTER.draw(picture(curve("x", lambda n: top * n / 240), unit=unit, threshold=top))


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((1.0, NAN),),
        ((START.timestamp(), INF),),
        ((START.timestamp(), 1e300),),
        ((NAN, 1.0),),
        ((INF, 1.0),),
    ],
)
def test_where_nothing_can_be_drawn_there_is_no_graph(points: tuple[tuple[float, float], ...]) -> None:
    assert PAINTER.draw(picture(Curve("x", points))) is None


def test_what_can_be_drawn_of_bad_data_is_drawn() -> None:
    at = START.timestamp()
    holes = Curve("x", ((at, 1.0), (at + 60, NAN), (at + 120, 1e300), (at + 180, 2.0)))
    for bad in (
        picture(holes),
        picture(Curve("one", ((at, 3.0),))),
        picture(start=build.NOW, end=build.NOW),
        picture(start=build.NOW, end=START),
        picture(threshold=NAN),
        picture(threshold=INF, onset=build.NOW + timedelta(days=9)),
        picture(
            curve("$x^ {", float),
            title="$\\frac{ 🔥 \u202e 漢字\n$",
            threshold_text="$",
            note="_^$",
            threshold=1.0,
        ),
        picture(curve("x" * 5000, float), title="y" * 5000, note="z" * 5000),
        picture(*(curve("", lambda n: 0.0) for _ in range(3)), title=""),
    ):
        assert PAINTER.draw(bad)


def test_of_many_curves_the_highest_are_drawn_and_the_rest_counted() -> None:
    flat = [curve(f"c{n}", lambda _, n=n: float(n)) for n in range(CURVES + 3)]  # type: ignore[misc]
    same = picture(*flat[3:], note="3 more curves are not drawn")
    assert PAINTER.draw(picture(*flat)) == PAINTER.draw(replace(same, curves=tuple(reversed(same.curves))))


def test_no_text_of_a_graph_has_a_secret() -> None:
    def told(secret: str) -> Picture:
        return picture(
            curve(f"pod {secret}", float),
            title=f"T {secret}",
            threshold=9.0,
            threshold_text=secret,
            note=secret,
        )

    assert PAINTER.draw(told("hunter2")) == PAINTER.draw(told("***"))


def test_times_are_told_in_the_zone_of_the_site() -> None:
    tokyo = Painter(str, ZoneInfo("Asia/Tokyo"))
    assert PAINTER.draw(picture()) != tokyo.draw(picture())


def test_several_threads_draw_the_same_as_one() -> None:
    wanted = [picture(curve(f"web-{n}", lambda x, n=n: float(x * n))) for n in range(8)]  # type: ignore[misc]
    alone = [PAINTER.draw(each) for each in wanted]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(PAINTER.draw, wanted)) == alone


def test_a_graph_takes_well_under_half_a_second_once_the_library_is_loaded() -> None:
    eight = picture(*(curve(f"web-{n}", lambda x, n=n: math.sin(x / 9 + n)) for n in range(8)))  # type: ignore[misc]
    PAINTER.draw(eight)
    spent = []
    for _ in range(3):
        begun = time.process_time()
        PAINTER.draw(eight)
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.5


def test_a_worker_that_draws_nothing_does_not_load_the_library() -> None:
    asked = (
        "import workers.__main__, sys; print([m for m in ('matplotlib', 'numpy', 'PIL') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=ROOT, check=True)
    assert told.stdout.strip() == "[]"


def drawn_section(state: State, file: Attachment) -> Section:
    opened(state, sections=(Section("slo", "Graph"),))
    Engine(state, WithFiles(file), SITE, lambda _: FakeReader(), draw=PAINTER.draw).answer("RTEST0001")
    return stored(state).sections[0]


def test_a_picture_of_a_section_is_kept_as_a_file_and_leaves_the_record(state: State) -> None:
    section = drawn_section(state, Attachment("graph.png", "Memory", picture=picture()))
    [file] = section.attachments
    assert file.is_image and file.picture is None
    assert state.file(file.stored) == PAINTER.draw(picture())
    assert section.findings == ()


def test_a_picture_of_nothing_is_said_and_not_kept(state: State) -> None:
    section = drawn_section(state, Attachment("graph.png", "Memory", picture=picture(Curve("x", ()))))
    assert section.attachments == ()
    [finding] = section.findings
    assert finding.light is Light.UNKNOWN
    assert finding.value == "unknown: nothing in what was read can be drawn"


def test_a_condition_is_drawn_in_steps_and_a_measured_number_is_not() -> None:
    """Between two readings it held or did not, so no line climbs from the one to the other."""
    rare = Curve("web-7", tuple((START.timestamp() + 900 * n, float(n > 2)) for n in range(5)))
    holds, measured = PAINTER.draw(picture(rare)), PAINTER.draw(picture(rare, unit="ratio"))
    assert places(holds) * 3 < places(measured)


def places(drawn: bytes | None) -> int:
    """At how many places across the curve begins, height by height: few where it stands upright, many where it climbs."""
    assert drawn
    shown = Image.open(BytesIO(drawn)).convert("RGB")
    rows = ({x for x in range(shown.width) if shown.getpixel((x, y)) == (0, 0x72, 0xB2)} for y in range(450))
    return len({min(row) for row in rows if row})
