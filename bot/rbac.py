"""`python -m bot.rbac` (`make rbac`): the manifests of rights, written from what commands/needs.py declares.

k8s/base has the account and the role that read; k8s/components/change those that change; and
k8s/components/extra-roles one role for each right that is more than it looks, which nobody has by default.
k8s/aws-policy.json is the IAM policy, k8s/aws-change-policy.json that of changes in AWS. Committed, and held by a
drift test to be what this writes.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from commands.needs import ANY, EFFECTS, READS, Action, Extra, Rule, actions, changing_actions, rules

SHIPPED = Path(__file__).parents[1] / "k8s"
POLICY = SHIPPED / "aws-policy.json"
CHANGE_POLICY = SHIPPED / "aws-change-policy.json"

NAMESPACE = "sre-bot"

READER, CHANGER = "sre-bot-read", "sre-bot-change"

_HEAD = "# Written by `make rbac` from commands/needs.py; change that and not this.\n"
_READING = """\
#
# Workers that run as this account change nothing: the API server refuses the dry run of every plan. The bot's own
# process asks nothing of the cluster and has neither account nor role.
"""
_CHANGING = """\
#
# To let the bot change some namespaces only, bind the role by a RoleBinding in each of them and leave out the
# ClusterRoleBinding of the same name; what has no namespace (nodes) then stays closed to it.
"""

# Why each of these stands alone.
_WHY: Mapping[Extra, tuple[str, ...]] = {
    Extra.PODS_PROXY: (
        "Where `monitoring.access` is proxy: health asks the application's pods through the API server.",
        "The right is to GET from any port of any pod, past network policies.",
    ),
    Extra.SERVICES_PROXY: (
        "Where `monitoring.access` is proxy: Prometheus, Alertmanager and Grafana through the API server.",
        "The right is to GET from any Service, past network policies: bind it in the monitoring namespace.",
    ),
    Extra.SILENCES_PROXY: (
        "Where `monitoring.access` is proxy: `alert silence` and `alert unsilence`, through the API server.",
        "The right is to POST to any Service, past network policies: bind it in the monitoring namespace.",
    ),
    Extra.NODES_PROXY: (
        "For `node disk` by the kubelet's own numbers, where no node-exporter is scraped.",
        "Who has it can run commands in every pod of every node: better let Prometheus scrape node-exporter.",
    ),
    Extra.SECRETS: (
        "For `deploy rollback` to say whether a Secret that the earlier revision names is still there, and for what",
        "changed before an alert to name the Secrets written and the releases of Helm, which are kept in Secrets.",
        "The bot asks for metadata only; the right includes what is in it: bind it in few namespaces.",
    ),
    Extra.TOKENS: (
        "For `incident rotate` to delete Secrets that hold a token of a service account.",
        "The right is to delete any Secret of the namespace: bind it where such tokens are.",
    ),
    Extra.FLAGS: (
        "For `incident freeze` where a service's `freeze.mode` is flag: it sets one key of one ConfigMap.",
        "The right is to change any ConfigMap of the namespace: bind it in those of such services only.",
    ),
}


def roles() -> dict[Path, str]:
    """Every manifest of Kubernetes rights, by the file it stands in."""
    return {
        SHIPPED / "base" / "rbac.yaml": _file(_READING, _reading()),
        SHIPPED / "components" / "change" / "rbac.yaml": _file(_CHANGING, _changing()),
        SHIPPED / "components" / "extra-roles" / "rbac.yaml": _file("", [_extra(extra) for extra in Extra]),
    }


def manifest() -> str:
    """All of them in one text, for who does without kustomize."""
    return "".join(roles().values())


def _file(why: str, documents: Iterable[str]) -> str:
    return _HEAD + why + "".join(f"---\n{document}" for document in documents)


def _reading() -> list[str]:
    needed = [rule for rule in rules(READS) if rule.extra is None]
    role = _role(READER, "Everything that commands look at.", needed)
    return [_account(READER), role, _binding(READER, READER, READER)]


def _changing() -> list[str]:
    needed = [rule for rule in rules(EFFECTS) if rule.extra is None]
    role = _role(CHANGER, "Everything that an approved change may do, and what it looks at first.", needed)
    bindings = [_binding(CHANGER, CHANGER, CHANGER), _binding(f"{CHANGER}-reads", READER, CHANGER)]
    return [_account(CHANGER), role, *bindings]


def _account(name: str) -> str:
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n"


def _role(name: str, why: str, needed: Iterable[Rule]) -> str:
    head = f"# {why}\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules:\n"
    return head + "".join(f"{line}\n" for line in _grouped(needed))


def _grouped(needed: Iterable[Rule]) -> list[str]:
    """One line for the resources of a group that take the same verbs."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in needed:
        verbs.setdefault((rule.group, rule.resource), set()).add(rule.verb)
    lines: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), asked in sorted(verbs.items()):
        lines.setdefault((group, tuple(sorted(asked))), []).append(resource)
    return [
        f'  - {{apiGroups: ["{group}"], resources: [{", ".join(resources)}], verbs: [{", ".join(asked)}]}}'
        for (group, asked), resources in lines.items()
    ]


def _binding(name: str, role: str, account: str) -> str:
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\n"
        f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n"
        f"subjects:\n  - {{kind: ServiceAccount, name: {account}, namespace: {NAMESPACE}}}\n"
    )


def _extra(extra: Extra) -> str:
    changing_only = extra in (Extra.SILENCES_PROXY, Extra.TOKENS, Extra.FLAGS)
    accounts = (CHANGER,) if changing_only else (READER, CHANGER)
    first, *rest = (f"--serviceaccount {NAMESPACE}:{account}" for account in accounts)
    command = (
        f"  kubectl create rolebinding sre-bot-{extra} -n NAMESPACE",
        f"    --clusterrole sre-bot-{extra} {first}",
        *(f"    {each}" for each in rest),
    )
    why = (
        *_WHY[extra],
        "Bound to nobody. To grant it:",
        *(f"{line} \\" for line in command[:-1]),
        command[-1],
    )
    if extra is Extra.NODES_PROXY:
        why = tuple(
            line.replace("rolebinding", "clusterrolebinding").replace(" -n NAMESPACE", "") for line in why
        )
    needed = [rule for rule in (*rules(READS), *rules(EFFECTS)) if rule.extra is extra]
    return _role(f"sre-bot-{extra}", "\n# ".join(why), needed)


# --- AWS ------------------------------------------------------------------------------------------


def policy() -> str:
    """k8s/aws-policy.json; BUCKET stands for `backup.bucket`."""
    return _policy(actions())


def change_policy() -> str:
    """k8s/aws-change-policy.json: who has it can open a network and give a role any right, so nobody has it by
    default."""
    return _policy(changing_actions())


def _policy(wanted: Iterable[Action]) -> str:
    found: dict[str, list[str]] = {}
    for action in wanted:
        found.setdefault(_arn(action), []).append(action.name)
    statements = [
        {"Effect": "Allow", "Action": sorted(names), "Resource": arn} for arn, names in sorted(found.items())
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def _arn(action: Action) -> str:
    service = action.name.partition(":")[0]
    if action.resource == ANY:
        return ANY
    if service == "s3":
        return f"arn:aws:s3:::BUCKET/{action.resource}".rstrip("/")
    if service == "iam":  # which is of no region
        return f"arn:aws:iam::*:{action.resource}"
    return f"arn:aws:{service}:*:*:{action.resource}"


def show(arguments: Sequence[str]) -> int:
    """`sre-bot rbac`: what main() writes, printed, for whoever has the package and not the repository."""
    texts = {"kubernetes": manifest, "aws": policy, "aws-change": change_policy}
    parser = argparse.ArgumentParser(prog="sre-bot rbac", description="Print the rights that the bot takes.")
    parser.add_argument("which", nargs="?", choices=texts, default="kubernetes")
    print(texts[parser.parse_args(arguments).which](), end="")
    return 0


def main() -> int:
    written = {**roles(), POLICY: policy(), CHANGE_POLICY: change_policy()}
    for file, text in written.items():
        file.write_text(text)
    print(f"wrote {', '.join(map(str, written))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
