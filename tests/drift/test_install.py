"""docs/install.md: its file loads, its alert is taken, its words are programs, variables and keys that there are."""

import json
import re

from bot import alertbody, doctor
from bot.cli import PROGRAMS
from bot.doctor.check import BROKEN, STATES, Check
from bot.settings import VARIABLES
from bot.sitefile import parse
from tests.drift.tree import ROOT

TEXT = (ROOT / "docs" / "install.md").read_text()


def block(kind: str, beginning: str) -> str:
    """The text of the one code block of this kind that begins so."""
    (found,) = [
        text for text in re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL) if text.startswith(beginning)
    ]
    return str(found)


def test_the_file_to_begin_with_loads_and_lets_somebody_change_something() -> None:
    site = parse(block("yaml", "timezone"))
    assert list(site.clusters) == ["my-cluster"]
    assert [rule.may for rule in site.access] == [("submit", "approve")]
    assert site.role_members("oncall") and site.role_members("approvers")


def test_the_alert_to_try_is_taken() -> None:
    body = TEXT.partition("-d '")[2].partition("'\n")[0]
    heard = alertbody.parse(body.encode())
    assert [alert.labels["alertname"] for alert in heard.alerts] == ["Hello"]


def test_every_program_and_variable_it_names_is_there() -> None:
    named = set(re.findall(r"(?:^    |`|-- )sre-bot ([a-z]+)\b", TEXT, re.MULTILINE))
    assert named == {"bot", "worker", "doctor", "manifest", "config"}
    assert named <= set(PROGRAMS)
    variables = set(re.findall(r"`((?:SLACK|REDIS|SRE_BOT|ALERTMANAGER)_[A-Z_]+)`", TEXT))
    assert variables and variables <= set(VARIABLES)


def test_the_shape_for_programs_is_the_one_that_is_promised() -> None:
    promised = json.loads(block("json", "{"))
    told = json.loads(doctor.as_json([Check("Slack scopes", BROKEN, "found", "mend", "Slack")]))
    assert set(told) == set(promised)
    assert set(told["checks"][0]) == set(promised["checks"][0])
    assert list(told["summary"]) == list(promised["summary"]) == list(STATES.values())


def test_every_page_it_points_to_is_there() -> None:
    pages = set(re.findall(r"\]\(([a-z-]+\.md)", TEXT))
    assert pages
    assert [page for page in sorted(pages) if not (ROOT / "docs" / page).exists()] == []
