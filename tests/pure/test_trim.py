"""Cutting `managedFields` out of a page that is not parsed yet: nothing else goes, whatever stands in texts."""

import copy
import json
from typing import Any

import pytest

from workers.trim import without_managed_fields

FIELDS: list[dict[str, Any]] = [
    {
        "manager": "kubelet",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:finalizers": {'v:"a]},"': {}}}, 'k:{"name":"web"}': {"f:spec": {}}},
        "subresource": "status",
    }
]


def pod(name: str, **more: Any) -> dict[str, Any]:
    """Its fields in the order of the API server; managedFields last, unless more is said."""
    return {
        "metadata": {"name": name, "managedFields": FIELDS, **more},
        "spec": {"nodeName": "n"},
        "status": {},
    }


def page(*items: dict[str, Any]) -> bytes:
    whole = {"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": list(items)}
    return json.dumps(whole, separators=(",", ":")).encode()


def trimmed(*items: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(without_managed_fields(page(*items)))["items"]
    return found


def bare(item: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(item)
    del kept["metadata"]["managedFields"]
    return kept


def test_every_object_loses_its_managed_fields_and_nothing_else() -> None:
    items = [pod("a"), pod("b"), pod("c")]
    assert trimmed(*items) == [bare(item) for item in items]


def test_a_page_gets_smaller_by_them_alone() -> None:
    assert without_managed_fields(page(pod("a"))) == page(bare(pod("a")))


@pytest.mark.parametrize(
    "text", [',"managedFields":[', ']},"spec":{', '"metadata":{', '\\",\\"managedFields\\":[', "]}"]
)
def test_what_looks_like_them_in_a_text_stays(text: str) -> None:
    item = pod("a")
    item["metadata"] = {"annotations": {"note": text, "more": text * 2}, **item["metadata"]}
    item["spec"]["env"] = text
    item["status"]["message"] = text
    assert trimmed(item, pod("b")) == [bare(item), bare(pod("b"))]


def test_another_order_of_fields_is_left_as_it_is() -> None:
    """The next fitting end would be another object's: two pods would become one."""
    odd = pod("odd", labels={"a": "b"})
    other = {"metadata": odd["metadata"], "status": {}, "spec": {}}
    last = {"metadata": pod("last")["metadata"], "status": {}, "spec": {}}
    items = [odd, pod("a", finalizers=["x"]), other, last, pod("b")]
    assert trimmed(*items) == [*items[:-1], bare(items[-1])]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"items":null}', b"no JSON", page(bare(pod("a")))])
def test_what_has_none_stays_as_it_is(body: bytes) -> None:
    assert without_managed_fields(body) == body


def test_objects_without_a_spec_stay_as_they_are() -> None:
    slices = [{"metadata": {"name": "s", "managedFields": FIELDS}, "addressType": "IPv4"}, {"metadata": {}}]
    assert trimmed(*slices) == slices
