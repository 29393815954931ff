"""The twenty words: what can be typed at all, built or not, with aliases, verbs and shortcuts.

This is the manual's grammar page as data. It says nothing about how a word answers: a Command does, and
commands/catalog.py refuses one whose word or verb does not stand here. A word or verb nobody has built
yet stays here on purpose: whoever types it is told so, instead of being told that it is a typing error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """The four groups of the help page, in its order."""

    LOOK = "LOOK — what do users feel?"
    CLUSTER = "CLUSTER — what is it made of?"
    PROTECT = "PROTECT — before it breaks"
    RESPOND = "RESPOND AND LEARN — when it breaks, and after"


@dataclass(frozen=True, slots=True)
class Verb:
    """approvers: how many people other than the requester must agree; 0 for a verb that changes nothing. own: the
    requester's own confirmation of the plan counts as one, because what it does ends by itself and is undone with
    one press; it is still planned, shown, confirmed and written to the audit. labels: what is typed like
    key="value" is a label matcher and no flag."""

    name: str
    help: str
    approvers: int = 0
    own: bool = False
    labels: bool = False

    @property
    def changes(self) -> bool:
        return self.approvers > 0

    @property
    def mark(self) -> str:
        return "*" * self.approvers


@dataclass(frozen=True, slots=True)
class Word:
    """bare: what the word answers without a verb. default: the verb that says the same, "" for none."""

    name: str
    group: Group
    bare: str
    aliases: tuple[str, ...] = ()
    verbs: tuple[Verb, ...] = ()
    default: str = ""

    def verb(self, name: str) -> Verb | None:
        return next((verb for verb in self.verbs if verb.name == name), None)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One word standing for a word and a verb. `number` names the flag that a bare number after the name
    means: `scale backend 5` is `deploy scale backend --replicas 5`."""

    name: str
    word: str
    verb: str
    number: str = ""

    @property
    def text(self) -> str:
        return f"{self.word} {self.verb}"


def _one(name: str, help: str) -> Verb:
    return Verb(name, help, approvers=1)


def _two(name: str, help: str) -> Verb:
    return Verb(name, help, approvers=2)


_LOOK = (
    Word(
        "health",
        Group.LOOK,
        "the morning check: all four sections",
        ("hc", "healthcheck", "morning"),
        (
            Verb("all", "all four sections"),
            Verb("slo", "availability, errors, budget, CPU and their red flags"),
            Verb("cluster", "nodes, pods and the control plane"),
            Verb("monitoring", "Prometheus, Grafana and Alertmanager themselves"),
            Verb("app", "the service: endpoints, probes, metrics"),
            Verb(
                "trend",
                "the error budget as it was spent, errors, requests and latency over the SLO's window",
            ),
        ),
        "all",
    ),
    Word(
        "slo",
        Group.LOOK,
        "SLIs, budget and burn of the default service",
        ("sli", "budget", "errorbudget"),
        (
            Verb("status", "the SLIs against their targets"),
            Verb("budget", "how much of the error budget is left"),
            Verb("links", "links to the dashboards"),
        ),
        "status",
    ),
    Word(
        "alert",
        Group.LOOK,
        "firing alerts",
        ("alerts", "al", "am"),
        (
            Verb("list", "firing alerts", labels=True),
            Verb("resolved", "alerts that ended, and how long they took"),
            Verb("triage", "what is probably the matter with one alert, and what would mend it"),
            Verb("ack", "take notice of an alert: the reminders end"),
            Verb("own", "have an alert in hand, or hand it over with --to"),
            Verb("snooze", "no reminder for a while"),
            Verb("mark", "call an alert actionable, informational or false"),
            Verb("routes", "who is told about what", labels=True),
            Verb("docs", "rules without a runbook or a clear summary"),
            Verb("tune", "noisy rules, and thresholds that would spare them"),
            Verb("load", "alerts per person on call"),
            Verb("gaps", "incidents that no alert announced"),
            Verb("rank", "severity against what an alert really meant"),
            Verb("order", "which alerts come first, and what should be inhibited"),
            Verb("rules", "the rules loaded, against the manual's"),
            Verb("silence", "hide an alert for at most 4 h; needs --why", approvers=1, own=True, labels=True),
            Verb("unsilence", "end a silence that was made from here", approvers=1, own=True),
            _one("test", "send a synthetic alert through the whole chain"),
        ),
        "list",
    ),
    Word("logs", Group.LOOK, "the last 100 lines of all pods, redacted", ("log", "tail")),
    Word(
        "debug",
        Group.LOOK,
        "five layers of the default service",
        ("why", "dbg", "diagnose"),
        (
            Verb("layers", "service, pods, nodes, network, dependencies"),
            Verb("5xx", "where errors come from"),
            Verb("latency", "where time is lost"),
            Verb("startup", "why pods do not start"),
            Verb("db", "connections, pool, locks"),
            Verb("memory", "who eats memory, and leaks"),
            Verb("net", "DNS, endpoints, policies, load balancer"),
        ),
        "layers",
    ),
)

_CLUSTER = (
    Word(
        "node",
        Group.CLUSTER,
        "nodes with their load",
        ("nodes", "machine"),
        (
            Verb("list", "nodes with their load"),
            Verb("show", "one node: conditions, taints, pods"),
            Verb("top", "CPU and memory by node"),
            Verb("disk", "disk use by node"),
            _one("cordon", "let no new pods onto a node"),
            _one("uncordon", "let pods onto a node again"),
            _one("drain", "move all pods off a node"),
        ),
        "list",
    ),
    Word(
        "pod",
        Group.CLUSTER,
        "pods that are not well",
        ("pods", "po"),
        (
            Verb("list", "pods that are not well"),
            Verb("show", "one pod: status, containers, events"),
            Verb("top", "CPU and memory by pod"),
            Verb("events", "warnings of the namespace"),
            Verb("restarts", "who restarts, how often and why"),
            Verb("evidence", "keep a pod's state before it goes away"),
            _one("exec", "run a diagnostic command inside a pod"),
            _one("isolate", "cut a pod off the network, keep it running"),
            _one("release", "undo an isolation"),
            _one("delete", "delete a pod; its owner makes a new one"),
        ),
        "list",
    ),
    Word(
        "deploy",
        Group.CLUSTER,
        "deployments with their ready counts",
        ("deployment", "deployments", "dep"),
        (
            Verb("list", "deployments with their ready counts"),
            Verb("show", "one deployment: rollout, pods, conditions"),
            Verb("history", "its revisions and what changed"),
            Verb("limits", "requests and limits against real use"),
            _one("rollback", "back to the revision before"),
            _one("restart", "replace all pods, one by one"),
            _one("scale", "another number of replicas"),
        ),
        "list",
    ),
    Word(
        "version",
        Group.CLUSTER,
        "what is old, what must be updated",
        ("versions", "upgrades", "updates"),
        (
            Verb("all", "all tables"),
            Verb("eks", "the control plane and its add-ons"),
            Verb("nodes", "kubelets and machine images"),
            Verb("images", "container images and their age"),
        ),
        "all",
    ),
    Word(
        "capacity",
        Group.CLUSTER,
        "requests against what is there, now",
        ("cap", "usage"),
        (
            Verb("now", "requests against what is there"),
            Verb("trend", "where use is going"),
            Verb("rightsize", "requests and limits that fit"),
            Verb("spread", "balance over nodes and zones"),
            Verb("storage", "volumes: fill, speed, type"),
            Verb("network", "drops, errors, bandwidth"),
            Verb("prometheus", "slow queries and rules"),
            Verb("hpa", "autoscalers: flapping, slow, at their limit"),
            Verb("nodegroup", "size of the node group"),
            Verb("autoscaler", "what the cluster autoscaler does"),
            Verb("forecast", "growth, and when it no longer fits"),
            Verb("cost", "what it costs, what could be saved"),
        ),
        "now",
    ),
)

_PROTECT = (
    Word(
        "audit",
        Group.PROTECT,
        "last findings of all parts, with their age",
        ("sec", "security"),
        (
            Verb("weekly", "the weekly security check"),
            Verb("monthly", "the monthly security check"),
            Verb("access", "who did what: unusual API and web access"),
            Verb("rbac", "who may do too much"),
            Verb("privileged", "pods with host access or root powers"),
            Verb("netpol", "namespaces without network policies"),
            Verb("vulns", "known holes in running images"),
            Verb("certs", "certificates about to expire"),
            Verb("eks", "logging and endpoint of the control plane"),
            Verb("iam", "AWS roles of cluster and nodes"),
            Verb("ioc", "signs of a break-in"),
            Verb("trail", "who asked the bot for what, and what became of it"),
            Verb("verify", "is the audit trail whole and unchanged?"),
            Verb("copy", "copy the audit trail to the bucket, up to last midnight"),
        ),
    ),
    Word(
        "backup",
        Group.PROTECT,
        "last good backup by kind",
        ("backups", "bk"),
        (
            Verb("status", "last good backup by kind"),
            Verb("verify", "is it whole, fresh and readable?"),
            Verb("k8s", "back up the cluster's objects"),
            Verb("dashboards", "back up Grafana's dashboards"),
            Verb("tfstate", "back up the Terraform state"),
            _one("prometheus", "snapshot of the metrics"),
            _one("snapshot", "snapshot of a volume or database"),
            _one("prune", "delete backups past their keep time"),
        ),
        "status",
    ),
    Word(
        "restore",
        Group.PROTECT,
        "what could be restored from when (never restores)",
        ("dr", "recover"),
        (
            Verb("plan", "what could be restored from when"),
            _one("test", "restore into a scratch namespace"),
            _one("namespace", "a namespace from its backup"),
            _one("grafana", "Grafana from its backup"),
            _one("prometheus", "Prometheus from its backup"),
            _one("alertmanager", "Alertmanager from its backup"),
            _two("cluster", "the whole cluster"),
            _two("dataloss", "after a loss of data"),
        ),
        "plan",
    ),
    Word(
        "change",
        Group.PROTECT,
        "open and coming changes",
        ("cr", "changes", "chg"),
        (
            Verb("list", "open and coming changes"),
            Verb("show", "one change"),
            Verb("recent", "what changed lately, announced or not"),
            Verb("new", "announce a change"),
            Verb("edit", "change what it says"),
            Verb("check", "is everything ready for it?"),
            Verb("tick", "a line of the check is so"),
            Verb("standby", "I am there for it, or not"),
            Verb("notify", "tell the stakeholders"),
            Verb("approve", "agree to it"),
            Verb("reject", "refuse it, and say why"),
            Verb("cancel", "take it back before it begins"),
            _one("start", "begin"),
            Verb("step", "the next step is done"),
            Verb("watch", "errors and latency while it runs"),
            Verb("report", "users complain"),
            Verb("rollback", "undo it"),
            Verb("validate", "did it work? against the baseline"),
            Verb("close", "end it"),
            Verb("review", "I looked at what nobody had approved"),
        ),
        "list",
    ),
    Word(
        "onboard",
        Group.PROTECT,
        "services and their open lines",
        ("onboarding", "newservice"),
        (
            Verb("show", "services and their open lines"),
            Verb("new", "begin with a new service"),
            Verb("check", "is it ready for production?"),
            Verb("verify", "does it do well in production?"),
        ),
        "show",
    ),
)

_RESPOND = (
    Word(
        "incident",
        Group.RESPOND,
        "open incidents, or the one of this channel",
        ("inc", "incidents", "outage"),
        (
            Verb("list", "open incidents"),
            Verb("status", "where the incident stands"),
            Verb("declare", "open one: sev1 … sev4 and a title"),
            Verb("ack", "I am on it"),
            Verb("join", "be part of it"),
            Verb("brief", "what is known, for who comes new"),
            Verb("page", "call somebody, then the next on the rota"),
            Verb("assign", "who is commander, deputy, scribe, comms, ops"),
            Verb("accept", "take a role that was offered"),
            Verb("decline", "refuse it, or take the offer back"),
            Verb("leave", "lay a role down"),
            Verb("sev", "how grave it is, 1 to 4"),
            Verb("set", "correct the record: title, impact, times"),
            Verb("update", "tell people how it stands"),
            Verb("done", "a line of the checklist is done"),
            Verb("skip", "a line of the checklist is left out, and why"),
            Verb("note", "a line for the timeline", labels=True),
            Verb("redact", "erase a text of it; two people agree"),
            Verb("timeline", "what happened when"),
            Verb("export", "the whole record as files"),
            Verb("verify", "whether the record is whole"),
            Verb("investigate", "the cause is looked for"),
            Verb("identify", "the cause is known"),
            Verb("mitigate", "users no longer feel it"),
            Verb("monitor", "it is mended, and watched"),
            Verb("promote", "a channel of its own"),
            Verb("resolve", "it is over"),
            Verb("reopen", "it is not over"),
            Verb("close", "all is done"),
            Verb("waive", "it needs no postmortem"),
            Verb("false-alarm", "nothing was wrong"),
            Verb("cancel", "declared by mistake"),
            Verb("merge", "it is the same as another one"),
            Verb("unmerge", "it was another one after all"),
            Verb("break-glass", "the commander approves a change alone"),
            Verb("review", "look at a change that was approved alone"),
            Verb("postmortem", "its draft, and your part of it"),
            Verb("publish", "publish the postmortem as drafted"),
            Verb("action", "an action item with owner and date"),
            Verb("security", "a private incident"),
            _two("block", "block an address range"),
            _one("unblock", "lift a block"),
            _two("rotate", "rotate a service account's credentials"),
            _two("freeze", "stop a service from writing"),
            _one("unfreeze", "undo a freeze"),
        ),
        "list",
    ),
    Word(
        "review",
        Group.RESPOND,
        "which review is due",
        ("report", "reviews"),
        (
            Verb("weekly", "the weekly review"),
            Verb("monthly", "the monthly review"),
            Verb("quarterly", "the quarterly review"),
            Verb("metrics", "availability, MTTR, change failures, toil"),
            Verb("mine", "my own time on call, for my eyes only"),
            Verb("alerts", "how good the alerts were"),
            Verb("dashboards", "dead, slow, missing or drifted dashboards"),
            Verb("docs", "runbooks that are out of date"),
            Verb("export", "the numbers as a file"),
            Verb("plan", "what to improve next"),
        ),
    ),
    Word(
        "runbook",
        Group.RESPOND,
        "the runbooks",
        ("rb", "runbooks", "playbook"),
        (
            Verb("list", "the runbooks"),
            Verb("show", "one runbook"),
            Verb("gaps", "alerts and people without a runbook"),
            Verb("stale", "runbooks nobody touched for long"),
        ),
        "list",
    ),
    Word(
        "task",
        Group.RESPOND,
        "my open lines",
        ("tasks", "todo", "checklist"),
        (
            Verb("list", "all open lines"),
            Verb("mine", "my open lines"),
            Verb("new", "a new line with owner and date"),
            Verb("done", "a line is done"),
            Verb("assign", "give a line to somebody"),
            Verb("skip", "leave a line out, and say why"),
            Verb("reopen", "it is not done"),
            Verb("survey", "ask the team"),
            Verb("approve", "agree to a plan"),
            Verb("reject", "refuse a plan, and say why"),
            Verb("cancel", "take a change back, or stop it"),
        ),
        "mine",
    ),
    Word(
        "help",
        Group.RESPOND,
        "what can be typed",
        ("?", "h", "commands"),
        (
            Verb("examples", "lines to try"),
            Verb("schedule", "what runs by itself, last and next"),
            Verb("config", "the configuration in force, secrets masked"),
            Verb("whoami", "who I am to the bot, and what I may do"),
            Verb("outbox", "messages Slack did not take"),
        ),
    ),
)

WORDS: Mapping[str, Word] = {word.name: word for word in _LOOK + _CLUSTER + _PROTECT + _RESPOND}

ALIASES: Mapping[str, str] = {alias: word.name for word in WORDS.values() for alias in word.aliases}

SHORTCUTS: Mapping[str, Shortcut] = {
    shortcut.name: shortcut
    for shortcut in (
        Shortcut("rollback", "deploy", "rollback"),
        Shortcut("restart", "deploy", "restart"),
        Shortcut("scale", "deploy", "scale", number="replicas"),
        Shortcut("cordon", "node", "cordon"),
        Shortcut("uncordon", "node", "uncordon"),
        Shortcut("drain", "node", "drain"),
        Shortcut("declare", "incident", "declare"),
        Shortcut("page", "incident", "page"),
        Shortcut("ack", "alert", "ack"),
        Shortcut("resolve", "incident", "resolve"),
        Shortcut("approve", "task", "approve"),
        Shortcut("reject", "task", "reject"),
        Shortcut("cancel", "task", "cancel"),
        Shortcut("errors", "debug", "5xx"),
        Shortcut("slow", "debug", "latency"),
        Shortcut("top", "pod", "top"),
        Shortcut("events", "pod", "events"),
        Shortcut("dashboards", "slo", "links"),
    )
}


def is_own(word: str, verb: str) -> bool:
    """Whether the requester's own confirmation of this change is enough."""
    found = WORDS[word].verb(verb) if word in WORDS else None
    return found is not None and found.own


def word_of(text: str) -> Word | None:
    """The word behind a word or one of its aliases, in any case."""
    name = text.casefold()
    return WORDS.get(ALIASES.get(name, name))
