"""The graph of an alert: drawn where there is a course to see, left out where there is none."""

from dataclasses import replace
from datetime import timedelta

import pytest

from commands.alertreads import Matrix, QueryRange, Series
from commands.model import Section
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage import graph
from tests import build

LINK = "http://prometheus.example/graph?g0.expr=up+%3D%3D+0"


def shown(*values: float) -> Section:
    """Of an alert whose expression had these values, a minute apart."""
    first = build.NOW - timedelta(minutes=len(values))
    points = tuple(((first + timedelta(minutes=n)).timestamp(), value) for n, value in enumerate(values))
    walk = graph.drawn(
        build.group(replace(build.alert("TargetDown"), generator_url=LINK)), ClusterSite(name="training")
    )
    asked = next(walk)
    while True:
        seen = {
            read: build.NOW if read == Now() else Matrix((Series({"job": "backend"}, points),))
            for read in asked
        }
        assert all(isinstance(read, Now | QueryRange) for read in asked)
        try:
            asked = walk.send(seen)
        except StopIteration as done:
            made: Section = done.value
            return made


@pytest.mark.parametrize(("values", "graphs"), [((1, 1, 0, 0), 1), ((0,), 0)])
def test_a_single_point_is_no_graph_and_no_fault_either(values: tuple[float, ...], graphs: int) -> None:
    section = shown(*values)
    assert (len(section.attachments), section.findings) == (graphs, ())
