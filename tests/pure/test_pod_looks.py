"""`pod list`, `show`, `top`, `events` and `restarts`: driven with made-up answers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from health_answers import DAY, HOUR, MINUTE, NOW, SITE, drive, finding, pod, section, survey

from commands.catalog import Catalog
from commands.errors import UsageError
from commands.finding import Light
from commands.model import Args, Gap
from commands.phrase import mebibytes, millicores
from commands.pod import describe, happened, listing, restarts, show, top
from commands.podreads import (
    ConfigMapChange,
    ConfigMapView,
    ContainerUsage,
    ContainerView,
    Ending,
    Events,
    EventView,
    PodDetail,
    PodDetails,
    PodMetrics,
    PodRow,
    PodRows,
    PodUsage,
    Resources,
    merged,
    workload,
)
from commands.queries import query
from commands.reads import Now, Pods, Sample, Vector

G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
SHOP = "sre-shop"
MIB = 2**20
NAME = "backend-7d4b9c6f5-x7k2p"
TWIN = "backend-7d4b9c6f5-b2c4d"
EMPTY = Vector(())
SILENT = Gap("prometheus: no connection", "check `monitoring.prometheus.url`")


def only(parts):
    (part,) = parts.values()
    return part.inquiry


def texts(line):
    return [offer.text for offer in line.suggestions]


# --- list ---


def listed(answer, flags=None, namespace=SHOP):
    given = flags or {}
    return section(
        only(listing.listed(Args("pod", "list", "", given), SITE)),
        {Now(): NOW, Pods(namespace, listing.DETAIL): answer},
    )


def test_the_namespace_of_the_application_is_meant_where_none_is_named():
    assert listed(survey(total=4)).title == "Pods · sre-shop"
    assert listed(survey(total=4), {"namespace": "all"}, "").title == "Pods · all namespaces"
    assert listed(survey(total=4), {"namespace": "other"}, "other").title == "Pods · other"


def test_a_crash_loop_is_red_though_its_phase_is_running_and_a_missing_image_though_it_is_pending():
    crashing = pod("CrashLoopBackOff", NAME, owner="ReplicaSet/backend-7d4b9c6f5", restarts=7)
    pulling = pod("ImagePullBackOff", "web-1", phase="Pending")
    found = listed(survey(crashing, pulling, total=12))
    line = finding(found, "DH-2.2")
    assert (line.light, line.value) == (R, "2 of 12 pods not well")
    assert found.table[0].split() == ["POD", "STATUS", "READY", "RESTARTS", "AGE", "NODE"]
    assert {row.split()[1] for row in found.table[1:]} == {"CrashLoopBackOff", "ImagePullBackOff"}
    assert texts(line) == [
        f"pod show sre-shop/{NAME}",
        f"logs sre-shop/{NAME} --previous",
        "deploy rollback sre-shop/backend",
    ]


def test_a_job_that_succeeded_is_not_listed():
    found = listed(replace(survey(total=9), by_status={"Running": 8, "Completed": 1}))
    assert (found.light, found.table) == (G, ())
    assert found.note == "8 Running · 1 Completed"


def test_one_evicted_pod_is_listed_with_its_reason_and_age():
    gone = pod("Evicted", phase="Failed", message="The node was low on resource: memory.", age=2 * DAY)
    found = listed(survey(gone, total=3), {"failed": ""})
    line = finding(found, "DH-2.6")
    assert line.evidence == ("sre-shop/backend-1: Evicted, 2 d old, The node was low on resource: memory.",)
    assert [each.key for each in found.findings] == ["DH-2.6"]
    assert finding(listed(survey(total=3), {"failed": ""}), "DH-2.6").value == "none"


def test_2500_pods_are_a_table_that_fits_and_a_file():
    sick = [pod("CrashLoopBackOff", f"p-{n:04}", restarts=9) for n in range(500)]
    found = listed(survey(*sick, total=2500))
    assert len("\n".join(found.table)) <= 3000
    assert found.table[-1].endswith("more lines in pods.txt")
    assert len(found.attachments[0].content.splitlines()) == 501


def test_pods_that_were_not_read_are_unknown():
    found = listed(Gap("pods in sre-shop: forbidden", "a rule"))
    assert (found.light, found.table) == (U, ())
    assert finding(found, "DH-2.2").mend == "a rule"


def selected(*pods, selector="app=backend"):
    answers = {Now(): NOW, PodDetails(SHOP, selector=selector): pods}
    return section(only(listing.listed(Args("pod", "list", "", {"selector": selector}), SITE)), answers)


def test_a_selector_lists_all_that_it_names_the_sick_first():
    found = selected(detail("a"), detail("b", "CrashLoopBackOff", ready="0/1"))
    assert [row.split()[0] for row in found.table] == ["POD", "b", "a"]
    assert finding(found, "DH-2.2").value == "1 of 2 pods not well"
    assert finding(selected(), "DH-2.2").light is Y


# --- events ---


def event(name=NAME, reason="BackOff", *, type="Warning", ago=MINUTE, count=1, message="", kind="Pod"):
    said = message or f"Back-off restarting failed container app in pod {name}_sre-shop"
    return EventView(SHOP, kind, name, type, reason, said, count, NOW - HOUR, NOW - ago)


def told(*events, name="", flags=None, namespace=SHOP):
    args = Args("pod", "events", name, flags or {})
    return section(only(happened.events(args, SITE)), {Now(): NOW, Events(namespace): merged(events)})


def test_50_identical_events_are_one_line():
    found = told(*(event(ago=n * MINUTE) for n in range(1, 51)))
    (row,) = found.table[1:]
    assert row.split()[3] == "×50"
    assert finding(found, "TF-2.1").value == "BackOff × 50, the last 1 min ago"


def test_the_same_of_every_replica_is_one_line_of_the_workload():
    found = told(*(event(f"backend-7d4b9c6f5-{tail}") for tail in ("x7k2p", "b2c4d", "zzzzz")))
    (row,) = found.table[1:]
    assert "×3" in row
    assert "Pod/backend-*" in row
    assert "in pod backend-*_sre-shop" in row


def test_warnings_stand_first_and_the_newest_last():
    found = told(
        event(reason="Pulled", type="Normal", ago=MINUTE),
        event(reason="Unhealthy", ago=2 * MINUTE),
        event(reason="BackOff", ago=9 * MINUTE),
    )
    assert [row.split()[4] for row in found.table[1:]] == ["BackOff", "Unhealthy", "Pulled"]
    assert texts(finding(found, "TF-2.1")) == ["pod show sre-shop/backend", "pod list -n sre-shop"]


def test_events_of_a_pod_of_a_workload_and_of_a_time():
    both = (event(), event("other-7d4b9c6f5-x7k2p", "Failed", ago=2 * HOUR))
    assert len(told(*both, name=NAME).table) == 2
    assert len(told(*both, name="backend").table) == 2
    assert len(told(*both, flags={"since": "1h"}).table) == 2
    assert told(*both, name="nobody").table == ()


def test_only_normal_events_are_green_and_a_gap_is_unknown():
    assert told(event(type="Normal")).light is G
    found = section(
        only(happened.events(Args("pod", "events"), SITE)),
        {Now(): NOW, Events(SHOP): Gap("events in sre-shop: forbidden", "a rule")},
    )
    assert (found.light, found.findings[0].mend) == (U, "a rule")


def test_more_than_a_message_takes_keeps_the_newest_and_a_file_of_all():
    many = [event(f"w{n}", f"Reason{n}", ago=n * MINUTE, message="x" * 90) for n in range(1, 200)]
    found = told(*many)
    assert len("\n".join(found.table)) <= 3000
    assert found.table[-1].split()[4] == "Reason1"
    assert len(found.attachments[0].content.splitlines()) == 200


@pytest.mark.parametrize(
    "name, made_from",
    [
        (NAME, "backend"),
        ("traffic-generator-qhmnsz56z-x825b", "traffic-generator"),
        ("aws-node-bkw6z", "aws-node"),
        ("db-0", "db-0"),
        ("backend", "backend"),
        ("backend-*", "backend"),
        ("", ""),
    ],
)
def test_a_pods_name_tells_what_it_was_made_from(name, made_from):
    assert workload(name) == made_from


def test_merging_what_is_merged_already_changes_nothing_but_the_count():
    first = merged(event(f"backend-7d4b9c6f5-{tail}") for tail in ("x7k2p", "b2c4d"))
    again = merged((*first, event("backend-7d4b9c6f5-zzzzz", count=5)))
    assert [(each.name, each.count, len(each.objects)) for each in again] == [("backend-*", 7, 3)]


# --- top ---


def usage(name, *containers, namespace=SHOP):
    return PodUsage(namespace, name, tuple(ContainerUsage(*each) for each in containers))


PAIR = (
    usage("a", ("app", 0.25, 10 * MIB), ("proxy", 1.5, 20 * MIB)),
    usage("b", ("app", 0.1, 500 * MIB)),
)


def topped(order="", metrics=PAIR, flags=None, namespace=SHOP, **more):
    given = {"namespace": namespace or "all", **(flags or {})}
    answers = {PodMetrics(namespace): metrics, **more}
    return section(only(top.top(Args("pod", "top", order, given), SITE)), answers)


def test_the_containers_of_a_pod_are_summed_and_the_greediest_is_first():
    assert topped("cpu").table == (
        "POD  CPU    MEMORY",
        "a    1750m  30 MiB",
        "b    100m   500 MiB",
    )
    assert [row.split()[0] for row in topped("memory").table] == ["POD", "b", "a"]
    assert finding(topped("memory"), "WM-2.7").value == "2 pods use 1850m CPU and 530 MiB"


@pytest.mark.parametrize(
    "cores, said",
    [(1.5, "1500m"), (0.25, "250m"), (2, "2000m"), (0.0001, "1m"), (0, "0m"), (0.1 + 0.2, "300m")],
)
def test_cores_are_said_as_kubectl_top_says_them(cores, said):
    assert millicores(cores) == said


def test_memory_is_said_in_whole_mebibytes():
    assert mebibytes(1.9 * MIB) == "1 MiB"


def test_the_top_20_are_shown_and_the_rest_is_in_a_file():
    many = tuple(usage(f"p{n:02}", ("app", n / 100, n * MIB)) for n in range(1, 31))
    found = topped("cpu", many, namespace="")
    assert len(found.table) == 1 + 20 + 1
    assert found.table[1].split()[0] == "sre-shop/p30"
    assert len(found.attachments[0].content.splitlines()) == 31


def test_without_metrics_server_prometheus_answers_and_is_named():
    labels = {"namespace": SHOP, "pod": "a", "container": "app"}
    answers = {
        PodMetrics(SHOP): Gap("pod metrics: the cluster has no metrics.k8s.io API", "install metrics-server"),
        query(SITE, "Q-podcpu", namespace=SHOP): Vector((Sample(labels, 0.25),)),
        query(SITE, "Q-podmem", namespace=SHOP): Vector((Sample(labels, 64.0 * MIB),)),
    }
    found = section(only(top.top(Args("pod", "top"), SITE)), answers)
    assert found.table[1].split() == ["a", "250m", "64", "MiB"]
    assert found.note == "from Prometheus, because pod metrics: the cluster has no metrics.k8s.io API"


def test_with_neither_source_it_is_unknown_and_both_are_named():
    answers = {
        PodMetrics(SHOP): Gap("pod metrics: 503", "kubectl describe apiservice"),
        query(SITE, "Q-podcpu", namespace=SHOP): SILENT,
        query(SITE, "Q-podmem", namespace=SHOP): SILENT,
    }
    line = finding(section(only(top.top(Args("pod", "top"), SITE)), answers), "WM-2.8")
    assert (line.light, line.mend) == (U, "kubectl describe apiservice")
    assert line.value == "unknown: pod metrics: 503; prometheus: no connection"


def test_one_pod_is_shown_by_container_against_its_limits():
    a = detail("a", containers=(container("app", cpu_limit=0.5, memory_limit=20 * MIB), container("proxy")))
    found = section(
        only(top.top(Args("pod", "top", "", {"pod": "a"}), SITE)),
        {PodMetrics(SHOP): PAIR, PodDetails(SHOP, "a"): (a,)},
    )
    assert found.table == (
        "CONTAINER  CPU    OF LIMIT  MEMORY  OF LIMIT",
        "proxy      1500m  no limit  20 MiB  no limit",
        "app        250m   50 %      10 MiB  50 %",
    )


def test_a_pod_that_does_not_exist_has_near_names():
    answers = {PodMetrics(SHOP): PAIR, PodDetails(SHOP, "backen"): (), PodRows(SHOP): (row(NAME),)}
    found = section(only(top.top(Args("pod", "top", "", {"pod": "backen"}), SITE)), answers)
    assert texts(found.findings[0]) == [f"pod top --pod {NAME}"]


def test_another_order_is_refused_with_what_can_be_typed():
    with pytest.raises(UsageError, match="top --pod backend"):
        top.top(Args("pod", "top", "backend"), SITE)


# --- restarts ---


def row(name, times=0, ago=None, namespace=SHOP):
    return PodRow(namespace, name, "Running", "1/1", times, ago)


def counted(**times):
    samples = (Sample({"namespace": SHOP, "pod": name.replace("_", "-")}, n) for name, n in times.items())
    return Vector(tuple(samples))


def restarted(answer, flags=None, **details):
    given = {"namespace": "all", **(flags or {})}
    window = timedelta(hours=1) if "since" in given else timedelta(days=7)
    answers = {Now(): NOW, query(SITE, "Q-restarts", window=window): answer}
    answers |= {PodDetails(SHOP, name.replace("_", "-")): pods for name, pods in details.items()}
    return section(only(restarts.restarts(Args("pod", "restarts", "", given), SITE)), answers)


def killed(name, ago=5 * MINUTE):
    end = Ending("OOMKilled", 137, NOW - ago - HOUR, NOW - ago)
    return detail(name, restarts=9, containers=(replace(container("app"), restarts=9, ended=end),))


def test_more_than_three_restarts_in_seven_days_are_listed_with_their_last_end():
    found = restarted(counted(web_1=9.02, web_2=3.4), web_1=(killed("web-1"),))
    line = finding(found, "WM-2.4")
    assert (line.light, line.value) == (Y, "1 pod more than 3 times, 12 restarts of 2 pods")
    assert line.evidence == ("sre-shop/web-1: OOMKilled, needs a higher memory limit or less memory",)
    assert found.table[1].split() == ["sre-shop/web-1", "9", "OOMKilled", "137", "5", "min", "ago", "app"]
    assert texts(line)[0] == "pod show sre-shop/web-1"


def test_few_restarts_are_green_and_none_are_none():
    assert finding(restarted(counted(a=3)), "WM-2.4").light is G
    assert finding(restarted(EMPTY, {"since": "1h"}), "WM-2.4").value == "none"


def test_a_pod_that_is_gone_by_now_still_counts():
    found = restarted(counted(web_1=5), web_1=())
    assert "the pod is gone" in found.table[1]


def test_an_end_that_was_not_read_is_said():
    line = finding(restarted(counted(web_1=5), web_1=Gap("pods: forbidden", "a rule")), "WM-2.4")
    assert line.evidence == ("last ends: unknown: pods: forbidden",)
    assert line.mend == "a rule"


def test_without_prometheus_the_pods_own_counts_are_told_and_named():
    rows = (row("a", 7, timedelta(hours=2)), row("b", 9, timedelta(days=30)), row("c"))
    answers = {
        Now(): NOW,
        query(SITE, "Q-restarts", window=timedelta(days=7), namespace=SHOP): SILENT,
        PodRows(SHOP): rows,
        PodDetails(SHOP, "a"): (killed("a"),),
    }
    found = section(only(restarts.restarts(Args("pod", "restarts"), SITE)), answers)
    assert found.note == "in the pods' whole lives, because prometheus: no connection"
    assert [line.split()[0] for line in found.table] == ["POD", "a"]
    answers[PodRows(SHOP)] = Gap("pods: forbidden", "a rule")
    assert section(only(restarts.restarts(Args("pod", "restarts"), SITE)), answers).light is U


# --- show ---


def container(name="app", **resources):
    return ContainerView(
        name, f"{name}:1", digest="sha256:aaaaaaaaaaaaaaaa", state="running", since=NOW - HOUR, ready=True,
        resources=Resources(**resources),
    )  # fmt: skip


def detail(name=NAME, status="Running", **rest):
    usual = PodDetail(
        SHOP, name, status, "1/1", 0, node="ip-1", owner="ReplicaSet/backend-7d4b9c6f5", phase="Running",
        created=NOW - DAY, labels={"app": "backend"}, containers=(container(memory_limit=128.0 * MIB),),
    )  # fmt: skip
    return replace(usual, **rest)


def named(name):
    return {
        each: query(SITE, each, namespace=SHOP, pod=name)
        for each in ("Q-cpulimit", "Q-memlimit", "Q-throttle")
    }


def shown(one, events=(), twins=(), typed=None, **measured):
    asked = named(one.name)
    answers = {
        Now(): NOW,
        PodDetails(SHOP, typed or one.name): (one,),
        Events(SHOP, "Pod", one.name): events,
        PodDetails(SHOP, selector="app=backend"): (one, *twins),
        asked["Q-cpulimit"]: measured.get("cpu", EMPTY),
        asked["Q-memlimit"]: measured.get("memory", EMPTY),
        asked["Q-throttle"]: measured.get("throttled", EMPTY),
        query(SITE, "Q-maxmem", window=15 * MINUTE, namespace=SHOP, pod=one.name): measured.get(
            "most", EMPTY
        ),
    }
    answers |= {ConfigMapChange(SHOP, name): found for name, found in measured.get("maps", {}).items()}
    return drive(only(show.shown(Args("pod", "show", typed or one.name), SITE)), answers)


def test_a_pod_that_is_well_says_so_in_six_lines():
    found, _ = shown(detail())
    assert found.light is G
    assert [(line.label, line.value) for line in found.findings] == [
        ("Status", "Running, 1/1 ready, 1 d old, on ip-1"),
        ("Container app", "running for 1 h"),
        ("Limits", "nothing is measured of it"),
        ("Image", "one version"),
        ("Configuration", "none by name"),
        ("Events", "no warning"),
    ]


def test_a_container_killed_over_its_memory_tells_the_limit_its_use_and_how_often():
    end = Ending("OOMKilled", 137, NOW - 10 * MINUTE, NOW - 5 * MINUTE)
    sick = replace(
        container(memory_limit=128.0 * MIB), state="waiting", word="CrashLoopBackOff", ready=False, restarts=7,
        ended=end,
    )  # fmt: skip
    one = detail(status="CrashLoopBackOff", ready="0/1", restarts=7, containers=(sick,))
    most = Vector((Sample({"container": "app"}, 127.0 * MIB),))
    found, _ = shown(one, most=most)
    line = finding(found, "TF-3.2", "Container")
    assert (line.light, line.value) == (R, "waiting: CrashLoopBackOff, 7 restarts")
    assert line.evidence[:2] == (
        "last end: OOMKilled (137) 5 min ago, after 5 min",
        "killed over memory: limit 128 MiB, used up to 127 MiB, 7 restarts so far",
    )
    assert texts(found.findings[0]) == [
        f"logs sre-shop/{NAME} --previous",
        "deploy rollback sre-shop/backend",
    ]


@pytest.mark.parametrize("share, light", [(0.25, G), (0.251, Y)])
def test_throttling_is_yellow_above_its_threshold(share, light):
    found, _ = shown(detail(), throttled=Vector((Sample({"pod": NAME}, share),)))
    assert finding(found, "TF-3.2", "Limits").light is light


def test_use_of_the_limits_is_by_container_and_a_missing_limit_is_named():
    free = replace(container("free"), resources=Resources())
    found, _ = shown(
        detail(containers=(container(memory_limit=1.0), free)),
        memory=Vector((Sample({"container": "app"}, 0.95),)),
        cpu=Vector((Sample({"pod": NAME}, 0.5),)),
    )
    line = finding(found, "TF-3.2", "Limits")
    assert (line.light, line.value) == (Y, "CPU 50 % · memory of app 95 % · no memory limit: free")


def test_limits_that_were_not_measured_are_unknown():
    found, _ = shown(detail(), memory=SILENT)
    line = finding(found, "TF-3.2", "Limits")
    assert (line.light, line.mend) == (U, SILENT.mend)


def test_replicas_with_two_digests_are_mixed_versions():
    other = detail(TWIN, containers=(replace(container(), digest="sha256:bbbbbbbbbbbbbbbb"),))
    found, _ = shown(detail(), twins=(other,))
    line = finding(found, "TF-3.3", "Images")
    assert (line.light, line.value) == (Y, "mixed versions")
    assert line.evidence == ("backend (app): 1 × aaaaaaaaaaaa, 1 × bbbbbbbbbbbb",)
    same, _ = shown(detail(), twins=(detail(TWIN),))
    assert finding(same, "TF-3.3", "Image").value == "one version in 2 replicas"


def test_settings_that_changed_after_the_start_or_are_not_there():
    one = detail(config_maps=("fresh", "old", "gone"), secrets=("password",))
    maps = {
        "fresh": ConfigMapView("fresh", NOW - MINUTE),
        "old": ConfigMapView("old", NOW - DAY),
        "gone": None,
    }
    line = finding(shown(one, maps=maps)[0], "TF-3.3", "Configuration")
    assert line.value == "ConfigMap fresh, ConfigMap old, ConfigMap gone, Secret password"
    assert line.evidence == (
        "fresh: changed after the pod had started; what it read at its start is older",
        "gone: there is no such ConfigMap",
    )


def test_no_read_of_a_secret_exists_on_the_way():
    _, asked = shown(detail(secrets=("password",)))
    assert not any("password" in repr(read) for read in asked)


def test_warnings_are_told_with_their_count_the_latest_first():
    found, _ = shown(detail(), events=(event(reason="Old", ago=HOUR), event(count=50)))
    line = finding(found, "TF-2.1")
    assert line.value == "51 warnings"
    assert line.evidence[0].startswith("BackOff × 50, 1 min ago: Back-off restarting")


def test_a_workloads_name_shows_its_pods_the_worst_first():
    sick = detail(TWIN, "CrashLoopBackOff", ready="0/1", restarts=4)
    answers = {
        Now(): NOW,
        PodDetails(SHOP, "backend"): (),
        PodRows(SHOP): (row(NAME), row(TWIN), row("other-1")),
        PodDetails(SHOP, NAME): (detail(),),
        PodDetails(SHOP, TWIN): (sick,),
        Events(SHOP, kind="Pod", warnings=True): (event(TWIN),),
    }
    found = section(only(show.shown(Args("pod", "show", "backend"), SITE)), answers)
    assert [line.label for line in found.findings] == ["Images", TWIN, NAME]
    assert found.findings[1].light is R
    assert found.attachments[0].content.count("sre-shop/backend-") == 2


def test_a_name_that_nothing_has_comes_with_near_ones():
    answers = {Now(): NOW, PodDetails(SHOP, "bakend"): (), PodRows(SHOP): (row(NAME),)}
    found = section(only(show.shown(Args("pod", "show", "bakend"), SITE)), answers)
    assert found.findings[0].value == "there is no pod bakend in sre-shop"
    assert texts(found.findings[0]) == ["pod show backend"]


def test_a_whole_namespace_is_told_in_at_most_15_lines_a_pod():
    noisy = detail(
        "noisy", "CrashLoopBackOff", message="back-off", conditions=tuple((f"C{n}", "False", "no") for n in range(9)),
        containers=tuple(replace(container(f"c{n}"), ended=Ending("Error", 1)) for n in range(12)),
    )  # fmt: skip
    told_of = [event("noisy", f"R{n}") for n in range(20)]
    assert len(describe.lines(noisy, told_of, NOW)) <= 15
    answers = {
        Now(): NOW,
        PodDetails(SHOP): (noisy, *(detail(f"p{n}") for n in range(40))),
        Events(SHOP, kind="Pod", warnings=True): (),
    }
    found = section(only(show.shown(Args("pod", "show"), SITE)), answers)
    assert len(found.findings) == 1 + show.MANY
    assert found.findings[1].label == "noisy"
    assert found.note == "41 pods · 29 more in pods.txt"


@pytest.mark.parametrize(
    "line, word, flags",
    [
        ("pod", "", {}),
        ("pod top memory -n all", "top", {"namespace": "all"}),
        ("pod list --failed -n all", "list", {"failed": "", "namespace": "all"}),
        ("pod restarts --since 7d -n all", "restarts", {"since": "7d", "namespace": "all"}),
        ("top", "top", {}),
        ("events", "events", {}),
        ("pod show -n sre-shop", "show", {"namespace": "sre-shop"}),
        (f"pod top --pod {NAME}", "top", {"pod": NAME}),
    ],
)
def test_the_manuals_lines_can_be_typed(line, word, flags):
    args = Catalog.load().parse(line).args
    assert (args.word, args.verb, dict(args.flags)) == ("pod", word, flags)


def test_an_answer_without_trouble_still_ends_with_the_next_buttons():
    well = listed(survey(total=4), {"namespace": "all"}, "")
    assert texts(well.findings[-1]) == ["pod restarts -n all", "pod events -n all", "pod top -n all"]
    assert texts(shown(detail())[0].findings[-1]) == [
        f"pod top --pod sre-shop/{NAME}",
        f"pod events sre-shop/{NAME}",
    ]
    assert texts(told().findings[-1]) == ["pod list -n sre-shop"]
    assert texts(restarted(EMPTY).findings[-1]) == ["pod list -n all"]


def test_every_button_can_be_typed():
    typed = Catalog.load()
    for line in ("pod restarts -n all", f"pod top --pod sre-shop/{NAME}", f"pod events sre-shop/{NAME}"):
        assert typed.parse(line)
