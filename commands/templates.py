"""Pod templates as they are compared: by meaning, whoever wrote them down.

A Deployment's template, that of its ReplicaSet and the data of a ControllerRevision say the same thing in
different words: a hash label, `creationTimestamp: null`, empty maps and lists that another version leaves
out. Called by whoever plans a rollback and whoever carries it out, so that both mean the same template.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Written into templates by the Deployment controller, and by strategic merge patches.
_NOT_MEANT = ("pod-template-hash", "controller-revision-hash", "$patch")
# Where {} is "all" and nothing is "none".
_SELECTORS = ("labelSelector", "namespaceSelector")


def template_hash(template: Mapping[str, Any]) -> str:
    """16 hex digits over what the template means. The template of nothing has a hash, too."""
    text = json.dumps(normalised(template), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def normalised(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template without what does not count: nulls, empty maps and lists, and the controllers' labels."""
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    metadata["labels"] = {
        key: value for key, value in (metadata.get("labels") or {}).items() if key not in _NOT_MEANT
    }
    meant = {key: value for key, value in template.items() if key not in _NOT_MEANT}
    return _pruned({**meant, "metadata": metadata}) or {}


def _pruned(value: Any) -> Any:
    """None for what is null or empty all the way down. Zero, false and "" are values and stay.

    An empty entry of a list keeps its place as {}: the third container is not the second.
    """
    if isinstance(value, Mapping):
        kept = {str(key): _pruned(each) for key, each in value.items()}
        kept |= {key: {} for key in _SELECTORS if value.get(key) == {}}
        return {key: each for key, each in kept.items() if each is not None} or None
    if isinstance(value, list | tuple):
        return [{} if (kept := _pruned(each)) is None else kept for each in value] or None
    return value
