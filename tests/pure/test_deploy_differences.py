"""Differences of pod templates, what templates refer to, and the arithmetic of strategies."""

from typing import Any

import pytest
from deploy_answers import template, view

from bot.secret import Redactor
from commands.deploy.references import Reference, references
from commands.deploy.rollout import margins, strategy_said
from commands.differences import SAME, differences, environment, images_said, is_secret, told, unhidden
from commands.workloads import Strategy, on_ecr, selector_text, selects


def web(**fields: Any) -> dict[str, Any]:
    return template(container=fields)


def variable(name: str, value: str) -> dict[str, Any]:
    return web(env=[{"name": name, "value": value}])


def secret(key: str) -> dict[str, Any]:
    return web(env=[{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": key}}}])


PROBE = {"httpGet": {"path": "/healthz", "port": 8080}}

CASES = [
    ("image and digest", template("shop:1@sha256:a"), template("shop:1@sha256:b"),
     ("  images", "- web: shop:1@sha256:a", "+ web: shop:1@sha256:b")),
    ("a plain value", variable("LEVEL", "info"), variable("LEVEL", "debug"),
     ("  environment", '- web LEVEL: "info"', '+ web LEVEL: "debug"')),
    ("a value that sounds secret", variable("DB_PASSWORD", "hunter2"), variable("DB_PASSWORD", "hunter3"),
     ("  environment", "- web DB_PASSWORD: ***", "+ web DB_PASSWORD: ***",
      "  another value of web DB_PASSWORD, which is hidden")),
    ("a Secret's key", secret("old"), secret("new"),
     ("  environment", "- web PASSWORD: from Secret db, key old", "+ web PASSWORD: from Secret db, key new")),
    ("a variable that is new", template(), variable("LEVEL", "x"), ("  environment", '+ web LEVEL: "x"')),
    ("resources", web(resources={"limits": {"cpu": "1"}}), web(resources={"limits": {"cpu": "2"}}),
     ("  resources", "- web limits cpu: 1", "+ web limits cpu: 2")),
    ("a probe that goes", web(readinessProbe=PROBE), template(),
     ("  probes", '- web readinessProbe: {"httpGet": {"path": "/healthz", "port": 8080}}')),
    ("a command", web(command=["sh", "-c", "a b"]), web(command=["sh"]),
     ("  command", "- web command: sh -c 'a b'", "+ web command: sh")),
    ("a volume's ConfigMap", template(volumes=[{"name": "c", "configMap": {"name": "c-1"}}]),
     template(volumes=[{"name": "c", "configMap": {"name": "c-2"}}]),
     ("  volumes", "- c: ConfigMap c-1", "+ c: ConfigMap c-2")),
    ("an account", template(serviceAccountName="a", serviceAccount="a"),
     template(serviceAccountName="b", serviceAccount="b"),
     ("  service account", "- serviceAccountName: a", "+ serviceAccountName: b")),
    ("security", template(), web(securityContext={"privileged": True}),
     ("  security", '+ web securityContext: {"privileged": true}')),
    ("scheduling", template(nodeSelector={"zone": "a"}), template(),
     ("  scheduling", '- nodeSelector: {"zone": "a"}')),
    ("an init container", template(), template(initContainers=[{"name": "db", "image": "m:1"}]),
     ("  images", "+ init db: m:1")),
    ("an empty volume", template(), template(volumes=[{"name": "tmp", "emptyDir": {}}]),
     ("  volumes", "+ tmp: emptyDir")),
    ("the rest is counted", template(), template(dnsPolicy="None", notes={"a": "b"}),
     ("  2 other fields: metadata annotations a, spec dnsPolicy",)),
    ("fields of a newer version", template(), template(container={"newField": {"deep": [1]}}),
     ("  1 other field: web newField deep",)),
    ("many others are cut", template(), template(notes={f"n{n}": "" for n in range(6)}),
     ("  6 other fields: metadata annotations n0, metadata annotations n1, metadata annotations n2, "
      "metadata annotations n3, …",)),
    ("the same", template(), template(), ()),
    ("empty against absent", template(), template(volumes=[], securityContext={}, nodeSelector=None), ()),
]  # fmt: skip


@pytest.mark.parametrize(("now", "then", "lines"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_differs(now: Any, then: Any, lines: tuple[str, ...]) -> None:
    assert differences(now, then) == lines


def test_images_stand_first_and_the_rest_last() -> None:
    then = template(
        "shop:2", dnsPolicy="None", nodeSelector={"a": "b"}, container={"resources": {"x": {"y": "1"}}}
    )
    groups = [line.strip() for line in differences(template("shop:1"), then) if line.startswith("  ")]
    assert groups == ["images", "resources", "scheduling", "1 other field: spec dnsPolicy"]


def test_what_is_hidden_passes_the_redactor_as_it_stands() -> None:
    before, after = variable("DB_PASSWORD", "hunter2"), variable("DB_PASSWORD", "hunter3")
    lines = differences(before, after)
    assert tuple(map(Redactor(), lines)) == lines and lines[-1].endswith("DB_PASSWORD, which is hidden")
    addresses = (variable("URL", f"postgres://bob:{word}@db/x") for word in ("hunter2", "hunter3"))
    assert differences(*addresses)[-1] == f"{SAME}web URL, which is hidden"


def test_no_value_of_a_hidden_variable_is_in_any_line() -> None:
    lines = "\n".join(differences(variable("API_TOKEN", "hunter2"), variable("API_TOKEN", "hunter3")))
    assert "hunter" not in lines
    assert "hunter" not in "\n".join(environment(variable("API_TOKEN", "hunter2")))


@pytest.mark.parametrize(
    "name", ["PASSWORD", "dbPasswd", "API_KEY", "apikey", "TOKEN", "TLS_CERT", "X_AUTH", "DSN"]
)
def test_a_name_that_sounds_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["LOG_LEVEL", "PORT", "MONKEYS", "KEYBOARD", "HOST"])
def test_a_name_that_does_not(name: str) -> None:
    assert not is_secret(name)


def test_several_images_are_told_by_their_containers() -> None:
    two = template("shop:1", initContainers=[{"name": "db", "image": "m:2"}])
    assert (images_said(template("shop:1")), images_said(two)) == ("shop:1", "web: shop:1, init db: m:2")


# --- References -----------------------------------------------------------------------------------


def test_every_place_that_names_an_object_is_found() -> None:
    sources = [{"configMap": {"name": "p-c"}}, {"secret": {"name": "p-s", "items": [{"key": "k"}]}}]
    volumes = [
        {"name": "a", "configMap": {"name": "v-c", "items": [{"key": "x"}]}},
        {"name": "b", "secret": {"secretName": "v-s", "optional": True}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "disk"}},
        {"name": "d", "projected": {"sources": sources}},
        {"name": "e", "emptyDir": {}},
    ]
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "e-c", "key": "a"}}},
           {"name": "B", "valueFrom": {"secretKeyRef": {"name": "e-s", "key": "b", "optional": True}}},
           {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]  # fmt: skip
    made = template(
        container={
            "env": env,
            "envFrom": [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "all"}}],
        },
        volumes=volumes,
        serviceAccountName="web",
        imagePullSecrets=[{"name": "pull"}],
    )
    assert references(made) == (
        Reference("ConfigMap", "all"),
        Reference("ConfigMap", "e-c", frozenset({"a"})),
        Reference("ConfigMap", "p-c"),
        Reference("ConfigMap", "v-c", frozenset({"x"})),
        Reference("PersistentVolumeClaim", "disk"),
        Reference("Secret", "all"),
        Reference("Secret", "e-s", frozenset({"b"}), is_optional=True),
        Reference("Secret", "p-s", frozenset({"k"})),
        Reference("Secret", "pull", is_optional=True),
        Reference("Secret", "v-s", is_optional=True),
        Reference("ServiceAccount", "web"),
    )


def test_one_use_that_is_not_optional_makes_the_object_needed() -> None:
    made = web(envFrom=[{"secretRef": {"name": "s", "optional": True}}, {"secretRef": {"name": "s"}}])
    assert references(made) == (Reference("Secret", "s"),)


def test_the_default_account_is_always_there() -> None:
    assert references(template(serviceAccountName="default")) == ()


# --- Strategies -----------------------------------------------------------------------------------

MARGINS = [
    ("Deployment", 10, Strategy(surge="25%", unavailable="25%"), (3, 2)),
    ("Deployment", 3, Strategy(surge="25%", unavailable="25%"), (1, 0)),
    ("Deployment", 1, Strategy(surge="0%", unavailable="25%"), (0, 1)),
    ("Deployment", 4, Strategy(surge=2, unavailable=0), (2, 0)),
    ("Deployment", 4, Strategy("Recreate"), (0, 4)),
    ("Deployment", 0, Strategy(surge="25%", unavailable="25%"), (0, 0)),
    ("StatefulSet", 5, Strategy(), (0, 1)),
    ("StatefulSet", 5, Strategy(unavailable="40%"), (0, 2)),
    ("DaemonSet", 5, Strategy(surge=0, unavailable=1), (0, 1)),
    ("DaemonSet", 5, Strategy(surge="20%", unavailable=0), (1, 0)),
]


@pytest.mark.parametrize(("kind", "replicas", "strategy", "expected"), MARGINS)
def test_surge_rounds_up_and_the_rest_down(kind: str, replicas: int, strategy: Any, expected: Any) -> None:
    found = margins(view(kind, replicas=replicas, strategy=strategy))
    assert (found.surge, found.unavailable) == expected


def test_a_strategy_in_words() -> None:
    assert strategy_said(view("StatefulSet")) == (
        "RollingUpdate: up to 0 extra pods and 1 missing at a time, highest ordinal first"
    )
    assert strategy_said(view(strategy=Strategy("Recreate"))).startswith("Recreate: all 3 pods end before")


# --- Small things of the vocabulary ---------------------------------------------------------------


def test_a_selector_as_a_query_takes_it() -> None:
    wanted = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["x", "y"]},
            {"key": "d", "operator": "NotIn", "values": ["z"]},
            {"key": "e", "operator": "Exists"},
            {"key": "f", "operator": "DoesNotExist"},
        ],
    }
    assert selector_text(wanted) == "a=1,b=2,c in (x,y),d notin (z),e,!f"
    assert selects(wanted, {"a": "1", "b": "2", "c": "x", "e": ""})
    assert not selects(wanted, {"a": "1", "b": "2", "c": "x", "e": "", "f": ""})
    assert not selects(wanted, {"a": "1", "b": "2", "c": "x", "d": "z", "e": ""})


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("1.dkr.ecr.eu-west-1.amazonaws.com/a/b:c", ("1", "eu-west-1", "a/b", "c", "")),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/a", ("1", "eu-west-1", "a", "latest", "")),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn/a:b@sha256:d", ("1", "cn-north-1", "a", "", "sha256:d")),
        ("ghcr.io/a/b:c", None),
        ("nginx", None),
        ("1.dkr.ecr.evil.example.com/a:b", None),
    ],
)
def test_an_image_on_ecr_is_told_by_its_address(image: str, expected: Any) -> None:
    found = on_ecr(image)
    assert expected == (found and (found.account, found.region, found.repository, found.tag, found.digest))


# --- Secrets in other places than variables with a telling name --------------------------------------

LONG = "x" * 120
LEAKS: dict[str, dict[str, Any]] = {
    "a URL": {"container": {"env": [{"name": "DATABASE", "value": "postgres://shop:hunter2@db/shop"}]}},
    "a URL that is cut": {"container": {"env": [{"name": "DB", "value": f"{LONG}://shop:hunter2{LONG}@db"}]}},
    "the word after a flag": {"container": {"args": ["--db-password", "hunter2"]}},
    "a flag with a value": {"container": {"args": ["--db-password=hunter2"]}},
    "a line of a shell": {"container": {"command": ["sh", "-c", "PGPASSWORD=hunter2 run --token 'hunter2'"]}},
    "a quoted value": {"container": {"command": ["sh", "-c", 'export SECRET="my hunter2"; run']}},
    "the header of a probe": {"container": {"livenessProbe": {"httpGet": {
        "httpHeaders": [{"name": "Authorization", "value": "Bearer hunter2"}]}}}},
    "the command of a probe": {"container": {"livenessProbe": {"exec": {
        "command": ["redis-cli", "--pass", "hunter2"]}}}},
    "options of a volume": {"volumes": [{"name": "v", "flexVolume": {"options": {"password": "hunter2"}}}]},
    "attributes of a driver": {"volumes": [{"name": "v", "csi": {"volumeAttributes": {"token": "hunter2"}}}]},
    "an annotation": {"notes": {"kubectl.kubernetes.io/last-applied-configuration": '{"password":"hunter2"}'}},
}  # fmt: skip


@pytest.mark.parametrize("changes", LEAKS.values(), ids=LEAKS)
def test_no_secret_is_in_a_difference_wherever_it_stands(changes: dict[str, Any]) -> None:
    lines = differences(template(), template(**changes))
    assert lines and "hunter2" not in "\n".join(lines)
    assert "hunter2" not in "\n".join(environment(template(**changes)))


def test_names_of_secrets_and_words_beside_them_are_told() -> None:
    told = differences(
        template(),
        template(
            volumes=[{"name": "v", "csi": {"nodePublishSecretRef": {"name": "web-tls"}}}],
            container={"args": ["--token-ttl", "30m", "--bypass", "cache", "--verbose"]},
        ),
    )
    for word in ("web-tls", "30m", "cache", "--verbose"):
        assert word in "\n".join(told)


# --- A line each ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "lines"),
    [
        ({"image": "shop:1.5"}, ("image app: shop:1.4 → shop:1.5",)),
        ({"env": [{"name": "LOG_LEVEL", "value": "debug"}]}, ('env app LOG_LEVEL: (none) → "debug"',)),
        ({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, ("env app DB_PASSWORD changed",)),
        ({"resources": {"limits": {"memory": "64Mi"}}}, ("resource app limits memory: (none) → 64Mi",)),
        ({"command": ["run", "--token", "abc"]}, ("command app command: (none) → run --token '***'",)),
        ({"workingDir": "/srv"}, ("1 other field: app workingDir",)),
        ({}, ()),
    ],
)
def test_a_difference_is_told_on_one_line(then: dict[str, Any], lines: tuple[str, ...]) -> None:
    def template(more: dict[str, Any]) -> dict[str, Any]:
        return {"spec": {"containers": [{"name": "app", "image": "shop:1.4"} | more]}}

    assert told(template({}), template(then)) == lines


def test_an_address_is_shown_without_its_password() -> None:
    assert unhidden("postgres://shop:hunter2@db:5432/shop") == "postgres://***@db:5432/shop"
