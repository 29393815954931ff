"""The doctor against stand-ins: what is well is said, and each miss comes with the line that mends it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from rude_server import HANG, RudeServer, page

from bot import doctor
from bot.doctor import BROKEN, GOOD, OPEN, Check, examine
from bot.rights import KubeNeed, change_needs, kube_needs
from bot.secret import Secret
from bot.settings import Settings
from bot.sitefile import parse
from commands.site import ClusterSite, Site
from sandbox.aws import Aws
from sandbox.kube import KubeStandIn, ProxyAnswer
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn

REGION = "eu-central-1"
SITE = """
cluster: {name: shop, region: eu-central-1, nodegroups: [workers]}
monitoring:
  prometheus: {url: "%(monitoring)s"}
  alertmanager: {url: "%(monitoring)s"}
  grafana: {url: "%(monitoring)s"}
roles: {oncall: U0ALICE0001, approvers: S0SRE, two_person: S0SRE, sre-lead: S0SRE, security: S0SRE,
        platform: S0SRE, service-owner: S0SRE, db-owner: S0SRE, comms: S0SRE}
access: [{roles: approvers, may: [submit, approve], verbs: "*"}]
"""


@dataclass
class House:
    """Everything the doctor looks at, well; a test breaks one thing."""

    slack: SlackStandIn
    kube: KubeStandIn
    aws: Aws
    redis: RedisServer
    monitoring: RudeServer
    settings: Settings

    def checks(self, settings: Settings | None = None, patience: float = 30.0) -> list[Check]:
        return examine(settings or self.settings, {}, patience)

    def of(self, about: str, settings: Settings | None = None) -> list[Check]:
        """The checks about this, from the probes that can make them."""
        checks = examine(settings or self.settings, {}, only=about.split()[0])
        return [check for check in checks if check.about.startswith(about)]

    def with_site(self, text: str) -> Settings:
        return replace(self.settings, site=parse(text))


def _monitoring(asked: Any) -> bytes:
    known = {"/-/ready": "Ready", "/api/health": '{"database": "ok"}', "/api/search?limit=1": "[]"}
    wants_token = asked.target.startswith("/api/search")
    headers = {name.lower(): value for name, value in asked.headers.items()}
    if wants_token and headers.get("authorization") != "Bearer grafana-secret-value":
        return page(401, {"message": "Invalid API key"})
    return page(200, known[asked.target]) if asked.target in known else page(404, "")


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[RedisServer, Aws]]:
    with RedisServer() as redis, Aws(REGION) as aws:
        aws.eks_cluster("shop", REGION)
        yield redis, aws


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: tuple[RedisServer, Aws]
) -> Iterator[House]:
    redis, aws = services
    for name, value in aws.env.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as open_ones:
        slack = open_ones.enter_context(SlackStandIn())
        kube = open_ones.enter_context(KubeStandIn())
        monitoring = open_ones.enter_context(RudeServer(_monitoring))
        kube.metrics.switch("present")
        settings = Settings(
            site=parse(SITE % {"monitoring": monitoring.url}),
            slack_bot_token=Secret(slack.bot_token),
            slack_app_token=Secret(slack.app_token),
            slack_api_url=slack.api_url,
            redis_url=Secret(redis.url),
            alertmanager_tokens=(Secret("webhook-token-0001"),),
            grafana_token=Secret("grafana-secret-value"),
            kubeconfig=str(kube.kubeconfig(tmp_path / "config")),
        )
        yield House(slack, kube, aws, redis, monitoring, settings)


def seen(checks: list[Check]) -> list[tuple[str, str]]:
    return [(check.state, check.found) for check in checks]


def test_a_house_in_order_has_nothing_to_mend(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert [check for check in house.checks() if check.state != GOOD] == []
    assert doctor.main(house.settings, {}) == 0
    printed = capsys.readouterr().out
    assert "✓ Slack: the token is @sre_bot of Emulated SRE" in printed
    assert "***" not in printed  # nothing harmless is masked
    assert printed.endswith("checks: 0 broken, 0 not known or not set\n")


# --- Slack ----------------------------------------------------------------------------------------


def test_a_dead_token_says_how_to_get_a_new_one(house: House) -> None:
    settings = replace(house.settings, slack_bot_token=Secret("xoxb" + "-wrong"))
    mend = "reinstall the app and set SLACK_BOT_TOKEN to its new xoxb-… token"
    assert house.of("Slack", settings)[0] == Check("Slack", BROKEN, "Slack says invalid_auth", mend)


def test_each_missing_scope_is_named_with_its_reason(house: House, tmp_path: Path) -> None:
    granted = set(doctor.NEEDED_SCOPES) - {"usergroups:read", "metadata.message:read"}
    with SlackStandIn(scopes=granted) as slack:
        found = house.of("Slack scopes", replace(house.settings, slack_api_url=slack.api_url))
    assert [(check.state, check.found) for check in found] == [
        (BROKEN, "usergroups:read is missing: it looks up who is in the user groups of `roles` and `access`"),
        (OPEN, "metadata.message:read is missing: it reads the mark on its own posts when it looks one up"),
    ]
    assert found[0].mend == (
        "add usergroups:read under OAuth & Permissions, Bot Token Scopes, and reinstall the app"
    )


def test_channels_are_missing_archived_or_without_the_bot(house: House) -> None:
    site = SITE % {"monitoring": house.monitoring.url}
    channels = 'channels: {daily: "#nowhere", alerts: "#general", incidents: "#old", changes: C0CHANGES01}'
    house.slack.workspace.channel("#incidents").name = "old"
    house.slack.workspace.channel("#old").is_archived = True
    found = house.of("Slack channel", house.with_site(site + channels))
    assert [(check.about, check.state, check.found) for check in found] == [
        (
            "Slack channel #nowhere",
            BROKEN,
            "does not exist, or is private without the bot (`channels.daily`)",
        ),
        ("Slack channel #general", BROKEN, "the bot is not in it (`channels.alerts`)"),
        ("Slack channel #old", BROKEN, "is archived (`channels.incidents`)"),
        ("Slack channel C0CHANGES01", GOOD, "the bot is in it (`channels.changes`)"),
        ("Slack channel #sre-security", GOOD, "the bot is in it (`channels.security`)"),
        ("Slack channel #general-status", GOOD, "the bot is in it (`channels.stakeholders`)"),
    ]
    assert found[1].mend == "type `/invite @sre-bot` in #general"


def test_an_app_token_that_slack_refuses(house: House) -> None:
    settings = replace(house.settings, slack_app_token=Secret("xapp" + "-wrong"))
    (found,) = house.of("Slack Socket Mode", settings)
    assert (found.state, found.found) == (BROKEN, "Slack says invalid_auth")
    assert "set SLACK_APP_TOKEN" in found.mend


# --- Redis ----------------------------------------------------------------------------------------


def test_a_redis_that_forgets_is_broken(house: House) -> None:
    with RedisServer(settings={"maxmemory-policy": "allkeys-lru", "appendonly": "no"}) as forgetful:
        found = house.of("Redis", replace(house.settings, redis_url=Secret(forgetful.url)))
    assert [(check.about, check.state, check.mend) for check in found[2:]] == [
        ("Redis memory", BROKEN, "set `maxmemory-policy noeviction`"),
        ("Redis durability", BROKEN, "set `appendonly yes` and `appendfsync always`"),
    ]


@pytest.mark.parametrize(
    ("version", "state"), [("6.0.16", BROKEN), ("6.2.0", GOOD), ("7.2.4", GOOD), ("10.0", GOOD)]
)
def test_redis_needs_its_version(version: str, state: str) -> None:
    info = {"redis_version": version, "maxmemory_policy": "noeviction", "aof_enabled": 1}
    assert next(iter(doctor._redis_facts(info, "everysec"))).state == state


@pytest.mark.parametrize(
    ("fsync", "state"), [("always", GOOD), ("everysec", BROKEN), ("no", BROKEN), ("", GOOD)]
)
def test_only_a_write_on_disk_before_its_answer_is_durable(fsync: str, state: str) -> None:
    assert doctor._durability(True, fsync).state == state


def test_a_redis_that_is_not_there_shows_no_password(house: House) -> None:
    url = "redis://:hunter2secret@127.0.0.1:1/0"
    (found,) = house.of("Redis", replace(house.settings, redis_url=Secret(url)))
    assert found.state == BROKEN and found.mend.startswith("set REDIS_URL")
    assert "hunter2secret" not in str(found)


# --- Kubernetes -----------------------------------------------------------------------------------


def test_a_missing_right_comes_with_the_rule_to_add(house: House) -> None:
    house.kube.deny("list", "nodes", group="metrics.k8s.io")
    house.kube.deny("list", "events", namespace="sre-shop")
    watching = house.with_site(
        SITE % {"monitoring": house.monitoring.url} + "namespaces: {watch: [sre-shop]}\n"
    )
    broken = [check for check in house.of("Kubernetes shop", watching) if check.state == BROKEN]
    assert [(check.found, check.mend) for check in broken] == [
        (
            "may not list nodes.metrics.k8s.io",
            'in a ClusterRole add - {apiGroups: ["metrics.k8s.io"], resources: ["nodes"], verbs: ["list"]}',
        ),
        (
            "may not list events in sre-shop",
            'in a Role in sre-shop add - {apiGroups: [""], resources: ["events"], verbs: ["list"]}',
        ),
    ]


def test_a_bot_that_may_only_read_is_told_so_in_one_line(house: House) -> None:
    for need in change_needs(house.settings.site.clusters["shop"]):
        house.kube.deny(need.verb, need.resource, group=need.group)
    (found,) = [check for check in house.of("Kubernetes shop") if check.state != GOOD]
    assert (found.state, found.found) == (OPEN, "it may only read: no change can be carried out")
    assert "sre-bot-change" in found.mend


def test_a_missing_right_to_change_is_named_where_others_are_there(house: House) -> None:
    house.kube.deny("create", "pods/eviction")
    (found,) = [check for check in house.of("Kubernetes shop") if check.state != GOOD]
    assert (found.state, found.found) == (BROKEN, "may not create pods/eviction")


# What every real cluster binds to everybody who is logged in.
BASIC = [
    {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["create"]}
]


def _bound(name: str, rules: list[Any], subject: dict[str, str]) -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    api = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
    ref = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    binding = {**api, "kind": "ClusterRoleBinding", "roleRef": ref, "subjects": [subject]}
    return [{**api, "kind": "ClusterRole", "rules": rules}, binding]


def test_what_it_may_do_cannot_always_be_asked(house: House) -> None:
    house.kube.deny("create", "selfsubjectaccessreviews")
    (found,) = [check for check in house.of("Kubernetes shop") if check.state != GOOD]
    assert (found.state, found.found) == (OPEN, "what it may do cannot be asked (403)")


def test_a_role_made_of_the_printed_rules_satisfies_the_doctor(house: House, tmp_path: Path) -> None:
    user = "system:serviceaccount:sre-bot:sre-bot"
    token = house.kube.user(user, rbac=True)
    house.kube.apply(_bound("system:basic-user", BASIC, {"kind": "Group", "name": "system:authenticated"}))
    settings = replace(house.settings, kubeconfig=str(house.kube.kubeconfig(tmp_path / "sa", token=token)))
    cluster = settings.site.clusters["shop"]
    needs = (*kube_needs(cluster), *change_needs(cluster))
    denied = [check for check in house.of("Kubernetes shop", settings) if check.state == BROKEN]
    reading = [
        need.rule[2:] for need in kube_needs(cluster)
    ]  # of changes one line is enough: not one is there
    assert [check.mend.partition(" add - ")[2] for check in denied] == reading
    rules = [{"apiGroups": [n.group], "resources": [n.resource], "verbs": [n.verb]} for n in needs]
    subject = {"kind": "ServiceAccount", "name": "sre-bot", "namespace": "sre-bot"}
    house.kube.apply(_bound("sre-bot", rules, subject))
    assert [check for check in house.of("Kubernetes shop", settings) if check.state == BROKEN] == []


def test_a_site_that_watches_everything_needs_its_rights_in_the_whole_cluster() -> None:
    needs = kube_needs(ClusterSite())
    assert {need.namespace for need in needs} == {""}
    assert {KubeNeed("list", "nodes"), KubeNeed("list", "pods"), KubeNeed("get", "pods/log")} <= set(needs)
    assert not {need.resource for need in needs} & {"pods/proxy", "services/proxy", "nodes/proxy", "secrets"}


def test_a_site_that_watches_some_namespaces_needs_only_there_what_has_one() -> None:
    site = parse("namespaces: {watch: [a, b]}\nmonitoring: {access: proxy}").cluster_for("")
    needs = kube_needs(site)
    assert [need.namespace for need in needs if need.resource == "events"] == ["a", "b"]
    assert [need.namespace for need in needs if need.resource == "pods/proxy"] == ["sre-shop"]
    assert [need.namespace for need in needs if need.resource == "services/proxy"] == [
        "monitoring",
        "sre-shop",
    ]
    # The plan of a drain looks at the pods of the whole cluster, so a, and b are not asked for by themselves.
    pods = [
        need.namespace for need in needs if (need.verb, need.resource, need.group) == ("list", "pods", "")
    ]
    assert pods == [""]


def test_config_maps_are_changed_only_where_a_flag_stops_the_writes() -> None:
    flagged = parse(
        "services: {web: {namespace: shop, freeze: {mode: flag, config_map: settings}}}"
    ).cluster_for("")
    wanted = KubeNeed("patch", "configmaps", "", "shop")
    assert wanted in change_needs(flagged)
    assert "configmaps" not in {need.resource for need in change_needs(ClusterSite()) if need.verb == "patch"}


def test_rights_to_change_are_none_of_those_to_read() -> None:
    assert not set(kube_needs(ClusterSite())) & set(change_needs(ClusterSite()))
    assert KubeNeed("create", "pods/eviction") in change_needs(ClusterSite())


def test_credentials_that_are_not_accepted(house: House, tmp_path: Path) -> None:
    config = house.kube.kubeconfig(tmp_path / "wrong", token="no-such-token")
    (found,) = house.of("Kubernetes shop", replace(house.settings, kubeconfig=str(config)))
    assert (found.state, found.found) == (BROKEN, "the credentials are not accepted (401)")


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (page(503, "<html>maintenance"), BROKEN, "/version answers 503, and not as an API server does"),
        (page(302, "", location="/login"), BROKEN, "/version answers 302, and not as an API server does"),
        (page(200, "<html>a login page"), BROKEN, "/version answers 200, and not as an API server does"),
        (page(200, []), BROKEN, "/version answers 200, and not as an API server does"),
        (page(403, {}), GOOD, "answers, but does not tell its version (403)"),
    ],
)
def test_an_answer_that_is_no_version(
    house: House, tmp_path: Path, answer: bytes, state: str, said: str
) -> None:
    with RudeServer(lambda asked: answer) as rude:
        config = tmp_path / "rude"
        config.write_text(
            house.kube.kubeconfig(tmp_path / "real").read_text().replace(house.kube.url, rude.url)
        )
        found = house.of("Kubernetes shop", replace(house.settings, kubeconfig=str(config)))
    assert (found[0].state, found[0].found) == (state, said)
    if state == BROKEN:
        assert len(found) == 1 and "KUBECONFIG" in found[0].mend


def test_a_context_that_is_not_in_the_kubeconfig(house: House) -> None:
    text = SITE.replace("{name: shop,", "{name: shop, context: elsewhere,")
    (found,) = house.of("Kubernetes shop", house.with_site(text % {"monitoring": house.monitoring.url}))
    assert found.state == BROKEN
    assert found.mend == "set KUBECONFIG, and `context` of cluster shop to a context in it"


def test_without_metrics_the_fallback_is_named(house: House) -> None:
    house.kube.metrics.switch("absent")
    found = house.of("Kubernetes shop")[-1]
    assert found.state == OPEN and "node use comes from Prometheus instead" in found.found


# --- Monitoring -----------------------------------------------------------------------------------


def test_monitoring_is_reached_through_the_api_server_when_so_configured(house: House) -> None:
    paths: list[str] = []

    def answer(request: Any) -> ProxyAnswer:
        paths.append(request.path)
        return ProxyAnswer(200, b"ok")

    ports = {"ports": [{"port": 9090}]}
    metadata = {"name": "prometheus-service", "namespace": "monitoring"}
    house.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": ports})
    house.kube.proxy("monitoring", "service/prometheus-service:9090", answer)
    text = "cluster: {name: shop, eks: false}\nmonitoring: {access: proxy}"
    found = house.of("Prometheus", house.with_site(text))
    assert seen(found) == [
        (GOOD, "http://prometheus-service.monitoring.svc:9090 is ready through the API server")
    ]
    assert paths == ["/-/ready"]


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (503, "look whether it is still starting, and whether `monitoring.prometheus.url` is right"),
        (302, "it redirects (to a login?): set `monitoring.prometheus.url` to the address inside the cluster"),
        (401, "it asks for a login: set `monitoring.prometheus.url` to an address without one, or grant services/proxy"),
    ],
)  # fmt: skip
def test_a_component_that_is_not_ready(house: House, status: int, mend: str) -> None:
    with RudeServer(lambda asked: page(status, "")) as rude:
        (found,) = house.of("Prometheus", house.with_site(SITE % {"monitoring": rude.url}))
    assert (found.state, found.mend) == (BROKEN, mend)


def test_a_component_that_is_not_configured_or_not_there(house: House) -> None:
    text = "cluster: {name: shop, eks: false}\nmonitoring: {prometheus: {url: ''}, grafana: {url: 'http://127.0.0.1:1'}}"
    settings = house.with_site(text)
    assert seen(house.of("Prometheus", settings)) == [(OPEN, "is not configured")]
    (found,) = house.of("Grafana", settings)
    assert found.state == BROKEN and "does not answer directly" in found.found


@pytest.mark.parametrize(("token", "state"), [("", OPEN), ("another-token", BROKEN)])
def test_grafanas_token(house: House, token: str, state: str) -> None:
    found = house.of("Grafana", replace(house.settings, grafana_token=Secret(token)))[-1]
    assert found.state == state and "set GRAFANA_TOKEN" in found.mend


@pytest.mark.parametrize(
    ("status", "check"),
    [
        (200, (GOOD, "dashboards may be searched without a token")),
        (
            401,
            (
                OPEN,
                "GRAFANA_TOKEN is not tried: the API server's proxy cannot pass a token (without: 401)",
            ),
        ),
    ],
)
def test_grafanas_token_does_not_pass_the_api_server(
    house: House, status: int, check: tuple[str, str]
) -> None:
    def answer(request: Any) -> ProxyAnswer:
        return ProxyAnswer(status if request.path.startswith("/api/search") else 200, b"{}")

    metadata = {"name": "grafana", "namespace": "monitoring"}
    spec = {"ports": [{"port": 3000}]}
    house.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    house.kube.proxy("monitoring", "service/grafana:3000", answer)
    text = "cluster: {name: shop, eks: false}\nmonitoring: {access: proxy}"
    assert seen(house.of("Grafana", house.with_site(text)))[-1] == check


# --- AWS ------------------------------------------------------------------------------------------


def test_an_unknown_cluster_or_node_group_is_named(house: House) -> None:
    text = (SITE % {"monitoring": house.monitoring.url}).replace(
        "nodegroups: [workers]", "nodegroups: [gone]"
    )
    found = house.of("AWS shop", house.with_site(text))[-1]
    assert found.found.startswith("eks:DescribeNodegroup: EKS does not know arn:aws:eks:eu-central-1:")
    assert found.mend == "change `nodegroups` of cluster shop"


def test_a_denied_action_comes_with_the_statement_to_add(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(asked: Any) -> bytes:
        if asked.method == "POST":
            identity = "<Arn>arn:aws-cn:sts::1:assumed-role/bot/x</Arn><Account>1</Account><UserId>u</UserId>"
            inner = f"<GetCallerIdentityResult>{identity}</GetCallerIdentityResult>"
            return page(200, f"<GetCallerIdentityResponse>{inner}</GetCallerIdentityResponse>", "text/xml")
        denied = {"message": "no"}
        return page(403, denied, x_amzn_ErrorType="AccessDeniedException")

    with RudeServer(answer) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        found = house.of("AWS shop")
    statement = '{"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "%s"}'
    assert found[1].mend == (
        "add to the role's policy " + statement % "arn:aws-cn:eks:eu-central-1:1:cluster/shop"
    )
    assert '"arn:aws-cn:eks:eu-central-1:1:nodegroup/shop/workers/*"' in found[2].mend


def test_a_cluster_off_eks_asks_aws_nothing(house: House) -> None:
    assert house.of("AWS", house.with_site("cluster: {eks: false}")) == []


# --- Together -------------------------------------------------------------------------------------


def test_one_hanging_source_hides_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    component = doctor._component

    def short(kube: Any, name: str, settings: Settings, patience: float) -> Iterator[Check]:
        # Their limit alone: on a busy machine the sound sources need more than this test would wait.
        yield from component(kube, name, settings, 0.3)

    monkeypatch.setattr(doctor, "_component", short)
    with RudeServer(lambda asked: HANG) as silent:
        settings = house.with_site(SITE % {"monitoring": silent.url})
        checks = house.checks(settings, patience=30.0)
    broken = {check.about for check in checks if check.state == BROKEN}
    assert broken == {"Prometheus shop", "Alertmanager shop", "Grafana shop"}
    assert {"Slack", "Redis", "Kubernetes shop", "AWS shop"} <= {check.about for check in checks}


def test_a_probe_that_outlasts_every_limit_is_a_line_and_keeps_what_it_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, over = Event(), Event()

    def hangs() -> Iterator[Check]:
        yield Check("stuck", GOOD, "began")
        found.set()
        over.wait()

    def well() -> Iterator[Check]:
        found.wait()
        yield Check("well", GOOD, "is")

    monkeypatch.setattr(doctor, "_probes", lambda *_: [("well", well), ("stuck", hangs)])
    try:
        assert house.checks(patience=1.0) == [
            Check("well", GOOD, "is"),
            Check("stuck", GOOD, "began"),
            Check("stuck", BROKEN, "did not answer in time"),
        ]
    finally:
        over.set()


def test_a_probe_that_fails_is_a_line(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Mapping[str, Any]:
        raise KeyError("a bug")

    monkeypatch.setattr(doctor, "_redis_facts", fails)
    found = house.of("Redis")
    assert seen(found)[-1] == (OPEN, "could not be checked: KeyError: 'a bug'")
    assert house.of("Kubernetes shop")[0].state == GOOD


def test_what_is_left_open_in_the_configuration_is_said(house: House) -> None:
    settings = replace(house.settings, site=Site(), alertmanager_tokens=())
    found = [check for check in house.of("configuration", settings) if check.state == OPEN]
    assert [check.found.split(",")[0] for check in found] == [
        "the alert webhook refuses every call",
        "nobody is oncall",
        "nobody may submit a change",
        "nobody may approve a change",
    ]


def test_nothing_printed_holds_a_secret(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    settings = replace(
        house.settings,
        slack_api_url="http://127.0.0.1:1/",
        redis_url=Secret("redis://:pass-word-1@127.0.0.1:1"),
    )
    assert doctor.main(settings, {}) == 1
    printed = "".join(capsys.readouterr())
    assert "***" in printed  # the password in the address
    for secret in settings.secrets:
        assert secret.reveal() not in printed
