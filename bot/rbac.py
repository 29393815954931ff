"""`python -m bot.rbac` (`make rbac`): the manifests of rights, written from what commands/needs.py declares.

k8s/rbac.yaml has a role for reading and one for changing, and one more for each right that is more than it
looks, which nobody has by default. k8s/aws-policy.json is the IAM policy, k8s/aws-change-policy.json that of changes
in AWS. Committed, and held by a drift test to be what this writes.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from commands.needs import ANY, EFFECTS, READS, Action, Extra, Rule, actions, changing_actions, rules

ROLES = Path(__file__).parents[1] / "k8s" / "rbac.yaml"
POLICY = ROLES.with_name("aws-policy.json")
CHANGE_POLICY = ROLES.with_name("aws-change-policy.json")

NAMESPACE = "sre-bot"

_HEAD = """\
# Written by `make rbac` from commands/needs.py; change that and not this.
#
# Run the workers as ServiceAccount sre-bot-change; or as sre-bot-read where the bot must change nothing: the
# API server then refuses the dry run of every plan. The bot's own process (python -m bot) asks nothing of
# the cluster and needs neither. To let it change some namespaces only, bind sre-bot-change by a RoleBinding in
# each of them; what has no namespace (nodes) then stays closed to it.
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


def manifest() -> str:
    """k8s/rbac.yaml."""
    reading = [rule for rule in rules(READS) if rule.extra is None]
    changing = [rule for rule in rules(EFFECTS) if rule.extra is None]
    documents = [
        _account("sre-bot-read"),
        _account("sre-bot-change"),
        _role("sre-bot-read", "Everything that commands look at.", reading),
        _binding("sre-bot-read", "sre-bot-read", "sre-bot-change"),
        _role(
            "sre-bot-change",
            "Everything that an approved change may do, and what it looks at first.",
            changing,
        ),
        _binding("sre-bot-change", "sre-bot-change"),
        *(_extra(extra) for extra in Extra),
    ]
    return _HEAD + "".join(f"---\n{document}" for document in documents)


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


def _binding(role: str, *accounts: str) -> str:
    subjects = "".join(
        f"  - {{kind: ServiceAccount, name: {each}, namespace: {NAMESPACE}}}\n" for each in accounts
    )
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {role}}}\n"
        f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n"
        f"subjects:\n{subjects}"
    )


def _extra(extra: Extra) -> str:
    changing_only = extra in (Extra.SILENCES_PROXY, Extra.TOKENS, Extra.FLAGS)
    accounts = ("sre-bot-change",) if changing_only else ("sre-bot-read", "sre-bot-change")
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


def main() -> int:
    ROLES.write_text(manifest())
    POLICY.write_text(policy())
    CHANGE_POLICY.write_text(change_policy())
    print(f"wrote {ROLES}, {POLICY} and {CHANGE_POLICY}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
