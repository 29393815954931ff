"""`incident rotate`: make what a service account's credentials were worth nothing: tokens, sessions, secrets.

What uses the account comes first, because it all starts anew. Taken away is before started anew: a pod that starts
in between would hold what was stolen. What only people can rotate stands there as lines with an owner. Of a Secret
nothing but its metadata is ever read.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from commands.change import Change, Planning, Who, blocked
from commands.command import Command, Flag, Parts
from commands.effects import DeleteToken, Restart, RevokeSessions, RotateSecret
from commands.errors import UsageError
from commands.evidence import Reason, without_evidence
from commands.finding import Finding, Light, Suggestion
from commands.incident.proof import rehearsed, waves
from commands.incident.rotated import verify
from commands.model import Args, Gap, Reads, Seen
from commands.phrase import counted
from commands.plan import Plan, Step, Wave
from commands.reads import EvidenceKept, Now
from commands.securityreads import (
    Account,
    AccountPod,
    AccountPods,
    AccountRoles,
    AccountTokens,
    AccountView,
    ManagedSecret,
    ManagedSecretView,
    Role,
    RoleView,
)
from commands.site import ClusterSite
from commands.templates import template_hash
from commands.wording import one_line, unread
from commands.workloads import Workloads, WorkloadView

POLICY = "sre-bot-revoke-older-sessions"
# On the service account: names of secrets of Secrets Manager, apart by commas.
SECRETS = "sre-bot/secrets"
_IRSA = "eks.amazonaws.com/role-arn"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_ROLLOUT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class _Made:
    """What the plan is made of, as it is put together."""

    taken: list[Step] = field(default_factory=list)
    started: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    before: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, key: str, of: object, light: Light, value: str, mend: str = "") -> None:
        self.findings.append(Finding(key, str(of), light, value, mend=mend))


def wanted(args: Args, site: ClusterSite) -> Account:
    """Raises UsageError over a name that cannot be a service account's."""
    name = args.name.casefold()
    if not name:
        raise UsageError("Which service account? Type `incident rotate ACCOUNT`, or `NAMESPACE/ACCOUNT`.")
    if not _NAME.fullmatch(name):
        raise UsageError(f"`{one_line(args.name, 60)}` cannot be the name of a service account.")
    if args.flags.get("namespace") == "all":
        raise UsageError("`incident rotate` needs one namespace, not all of them.")
    return Account(args.flags.get("namespace") or site.namespaces.app, name)


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    account = wanted(args, site)
    place = f"{account.namespace}/{account.name}"
    title = f"Rotate the credentials of service account {place}"
    uses = _uses(account, site)
    seen = yield (Now(), account, *uses)
    stop = tuple(_stops(account, seen, uses))
    if stop:
        return blocked(title, stop)
    view: AccountView = seen[account]
    isolated = [pod.target for pod in seen[AccountPods(account.namespace, account.name)] if pod.is_isolated]
    kept = (EvidenceKept(tuple(target.uid for target in isolated)),) if isolated else ()
    secrets = tuple(ManagedSecret(name) for name in _secret_names(view, site, place))
    made = _Made()
    roles = tuple(Role(arn, POLICY) for arn in _arns(made, view, seen, account, site))
    more = (yield (*roles, *secrets, *kept)) if roles or secrets or kept else Seen({})
    for reason in without_evidence(isolated, more[kept[0]]) if kept else ():
        made.findings.append(_no_evidence(reason))
    at = seen[Now()].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _roles(made, roles, more, account, at)
    _tokens(made, account, seen)
    _rotations(made, secrets, more, who)
    _restarts(made, account, seen, at)
    _by_hand(made, site)
    return (
        yield from rehearsed(_whole(title, place, made, seen[AccountPods(account.namespace, account.name)]))
    )


def _no_evidence(reason: Reason) -> Finding:
    """Its sisters may be as it is, and starting them anew destroys what they show."""
    offer = Suggestion("Keep evidence", f"pod evidence {reason.pod.path}")
    value = f"{reason.pod.path} is isolated, and {reason.text}"
    return Finding("rotate.evidence", "Evidence", Light.RED, value, mend=reason.mend, suggestions=(offer,))


def _uses(account: Account, site: ClusterSite) -> Reads:
    space, name = account.namespace, account.name
    roles = (AccountRoles(site.eks_name, space, name),) if site.eks_name else ()
    return (AccountPods(space, name), Workloads(space), AccountTokens(space, name), *roles)


def _stops(account: Account, seen: Seen, uses: Reads) -> Iterator[Finding]:
    """Without these nobody knows what would start anew, or from when on a session is a new one."""
    essential = {
        "Time": seen[Now()],
        "Service account": seen[account],
        "Pods": seen[uses[0]],
        "Workloads": seen[uses[1]],
    }
    for label, answer in essential.items():
        if isinstance(answer, Gap):
            value = f"unknown: {one_line(answer.reason)}"
            yield Finding("rotate.unread", label, Light.RED, value, mend=answer.mend)
    if seen[account] is None:
        value = f"there is none {account.namespace}/{account.name}"
        mend = "Name its namespace with `--namespace`."
        yield Finding("rotate.none", "Service account", Light.RED, value, mend=mend)


def _whole(title: str, place: str, made: _Made, pods: tuple[AccountPod, ...]) -> Plan:
    steps = (*made.taken, *made.started)
    return Plan(
        title=title,
        findings=tuple(made.findings),
        waves=waves(
            Wave("Take away what was stolen", tuple(made.taken)),
            Wave("Start its pods anew", tuple(made.started)),
        ),
        facts=(_used_by(pods),),
        stays=("the service account itself, its rights, and what its role may do",),
        scope=(f"rotate {place}", *(f"{step.effect.kind} {step.effect.target}" for step in steps)),
        before=(("account", place.partition("/")[2]), *made.before),
        locks=(
            f"account/{place}",
            *(f"workload/{step.effect.target.kind}/{step.effect.target.path}" for step in made.started),
        ),
        estimate=timedelta(minutes=2) if made.started else timedelta(seconds=30),
        timeout=_ROLLOUT,
    )


def _used_by(pods: tuple[AccountPod, ...]) -> str:
    names = ", ".join(pod.target.name for pod in pods[:8]) + (", …" if len(pods) > 8 else "")
    used = f"used by {counted(len(pods), 'pod')}: {names}" if pods else "used by no pod"
    return f"{used}; no undo: a token that is deleted does not come back"


# --- The role ---------------------------------------------------------------------------------------


def _arns(made: _Made, view: AccountView, seen: Seen, account: Account, site: ClusterSite) -> tuple[str, ...]:
    named = [view.annotations[_IRSA]] if view.annotations.get(_IRSA) else []
    if site.eks_name:
        answer = seen[AccountRoles(site.eks_name, account.namespace, account.name)]
        if isinstance(answer, Gap):  # a role may be there all the same, and its sessions go on
            made.findings.append(unread("rotate.roles", "EKS Pod Identity", answer))
        else:
            named += answer
    return tuple(dict.fromkeys(named))


def _roles(made: _Made, roles: tuple[Role, ...], more: Seen, account: Account, at: str) -> None:
    for read in roles:
        view: RoleView | Gap | None = more[read]
        if isinstance(view, Gap):
            made.findings.append(unread("rotate.role", f"IAM role {read.arn}", view))
        elif view is None:
            value = "IAM does not know it in this account: its sessions are not revoked"
            mend = "Revoke them in the account of the role: IAM, Roles, Revoke sessions."
            made.tell("rotate.role", f"IAM role {read.arn}", Light.YELLOW, value, mend)
        else:
            _role(made, view, account, at)
    if roles:
        value = (
            "a stolen projected token can be exchanged for new sessions until it ends, up to 24 h after it was "
            "issued: AWS asks nobody whether its pod is still there"
        )
        mend = "To close that too, take the account out of the role's trust policy until then."
        made.tell("rotate.webidentity", "Web identity", Light.YELLOW, value, mend)


def _role(made: _Made, view: RoleView, account: Account, at: str) -> None:
    mine = f"system:serviceaccount:{account.namespace}:{account.name}"
    others = [subject for subject in view.subjects if subject != mine]
    if others:
        value = f"{', '.join(others[:5])} use it, too: their sessions end as well, and their pods do not start anew"
        made.tell("rotate.shared", view.target, Light.YELLOW, value)
    effect = RevokeSessions(view.target, POLICY, at)
    made.taken.append(
        Step(f"sessions {view.target.name}", effect, f"{view.target}: deny sessions issued before now")
    )
    made.before.append(
        (str(view.target), f"sessions denied from before {view.denied_before or 'no time yet'}")
    )


# --- Tokens and secrets -----------------------------------------------------------------------------


def _tokens(made: _Made, account: Account, seen: Seen) -> None:
    answer = seen[AccountTokens(account.namespace, account.name)]
    if isinstance(answer, Gap):
        made.findings.append(unread("rotate.tokens", "Token Secrets", answer))
        return
    pods: tuple[AccountPod, ...] = seen[AccountPods(account.namespace, account.name)]
    for token in answer:
        users = sorted(pod.target.name for pod in pods if token.target.name in pod.secrets)
        if users:
            value = f"is not deleted: {', '.join(users[:5])} mounts it, and would not start without it"
            mend = "Let the pods use a projected token, then rotate again."
            made.tell("rotate.mounted", token.target, Light.YELLOW, value, mend)
            continue
        effect = DeleteToken(token.target)
        made.taken.append(
            Step(f"token {token.target.name}", effect, f"delete {token.target}, a token without an end")
        )
        made.before.append((str(token.target), f"made {_day(token.created)}"))


def _secret_names(view: AccountView, site: ClusterSite, place: str) -> tuple[str, ...]:
    annotated = (name.strip() for name in view.annotations.get(SECRETS, "").split(","))
    return tuple(dict.fromkeys([*site.security.secrets.get(place, ()), *filter(None, annotated)]))


def _rotations(made: _Made, secrets: tuple[ManagedSecret, ...], more: Seen, who: Who) -> None:
    for read in secrets:
        view: ManagedSecretView | Gap | None = more[read]
        label = f"AWS secret {read.name}"
        if isinstance(view, Gap):
            made.findings.append(unread("rotate.secret", label, view))
        elif view is None:
            made.tell("rotate.secret", label, Light.YELLOW, "Secrets Manager does not know it")
        elif not view.is_rotated:
            value = "has no rotation in Secrets Manager: somebody has to give it a new value"
            made.tell(
                "rotate.secret",
                label,
                Light.YELLOW,
                value,
                f"aws secretsmanager put-secret-value --secret-id {read.name}",
            )
        else:
            text = f"rotate the secret {view.target.name} by its own rule"
            made.taken.append(
                Step(f"secret {view.target.name}", RotateSecret(view.target, _version(who, view)), text)
            )
            made.before.append((str(view.target), f"rotated {_day(view.rotated)}"))


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "nobody knows when"


def _version(who: Who, view: ManagedSecretView) -> str:
    """The same for the same request, so that a repeated effect rotates once."""
    return hashlib.sha256(f"{who.request} {view.target.uid}".encode()).hexdigest()[:32]


# --- What starts anew -------------------------------------------------------------------------------


def _restarts(made: _Made, account: Account, seen: Seen, at: str) -> None:
    workloads: tuple[WorkloadView, ...] = seen[Workloads(account.namespace)]
    own = [view for view in workloads if _account_of(view) == account.name]
    for view in own:
        why = _unfit(view)
        if why:
            made.tell("rotate.restart", view.target, Light.YELLOW, f"{why}: its pods keep what they hold")
            continue
        effect = Restart(view.target, template_hash(view.template), at)
        text = f"{view.target}: start {counted(view.replicas, 'pod')} anew"
        made.started.append(Step(f"restart {view.target}", effect, text))
        if view.replicas == 1:
            made.tell(
                "rotate.single", view.target, Light.YELLOW, "has one pod: it may answer nobody for a moment"
            )
    if own:
        said = ", ".join(str(view.target) for view in own)
        made.tell("rotate.used", "Workloads", Light.GREEN, f"it is the account of {said}")
    _others(made, seen[AccountPods(account.namespace, account.name)])


def _account_of(view: WorkloadView) -> str:
    return str((view.template.get("spec") or {}).get("serviceAccountName") or "default")


def _unfit(view: WorkloadView) -> str:
    if view.is_paused:
        return "is paused"
    if view.strategy.type == "OnDelete":
        return "replaces a pod only when somebody deletes it (OnDelete)"
    return "" if view.replicas else "asks for no pods"


def _others(made: _Made, pods: Iterable[AccountPod]) -> None:
    """Pods that no restart reaches."""
    for pod in pods:
        key, why, offer = "", "", Suggestion("Delete it", f"pod delete {pod.target.path}")
        if pod.is_isolated:
            key, why = (
                "rotate.isolated",
                "is isolated and keeps its token; it is deleted once its evidence is kept",
            )
            offer = Suggestion("Keep evidence", f"pod evidence {pod.target.path}")
        elif pod.controller.partition(" ")[0] not in ("ReplicaSet", "StatefulSet", "DaemonSet"):
            key = "rotate.pod"
            why = (
                f"{pod.controller or 'no workload'} has it, so it is not started anew and keeps what it holds"
            )
        if key:
            made.findings.append(Finding(key, str(pod.target), Light.YELLOW, why, suggestions=(offer,)))


def _by_hand(made: _Made, site: ClusterSite) -> None:
    """Nothing here can do these: each is somebody's."""
    for what, owner in site.security.by_hand.items():
        made.tell(
            "rotate.byhand", f"By hand: {what}", Light.YELLOW, f"{owner} rotates them; nothing here can"
        )


def parts(args: Args, site: ClusterSite) -> Parts:
    wanted(args, site)
    return {}


ROTATE = Command(
    word="incident",
    verbs=("rotate",),
    summary="Make a service account's credentials worthless: tokens, AWS sessions, secrets; start its pods anew.",
    rows=("SI-2.6", "C42"),
    parts=parts,
    examples=("incident rotate backend", "incident rotate sre-shop/backend"),
    flags=(Flag("namespace", "where it is; the application's namespace when left out", "NAMESPACE", "n"),),
    names="ACCOUNT",
    change=Change(plan, verify),
)
