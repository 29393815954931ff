"""Two pod templates are the same when they mean the same."""

from typing import Any

import pytest

from commands.templates import normalised, template_hash

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1", "env": [{"name": "A", "value": ""}]}]},
}


def changed(**parts: Any) -> dict[str, Any]:
    return {**TEMPLATE, **parts}


def web(**fields: Any) -> dict[str, Any]:
    return {"containers": [{**TEMPLATE["spec"]["containers"][0], **fields}]}


@pytest.mark.parametrize(
    "other",
    [
        changed(metadata={"labels": {"app": "web", "pod-template-hash": "5d8f"}}),
        changed(metadata={"labels": {"app": "web"}, "creationTimestamp": None, "annotations": {}}),
        changed(spec=web(resources={}, volumeMounts=[], securityContext=None)),
        changed(spec={**TEMPLATE["spec"], "securityContext": {}, "affinity": {"nodeAffinity": {}}}),
        {**TEMPLATE, "$patch": "replace"},
        dict(reversed(TEMPLATE.items())),
    ],
    ids=["hash label", "null time", "empty parts of a container", "empty parts", "patch directive", "order"],
)
def test_other_words_for_the_same_template(other: dict[str, Any]) -> None:
    assert template_hash(other) == template_hash(TEMPLATE)


@pytest.mark.parametrize(
    "other",
    [
        changed(spec=web(image="web:2")),
        changed(spec=web(env=[{"name": "A"}])),
        changed(spec=web(env=[])),
        changed(spec=web(stdin=False)),
        changed(spec={**TEMPLATE["spec"], "terminationGracePeriodSeconds": 0}),
        changed(metadata={"labels": {"app": "web", "tier": "front"}}),
        changed(
            metadata={"labels": {"app": "web"}, "annotations": {"kubectl.kubernetes.io/restartedAt": "x"}}
        ),
        changed(spec={"containers": [*TEMPLATE["spec"]["containers"], {}]}),
        {},
    ],
    ids=["image", "no value", "no variable", "false", "zero", "label", "annotation", "one more", "nothing"],
)
def test_another_template(other: dict[str, Any]) -> None:
    assert template_hash(other) != template_hash(TEMPLATE)


def test_a_selector_of_everything_is_not_one_of_nothing() -> None:
    everything, nothing = (
        {"affinity": {"podAntiAffinity": {"x": [{"topologyKey": "zone", "labelSelector": selector}]}}}
        for selector in ({}, None)
    )
    assert template_hash(changed(spec=everything)) != template_hash(changed(spec=nothing))


def test_what_is_normalised_is_left_alone() -> None:
    given = changed(metadata={"labels": {"app": "ü", "pod-template-hash": "5d8f"}, "creationTimestamp": None})
    normalised(given)
    assert given["metadata"]["creationTimestamp"] is None
    assert given["metadata"]["labels"]["pod-template-hash"] == "5d8f"


def test_nulls_everywhere_and_odd_characters_have_a_hash() -> None:
    assert template_hash({"metadata": None, "spec": None}) == template_hash({})
    assert len(template_hash({"spec": {"ü": "\ud800"}})) == 16
