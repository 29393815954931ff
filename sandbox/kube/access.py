"""Who may do what: bearer tokens, deny lists, RBAC.

A user is either unrestricted except for what the test denied, or bound by the Role and ClusterRole objects
in the store (`rbac=True`), so that a shipped role can be tried. Owns the answers to access reviews and the
403 messages. Anonymous requests may read health and version only.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sandbox.kube import status
from sandbox.kube.catalog import Catalog, Resource
from sandbox.kube.status import ApiError
from sandbox.kube.store import Store
from sandbox.kube.target import Target

Json = dict[str, Any]

MASTERS = "system:masters"
RBAC = "rbac.authorization.k8s.io"
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC)
_BASIC_RULES: list[Json] = [
    {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
]


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    rbac: bool = False

    @property
    def is_anonymous(self) -> bool:
        return self.name == "system:anonymous"


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",), rbac=True)


@dataclass(frozen=True, slots=True)
class Denied:
    """All fields are shell patterns; `resource` is `pods` or `pods/log`."""

    verb: str = "*"
    resource: str = "*"
    group: str = "*"
    namespace: str = "*"
    user: str = "*"

    def matches(self, user: User, target: Target) -> bool:
        return (
            fnmatchcase(target.verb, self.verb)
            and fnmatchcase(target.what, self.resource)
            and fnmatchcase(target.group, self.group)
            and fnmatchcase(target.namespace, self.namespace)
            and fnmatchcase(user.name, self.user)
        )


class Access:
    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._users: dict[str, User] = {}
        self.denied: list[Denied] = []

    def add(self, name: str, *groups: str, rbac: bool = False, token: str = "") -> str:
        """Answers the token that proves the user."""
        token = token or secrets.token_urlsafe(24)
        self._users[token] = User(name, (*groups, "system:authenticated"), rbac)
        return token

    def revoke(self, token: str) -> None:
        self._users.pop(token, None)

    def identify(self, headers: dict[str, str]) -> User:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        user = ANONYMOUS
        if scheme.lower() == "bearer" and token.strip():
            found = self._users.get(token.strip())
            if found is None:
                raise status.unauthorized()
            user = found
        acted = headers.get("impersonate-user")
        return self._impersonated(user, acted, headers) if acted else user

    def check(self, user: User, target: Target) -> None:
        if not self.allows(user, target):
            raise self.refusal(user, target)

    def refusal(self, user: User, target: Target) -> ApiError:
        if not target.is_resource:
            message = f'forbidden: User "{user.name}" cannot {target.verb} path "{target.path}"'
            return ApiError(403, "Forbidden", message, details={})
        where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        why = (
            f'User "{user.name}" cannot {target.verb} resource "{target.what}" '
            f'in API group "{target.group}" {where}'
        )
        resource = self._catalog.find(target.group, target.version, target.resource) or _unlisted(target)
        return status.forbidden(resource, target.name, why)

    def known(self, name: str, groups: tuple[str, ...] = ()) -> User:
        """The user of that name, or a stranger bound by RBAC."""
        found = next((user for user in self._users.values() if user.name == name), None)
        if found is not None:
            return found
        return User(name, (*groups, "system:authenticated"), rbac=MASTERS not in groups)

    def token_review(self, token: str) -> Json:
        user = self._users.get(token)
        if user is None:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": {"username": user.name, "groups": list(user.groups)}}

    def allows(self, user: User, target: Target) -> bool:
        if target.is_resource:
            if any(denied.matches(user, target) for denied in self.denied):
                return False
            if not user.rbac:
                return True
            basic = [] if user.is_anonymous else _BASIC_RULES
            return any(_grants(rule, target) for rule in (*basic, *self._rules(user, target.namespace)))
        if not user.rbac:
            return True
        known = _PUBLIC if user.is_anonymous else _DISCOVERY
        if any(fnmatchcase(target.path, pattern) for pattern in known):
            return True
        paths = [path for rule in self._rules(user, "") for path in _granted_paths(rule, target.verb)]
        return any(fnmatchcase(target.path, pattern) for pattern in paths)

    def rules_review(self, user: User, namespace: str) -> Json:
        public = {"verbs": ["get"], "nonResourceURLs": list(_DISCOVERY)}
        rules: list[Json] = list(_BASIC_RULES)
        if user.rbac:
            rules += [rule for rule in self._rules(user, namespace) if rule.get("resources")]
        elif not self._denials_of(user, namespace):
            rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        else:
            rules += self._enumerated(user, namespace)
        return {"resourceRules": rules, "nonResourceRules": [public], "incomplete": False}

    def _denials_of(self, user: User, namespace: str) -> list[Denied]:
        return [
            denied
            for denied in self.denied
            if fnmatchcase(user.name, denied.user) and fnmatchcase(namespace, denied.namespace)
        ]

    def _enumerated(self, user: User, namespace: str) -> Iterator[Json]:
        """Rules cannot say "all but", so with denials every resource is listed with what is left."""
        for resource in self._catalog.resources():
            for what in (
                resource.plural,
                *(f"{resource.plural}/{sub}" for sub in sorted(resource.subresources)),
            ):
                plural, _, sub = what.partition("/")
                verbs = ("get", "update", "patch", "create") if sub else sorted(resource.verbs)
                left = []
                for verb in verbs:
                    target = Target("", verb, resource.group, resource.version, plural, sub, namespace)
                    if self.allows(user, target):
                        left.append(verb)
                if left:
                    yield {"verbs": left, "apiGroups": [resource.group], "resources": [what]}

    def _impersonated(self, user: User, name: str, headers: dict[str, str]) -> User:
        target = Target("", "impersonate", "", "v1", "users", name=name)
        self.check(user, target)
        groups = tuple(group for group in headers.get("impersonate-group", "").split(",") if group)
        return self.known(name, groups)

    def _rules(self, user: User, namespace: str) -> Iterator[Json]:
        for entry in self._store.entries((RBAC, "clusterrolebindings")):
            if _binds(entry.obj, user):
                yield from self._role_rules("clusterroles", "", entry.obj["roleRef"]["name"])
        if not namespace:
            return
        for entry in self._store.entries((RBAC, "rolebindings")):
            if entry.namespace == namespace and _binds(entry.obj, user):
                kind = entry.obj["roleRef"]["kind"]
                where = namespace if kind == "Role" else ""
                plural = "roles" if kind == "Role" else "clusterroles"
                yield from self._role_rules(plural, where, entry.obj["roleRef"]["name"])

    def _role_rules(self, plural: str, namespace: str, name: str) -> Iterator[Json]:
        entry = self._store.get((RBAC, plural), namespace, name)
        if entry is not None:
            yield from entry.obj.get("rules") or ()


def _unlisted(target: Target) -> Resource:
    """A resource nobody serves is still forbidden by its name."""
    return Resource(target.group, target.version, target.resource, "", True, frozenset())


def _binds(binding: Json, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        name = subject["name"]
        if subject["kind"] == "ServiceAccount":
            name = f"system:serviceaccount:{subject.get('namespace', '')}:{name}"
        if name in user.groups if subject["kind"] == "Group" else name == user.name:
            return True
    return False


def _grants(rule: Json, target: Target) -> bool:
    if not {"*", target.verb} & set(rule.get("verbs") or ()):
        return False
    if not {"*", target.group} & set(rule.get("apiGroups") or ()):
        return False
    wanted = {"*", target.what, f"*/{target.subresource}"} if target.subresource else {"*", target.resource}
    if not wanted & set(rule.get("resources") or ()):
        return False
    names = rule.get("resourceNames") or ()
    return not names or target.name in names


def _granted_paths(rule: Json, verb: str) -> list[str]:
    return list(rule.get("nonResourceURLs") or ()) if {"*", verb} & set(rule.get("verbs") or ()) else []
