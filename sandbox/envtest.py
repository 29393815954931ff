"""Where the real control plane's programs are: kube-apiserver and its peers, kubectl and etcd.

Looks at KUBEBUILDER_ASSETS, then at the cache folder. Called by the control plane runner.
"""

from __future__ import annotations

import os
from pathlib import Path

KUBERNETES = "v1.36.3"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


class Missing(RuntimeError):
    """The programs are not here; the message says which and what to do."""


def cache_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sre-bot" / "envtest" / KUBERNETES.removeprefix("v")


def lacking(folder: Path) -> list[str]:
    return [program for program in PROGRAMS if not os.access(folder / program, os.X_OK)]


def present() -> Path:
    """The folder that has them all; builds nothing."""
    for folder in (os.environ.get("KUBEBUILDER_ASSETS"), cache_folder()):
        if folder and not lacking(Path(folder)):
            return Path(folder)
    raise Missing("no Kubernetes programs: run `make envtest` or set KUBEBUILDER_ASSETS")
