"""The Kubernetes actions against an API with the shapes of the real one (tests/kubernetes.py)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from runyard_agent.actions import kubernetes, kubernetes_api
from runyard_agent.actions.base import Action, ProbeFailed
from runyard_agent.actions.kubernetes import GetLogs, RestartDeployment, ScaleDeployment
from runyard_agent.probe import probe
from runyard_agent.settings import Settings
from runyard_agent.testing import Ran, run_action
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.values import JobStatus

from tests.agents import until
from tests.certificates import server_certificate
from tests.kubernetes import TOKEN, Cluster, Pod, cluster_running

WEB = "/apis/apps/v1/namespaces/default/deployments/web"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with cluster_running() as cluster:
        yield cluster


def connection(server: str, token: str = TOKEN, **config: Any) -> OpenedConnection:
    return OpenedConnection(name="prod", kind="kubernetes", config={"server": server, **config}, secrets={"token": token})


async def run(action: type[Action[Any]], cluster: Cluster, **params: Any) -> Ran:
    more = {name: params.pop(name) for name in ("timeout_seconds", "cancel") if name in params}
    return await run_action(action, params, connection=connection(cluster.address), **more)


async def restart(cluster: Cluster, **more: Any) -> Ran:
    return await run(RestartDeployment, cluster, deployment="web", **more)


def words_of(ran: Ran) -> str:
    assert ran.error is not None
    assert "kanarienvogel" not in str(ran)
    return ran.error.message


def lines_of(ran: Ran) -> list[str]:
    return ran.streams["stdout"].decode().splitlines()


async def test_a_restart_changes_the_template_and_waits_until_all_pods_are_new_and_ready(cluster: Cluster) -> None:
    cluster.add_deployment("web", 3)
    ran = await restart(cluster)
    assert ran.error is None
    assert ran.output == {"namespace": "default", "deployment": "web", "generation": 2, "replicas": 3, "readyReplicas": 3}
    ((path, patch),) = cluster.patches
    assert path == WEB
    annotations = patch["spec"]["template"]["metadata"]["annotations"]
    assert list(annotations) == ["kubectl.kubernetes.io/restartedAt"]
    status = cluster.deployments["default", "web"]["status"]
    assert (status["replicas"], status["updatedReplicas"], status["observedGeneration"]) == (3, 3, 2)
    assert "done: 3 new and 3 ready of 3 pods" in lines_of(ran)


async def test_the_status_of_before_the_change_counts_for_nothing(cluster: Cluster) -> None:
    cluster.add_deployment("web", 2)
    cluster.still = True
    running = asyncio.create_task(restart(cluster))
    await until(lambda: len(cluster.requests) >= 5)
    assert not running.done()
    cluster.still = False
    ran = await running
    assert ran.status is JobStatus.COMPLETED
    assert lines_of(ran)[0] == "the cluster has not seen the change yet"


async def test_two_restarts_within_a_second_are_two(cluster: Cluster) -> None:
    cluster.add_deployment("web", 1)
    for generation in (2, 3):
        assert (await restart(cluster, wait=False)).output["generation"] == generation


async def test_without_waiting_the_job_ends_with_the_change(cluster: Cluster) -> None:
    cluster.add_deployment("web", 3)
    cluster.still = True
    ran = await restart(cluster, wait=False)
    assert ran.status is JobStatus.COMPLETED
    assert ran.output["generation"] == 2


async def test_a_rollout_that_gets_stuck_fails_with_what_the_cluster_says(cluster: Cluster) -> None:
    cluster.add_deployment("web", 3)
    cluster.stuck = True
    ran = await restart(cluster)
    assert ran.error is not None
    assert ran.error.reason == "rollout_failed"
    assert words_of(ran).startswith(
        "deployment web in default: its pods did not get ready within its progress deadline: "
        'ReplicaSet "web-5d9" has timed out progressing. ('
    )
    assert ran.output["generation"] == 2


async def test_a_paused_deployment_is_not_restarted(cluster: Cluster) -> None:
    cluster.add_deployment("web", 1)["spec"]["paused"] = True
    assert "it is paused, and would not restart: resume it first" in words_of(await restart(cluster))
    assert cluster.patches == []


async def test_a_deployment_deleted_meanwhile_ends_the_wait(cluster: Cluster) -> None:
    cluster.add_deployment("web", 1)
    cluster.still = True
    running = asyncio.create_task(restart(cluster))
    await until(lambda: bool(cluster.patches))
    del cluster.deployments["default", "web"]
    assert "it was deleted while its pods were waited for" in words_of(await running)


async def test_a_deployment_made_anew_meanwhile_is_not_taken_for_the_same(cluster: Cluster) -> None:
    cluster.add_deployment("web", 1)
    cluster.still = True
    running = asyncio.create_task(restart(cluster))
    await until(lambda: bool(cluster.patches))
    cluster.add_deployment("web", 1)
    assert "deleted and made anew" in words_of(await running)


async def test_an_api_that_is_away_for_a_moment_does_not_end_the_wait(cluster: Cluster) -> None:
    cluster.add_deployment("web", 2)
    cluster.still = True
    running = asyncio.create_task(restart(cluster))
    await until(lambda: bool(cluster.patches))
    cluster.away, cluster.still = 2, False
    ran = await running
    assert ran.status is JobStatus.COMPLETED
    assert any(line.startswith("the API cannot be asked, trying again: the API answered 503") for line in lines_of(ran))


async def test_an_api_that_stays_away_is_not_waited_for_without_end(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "_PATIENCE_SECONDS", 0.3)
    cluster.add_deployment("web", 2)
    cluster.still = True
    running = asyncio.create_task(restart(cluster))
    await until(lambda: bool(cluster.patches))
    cluster.away = 1_000
    assert words_of(await running).endswith("the change was made and goes on")


async def test_a_conflict_and_a_busy_api_are_tried_again(cluster: Cluster) -> None:
    cluster.add_deployment("web", 1)
    cluster.conflicts, cluster.too_many = 2, 2
    assert (await restart(cluster)).status is JobStatus.COMPLETED
    assert len(cluster.patches) == 1


async def test_a_conflict_that_stays_is_said(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_api, "_PAUSE_SECONDS", 0.01)
    cluster.add_deployment("web", 1)
    cluster.conflicts = 100
    ran = await run(ScaleDeployment, cluster, deployment="web", replicas=2)
    assert ran.error is not None
    assert ran.error.status_code == 409
    assert "somebody else changed it at the same time, again and again: Operation cannot be fulfilled" in words_of(ran)


@pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2), (3, 0), (0, 2), (2, 2)])
async def test_a_scale_waits_until_as_many_pods_are_ready_as_asked(cluster: Cluster, before: int, after: int) -> None:
    cluster.add_deployment("web", before)
    ran = await run(ScaleDeployment, cluster, deployment="web", replicas=after)
    assert ran.error is None
    assert (ran.output["replicas"], ran.output["readyReplicas"]) == (after, after)
    assert cluster.patches == [(f"{WEB}/scale", {"spec": {"replicas": after}})]
    assert cluster.deployments["default", "web"]["status"].get("replicas", 0) == after


async def test_a_scale_that_something_else_undoes_is_not_waited_for(cluster: Cluster) -> None:
    deployment = cluster.add_deployment("web", 2)
    cluster.still = True
    running = asyncio.create_task(run(ScaleDeployment, cluster, deployment="web", replicas=5))
    await until(lambda: bool(cluster.patches))
    deployment["spec"]["replicas"], deployment["metadata"]["generation"] = 3, 3
    cluster.still = False
    assert "something else has set it to 3 replicas meanwhile; an autoscaler?" in words_of(await running)


@pytest.mark.parametrize(
    ("forbidden", "token", "status", "words"),
    [
        (
            ("patch", "deployments"),
            TOKEN,
            403,
            "the account of connection prod may not do this: deployments.apps "
            '"web" is forbidden: User "system:serviceaccount:ops:runyard" cannot patch resource "deployments"',
        ),
        (("", ""), "falscher-token", 401, "the API does not know the token of connection prod"),
    ],
)
async def test_a_refusal_is_said_in_the_words_of_the_api(
    cluster: Cluster, forbidden: tuple[str, str], token: str, status: int, words: str
) -> None:
    cluster.add_deployment("web", 1)
    cluster.forbidden = {forbidden}
    ran = await run_action(RestartDeployment, {"deployment": "web"}, connection=connection(cluster.address, token))
    assert ran.error is not None
    assert (ran.error.reason, ran.error.status_code) == ("http_status", status)
    assert f"deployment web in default: {words}" in words_of(ran)
    assert token not in str(ran)


async def test_what_does_not_exist_or_is_invalid_is_said(cluster: Cluster) -> None:
    assert 'there is no such thing: deployments.apps "web" not found' in words_of(await restart(cluster))
    cluster.add_deployment("web", 1)
    ran = await run(ScaleDeployment, cluster, deployment="web", replicas=5000)
    assert "the API finds this invalid: Scale.autoscaling" in words_of(ran)


@pytest.mark.parametrize("name", ["../../secrets/x", "Web", "web/scale", "web?x", ""])
async def test_a_name_is_never_more_than_a_name_in_the_path(cluster: Cluster, name: str) -> None:
    ran = await run(RestartDeployment, cluster, deployment=name)
    assert ran.error is not None
    assert ran.error.reason == "invalid_params"
    assert cluster.requests == []


async def test_the_namespace_is_that_of_the_connection_unless_the_job_names_one(cluster: Cluster) -> None:
    cluster.add_deployment("web", 1, "shop")
    through = connection(cluster.address, namespace="shop")
    params = {"deployment": "web", "wait": False}
    assert (await run_action(RestartDeployment, params, connection=through)).output["namespace"] == "shop"
    ran = await run_action(RestartDeployment, params | {"namespace": "default"}, connection=through)
    assert "deployment web in default" in words_of(ran)


async def test_timeout_and_cancel_end_the_wait_and_keep_what_was_seen(cluster: Cluster) -> None:
    cluster.add_deployment("web", 1)
    cluster.still = True
    ran = await restart(cluster, timeout_seconds=3)
    assert ran.status is JobStatus.TIMEOUT
    assert ran.output["stdout"] == "the cluster has not seen the change yet\n"
    cancel = asyncio.Event()
    running = asyncio.create_task(restart(cluster, cancel=cancel))
    await until(lambda: len(cluster.patches) == 2)
    cancel.set()
    assert (await running).status is JobStatus.CANCELLED


async def test_the_log_of_a_pod_comes_whole_and_cut_for_templates(cluster: Cluster) -> None:
    log = b"".join(b"line %d \xff\n" % n for n in range(20_000))
    cluster.pods["default"] = [Pod("web-1", {"app": "web"}, {"app": log})]
    ran = await run(GetLogs, cluster, pod="web-1", tailLines=100_000, sinceSeconds=3600)
    assert ran.status is JobStatus.COMPLETED
    assert ran.streams["stdout"] == log
    assert (ran.output["pods"], ran.output["truncated"]) == (["web-1"], True)
    assert ran.output["stdout"].startswith("line 0 \ufffd\nline 1 ")
    assert cluster.log_queries == [{"tailLines": "100000", "sinceSeconds": "3600"}]


async def test_the_logs_of_all_pods_of_a_selector_come_one_after_the_other(cluster: Cluster) -> None:
    cluster.pods["default"] = [
        *(Pod(f"web-{n}", {"app": "web"}, {"app": b"hello from %d" % n}) for n in (2, 1)),
        Pod("db-1", {"app": "db"}, {"app": b"no\n"}),
        Pod("web-3", {"app": "web"}),
    ]
    ran = await run(GetLogs, cluster, selector="app=web")
    assert ran.output["pods"] == ["web-1", "web-2"]
    assert ran.output["stdout"] == "==> web-1 <==\nhello from 1\n==> web-2 <==\nhello from 2\n==> web-3 <==\n"
    assert b'web-3: the API answered 400 Bad Request: container "app" in pod "web-3" is waiting' in ran.streams["stderr"]


async def test_more_pods_than_fit_on_a_page_are_all_read(cluster: Cluster) -> None:
    cluster.pods["default"] = [Pod(f"web-{n:03}", {"app": "web"}, {"app": b"x\n"}) for n in range(260)]
    assert len((await run(GetLogs, cluster, selector="app=web")).output["pods"]) == 260


async def test_container_and_previous_are_asked_for(cluster: Cluster) -> None:
    pod = Pod("web-1", {}, {"app": b"app\n", "proxy": b"proxy\n"}, {"proxy": b"before the crash\n"})
    cluster.pods["default"] = [pod]
    ran = await run(GetLogs, cluster, pod="web-1", container="proxy", previous=True)
    assert ran.output["stdout"] == "before the crash\n"
    ran = await run(GetLogs, cluster, pod="web-1")
    assert "a container name must be specified for pod web-1, choose one of: [app proxy]" in words_of(ran)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"pod": "gone"}, 'logs of gone in default: there is no such thing: pods "gone" not found'),
        ({"selector": "app=none"}, "no pod in default has the labels app=none"),
        ({}, "pod, selector: give exactly one of them"),
        ({"pod": "a", "selector": "b=c"}, "pod, selector: give exactly one of them"),
    ],
)
async def test_logs_that_are_not_there_fail_the_job(cluster: Cluster, params: dict[str, Any], words: str) -> None:
    assert words in words_of(await run(GetLogs, cluster, **params))


async def test_a_secret_in_a_log_is_redacted(cluster: Cluster) -> None:
    cluster.pods["default"] = [Pod("web-1", {}, {"app": b"x" * 990 + TOKEN.encode() + b"\n"})]
    ran = await run(GetLogs, cluster, pod="web-1")
    assert ran.status is JobStatus.COMPLETED
    assert "kanarienvogel" not in str(ran)


async def test_a_private_authority_is_trusted_and_an_unknown_one_gets_no_token(tmp_path: Path) -> None:
    certificate = server_certificate(tmp_path)
    async with cluster_running(certificate) as cluster:
        cluster.add_deployment("web", 1)
        params = {"deployment": "web", "wait": False}
        trusting = connection(cluster.address, caCertificate=certificate.authority)
        assert (await run_action(RestartDeployment, params, connection=trusting)).status is JobStatus.COMPLETED
        careless = connection(cluster.address, verifyTls=False)
        assert (await run_action(RestartDeployment, params, connection=careless)).status is JobStatus.COMPLETED
        seen = len(cluster.requests)
        ran = await run_action(RestartDeployment, params, connection=connection(cluster.address))
        assert "its certificate is not trusted" in words_of(ran)
        broken = connection(cluster.address, caCertificate="no pem")
        assert "caCertificate is no certificate" in words_of(await run_action(RestartDeployment, params, connection=broken))
        assert len(cluster.requests) == seen


async def test_the_probe_says_what_the_account_may(cluster: Cluster) -> None:
    found = await probe(connection(cluster.address), Settings())
    assert found.startswith("Kubernetes v1.33.1; the account may change deployments in default")
    cluster.forbidden = {("patch", "deployments")}
    assert "may not change deployments" in await probe(connection(cluster.address), Settings())
    with pytest.raises(ProbeFailed, match="does not know the token"):
        await probe(connection(cluster.address, "falscher-token"), Settings())
