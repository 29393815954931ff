"""sre-bot.yaml of the sandbox: the manual's defaults, with the cast in its roles; what a given file says wins.

Pure but for reading that file. Called by assembly.py at each start of the house.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sandbox.given import Given
from sandbox.shop import inventory
from sandbox.slack.cast import ALICE, BOB

Json = dict[str, Any]

APPROVERS = "S0APPROVERS"  # of the cast


def site(given: Given, urls: Mapping[str, str], monitored: Json) -> Json:
    """`urls` are what a browser opens, `monitored` how the bot reaches what measures."""
    laid: Json = {"cluster": _cluster(given), "monitoring": monitored, "urls": dict(urls)}
    # Alertmanager tells it every 20 s here, so that its silence is noticed while somebody looks.
    laid["alerts"] = {"watchdog": {"silent_for": "90s"}}
    if not given.has_slack:
        laid |= _people()
    return _over(laid, yaml.safe_load(given.config.read_text()) or {}) if given.config else laid


def _cluster(given: Given) -> Json:
    if given.kubeconfig is None:
        return {
            "name": inventory.CLUSTER,
            "region": inventory.REGION,
            "nodegroups": [inventory.NODEGROUP],
        }
    return {"name": _named(given.kubeconfig), "region": inventory.REGION}


def _named(kubeconfig: Path) -> str:
    """The cluster of its current context, as its owner calls it."""
    found = yaml.safe_load(kubeconfig.read_text()) or {}
    contexts = {each["name"]: each["context"] for each in found.get("contexts") or ()}
    named = str(contexts.get(found.get("current-context"), {}).get("cluster") or "cluster")
    return named.rpartition("/")[2]  # EKS writes the whole ARN


def _people() -> Json:
    return {
        "roles": {
            "oncall": {"rota": [ALICE.id]},
            "approvers": [APPROVERS],
            "two_person": [APPROVERS, ALICE.id],
            "sre-lead": BOB.id,
            "security": BOB.id,
            "platform": BOB.id,
            "service-owner": [ALICE.id, BOB.id],
            "db-owner": BOB.id,
            "comms": BOB.id,
        },
        # Alice asks, Bob agrees, and Carol (like everybody else) may only look.
        "access": [
            {"roles": ["oncall", "service-owner"], "may": ["submit"], "verbs": ["*"]},
            {"roles": ["approvers"], "may": ["submit", "approve"], "verbs": ["*"]},
        ],
        "team": {"members": [ALICE.id, BOB.id]},
    }


def _over(below: Json, above: Mapping[str, Any]) -> Json:
    """Mappings go into each other, anything else replaces."""
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return both
