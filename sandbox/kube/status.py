"""Failures in the words of the real API server.

Owns `ApiError`, which carries the HTTP code, the `Status` body and the headers of a refused request, and
one constructor per kind of refusal. The texts were read off kube-apiserver 1.36.3; the contract suite
compares them again. Nothing here decides whether a request is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.kube.catalog import Resource

Json = dict[str, Any]

EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - objects "
    "that were created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list."
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One field of an Invalid status: `reason` is the machine word, e.g. FieldValueRequired."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class ApiError(Exception):
    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
        metadata: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = dict(headers or {})
        self.body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}}
        self.body |= {"status": "Failure", "message": message}
        if reason:
            self.body["reason"] = reason
        if details is not None:
            self.body["details"] = details
        self.body["code"] = code


def _details(resource: Resource, name: str = "") -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


def wrong_precondition(resource: Resource, name: str, field: str, wanted: str, found: str) -> ApiError:
    """Unlike other conflicts this one names the kind, not the resource."""
    afterwards = "been deleted and then recreated" if field == "UID" else "been modified"
    qualified = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details: Json = {"name": name}
    if resource.group:
        details["group"] = resource.group
    message = (
        f'Operation cannot be fulfilled on {qualified} "{name}": the {field} in the precondition ({wanted}) '
        f"does not match the {field} in record ({found}). The object might have {afterwards}"
    )
    return ApiError(409, "Conflict", message, details={**details, "kind": resource.kind})


def invalid(group: str, kind: str, name: str, causes: Iterable[Cause]) -> ApiError:
    causes = list(causes)
    listed = [f"{cause.field}: {cause.message}" for cause in causes]
    told = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {told}', details=details)


def rejected() -> ApiError:
    """What a failed JSON patch gets, whatever the reason."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, details={})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unknown_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def wrong_method() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def wrong_media_type() -> ApiError:
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def not_acceptable() -> ApiError:
    message = (
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
        "application/vnd.kubernetes.protobuf, application/json;stream=watch, "
        "application/vnd.kubernetes.protobuf;stream=watch"
    )
    return ApiError(406, "NotAcceptable", message, details={})


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str, *, causes: list[Json] | None = None) -> ApiError:
    named = f' "{name}"' if name else ""
    details = _details(resource, name)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f"{resource.qualified}{named} is forbidden: {why}", details=details)


def namespace_terminating(resource: Resource, name: str, namespace: str) -> ApiError:
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    return forbidden(resource, name, why, causes=[cause])


def unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def expired(message: str, *, continue_token: str = "") -> ApiError:
    metadata = {"continue": continue_token} if continue_token else {}
    return ApiError(410, "Expired", message, metadata=metadata)


def too_large_version(wanted: int, current: int) -> ApiError:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {wanted}, current: {current}",
        details={"causes": [cause], "retryAfterSeconds": 1},
        headers={"Retry-After": "1"},
    )
