"""Alerts about Prometheus itself: a configuration that does not load, samples and alerts that are lost.

Each by the component's own log (ownlog.py) and the number that the alert is made of.
"""

from commands.triage.measured import Gauge, each_second, plain, seconds, share
from commands.triage.ownlog import gauge, increase, rule
from commands.triage.rule import Rule


def _rule(name: str, means: str, steps: tuple[str, ...], pattern: str, sentence: str, *gauges: Gauge) -> Rule:
    return rule((name,), means, steps, "prometheus", pattern, sentence, *gauges)


_LOADED = gauge(
    "Configuration that did not load",
    "max(prometheus_config_last_reload_successful{$here} == bool 0)",
    lambda value: "yes" if value else "no",
    bad=1,
)
_LAST = gauge(
    "Last loaded",
    "time() - max(prometheus_config_last_reload_success_timestamp_seconds{$here})",
    lambda value: f"{seconds(value) if value < 60 else plain(value / 60) + ' min'} ago",
    bad=None,
)
_PUSHED_BACK = "Prometheus' own log says what it stumbles over."

RULES: tuple[Rule, ...] = (
    _rule(
        "PrometheusBadConfig",
        "Prometheus could not load its new configuration, and goes on with the old one.",
        ("The log names the file and the line.", "promtool check config before the next one."),
        "error (re)?loading config|couldn't load configuration|reloading config.*fail|one or more errors",
        "the new configuration of {who} does not load, the old one stays in force",
        _LOADED,
        _LAST,
    ),
    _rule(
        "PrometheusConfigurationReloadFailure",
        "Prometheus could not load its new configuration, and goes on with the old one.",
        ("The log names the file and the line.", "promtool check config before the next one."),
        "error (re)?loading config|couldn't load configuration|reloading config.*fail|one or more errors",
        "the new configuration of {who} does not load, the old one stays in force",
        _LOADED,
        _LAST,
    ),
    _rule(
        "PrometheusNotIngestingSamples",
        "Prometheus takes in no samples at all: every alert is blind.",
        ("See whether it has targets, and disk space.", _PUSHED_BACK),
        "no space left|level=error|append failed|out of order|write to WAL",
        "{who} takes in no samples",
        gauge(
            "No samples taken in",
            "max(rate(prometheus_tsdb_head_samples_appended_total{$here}[5m]) == bool 0)",
            lambda value: "yes" if value else "no",
            bad=1,
        ),
    ),
    _rule(
        "PrometheusDuplicateTimestamps",
        "Prometheus drops samples that come twice for the same moment with different values.",
        ("The log (level debug) names the target.", "Usually two targets that end up with the same labels."),
        "duplicate.*timestamp|Error on ingesting samples with different value",
        "{who} drops {n} samples with a time it already has: two targets have the same labels",
        gauge(
            "Dropped samples",
            "sum(rate(prometheus_target_scrapes_sample_duplicate_timestamp_total{$here}[5m]))",
            each_second,
        ),
    ),
    _rule(
        "PrometheusOutOfOrderTimestamps",
        "Prometheus drops samples that are older than what it already has.",
        ("Usually two targets with the same labels, or an exporter that sets its own times.", _PUSHED_BACK),
        "out.?of.?order",
        "{who} drops {n} samples that come too late",
        gauge(
            "Dropped samples",
            "sum(rate(prometheus_target_scrapes_sample_out_of_order_total{$here}[5m]))",
            each_second,
        ),
    ),
    _rule(
        "PrometheusTSDBReloadsFailing",
        "Prometheus cannot read its own blocks from disk.",
        ("A full or broken disk is the usual reason.", _PUSHED_BACK),
        "reload(ing)? blocks|corrupt|no space left",
        "{who} failed {n} times in 15 min to read its blocks",
        increase("Failed reloads", "prometheus_tsdb_reloads_failures_total"),
    ),
    _rule(
        "PrometheusTSDBCompactionsFailing",
        "Prometheus cannot compact its data: disk and memory fill.",
        ("A full disk is the usual reason: compaction needs room.", _PUSHED_BACK),
        "compact.*(fail|err)|no space left|corrupt",
        "{who} failed {n} times in 15 min to compact its data",
        increase("Failed compactions", "prometheus_tsdb_compactions_failed_total"),
    ),
    _rule(
        "PrometheusRemoteStorageFailures",
        "Prometheus cannot send its samples to the long-term store.",
        (
            "The answer in the log says why: rights, limits, address.",
            "Samples are kept for about two hours, then lost.",
        ),
        "remote.*(err|fail)|non-recoverable|server returned HTTP",
        "{who} cannot send samples away ({n} lost)",
        gauge(
            "Samples that were not taken",
            "sum(rate(prometheus_remote_storage_samples_failed_total{$here}[5m]))",
            each_second,
        ),
    ),
    _rule(
        "PrometheusRemoteWriteBehind",
        "What the long-term store has is minutes old.",
        ("See whether the store is slow, or whether there are too few shards.", _PUSHED_BACK),
        "remote.*(err|fail)|Failed to send batch|context deadline",
        "{who} is {n} behind with what it sends to the long-term store",
        gauge(
            "Behind by",
            "max(prometheus_remote_storage_highest_timestamp_in_seconds{$here})"
            " - max(prometheus_remote_storage_queue_highest_sent_timestamp_seconds{$here})",
            seconds,
            bad=120,
        ),
    ),
    _rule(
        "PrometheusRemoteWriteDesiredShards",
        "Sending to the long-term store wants more connections than it may have.",
        ("Is the store slow? Otherwise raise max_shards.", "Or send less: drop what nobody reads."),
        "remote.*(err|fail)|Failed to send batch",
        "{who} wants {n} times the connections to the long-term store that it may have",
        gauge(
            "Shards wanted of those allowed",
            "max(prometheus_remote_storage_shards_desired{$here} / prometheus_remote_storage_shards_max{$here})",
            plain,
            bad=1,
        ),
    ),
    _rule(
        "PrometheusNotificationQueueRunningFull",
        "Alerts wait in Prometheus, because Alertmanager does not take them fast enough.",
        ("See whether Alertmanager answers.", "A flood of alerts: which rule fires so often?"),
        "error sending alert|notify|alertmanager",
        "{n} of the room for alerts that wait in {who} is taken",
        gauge(
            "Queue of alerts",
            "max(prometheus_notifications_queue_length{$here} / prometheus_notifications_queue_capacity{$here})",
            share,
            bad=0.5,
        ),
    ),
    _rule(
        "PrometheusErrorSendingAlertsToSomeAlertmanagers",
        "An Alertmanager refuses alerts of Prometheus.",
        ("One of several: the others still tell.", "Its log, and its address in Prometheus' configuration."),
        "error sending alert|alertmanager.*(err|fail)",
        "{n} of the alerts that {who} sends to {which} are lost",
        gauge(
            "Alerts lost by Alertmanager",
            "max by (alertmanager) (rate(prometheus_notifications_errors_total{$here}[5m])"
            " / rate(prometheus_notifications_sent_total{$here}[5m]))",
            share,
            "alertmanager",
            bad=0.01,
        ),
    ),
    _rule(
        "PrometheusErrorSendingAlertsToAnyAlertmanager",
        "No Alertmanager takes all alerts of Prometheus: some are told to nobody.",
        ("See whether Alertmanager runs and answers.", "Its address in Prometheus' configuration."),
        "error sending alert|alertmanager.*(err|fail)",
        "{n} of the alerts that {who} sends to {which} are lost",
        gauge(
            "Alerts lost by Alertmanager",
            "max by (alertmanager) (rate(prometheus_notifications_errors_total{$here}[5m])"
            " / rate(prometheus_notifications_sent_total{$here}[5m]))",
            share,
            "alertmanager",
            bad=0.01,
        ),
    ),
    _rule(
        "PrometheusNotConnectedToAlertmanagers",
        "Prometheus knows no Alertmanager: whatever fires is told to nobody.",
        ("Are Alertmanager's pods there? Does the configuration name its Service?", _PUSHED_BACK),
        "alertmanager|discovery.*(err|fail)",
        "{who} knows no Alertmanager: nothing that fires is told to anybody",
        gauge(
            "No Alertmanager known",
            "max(prometheus_notifications_alertmanagers_discovered{$here} < bool 1)",
            lambda value: "yes" if value else "no",
            bad=1,
        ),
    ),
    _rule(
        "PrometheusLabelLimitHit",
        "Targets were dropped, because they have more labels than the configuration allows.",
        ("Raise label_limit, or drop labels in the scrape's relabelling.",),
        "label_limit|label_name_length|label_value_length",
        "{who} dropped targets {n} times in 15 min over a limit for labels",
        increase("Targets over a limit", "prometheus_target_scrape_pool_exceeded_label_limits_total"),
    ),
    _rule(
        "PrometheusScrapeBodySizeLimitHit",
        "Scrapes fail, because a page is larger than the configuration allows.",
        ("Raise body_size_limit, or let the target tell less.",),
        "body size limit",
        "{n} scrapes of {who} failed in 15 min over the limit for their size",
        increase("Scrapes over the limit", "prometheus_target_scrapes_exceeded_body_size_limit_total"),
    ),
    _rule(
        "PrometheusScrapeSampleLimitHit",
        "Scrapes fail, because a page has more samples than the configuration allows.",
        ("Find the metric with too many label values.", "Raise sample_limit, or drop it."),
        "sample limit",
        "{n} scrapes of {who} failed in 15 min over the limit for samples",
        increase("Scrapes over the limit", "prometheus_target_scrapes_exceeded_sample_limit_total"),
    ),
    _rule(
        "PrometheusTargetSyncFailure",
        "Prometheus cannot make targets of what it discovered.",
        ("The log names the scrape and the label.", "Usually a relabelling that makes an empty address."),
        "creating target|sync.*target|failed.*target",
        "{who} could not make {n} targets in 15 min, of scrape {which}",
        increase("Failed targets", "prometheus_target_sync_failed_total", "scrape_job"),
    ),
    _rule(
        "PrometheusHighQueryLoad",
        "Prometheus answers nearly as many queries at once as it may; the next ones wait.",
        ("A dashboard with heavy queries, opened by many? A rule?", "Record what is asked often."),
        "query.*(timed out|too many|cancel)",
        "{n} of the queries that {who} may answer at once are running",
        gauge(
            "Queries at once",
            "max(avg_over_time(prometheus_engine_queries{$here}[5m]) / prometheus_engine_queries_concurrent_max{$here})",
            share,
            bad=0.8,
        ),
    ),
    _rule(
        "PrometheusKubernetesListWatchFailures",
        "Prometheus cannot ask the Kubernetes API what there is to scrape.",
        (
            "A missing right says `forbidden` in the log: mend its ClusterRole.",
            "Else look at the API server.",
        ),
        r"failed to (list|watch)|forbidden|Unauthorized",
        "{who} failed {n} times in 15 min to ask the Kubernetes API what there is",
        increase("Failed lists and watches", "prometheus_sd_kubernetes_failures_total"),
    ),
    _rule(
        "PrometheusSDRefreshFailure",
        "Prometheus cannot refresh the list of what there is to scrape.",
        ("The log says which discovery, and why.",),
        "discovery|refresh",
        "{who} failed {n} times in 15 min to refresh its targets ({which})",
        increase("Failed refreshes", "prometheus_sd_refresh_failures_total", "mechanism"),
    ),
)
