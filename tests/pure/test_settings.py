"""The policy file and the environment: what is taken, and word for word what is refused."""

import os
import pickle
import re
from collections.abc import Mapping
from dataclasses import MISSING
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import settings
from bot.secret import Redactor, Secret, redact
from bot.settings import BadSettings, effective, load, load_worker
from bot.sitefile import parse
from bot.siteschema import schema
from commands import queries
from commands.site import QUERIES, ClusterSite, Site

ROOT = Path(__file__).parents[2]

# In pieces, so that no scanner of the repository takes them for real ones.
BOT, APP, AWS = "xoxb" + "-1-2-abcdef", "xapp" + "-1-A1-2-abcdef", "AKIA" + "ABCDEFGHIJKLMNOP"
SIGNING = "0123456789abcdef0123456789abcdef"
SLACK = {"SLACK_BOT_TOKEN": BOT, "SLACK_SIGNING_SECRET": SIGNING}


def refused(text: str) -> list[str]:
    """What is wrong with the text, without the file's name."""
    with pytest.raises(BadSettings) as raised:
        parse(text, "f")
    return [str(problem).removeprefix("f:").removeprefix(" ") for problem in raised.value.problems]


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # the file as a whole
        ("", "is empty; write {} to run with every default"),
        ("# nothing\n", "is empty; write {} to run with every default"),
        ("- a", "1:1: must be keys with values, not a list"),
        ("hello", '1:1: must be keys with values, not "hello"'),
        ("a: b: c", "1:5: is not YAML: mapping values are not allowed here"),
        (
            "slo:\n\twindow: 1d",
            "2:1: is not YAML: a tab in the indentation: YAML takes spaces only",
        ),
        ("slo: *x", "1:6: is not YAML: an alias without an anchor: a text that begins with * needs quotes"),
        ("a: [x", "1:6: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: &b 1\nc: &b 2", "2:4: is not YAML: an anchor is given twice: a text that begins with & needs quotes"),
        ("a: 1\n---\nb: 2", "2:1: is not YAML: but found another document"),
        ("a: \x00", "is not YAML: it has the character #x0000"),
        ("[" * 3000, "is nested too deeply"),
        ("#" * (1 << 20) + "#", "is larger than 1 MiB"),
        ("x: !!python/object:os.x {}", "1:4: x: tags are not taken here: a text that begins with ! needs quotes"),
        ("x: !mine 1", "1:4: x: tags are not taken here: a text that begins with ! needs quotes"),
        ("slo: &a {queries: *a}", "1:6: slo.queries.queries: is nested too deeply (an alias within itself?)"),
        # keys
        ("tresholds: {}", "1:1: tresholds: is not a key here; did you mean `thresholds`?"),
        (
            "thresholds: {nod: {}}",
            "1:14: thresholds.nod: is not a key here; did you mean `thresholds.node`?",
        ),
        (
            "thresholds: {cpu_pct: 80}",
            "1:14: thresholds.cpu_pct: is not a key here; did you mean `thresholds.node.cpu_pct`?",
        ),
        (
            "autoscaler: {scale_down_unneeded_time: 1m}",
            "1:14: autoscaler.scale_down_unneeded_time: is not a key here; "
            "did you mean `autoscaler.scale-down-unneeded-time`?",
        ),
        ("zzz: 1", "1:1: zzz: is not a key here"),
        ("slo: {}\nslo: {}", "2:1: slo: is given twice, first in line 1"),
        ("slo: {[a]: 1}", "1:7: slo: a key must be a text, not a list"),
        ("services: {Api: {}}", "1:12: services.Api: a service's name has lower case letters, digits and - only"),
        (
            "slo: {queries: {avail: x}}",
            "1:17: slo.queries.avail: a named query begins with Q-, such as Q-avail",
        ),
        (
            "slo: {queries: {Q-avial: up}}",
            "1:17: slo.queries.Q-avial: is no named query; did you mean `Q-avail`?",
        ),
        ("slo: {queries: {Q-zzzzzzz: up}}", "1:17: slo.queries.Q-zzzzzzz: is no named query"),
        (
            "slo: {queries: {Q-avail: ' '}}",
            '1:26: slo.queries.Q-avail: must be a PromQL expression, not ""',
        ),
        # types, and the traps of YAML 1.1
        ("slo: 1", '1:6: slo: must be a mapping of keys to values, not "1"'),
        ("slo: [a]", "1:6: slo: must be a mapping of keys to values, not a list"),
        ("cluster: {nodegroups: a}", '1:23: cluster.nodegroups: must be a list such as [a, b], not "a"'),
        ("cluster: {name: [a]}", '1:17: cluster.name: must be a text ("" for none), not a list'),
        (
            "channels:\n  daily: #sre-daily",
            '2:9: channels.daily: has no value: write a text ("" for none), or leave the key out '
            '(in YAML " #" begins a comment)',
        ),
        ("hpa: {target_cpu: 1_000}", '1:19: hpa.target_cpu: must be a whole number, not "1_000": write 1000'),
        ("hpa: {target_cpu: 010}", '1:19: hpa.target_cpu: must be a whole number, not "010": write 10'),
        ("hpa: {target_cpu: 0x1F}", '1:19: hpa.target_cpu: must be a whole number, not "0x1F"'),
        ("hpa: {target_cpu: 1:30}", '1:19: hpa.target_cpu: must be a whole number, not "1:30"'),
        ("hpa: {target_cpu: 70.5}", '1:19: hpa.target_cpu: must be a whole number, not "70.5"'),
        ('hpa: {target_cpu: "70"}', '1:19: hpa.target_cpu: must be a whole number: take the quotes off "70"'),
        ("hpa: {target_cpu: true}", '1:19: hpa.target_cpu: must be a whole number, not "true"'),
        (
            "thresholds: {throttle_pct: 25%}",
            '1:28: thresholds.throttle_pct: must be a number, not "25%": '
            "the unit is in the key, write the number alone",
        ),
        ("thresholds: {throttle_pct: .nan}", '1:28: thresholds.throttle_pct: must be a number, not ".nan"'),
        ("thresholds: {throttle_pct: 1e999}", '1:28: thresholds.throttle_pct: is too large a number: "1e999"'),
        ("approvals: {self_approve: yes}", '1:27: approvals.self_approve: must be true or false, not "yes"'),
        (
            'approvals: {self_approve: "true"}',
            '1:27: approvals.self_approve: must be true or false, not "true" in quotes',
        ),
        ("cluster: {eks: no}", '1:16: cluster.eks: must be true, false or a name, not "no": write true or false'),
        (
            "slo: {window: 30}",
            '1:15: slo.window: must be a duration such as 30s, 15m, 2h or 7d, not "30", write 30s, 30m, 30h or 30d',
        ),
        (
            "slo: {window: 08:30}",
            '1:15: slo.window: must be a duration such as 30s, 15m, 2h or 7d, not "08:30"',
        ),
        ("slo: {window: 0d}", "1:15: slo.window: must be at least 1s"),
        ("slo: {window: 0.5ms}", "1:15: slo.window: must be at least 1s"),
        (
            "roles: {oncall: {rota: [U0A], start: 5.1.2026}}",
            "1:38: roles.oncall.start: must be a day such as 2026-01-05, "
            'or a local time such as "2026-01-05 09:00", not "5.1.2026"',
        ),
        (
            "roles: {oncall: {rota: [U0A], start: 2026-02-30}}",
            "1:38: roles.oncall.start: must be a day such as 2026-01-05, "
            'or a local time such as "2026-01-05 09:00", not "2026-02-30"',
        ),
        ("monitoring: {access: off}", '1:22: monitoring.access: must be one of direct, proxy, not "off"'),
        (
            "monitoring: {access: drect}",
            '1:22: monitoring.access: must be one of direct, proxy, not "drect"; did you mean direct?',
        ),
        # ranges and forms
        (
            "thresholds: {node: {cpu_pct: -1}}",
            "1:30: thresholds.node.cpu_pct: must be between 0 and 100, not -1",
        ),
        ("thresholds: {trend: {restarts_7d: -1}}", "1:35: thresholds.trend.restarts_7d: must be at least 0, not -1"),
        ("rightsizing: {memory_buffer: 0}", "1:30: rightsizing.memory_buffer: must be more than 0, not 0"),
        ("services: {a: {port: 0}}", "1:22: services.a.port: must be between 1 and 65535, not 0"),
        ("timezone: Berlin", '1:11: timezone: is not a time zone: "Berlin"; did you mean Europe/Berlin?'),
        ("timezone: ../etc", '1:11: timezone: is not a time zone: "../etc", such as Europe/Berlin'),
        (
            "urls: {grafana: grafana.example.com}",
            '1:17: urls.grafana: must be an address such as https://host/path, not "grafana.example.com"',
        ),
        (
            "urls: {grafana: 'http://h:99999'}",
            '1:17: urls.grafana: is not an address: "http://h:99999"',
        ),
        (
            "monitoring: {prometheus: {url: 'http://h:9090?key=deadbeef'}}",
            "1:32: monitoring.prometheus.url: must be an address without ? and #, because paths are put behind it",
        ),
        (
            "urls: {grafana: 'https://g/#home'}",
            "1:17: urls.grafana: must be an address without ? and #, because paths are put behind it",
        ),
        ("channels: {daily: sre-daily}", '1:19: channels.daily: must begin with "#", in quotes: "#sre-daily"'),
        (
            'channels: {daily: "#SRE Daily"}',
            '1:19: channels.daily: is no channel: "#SRE Daily"; '
            'a name is lower case, without spaces and dots: "#sre-alerts"',
        ),
        (
            "roles: {approvers: [bob]}",
            '1:21: roles.approvers[0]: must be a Slack user or user-group id (U…, W… or S…), not "bob"',
        ),
        ("team: {members: [S0SRE]}", '1:18: team.members[0]: must be a Slack user id (U… or W…), not "S0SRE"'),
        ("namespaces: {app: My_App}", "1:19: namespaces.app: must be a namespace's name "
         '(lower case letters, digits and -), not "My_App"'),
        ("cluster: {region: Frankfurt}",
         '1:19: cluster.region: must be an AWS region such as eu-central-1, not "Frankfurt"'),
        ("db_pool: {max: many}", '1:16: db_pool.max: must be a number or "cores*2", not "many"'),
        ("change: {id: CR-%Y}", "1:14: change.id: must contain {n}, the number of the change in its day"),
        ("change: {id: 'CR-{n}-{x}'}", "1:14: change.id: may contain strftime fields and {n} only, not \"CR-{n}-{x}\""),
        ("incident: {channel_name: 'inc-{date}'}",
         "1:26: incident.channel_name: must contain {nnn} or {slug}, or two incidents would share a channel"),
        # references and contradictions
        (
            "services: {a: {owner: sre-leed}}",
            '1:23: services.a.owner: is neither a key of `roles` nor a Slack id: "sre-leed"; did you mean sre-lead?',
        ),
        ("default_cluster: eu", "1:18: default_cluster: is no cluster of this file; it has sre-training-cluster"),
        (
            "thresholds: {cert_days: {red: 40}}",
            "1:31: thresholds.cert_days.red: "
            "`thresholds.cert_days.red` (40) must not be above `thresholds.cert_days.yellow` (30)",
        ),
        (
            "slo: {success_rate: {target: 93, red_error_rate: 8}}",
            "1:30: slo.success_rate.target: with an objective of 93 % no outage can burn 2 % of the budget in 1 h, "
            "14.4 times as fast as it may: raise `slo.success_rate.target`, or leave that line out of `slo.burn`",
        ),
        (
            "slo: {burn: [{budget_pct: 50, over: 5m, to: page}], success_rate: {target: 99.98}, window: 60d}",
            "1:76: slo.success_rate.target: with an objective of 99.98 % no outage can burn 50 % of the budget in 5 min, "
            "8,640 times as fast as it may: raise `slo.success_rate.target`, or leave that line out of `slo.burn`",
        ),
        (
            "slo: {success_rate: {target: 98}}",
            "1:30: slo.success_rate.target: red from 1 % errors, but the target allows 2 %: "
            "raise `slo.success_rate.red_error_rate` or `slo.success_rate.target`",
        ),
        (
            "incident: {phases_min: {recovery: 20}}",
            "1:35: incident.phases_min.recovery: each phase must be later than the one before it",
        ),
        (
            "change: {rollback: {samples: 6}}",
            "1:30: change.rollback.samples: 6 of 5 samples can never be reached",
        ),
        (
            "change: {rollback: {bake: 2m}}",
            "1:27: change.rollback.bake: the bake time ends before there is a second sample",
        ),
        ("backup: {secrets: encrypted}", "1:19: backup.secrets: encrypted needs `backup.kms_key`"),
        (
            "alerts: {rules: {Mine: {for: 5m}}}",
            "1:24: alerts.rules.Mine: needs either `over` (a ratio) or `over_s` (seconds)",
        ),
        ("alerts: {routes: [{channel: '#a'}]}", "1:19: alerts.routes[0]: needs `match`"),
        (
            "alerts: {routes: [{match: severity}]}",
            "1:27: alerts.routes[0].match: is no matcher of Alertmanager: `severity` is no matcher: "
            'write label="value", or with !=, =~ or !~',
        ),
        (
            "alerts: {routes: [{match: 'a=b', mention: [oncal]}]}",
            '1:43: alerts.routes[0].mention: must be a text ("" for none), not a list',
        ),
        (
            "alerts: {routes: [{match: 'a=b', mention: oncal}]}",
            '1:43: alerts.routes[0].mention: is neither a key of `roles` nor a Slack id: "oncal"; did you mean oncall?',
        ),
        (
            "alerts: {watchdog: {channel: incident}}",
            '1:30: alerts.watchdog.channel: must begin with "#", in quotes: "#incident"',
        ),
        (
            "alerts: {cluster_label: 'a b'}",
            "1:25: alerts.cluster_label: must be a label's name (letters, digits and _), not \"a b\"",
        ),
        ("alerts: {rollup: {over: 0}}", "1:25: alerts.rollup.over: must be at least 1, not 0"),
        ("alerts: {severities: {fatal: [x]}}", "1:23: alerts.severities.fatal: is not a key here"),
        ("access: [{roles: oncall}]", "1:10: access[0]: needs `may` and `verbs`"),
        (
            "access: [{roles: [oncal], may: submit, verbs: '*'}]",
            '1:19: access[0].roles[0]: is neither a key of `roles` nor a Slack id: "oncal"; did you mean oncall?',
        ),
        (
            "access: [{roles: oncall, may: aprove, verbs: '*'}]",
            '1:31: access[0].may: must be one of submit, approve, not "aprove"; did you mean approve?',
        ),
        (
            "access: [{roles: oncall, may: submit, verbs: node dran}]",
            '1:46: access[0].verbs: names no verb that changes something: "node dran"; did you mean node drain?',
        ),
        (
            "access: [{roles: oncall, may: submit, verbs: health}]",
            '1:46: access[0].verbs: names no verb that changes something: "health", such as "node drain", '
            '"deploy *" or "*"',
        ),
        (
            "access: [{roles: oncall, may: submit, verbs: '*', nodes: 'a b'}]",
            "1:58: access[0].nodes: must be a node's name, in which * stands for any characters, or labels such as "
            'role=worker or example.com/pool, not "a b"',
        ),
        (
            "access: [{roles: oncall, may: submit, verbs: '*', clusters: [eu]}]",
            "1:61: access[0].clusters: eu is no cluster of this file; it has sre-training-cluster",
        ),
        (
            "team: {people: {alice: [U0A, U0B], bob: U0B}}",
            "1:41: team.people.bob: U0B is an id of `alice` already",
        ),
        (
            'change: {freezes: [{name: x, from: "2026-12-20 09:00", to: 2026-12-20}]}',
            "1:60: change.freezes[0].to: `x` ends before it begins",
        ),
        (
            "security: {own_cidrs: 203.0.113.7/24}",
            "1:23: security.own_cidrs: must be a range of addresses such as 203.0.113.0/24 or 2001:db8::/32, "
            'not "203.0.113.7/24"',
        ),
        (
            "services: {web: {freeze: {key: a/b}}}",
            "1:32: services.web.freeze.key: must be a key of a ConfigMap (letters, digits, -, _ and .), "
            'not "a/b"',
        ),
        ("team: {people: {alice: []}}", "1:24: team.people.alice: names no Slack id; leave the person out"),
        (
            "team: {people: {alice: S0ALL}}",
            '1:24: team.people.alice: must be a Slack user id (U… or W…), not "S0ALL"',
        ),
        (
            "roles: {oncall: {rota: [U0A, U0B]}}",
            "1:24: roles.oncall.rota: a rota of several needs `roles.oncall.start`, the first handover",
        ),
        (
            "monitoring: {access: proxy, grafana: {url: 'https://g.example.com'}}",
            "1:44: monitoring.grafana.url: `monitoring.access: proxy` needs `monitoring.grafana.url` to name "
            "a Service of the cluster, such as http://name.namespace.svc:9090",
        ),
        ("dependencies: [{name: a}]", "1:16: dependencies[0]: needs `url`"),
        (
            "services: {backend: }",
            "1:20: services.backend: must be a mapping of keys to values, not \"\"",
        ),
        (
            "services: {tg: {role: synthetic}}",
            "1:11: services: names no service that answers users: one needs `role: app` and a `service`",
        ),
        (
            "services: {a: {service: ''}}",
            "1:11: services: names no service that answers users: one needs `role: app` and a `service`",
        ),
        (
            "clusters: {eu: {services: {tg: {role: synthetic}}}}",
            "1:27: clusters.eu.services: "
            "names no service that answers users: one needs `role: app` and a `service`",
        ),
        ("namespaces: {watch: []}", "1:21: namespaces.watch: names no namespace; write all, or leave the key out"),
        (
            "namespaces: {watch: ['']}",
            "1:22: namespaces.watch[0]: must be a namespace's name (lower case letters, digits and -), not \"\"",
        ),
        (
            "slo: {success_rate: {target: 100}}",
            "1:30: slo.success_rate.target: "
            "must be below 100: a target of 100 leaves no error budget to spend or to measure",
        ),
        (
            "slo: {availability: {target: 100}}",
            "1:30: slo.availability.target: "
            "must be below 100: a target of 100 leaves no error budget to spend or to measure",
        ),
        ("services: {}", "1:11: services: names no service; leave the key out to keep the manual's"),
        # clusters
        ("cluster: {}\nclusters: {a: {}}", "1:1: cluster: give `cluster` or `clusters`, not both"),
        ("clusters: {}", "1:11: clusters: names no cluster"),
        ("clusters: [a]", "1:11: clusters: must be a mapping of keys to values, not a list"),
        ("clusters: {eu: {}, EU: {}}",
         "1:20: clusters.EU: differs from cluster `eu` in upper and lower case only"),
        (
            "clusters: {eu: {name: prod}}",
            "1:17: clusters.eu.name: `eu` is the name; for another name at EKS write `eks: prod`",
        ),
        (
            "clusters: {a: {channels: '#x'}, b: {channels: '#x'}}",
            "1:47: clusters.b.channels: #x is the channel of cluster `a` already",
        ),
        (
            "clusters: {a: {slo: {cpu: {green_below: 90}}}}",
            "1:41: clusters.a.slo.cpu.green_below: "
            "`slo.cpu.green_below` (90) must not be above `slo.cpu.red_above` (80)",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place_and_what_would_be_right(text: str, problem: str) -> None:
    assert refused(text) == [problem]


def test_every_problem_is_listed_at_once_in_the_order_of_the_file() -> None:
    text = "slo: {window: x}\nzzz: 1\nhpa:\n  target_cpu: a\n  scale_up: {percent: 0}\n"
    assert [line.split(": ")[0] for line in refused(text)] == ["1:15", "2:1", "4:15", "5:23"]


def test_a_value_that_is_wrong_is_not_compared_with_others() -> None:
    assert len(refused("thresholds: {cert_days: {red: 40, yellow: x}}")) == 1


def test_an_alias_bomb_is_refused_before_it_is_followed() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert refused("\n".join(lines)) == ["1:1: has more than 20000 values once its aliases are followed"]


@pytest.mark.parametrize(
    ("text", "place", "instead"),
    [
        (f"slack_bot_token: {BOT}", "1:18: slack_bot_token", "set the environment variable SLACK_BOT_TOKEN"),
        (f"urls: {{grafana: {APP}}}", "1:17: urls.grafana", "set the environment variable SLACK_APP_TOKEN"),
        ("signing_secret: abc", "1:1: signing_secret", "set the environment variable SLACK_SIGNING_SECRET"),
        ("monitoring: {grafana: {token: abc}}", "1:24: monitoring.grafana.token",
         "set the environment variable GRAFANA_TOKEN"),
        ("monitoring: {alertmanager: {webhook_token: abc}}", "1:29: monitoring.alertmanager.webhook_token",
         "set the environment variable ALERTMANAGER_WEBHOOK_TOKEN"),
        ("redis: {password: abc}", "1:1: redis", ""),
        ("redis_password: abc", "1:1: redis_password", "set the environment variable REDIS_URL"),
        (f"backup: {{bucket: {AWS}}}", "1:18: backup.bucket",
         "AWS access comes from IRSA or Pod Identity, and from no key at all"),
        (f"slo: {{queries: {{{BOT}: x}}}}", f"1:17: slo.queries.{BOT}", "set the environment variable SLACK_BOT_TOKEN"),
        ("urls: {status_page_webhook: 'https://hooks.slack.com/services/T0/B0/abc'}", "1:29: urls.status_page_webhook",
         "set the environment variable STATUS_PAGE_TOKEN"),
        ("urls: {runbooks: 'https://me:abc@wiki/x'}", "1:18: urls.runbooks", "set it in the environment"),
    ],
)  # fmt: skip
def test_a_secret_in_the_file_is_refused_and_not_shown(text: str, place: str, instead: str) -> None:
    found = refused(text)
    if instead:
        assert found == [f"{redact(place)}: a secret does not belong into this file: {instead}"]
    assert not {BOT, APP, AWS, "abc"} & set(re.split(r"[\s:/@'`.,]+", " ".join(found)))


@pytest.mark.parametrize("text", [f"a: b: {BOT}", f"hpa: {{target_cpu: 'x {BOT}'}}", f"? {BOT}\n- x"])
def test_a_secret_in_a_broken_line_is_masked(text: str) -> None:
    assert BOT not in "\n".join(refused(text))


@pytest.mark.parametrize(
    "text",
    [
        "redis_password: *hunter2pass",
        "a: &hunter2pass 1\nb: &hunter2pass 2",
        "grafana_token: !hunter2pass",
        "grafana_token: !hunter2pass x",
        "grafana_token: !hunter2pass!x y",
        "webhook:\n  pwd: hunter2pass: x",
        "webhook: {auth: hunter2pass, url: [x",
        "token:\n  - hunter2pass: a: b",
        "smtp_password: >-\n  hunter2pass\n bad: [",
        "password: @hunter2pass",
        "password: %hunter2pass",
        'password: "\\hunter2pass"',
        "%TAG hunter2pass x\n---\na: 1",
    ],
)
def test_what_yaml_stumbles_over_is_not_shown(text: str) -> None:
    found = refused(text)
    assert found and "hunter2pass" not in "\n".join(found)


def test_a_redis_password_is_hidden_wherever_the_address_has_it() -> None:
    found = load(SLACK | {"REDIS_URL": "redis://redis:6379/0?password=hunter2secret"})
    assert found.redis_shown == "redis://redis:6379/0" and "hunter2secret" not in effective(found)
    assert found.redactor()("WRONGPASS hunter2secret") == "WRONGPASS ***"
    meant = load(SLACK | {"REDIS_URL": "redis://:p%40ss%2Fword@redis:6379/0"})
    assert meant.redactor()("p@ss/word or p%40ss%2Fword") == "*** or ***"


# --- What is taken --------------------------------------------------------------------------------


def test_a_file_without_keys_is_the_manuals_site() -> None:
    assert parse("{}") == Site() == parse("cluster: {}")


def test_a_text_is_what_stands_there_whatever_yaml_makes_of_it() -> None:
    site = parse("dashboards: {slo: on, overview: 08:30, git: {branch: 1_0, repo: 2026-01-05}}")
    found = (
        site.dashboards.slo,
        site.dashboards.overview,
        site.dashboards.git.branch,
        site.dashboards.git.repo,
    )
    assert found == ("on", "08:30", "1_0", "2026-01-05")


def test_values_become_what_commands_work_with() -> None:
    site = parse(
        "slo: {window: 1h30m}\n"
        "roles: {oncall: {rota: [U0A, U0B], start: 2026-01-05}, approvers: S0SRE}\n"
        "thresholds: {throttle_pct: 5}\n"
        "cluster: {eks: other}\n"
    )
    assert site.slo.window == timedelta(minutes=90)
    assert site.roles.oncall.start == datetime(2026, 1, 5)
    assert site.roles.approvers == ("S0SRE",)
    assert site.thresholds.throttle_pct == 5
    assert site.cluster_for("").eks_name == "other"


def test_the_first_service_that_answers_users_is_the_default_one() -> None:
    site = parse("services: {tg: {role: synthetic}, web: {}, api: {}}")
    assert site.cluster_for("").default_service.name == "web"
    assert [check.url for check in site.cluster_for("").critical_checks] == [
        "http://web.sre-shop.svc:8080/healthz"
    ]


def test_a_single_id_is_always_on_call() -> None:
    assert parse("roles: {oncall: S0SRE}").roles.oncall.rota == ("S0SRE",)


@pytest.mark.parametrize(
    ("entry", "ok"),
    [
        ("ip-10-0-*", True),
        ("eks.amazonaws.com/nodegroup=sre-training-nodes", True),
        ("role=worker,example.com/pool", True),
        ("example.com/pool=", True),
        ("gpu=*", True),
        ("a,b", False),
        ("role==worker", False),
        ("role!=worker", False),
        ("!role", False),
        ("=worker", False),
        ("/pool", False),
        ("a/b/c", False),
        ("role=worker,", False),
        ("role in (a,b)", False),
        ("", False),
    ],
)
def test_nodes_of_a_rule_are_names_or_labels(entry: str, ok: bool) -> None:
    text = f"access: [{{roles: oncall, may: submit, verbs: '*', nodes: '{entry}'}}]"
    if ok:
        assert parse(text).access[0].nodes == (entry,)
    else:
        assert "access[0].nodes: must be a node's name" in refused(text)[0]


def test_somebody_with_several_ids_is_one_person() -> None:
    site = parse("team: {people: {alice: [U0ALICE, W0ALICE], bob: U0BOB}}")
    assert site.team.people == {"alice": ("U0ALICE", "W0ALICE"), "bob": ("U0BOB",)}


def test_a_cluster_inherits_key_by_key_what_it_does_not_give() -> None:
    site = parse(
        "thresholds: {node: {cpu_pct: 70}}\n"
        "clusters:\n"
        "  eu: {}\n"
        "  us: {thresholds: {node: {memory_pct: 60}}, urls: {grafana: 'https://us'}}\n"
    )
    eu, us = site.clusters["eu"], site.clusters["us"]
    assert (eu.thresholds.node.cpu_pct, eu.thresholds.node.memory_pct) == (70, 85)
    assert (us.thresholds.node.cpu_pct, us.thresholds.node.memory_pct) == (70, 60)
    assert (eu.urls.grafana, us.urls.grafana) == ("", "https://us")
    assert site.default_cluster == "eu"


def test_another_clusters_node_groups_are_not_guessed() -> None:
    assert parse("cluster: {name: mine}").cluster_for("").nodegroups == ()
    assert parse("cluster: {region: us-east-1}").cluster_for("").nodegroups == ("sre-training-nodes",)


def test_a_service_fills_in_what_follows_from_its_name_and_the_namespace() -> None:
    cluster = parse("namespaces: {app: shop}\nservices: {api: {}, load: {role: synthetic}}").cluster_for("")
    api, load_maker = cluster.services.values()
    assert (api.name, api.namespace, api.deployment, api.service) == ("api", "shop", "api", "api")
    assert (load_maker.deployment, load_maker.service) == ("load", "")
    assert [check.url for check in cluster.critical_checks] == ["http://api.shop.svc:8080/healthz"]


def test_a_service_of_a_known_name_keeps_what_it_does_not_give() -> None:
    site = parse("services: {backend: {port: 9000}}\nclusters: {eu: {services: {backend: {replicas: 3}}}}")
    backend = site.clusters["eu"].default_service
    assert (backend.service, backend.port, backend.replicas) == ("backend-service", 9000, 3)
    assert list(site.services) == ["backend"]


def test_a_clusters_own_namespace_reaches_the_services_that_name_none() -> None:
    site = parse(
        "services: {api: {}, fixed: {namespace: here}}\nclusters: {eu: {namespaces: {app: eu-shop}}}"
    )
    assert [each.namespace for each in site.clusters["eu"].services.values()] == ["eu-shop", "here"]


def test_naming_a_rule_keeps_the_others() -> None:
    rules = parse("alerts: {rules: {HighErrorRate: {over: 0.02}}}").alerts.rules
    assert (rules["HighErrorRate"].over, rules["HighErrorRate"].for_) == (0.02, timedelta(minutes=5))
    assert "HighLatency" in rules


def test_anchors_and_merge_keys_work() -> None:
    site = parse(
        "clusters:\n"
        "  eu: &one {region: eu-west-1, thresholds: {throttle_pct: 1}}\n"
        "  us: {<<: *one, region: us-east-1}\n"
    )
    assert site.clusters["us"].region == "us-east-1"
    assert site.clusters["us"].thresholds.throttle_pct == 1


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "cluster: {name: mine, eks: false}\nservices: {api: {replicas: 2, paths: {metrics: ''}}}",
        "clusters: {eu: {namespaces: {app: x}}, us: {slo: {window: 36h}}}\ndefault_cluster: us",
        "roles: {oncall: {rota: [U0A, U0B], start: '2026-01-05 09:30', shift: 12h}}\ndb_pool: {timeout: 250ms}",
        'slo: {queries: {Q-avail: "on"}}\ndashboards: {slo: "08:30"}',
    ],
)
def test_the_effective_configuration_loads_to_the_same_site(text: str) -> None:
    site = parse(text)
    assert parse(effective(settings.Settings(site=site))) == site


# --- The environment ------------------------------------------------------------------------------


def problems(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(BadSettings) as raised:
        load(environ)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN: is not set: it is the Bot User OAuth Token (xoxb-…) of the Slack app"),
        ({"SLACK_BOT_TOKEN": "xoxp-1"}, "SLACK_BOT_TOKEN: is a user token (xoxp-…): the bot needs the Bot User OAuth "
         "Token (xoxb-…); it is under OAuth & Permissions of the Slack app"),
        ({"SLACK_BOT_TOKEN": APP}, "SLACK_BOT_TOKEN: is an app-level token (xapp-…): put that into SLACK_APP_TOKEN, "
         "and the xoxb-… one here"),
        ({"SLACK_BOT_TOKEN": f'"{BOT}"'}, "SLACK_BOT_TOKEN: stands in quotes: take them off"),
        ({"SLACK_BOT_TOKEN": "hello"}, "SLACK_BOT_TOKEN: is no bot token, which begins with xoxb-; "
         "it is under OAuth & Permissions of the Slack app"),
        ({"SLACK_BOT_TOKEN": "xoxe.xoxb-1"}, "SLACK_BOT_TOKEN: is a rotating token (xoxe.…): turn token rotation off, "
         "or create the app anew without it"),
        ({"SLACK_APP_TOKEN": BOT}, "SLACK_APP_TOKEN: is not an app-level token (xapp-…) but an OAuth token: "
         "put that into SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": "x"}, "SLACK_APP_TOKEN: is no app-level token, which begins with xapp-; it is under "
         "Basic Information, App-Level Tokens (scope connections:write)"),
        ({"SLACK_SIGNING_SECRET": BOT}, "SLACK_SIGNING_SECRET: is a token: the signing secret is under "
         "Basic Information, App Credentials"),
        ({"SLACK_SIGNING_SECRET": "short"}, "SLACK_SIGNING_SECRET: is too short for a signing secret (32 characters)"),
        ({"SLACK_SIGNING_SECRET": ""}, "SLACK_APP_TOKEN, SLACK_SIGNING_SECRET: neither is set: set SLACK_APP_TOKEN "
         "(Socket Mode, no address needed) or SLACK_SIGNING_SECRET (HTTP), or both"),
        ({"SLACK_API_URL": "slack.com"}, "SLACK_API_URL: must be an address such as https://slack.com/api/"),
        ({"SLACK_API_URL": "http://[::1"}, "SLACK_API_URL: must be an address such as https://slack.com/api/"),
        ({"SLACK_API_URL": "https://me:pw@slack.test/api"},
         "SLACK_API_URL: must be an address alone, without a user, a password, ? and #"),
        ({"REDIS_URL": "redis"}, "REDIS_URL: must be an address such as redis://redis:6379/0 "
         "(a password is percent-encoded)"),
        ({"REDIS_URL": "redis://:p/w@h"}, "REDIS_URL: must be an address such as redis://redis:6379/0 "
         "(a password is percent-encoded)"),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": "short"}, "ALERTMANAGER_WEBHOOK_TOKEN: is shorter than 16 characters: "
         "make one with `openssl rand -hex 32`"),
        ({"ALERTMANAGER_WEBHOOK_TOKEN": ",".join(["x" * 16] * 3)}, "ALERTMANAGER_WEBHOOK_TOKEN: has 3 tokens: "
         "two are valid at once, the new and the old one"),
        ({"GRAFANA_TOKEN": "a b"}, "GRAFANA_TOKEN: contains a space or a line feed"),
        ({"PORT": "tcp://10.0.0.1:80"}, "PORT: must be a number between 1 and 65535"),
        ({"PORT": "65536"}, "PORT: must be a number between 1 and 65535"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR"),
        ({"KUBECONFIG": "/nowhere/config"}, "KUBECONFIG: there is no file /nowhere/config"),
        ({"SRE_BOT_CONFIG": "/nowhere/f.yaml"}, "/nowhere/f.yaml: there is no such file; SRE_BOT_CONFIG names it"),
        ({"SRE_BOT_CONFIG": "/"}, "/: is a directory; SRE_BOT_CONFIG must name the file in it, such as sre-bot.yaml"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named_with_what_was_probably_pasted(
    change: dict[str, str], problem: str
) -> None:
    assert problems(SLACK | change) == [problem]


def test_variables_and_file_are_listed_together(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("zzz: 1\nhpa: 3\n")
    assert problems({"SRE_BOT_CONFIG": str(file), "PORT": "x"}) == [
        "PORT: must be a number between 1 and 65535",
        f"{file}:1:1: zzz: is not a key here",
        f'{file}:2:6: hpa: must be a mapping of keys to values, not "3"',
        "SLACK_BOT_TOKEN: is not set: it is the Bot User OAuth Token (xoxb-…) of the Slack app",
        "SLACK_APP_TOKEN, SLACK_SIGNING_SECRET: neither is set: set SLACK_APP_TOKEN "
        "(Socket Mode, no address needed) or SLACK_SIGNING_SECRET (HTTP), or both",
    ]


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"a: \xff")
    assert problems(SLACK | {"SRE_BOT_CONFIG": str(file)}) == [f"{file}: is not UTF-8 text (byte 3)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_says_who_was_refused(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("{}")
    file.chmod(0)
    text = f"{file}: may not be read by user {os.geteuid()}: allow it with chmod a+r"
    assert problems(SLACK | {"SRE_BOT_CONFIG": str(file)}) == [text]


@pytest.mark.parametrize(
    ("environ", "socket", "http"),
    [
        ({"SLACK_APP_TOKEN": APP}, True, False),
        ({"SLACK_SIGNING_SECRET": SIGNING}, False, True),
        ({"SLACK_APP_TOKEN": APP, "SLACK_SIGNING_SECRET": SIGNING}, True, True),
    ],
)
def test_the_way_slack_comes_in_follows_from_what_is_set(
    environ: dict[str, str], socket: bool, http: bool
) -> None:
    found = load({"SLACK_BOT_TOKEN": BOT} | environ)
    assert (found.socket_mode, found.http_mode) == (socket, http)


def test_the_worker_needs_nothing_of_slack() -> None:
    found = load_worker({})
    assert found.site == Site() and not found.slack_bot_token
    assert found.redis_url.reveal() == "redis://localhost:6379/0"


def test_a_trailing_line_feed_is_no_part_of_a_secret() -> None:
    assert load(SLACK | {"SLACK_BOT_TOKEN": BOT + "\n"}).slack_bot_token.reveal() == BOT


def test_two_webhook_tokens_are_valid_while_rotating() -> None:
    new, old = "n" * 20, "o" * 20
    found = load(SLACK | {"ALERTMANAGER_WEBHOOK_TOKEN": f"{new}, {old}"})
    assert [token.reveal() for token in found.alertmanager_tokens] == [new, old]


# --- Secrets stay unseen --------------------------------------------------------------------------

EVERY_SECRET = SLACK | {
    "SLACK_APP_TOKEN": APP,
    "REDIS_URL": "rediss://default:p%40ss-word@redis:6380/1",
    "ALERTMANAGER_WEBHOOK_TOKEN": "webhook-token-0001,webhook-token-0002",
    "GRAFANA_TOKEN": "grafana-secret-value",
    "STATUS_PAGE_TOKEN": "status-secret-value",
    "GIT_TOKEN": "git-secret-value",
}
PLAIN = [BOT, APP, SIGNING, "p%40ss-word", "webhook-token-0001", "webhook-token-0002"]
PLAIN += ["grafana-secret-value", "status-secret-value", "git-secret-value"]


@pytest.mark.parametrize("way", [repr, str, effective, "{}".format])
def test_settings_never_show_a_secret(way: Any) -> None:
    text = way(load(EVERY_SECRET))
    assert not [secret for secret in PLAIN if secret in text]
    assert "***" in text


def test_a_secret_hides_from_every_way_of_showing_it() -> None:
    secret = Secret("hidden")
    assert {repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret} == {"***"}  # noqa: UP031
    assert secret.reveal() == "hidden" and secret == Secret("hidden") and not Secret()
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_the_redactor_masks_every_loaded_secret_however_it_is_written() -> None:
    mask = load(EVERY_SECRET).redactor()
    for secret in PLAIN:
        assert secret not in mask(f"before {secret} after")
    assert Redactor([Secret("p@ss/word")])("p%40ss%2Fword cEBzcy93b3Jk p@ss/word") == "*** *** ***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"sent {BOT}.", "sent ***."),
        (f"sent {APP}", "sent ***"),
        ("xoxe.xoxp" + "-1-abc", "***"),
        (f"key {AWS} used", "key *** used"),
        ("jwt eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2ln", "jwt ***"),
        ("password=hunter2&x=1", "password=***&x=1"),
        ("{'db_password': 'hun ter2', 'a': 1}", "{'db_password': '***', 'a': 1}"),
        ('{"token": "abc", "a": 1}', '{"token": "***", "a": 1}'),
        ("token: abc", "token: ***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("{'Authorization': 'Basic dXNlcjpwdw=='}", "{'Authorization': '***'}"),
        ("sent bearer abcdefgh", "sent bearer ***"),
        ("https://hooks.slack.com/commands/T0/1/abc now", "https://hooks.slack.com/*** now"),
        ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/***"),
        ("redis://:hunter2@redis:6379/0", "redis://***@redis:6379/0"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx", "***\nx"),
        ("-----BEGIN PRIVATE KEY-----\nabc", "***"),
        (
            "NoCredentialsError: Unable to locate credentials",
            "NoCredentialsError: Unable to locate credentials",
        ),
        ("aws_secret_access_key = abc", "aws_secret_access_key = ***"),
        ('{"name": "DB_PASSWORD", "value": "hun\\"ter2"}', '{"name": "DB_PASSWORD", "value": "***"}'),
        ('{"name": "X-Auth",\n   "value": "hunter2"}', '{"name": "X-Auth",\n   "value": "***"}'),
        ('{"name": "STRIPE_KEY", "value": "sk_1"}', '{"name": "STRIPE_KEY", "value": "***"}'),
        ('{"name": "KEYBOARD", "value": "de"}', '{"name": "KEYBOARD", "value": "de"}'),
        ('{"name": "LEVEL", "value": "debug"}', '{"name": "LEVEL", "value": "debug"}'),
        (
            r'"{\"name\":\"PGPASSWORD\",\"value\":\"hun\\\"ter2\"}"',
            r'"{\"name\":\"PGPASSWORD\",\"value\":\"***\"}"',
        ),
        ("run --db-password hunter2 -v", "run --db-password *** -v"),
        ('["--token",\n  "hunter2"]', '["--token",\n  "***"]'),
        (r"[\"--token\", \"hunter2\"]", r"[\"--token\", \"***\"]"),
        ("run --token -v", "run --token -v"),
        ("key_" + AWS, "key_***"),
        (
            "/#/alerts?filter=%7Bpassword%3D%22hun%2Ft%22%2Ca%3D%22b%22%7D",
            "/#/alerts?filter=%7Bpassword%3D%22***%22%2Ca%3D%22b%22%7D",
        ),
        ("Server=db;User Id=sa;Pwd=hunter2;", "Server=db;User Id=sa;Pwd=***;"),
        ("user=sa pass=hunter2", "user=sa pass=***"),
        ("DB_PASS: hunter2", "DB_PASS: ***"),
        ("bypass=no, 5 pass: 2 fail", "bypass=no, 5 pass: 2 fail"),
        ('password="hunter2 is cut o', 'password="***'),
        (r"{\"password\":\"hun ter2\",\"a\":1}", r"{\"password\":\"***\",\"a\":1}"),
        ("password => hunter2", "password => ***"),
        ("api.key=abc private_key=abc AccountKey=abc", "api.key=*** private_key=*** AccountKey=***"),
        ("postgres://shop:hun/ter#2@x@db:5432/shop", "postgres://***@db:5432/shop"),
        ("http://registry:5000/shop/web@sha256:0af1", "http://registry:5000/shop/web@sha256:0af1"),
        ("shop:hunter2@tcp(db:3306)/shop", "shop:***@tcp(db:3306)/shop"),
        ("curl -u admin:hunter2 http://x", "curl -u admin:*** http://x"),
        ("docker run -u 1000:1000 web", "docker run -u 1000:1000 web"),
        ("Set-Cookie: sid=abc; Path=/\nHost: x", "Set-Cookie: ***\nHost: x"),
        ("https://x/k?X-Amz-Signature=abc&a=1", "https://x/k?X-Amz-Signature=***&a=1"),
        ('{"registry": {"auth": "c2hvcDpodW50ZXIy"}}', '{"registry": {"auth": "***"}}'),
        ("sk_" + "live_4eC39HqLyjWDarjtT1", "***"),
        ("AIza" + "SyD9tSrke72PouQMnMXa7eZSW0jkFMBWY", "***"),
        ("hvs." + "CAESIJabcdefghijklmnopq", "***"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc", "***"),
        ("MIIEowIBAAKCAQ3A" * 4, "***"),  # a line of a key by itself, as a log has it
        ("sha256:" + "0af1" * 16, "sha256:" + "0af1" * 16),
        ("basic checks of basic availability", "basic checks of basic availability"),
        ('volume "token" : secret "shop-token" not found', 'volume "token" : secret "shop-token" not found'),
        ("token-refresher-7d4b9c6f5d-x2k8p", "token-refresher-7d4b9c6f5d-x2k8p"),
        ("uid 3f7d2c4a-1b2c-4d5e-8f90-123456789abc", "uid 3f7d2c4a-1b2c-4d5e-8f90-123456789abc"),
        ("the pod is not ready", "the pod is not ready"),
        ("https://grafana.example.com/d/abc?from=now-1h", "https://grafana.example.com/d/abc?from=now-1h"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_nothing_else(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "password" * 20_000,
        "eyJ" * 60_000,
        "://" * 60_000,
        "x-" * 90_000,
        '"name": "' * 20_000,
        '"name":"token","value":"' * 9_000,
        "--token " * 25_000,
        "-" * 200_000,
        "A1b/" * 50_000,
        "a1" * 100_000,
        "://a:b" * 30_000,
        'password=\\"' * 20_000,
        "password:" + "\\" * 100_000,
        "cookie:a=" * 20_000,
        "-u a:" * 40_000,
        "pass" * 50_000,
        ":" * 200_000,
        "password" + "%3D" * 60_000,
    ],
)
def test_redaction_takes_linear_time(text: str) -> None:
    started = datetime.now()
    redact(text)
    assert datetime.now() - started < timedelta(seconds=2)


# --- The documents keep up ------------------------------------------------------------------------


def documented() -> dict[str, str]:
    rows = re.findall(
        r"^\| `([^`]+)` \| (.+?) \| ", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE
    )
    return dict(rows)


def leaves() -> dict[str, Any]:
    keys = dict(schema())
    inner = {path for path in keys for other in keys if other.startswith((f"{path}.", f"{path}[]"))}
    return {path: keys[path] for path in keys if path not in inner | {"clusters"}}


def test_every_key_and_variable_is_documented_and_nothing_else() -> None:
    assert set(documented()) == set(leaves()) | set(settings.VARIABLES)


def test_documented_defaults_are_the_real_ones() -> None:
    for path, default in leaves().items():
        text = documented()[path]
        if default is MISSING:
            assert text == "needed", path
        elif default is None or default == "":
            assert text == "–", path
        else:
            assert parse_default(path, text) == default, path


def test_every_named_query_is_documented_and_each_built_one_may_be_replaced() -> None:
    documentation = (ROOT / "docs/configuration.md").read_text()
    assert [name for name in QUERIES if f"`{name}`" not in documentation] == []
    assert set(queries.QUERIES) <= set(QUERIES) and len(set(QUERIES)) == len(QUERIES)


def parse_default(path: str, text: str) -> Any:
    """The documented default, read by the loader itself where the key stands."""
    name = {"services": "a", "rules": "HighErrorRate", "severity": "a", "names": "a"}
    parts = [name.get(before, "x") if part == "<name>" else part
             for before, part in zip(["", *path.split(".")], path.split("."), strict=False)]  # fmt: skip
    parts[0] = parts[0].removesuffix("[]")
    value = text.strip("`")
    quoted = (
        value if value[:1] in "[{" or re.fullmatch(r"-?[\d.]+|true|false|\d+[smhd]", value) else f"'{value}'"
    )
    is_item = path.split(".")[0].endswith("[]")
    flow = quoted
    for part in reversed(parts[1:]):
        if part.endswith("[]"):  # a list within a section, whose items need more than this key
            needed = {"burn[]": "budget_pct: 2, over: 1h"}.get(
                part, "name: n, from: 2026-12-20, to: 2026-12-21"
            )
            flow = f"[{{{needed}, {flow[1:]}]"
        flow = f"{{{part.removesuffix('[]')}: {flow}}}"
    if is_item:
        needed = {"access": "roles: oncall, may: submit, verbs: '*'"}.get(
            parts[0], "name: n, url: 'http://u'"
        )
        flow = f"[{{{needed}, {flow[1:]}]"
    site: Any = parse(f"{parts[0]}: {flow}")
    if parts[0] == "cluster":
        site, parts = site.cluster_for(""), parts[1:]
    for part in parts:
        plain = part.removesuffix("[]")
        attribute = {"for": "for_", "except": "spared"}.get(plain, plain.replace("-", "_"))
        site = site[part] if isinstance(site, Mapping) else getattr(site, attribute)
        site = site[0] if part.endswith("[]") or (is_item and part == parts[0]) else site
    return site


def test_the_example_is_the_manuals_site() -> None:
    assert parse((ROOT / "sre-bot.example.yaml").read_text()) == Site()


def test_the_example_names_every_key() -> None:
    text = (ROOT / "sre-bot.example.yaml").read_text()
    absent = {"default_cluster", "clusters"}  # they make sense for several clusters only
    names = {path.rpartition(".")[2] for path in leaves()} - absent
    assert [name for name in sorted(names) if not re.search(rf"\b{re.escape(name)}:", text)] == []


def test_a_default_is_valid_by_its_own_rules() -> None:
    assert parse(effective(settings.Settings())) == Site()
    assert isinstance(Site().clusters["sre-training-cluster"], ClusterSite)
