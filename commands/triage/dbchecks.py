"""What the exporters of PostgreSQL and MongoDB tell, as checks: the question, its marks, and the row it answers.

Metric names are those of postgres_exporter and of Percona's mongodb_exporter. Judged by database.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from commands.triage.measured import Gauge, each_second, plain, seconds, share

_BY = ("instance", "datname")
_ACTIVITY = "max by (instance, datname, state, usename) (pg_stat_activity_count)"


@dataclass(frozen=True, slots=True)
class Check:
    """over, red: beyond these it is yellow, red; None: it is not judged so. red_from: red from here on. under: it is
    yellow below. threshold: as people read it. is_text: its labels hold statements, with people's data in them."""

    key: str
    gauge: Gauge
    over: float | None = None
    red: float | None = None
    red_from: float | None = None
    under: float | None = None
    threshold: str = ""
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Engine:
    """name: as people call it. metrics: those that show it is there. checks: in the order they are told."""

    name: str
    metrics: tuple[str, ...]
    checks: tuple[Check, ...]
    asks: tuple[str, ...]


def _gauge(
    label: str, template: str, words: Callable[[float], str], by: tuple[str, ...] = _BY, none: str = ""
) -> Gauge:
    names = tuple(dict.fromkeys(word for word in _words(template) if word.startswith(("pg_", "mongodb_"))))
    return Gauge(label, template, words, names, by, none=none)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()


_READ = "mongodb_ss_wt_cache_pages_read_into_cache"
_WANTED = "mongodb_ss_wt_cache_pages_requested_from_the_cache"
_EVICTED = "mongodb_ss_wt_cache_{}_pages_evicted"

_SCANS = "sum by (instance, datname, relname) (rate(pg_stat_user_tables_seq_scan[1h]))"
_INDEXED = "sum by (instance, datname, relname) (rate(pg_stat_user_tables_idx_scan[1h]))"
_LARGE = "(max by (instance, datname, relname) (pg_stat_user_tables_n_live_tup) > 10000)"
_STATEMENT = "instance, datname, queryid, query"

POSTGRES = Engine(
    "postgres",
    ("pg_stat_activity_count", "pg_up", "pg_settings_max_connections"),
    (
        Check("TD-1.1", _gauge(
            "Connections by state", f"sum by (instance, state) ({_ACTIVITY})", plain, ("instance", "state"))),
        Check("TD-1.1", _gauge(
            "Longest idle in transaction",
            'max by (instance, datname) (pg_stat_activity_max_tx_duration{state=~"idle in transaction.*"})',
            seconds), red=300, threshold="≤ 5 min"),
        Check("TD-1.2", _gauge(
            "Connections of the server's limit",
            f"sum by (instance) ({_ACTIVITY}) / max by (instance) (pg_settings_max_connections)",
            share, ("instance",)), over=0.8, red_from=0.95, threshold="≤ 80 %"),
        Check("TD-2.0", _gauge(
            "Slowest statements",
            f"topk(5, sum by ({_STATEMENT}) (rate(pg_stat_statements_seconds_total[15m]))"
            f" / sum by ({_STATEMENT}) (rate(pg_stat_statements_calls_total[15m])))",
            seconds, ("datname", "query", "queryid")), is_text=True),
        Check("TD-2.3", _gauge(
            "Large tables read without an index",
            f"topk(5, ({_SCANS} / ({_SCANS} + {_INDEXED})) and on (instance, datname, relname) {_LARGE})",
            share, ("datname", "relname")), over=0.5, threshold="≤ 50 %"),
        Check("TD-3.0", _gauge(
            "Sessions that wait for a lock, for a minute",
            'min_over_time((sum by (instance, datname)'
            ' (pg_stat_activity_count{wait_event_type="Lock"} or 0 * pg_stat_activity_count))[1m:15s])',
            plain, none="none"), red=0, threshold="none"),
        Check("TD-3.0", _gauge(
            "Locks held", "sum by (instance, mode) (max by (instance, datname, mode) (pg_locks_count)) > 0",
            plain, ("instance", "mode"), "none")),
        Check("TD-3.1", _gauge(
            "Longest transaction", "max by (instance, datname) (pg_stat_activity_max_tx_duration)", seconds),
            red=300, threshold="≤ 300 s"),
        Check("TD-3.2", _gauge(
            "Deadlocks in the last hour",
            "sum by (instance, datname) (max by (instance, datname) (increase(pg_stat_database_deadlocks[1h])))",
            plain, none="none"), over=0, threshold="none"),
    ),
    (
        "slow statements: set log_min_duration_statement = 500 (TD-2.1), then read its log",
        "EXPLAIN (ANALYZE, BUFFERS) of the slowest of them: note what it says (TD-2.2)",
        "are isolation levels above READ COMMITTED needed where they are used? (TD-3.3)",
    ),
)  # fmt: skip

MONGODB = Engine(
    "mongodb",
    ("mongodb_ss_connections", "mongodb_up"),
    (
        Check("TD-4.1", _gauge(
            "Documents looked at for each returned",
            "sum by (instance) (rate(mongodb_ss_metrics_queryExecutor_scannedObjects[5m]))"
            ' / sum by (instance) (rate(mongodb_ss_metrics_document{doc_op_type="returned"}[5m]))',
            plain, ("instance",)), red=100, threshold="≤ 100"),
        Check("TD-4.2", _gauge(
            "Indexes that nobody used in 7 days",
            "sum by (database, collection, key_name) (increase(mongodb_indexstats_accesses_ops[7d])) == 0",
            lambda value: "unused", ("database", "collection", "key_name"))),
        Check("TD-5.1", _gauge(
            "Cache hits", f"1 - rate({_READ}[5m]) / rate({_WANTED}[5m])", share, ("instance",)),
            under=0.95, threshold="≥ 95 %"),
        Check("TD-5.2", _gauge(
            "Pages evicted",
            f"sum by (instance) (rate({_EVICTED.format('modified')}[5m]) + rate({_EVICTED.format('unmodified')}[5m]))",
            each_second, ("instance",))),
        Check("TD-5.2", _gauge(
            "Dirty part of the cache",
            "mongodb_ss_wt_cache_tracked_dirty_bytes_in_the_cache / mongodb_ss_wt_cache_maximum_bytes_configured",
            share, ("instance",)), red=0.2, threshold="≤ 20 %"),
        Check("TD-6.0", _gauge(
            "Connections", 'max by (instance) (mongodb_ss_connections{conn_type="current"})', plain, ("instance",))),
        Check("TD-6.1", _gauge(
            "Growth of the connections in an hour",
            'deriv(max by (instance) (mongodb_ss_connections{conn_type="current"})[1h:1m]) * 3600'
            ' / max by (instance) (mongodb_ss_connections{conn_type="current"})',
            share, ("instance",)), over=0.1, threshold="≤ 10 %"),
        Check("TD-6.2", _gauge(
            "New connections",
            'max by (instance) (rate(mongodb_ss_connections{conn_type="totalCreated"}[5m]))',
            each_second, ("instance",)), over=10, threshold="≤ 10 a second"),
    ),
    (
        "explain('executionStats') of the slowest operations in the profiler: COLLSCAN wants an index",
        "drop indexes that nobody uses: each of them slows down writes",
    ),
)  # fmt: skip

ENGINES = (POSTGRES, MONGODB)
