"""Where the real control plane's programs are, and how they get there when they are not.

`python -m sandbox.envtest` prints the folder (for KUBEBUILDER_ASSETS) and fills the cache first when it
must: kube-apiserver, kube-controller-manager, kube-scheduler and kubectl are built from the published Go
modules, etcd likewise, about five minutes once. Without a Go toolchain nothing can be had: the archives of
setup-envtest hold no controller-manager and no scheduler. Called by `make envtest` and the runner of the
control plane, which never builds. Must not print anything but the folder on standard output.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

KUBERNETES = "v1.36.3"
ETCD = "v3.6.5"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
PROGRAMS = (*COMPONENTS, "etcd")

BUILD_SECONDS = 3600
# go.mod of Kubernetes names its own minimum; an older toolchain fetches this one by itself.
GO = "1.26.0"


class Missing(RuntimeError):
    """The programs are not here; the message says what is wanting and what to do."""


def cache_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sre-bot" / "envtest" / KUBERNETES.removeprefix("v")


def lacking(folder: Path) -> list[str]:
    return [program for program in PROGRAMS if not os.access(folder / program, os.X_OK)]


def present() -> Path:
    """The folder that has them all; builds nothing."""
    looked = []
    for folder in (os.environ.get("KUBEBUILDER_ASSETS"), cache_folder()):
        if not folder:
            continue
        if not (absent := lacking(Path(folder))):
            return Path(folder)
        looked.append(f"{folder} lacks {', '.join(absent)}")
    raise Missing(f"no Kubernetes {KUBERNETES} programs ({'; '.join(looked)}): run `make envtest`")


def provide() -> Path:
    """The folder that has them all, built into the cache when there is none."""
    try:
        return present()
    except Missing as reason:
        if shutil.which("go") is None:
            raise Missing(f"{reason}, which needs the Go toolchain on PATH (go.dev/dl)") from None
        _say(f"{reason}; building them now, about five minutes")
    return build(cache_folder())


def build(target: Path) -> Path:
    """Appears in `target` all at once, so a build that was cut off leaves no half folder behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: a rename is only atomic within one file system.
    with tempfile.TemporaryDirectory(prefix="building-", dir=target.parent) as made:
        work, programs = Path(made), Path(made) / "bin"
        programs.mkdir()
        _build_kubernetes(work / "kubernetes", programs)
        _build_etcd(work / "etcd", programs)
        shutil.rmtree(target, ignore_errors=True)
        programs.rename(target)
    return target


def _build_kubernetes(module: Path, programs: Path) -> None:
    module.mkdir()
    # Any folder will do for the download, but go.mod files above it must not be picked up.
    answer = json.loads(_go(["mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES}"], module))
    staging = _staging_modules(Path(answer["GoMod"]).read_text())
    (module / "go.mod").write_text(_go_mod(staging))
    imports = "".join(f'\t_ "k8s.io/kubernetes/cmd/{component}"\n' for component in COMPONENTS)
    (module / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\nimport (\n{imports})\n")
    # -e: tests of dependencies import modules that are not published; the four programs do not.
    _go(["mod", "tidy", "-e"], module)
    for component in COMPONENTS:
        _compile(f"k8s.io/kubernetes/cmd/{component}", programs / component, module, _version_flags())


def _build_etcd(module: Path, programs: Path) -> None:
    module.mkdir()
    (module / "go.mod").write_text(f"module envtest\n\ngo {GO}\n")
    _go(["get", f"go.etcd.io/etcd/server/v3@{ETCD}"], module)
    _compile("go.etcd.io/etcd/server/v3", programs / "etcd", module, "-s -w")


def _staging_modules(go_mod: str) -> list[str]:
    """Modules that Kubernetes replaces by folders of its own tree; they are published under v0."""
    return re.findall(r"^\t(k8s\.io/\S+) => \./staging", go_mod, re.MULTILINE)


def _go_mod(staging: Sequence[str]) -> str:
    published = KUBERNETES.replace("v1.", "v0.", 1)
    replaced = "".join(f"\t{module} => {module} {published}\n" for module in staging)
    return (
        f"module envtest\n\ngo {GO}\n\ngodebug default=go{GO.rpartition('.')[0]}\n\n"
        f"require k8s.io/kubernetes {KUBERNETES}\n\nreplace (\n{replaced})\n"
    )


def _version_flags() -> str:
    """Without these the server calls itself v0.0.0, and clients refuse or warn."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    facts: Mapping[str, str] = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "unknown",
    }
    package = "k8s.io/component-base/version"
    return " ".join(["-s -w", *(f"-X {package}.{name}={value}" for name, value in facts.items())])


def _compile(package: str, program: Path, module: Path, ldflags: str) -> None:
    started = time.monotonic()
    _go(["build", "-trimpath", "-ldflags", ldflags, "-o", str(program), package], module)
    _say(f"built {program.name} in {time.monotonic() - started:.0f} s")


def _go(words: Sequence[str], folder: Path) -> str:
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    done = subprocess.run(
        ["go", *words], cwd=folder, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS
    )
    if done.returncode:
        raise Missing(f"`go {words[0]} {words[1]}` failed: {done.stderr[-2000:]}")
    return done.stdout


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    try:
        print(provide())
    except Missing as reason:
        _say(f"envtest: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
