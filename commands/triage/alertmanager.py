"""Alerts about Alertmanager, kube-state-metrics and what loads their configuration; and the two that always fire."""

from collections.abc import Callable, Sequence

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.reads import AlertmanagerStatus, AlertmanagerView
from commands.site import ClusterSite
from commands.triage.measured import Gauge, Reading, matchers, plain, read, share
from commands.triage.ownlog import gauge, rule
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import unread

KEY = "AR-5"

# --- members of a cluster -------------------------------------------------------------------------


def members(
    *gauges: Gauge, sentence: Callable[[Sequence[Reading]], str]
) -> Callable[[Subject, ClusterSite], Diagnosing]:
    """A diagnosis by what every member tells, and by what one of them says of its peers."""

    def diagnose(subject: Subject, site: ClusterSite) -> Diagnosing:
        words = {"here": matchers(subject, "namespace", "service", "job")}
        asked = [each.asked(words) for each in gauges]
        seen = yield (*asked, AlertmanagerStatus())
        readings = [read(each, seen[query]) for each, query in zip(gauges, asked, strict=True)]
        status: AlertmanagerView | Gap = seen[AlertmanagerStatus()]
        text = sentence(readings) if readings[0].top else ""
        findings = (*(reading.finding for reading in readings), _status(status))
        cause = Cause(text, Confidence.LIKELY) if text else None
        return Diagnosis(cause, findings, (Suggestion("Monitoring", "health monitoring"),))

    return diagnose


def _status(status: AlertmanagerView | Gap) -> Finding:
    label = "Alertmanager's own word"
    if isinstance(status, Gap):
        return unread(KEY, label, status)
    light = Light.GREEN if status.cluster in ("ready", "disabled") else Light.YELLOW
    return Finding(KEY, label, light, f"{status.version}, cluster {status.cluster}, {status.peers} peers")


_MEMBERS = gauge(
    "Members that each one sees", "max by (pod) (alertmanager_cluster_members{$here})", plain, "pod", bad=None
)
_FEWEST = gauge("The fewest that one sees", "min(alertmanager_cluster_members{$here})", plain, bad=None)
_PODS = gauge("Members that Prometheus sees", "count(max by (pod, instance) (up{$here}))", plain, bad=None)
_UP = gauge("Members that answer", "sum(max by (pod, instance) (up{$here}))", plain, bad=None)
_CONFIGS = gauge(
    "Different configurations",
    'count(count_values("hash", max by (pod, instance) (alertmanager_config_hash{$here})))',
    plain,
    bad=2,
)
_RESTARTS = gauge(
    "Starts in ten minutes",
    "max by (pod) (changes(process_start_time_seconds{$here}[10m]))",
    plain,
    "pod",
    bad=2,
)


def _inconsistent(readings: Sequence[Reading]) -> str:
    fewest, most, pods = readings
    seen = f"{fewest.words} of {pods.words or most.words}"
    return f"a member of Alertmanager's cluster sees {seen} members: the same alert may be told twice"


def _differ(readings: Sequence[Reading]) -> str:
    if readings[0].value < 2:
        return ""
    return f"the members of Alertmanager's cluster have {readings[0].words} different configurations"


def _down(readings: Sequence[Reading]) -> str:
    up, pods = readings
    return f"{up.words} of {pods.words} members of Alertmanager's cluster answer"


def _looping(readings: Sequence[Reading]) -> str:
    return f"Alertmanager {readings[0].name} was started {readings[0].words} times in ten minutes"


_CLUSTER_STEPS = (
    "The members find each other on port 9094, TCP and UDP: is it open between them?",
    "See whether all of them run, and with the same configuration.",
)

# --- what always fires ----------------------------------------------------------------------------


def _always(text: str) -> Callable[[Subject, ClusterSite], Diagnosing]:
    def diagnose(subject: Subject, site: ClusterSite) -> Diagnosing:
        yield ()
        found = Finding(KEY, subject.name, Light.GREEN, "as it should be")
        return Diagnosis(Cause(text, Confidence.CERTAIN), (found,))

    return diagnose


# --- its log and its numbers ----------------------------------------------------------------------

_SEND = r"notify.*(err|fail|attempt)|level=error.*dispatcher"
_FAILED = gauge(
    "Notifications that failed",
    "max by (integration, reason) (rate(alertmanager_notifications_failed_total{$here}[5m])"
    " / ignoring (reason) group_left () rate(alertmanager_notifications_total{$here}[5m]))",
    share,
    "integration",
    "reason",
    bad=0.01,
)
_LOADED = gauge(
    "Configuration that did not load",
    "max(alertmanager_config_last_reload_successful{$here} == bool 0)",
    lambda value: "yes" if value else "no",
    bad=1,
)
_SEND_STEPS = (
    "The answer of the receiver in the log says why: address, token, rate limit.",
    "A webhook may be this bot's own: see `help outbox`, and its pods.",
)
_RIGHTS = (
    "A missing right says `forbidden` in the log: mend its ClusterRole.",
    "A flood of objects: shard it.",
)


def _states(operation: str) -> Rule:
    metric = f"kube_state_metrics_{operation}_total"
    failed = gauge(
        f"Share of failed {operation}s",
        f'(sum by (resource) (rate({metric}{{$here,result="error"}}[5m]))'
        f" or 0 * sum by (resource) (rate({metric}{{$here}}[5m]))) / sum by (resource) (rate({metric}{{$here}}[5m]))",
        share,
        "resource",
        bad=0.01,
    )
    return rule(
        (f"KubeStateMetrics{operation.capitalize()}Errors",),
        "kube-state-metrics cannot read some objects, so what it tells of them is old or missing.",
        _RIGHTS,
        "kube-state-metrics",
        r"failed to (list|watch)|forbidden|Unauthorized",
        f"{{who}} fails in {{n}} of its attempts to {operation} ({{which}})",
        failed,
    )


RULES: tuple[Rule, ...] = (
    rule(
        ("AlertmanagerFailedReload", "PrometheusAlertmanagerConfigurationReloadFailure"),
        "Alertmanager could not load its new configuration, and goes on with the old one.",
        ("The log names the file and the line.", "amtool check-config before the next one."),
        "alertmanager",
        "loading configuration file failed|reload.*fail|level=error.*config",
        "the new configuration of {who} does not load, the old one stays in force",
        _LOADED,
    ),
    rule(
        ("AlertmanagerFailedToSendAlerts", "PrometheusAlertmanagerNotificationFailing"),
        "A member of Alertmanager cannot deliver to a receiver; perhaps another member can.",
        _SEND_STEPS,
        "alertmanager",
        _SEND,
        "{who} fails to send {n} of its notifications ({which})",
        _FAILED,
    ),
    rule(
        ("AlertmanagerClusterFailedToSendAlerts",),
        "No member of Alertmanager can deliver to a receiver: alerts are told to nobody there.",
        _SEND_STEPS,
        "alertmanager",
        _SEND,
        "Alertmanager fails to send {n} of its notifications ({which}): alerts are lost on that way",
        _FAILED,
    ),
    Rule(
        ("AlertmanagerMembersInconsistent",),
        "The members of Alertmanager's cluster do not all know each other.",
        members(_FEWEST, _MEMBERS, _PODS, sentence=_inconsistent),
        _CLUSTER_STEPS,
    ),
    Rule(
        ("AlertmanagerConfigInconsistent",),
        "The members of Alertmanager's cluster have different configurations.",
        members(_CONFIGS, sentence=_differ),
        (
            "One did not load the newest: see which one's reload failed.",
            "All must mount the same Secret or ConfigMap.",
        ),
    ),
    Rule(
        ("AlertmanagerClusterDown",),
        "Half of Alertmanager's members or more are down.",
        members(_UP, _PODS, sentence=_down),
        ("See its pods: where they run, and why they do not.", *_CLUSTER_STEPS[:1]),
    ),
    Rule(
        ("AlertmanagerClusterCrashlooping",),
        "Half of Alertmanager's members or more start again and again.",
        members(_RESTARTS, sentence=_looping),
        ("The log of the run before says why: `logs POD --previous`.",),
    ),
    _states("list"),
    _states("watch"),
    rule(
        ("KubeStateMetricsShardingMismatch", "KubeStateMetricsShardsMissing"),
        "The shards of kube-state-metrics do not add up: some objects are told by none of them.",
        (
            "All shards need the same --total-shards, and each its own --shard.",
            "See whether a pod of it is missing.",
        ),
        "kube-state-metrics",
        "shard",
        "the shards of kube-state-metrics differ in how many they are",
        gauge(
            "Shards that each one reckons with",
            "max by (pod) (kube_state_metrics_total_shards{$here})",
            plain,
            "pod",
            bad=None,
        ),
    ),
    rule(
        ("ConfigReloaderSidecarErrors",),
        "What tells a component of its new configuration fails: the new one is not in force.",
        (
            "Its log names what it could not read or call.",
            "Then see whether the configuration itself is right.",
        ),
        "config-reloader",
        r"level=error|fail|err=",
        "the configuration of {who} is not handed over",
        gauge(
            "Reload that failed",
            "max(reloader_last_reload_successful{$here} == bool 0)",
            lambda value: "yes" if value else "no",
            bad=1,
        ),
    ),
    Rule(
        ("Watchdog", "DeadMansSwitch", "PrometheusAlertmanagerE2eDeadManSwitch"),
        "Fires always, so that its silence can be noticed: it proves that alerts arrive.",
        _always("nothing is wrong: it always fires, and only its silence would be news"),
    ),
    Rule(
        ("InfoInhibitor",),
        "Fires where only information alerts fire, so that Alertmanager can hide those.",
        _always(
            "nothing is wrong: it exists to hide information alerts where nothing graver fires; route it to nobody"
        ),
    ),
)
