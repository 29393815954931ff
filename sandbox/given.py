"""Which parts of the sandbox somebody replaces by a real one, and how they have to say so.

Nothing of the environment that other tools read is taken by itself: KUBECONFIG, AWS credentials and Slack tokens are
only used where an option says so, as a sandbox that breaks a production cluster would be worse than none. PROMETHEUS_URL,
ALERTMANAGER_URL and REDIS_URL are the sandbox's own names; the two first are read, and a Redis is used only while it
holds nothing but what a sandbox wrote. Called by __main__.py; what is then left out, assembly.py decides.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPLACED = {
    "Kubernetes": "--kubeconfig FILE: then there is no shop, and nothing is broken in it",
    "Prometheus": "PROMETHEUS_URL=http://…",
    "Alertmanager": "ALERTMANAGER_URL=http://…",
    "Slack": "--real-slack, with SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
    "AWS": "--aws-profile NAME, or --real-aws for the credentials of the environment",
    "Grafana": "urls.grafana in --config FILE",
    "Status page": "urls.status_page_webhook in --config FILE",
}


class Incomplete(Exception):
    """The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Given:
    """Empty is the sandbox's own. `config` is a sre-bot.yaml, whose parts win over the sandbox's."""

    redis: str = ""
    kubeconfig: Path | None = None
    prometheus: str = ""
    alertmanager: str = ""
    slack_bot_token: str = ""
    slack_app_token: str = ""
    aws: Mapping[str, str] | None = None
    config: Path | None = None

    @property
    def has_slack(self) -> bool:
        return bool(self.slack_bot_token)


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "real parts",
        "Nothing real is touched without one of these; KUBECONFIG, AWS variables and tokens alone do nothing."
        " PROMETHEUS_URL, ALERTMANAGER_URL and REDIS_URL (of an empty database) are taken from the environment.",
    )
    group.add_argument("--kubeconfig", type=Path, metavar="FILE", help="a real cluster in place of the shop")
    group.add_argument(
        "--real-slack", action="store_true", help="a workspace, by SLACK_BOT_TOKEN and SLACK_APP_TOKEN"
    )
    group.add_argument("--aws-profile", metavar="NAME", help="AWS by this profile")
    group.add_argument(
        "--real-aws", action="store_true", help="AWS by what the environment has (AWS_…, a role)"
    )
    group.add_argument(
        "--config", type=Path, metavar="FILE", help="a sre-bot.yaml laid over the sandbox's own"
    )


def taken(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Given:
    if options.kubeconfig and not options.kubeconfig.is_file():
        raise Incomplete(f"--kubeconfig: there is no file {options.kubeconfig}")
    if options.config and not options.config.is_file():
        raise Incomplete(f"--config: there is no file {options.config}")
    tokens = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN") if options.real_slack else ()
    if missing := [name for name in tokens if not environment.get(name)]:
        raise Incomplete(f"--real-slack: {' and '.join(missing)} not set")
    bot_token, app_token = (environment[name] for name in tokens) if tokens else ("", "")
    return Given(
        redis=environment.get("REDIS_URL", ""),
        kubeconfig=options.kubeconfig.absolute() if options.kubeconfig else None,
        prometheus=environment.get("PROMETHEUS_URL", ""),
        alertmanager=environment.get("ALERTMANAGER_URL", ""),
        slack_bot_token=bot_token,
        slack_app_token=app_token,
        aws=_aws(options, environment),
        config=options.config,
    )


def _aws(options: argparse.Namespace, environment: Mapping[str, str]) -> Mapping[str, str] | None:
    """None without an option, whatever the environment has."""
    if options.aws_profile:
        files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE")
        return {name: environment[name] for name in files if name in environment} | {
            "AWS_PROFILE": options.aws_profile
        }
    if options.real_aws:
        return {name: value for name, value in environment.items() if name.startswith("AWS_")}
    return None
