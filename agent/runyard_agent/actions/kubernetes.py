"""`kubernetes.restartDeployment`, `kubernetes.scaleDeployment`, `kubernetes.getLogs`.

What is asked of a deployment is done by the cluster, whatever becomes of the job: a job that is stopped while it waits undoes
nothing.
"""

import asyncio
import time
from abc import abstractmethod
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from runyard_shared.contracts.actions import (
    DeploymentOutput,
    PodLogsParams,
    RestartDeploymentParams,
    ScaleDeploymentParams,
)
from runyard_shared.contracts.connections import OpenedConnection

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome, ProbeFailed
from runyard_agent.actions.kubernetes_api import (
    APPS,
    CORE,
    MERGE,
    STRATEGIC_MERGE,
    ApiError,
    KubernetesApi,
    kubernetes_api,
    valid_names,
)
from runyard_agent.output import OutputStream
from runyard_agent.settings import Settings

_POLL_SECONDS: Final = 0.2
_SLOWEST_POLL_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 60.0
"""How long the API may be away while a rollout is watched."""
_PAGE: Final = 250
P = TypeVar("P", RestartDeploymentParams, ScaleDeploymentParams)


class _Rollout(Exception):
    """It will not get where it should; the text says why."""


class _DeploymentChange(Action[P], Generic[P]):
    """Change a deployment, then watch until its pods are as asked."""

    @abstractmethod
    async def change(self, api: KubernetesApi, path: str, params: P) -> dict[str, Any]:
        """Ask for it; the deployment as it is afterwards. Raises `ApiError`, `_Rollout`."""

    @abstractmethod
    def missing(self, deployment: dict[str, Any], params: P) -> str | None:
        """What is still to come, in words; None when all is as asked. Raises `_Rollout`."""

    async def run(self, params: P, context: Context) -> Outcome:
        async with kubernetes_api(context.connection, self.settings, params.namespace) as api:
            valid_names(namespace=api.namespace, deployment=params.deployment)
            path = f"{APPS}/namespaces/{api.namespace}/deployments/{params.deployment}"
            what = f"deployment {params.deployment} in {api.namespace}"
            deployment: dict[str, Any] = {}
            try:
                deployment = await self.change(api, path, params)
                if params.wait:
                    deployment = await self._watched(api, path, params, deployment, context.stream("stdout"))
            except ApiError as error:
                return _failed(error, what)
            except _Rollout as error:
                deployment = error.args[1] if len(error.args) > 1 else deployment
                output = _output(deployment) if deployment else {}
                return Outcome.failed("rollout_failed", f"{what}: {error.args[0]}", output)
        return Outcome.completed(_output(deployment))

    async def _watched(
        self, api: KubernetesApi, path: str, params: P, deployment: dict[str, Any], stdout: OutputStream
    ) -> dict[str, Any]:
        uid, told, pause, away_since = deployment["metadata"]["uid"], "", _POLL_SECONDS, None
        while True:
            state = _not_observed(deployment) or self.missing(deployment, params)
            if state != told:
                stdout.write(f"{state or 'done: ' + _in_figures(deployment)}\n".encode())
                told, pause = state or "", _POLL_SECONDS
            if state is None:
                return deployment
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL_SECONDS)
            try:
                deployment = await api.get(path)
                away_since = None
            except ApiError as error:
                if error.status == 404:
                    raise _Rollout("it was deleted while its pods were waited for", deployment) from None
                if not error.passing:
                    raise
                if away_since is None:
                    away_since = time.monotonic()
                    stdout.write(f"the API cannot be asked, trying again: {error}\n".encode())
                elif time.monotonic() - away_since > _PATIENCE_SECONDS:
                    words = f"{error}; it went on like this for {_PATIENCE_SECONDS:g} s; the change was made and goes on"
                    raise ApiError(words, error.status) from None
                continue
            if deployment["metadata"]["uid"] != uid:
                raise _Rollout("it was deleted and made anew while its pods were waited for", deployment)


class RestartDeployment(_DeploymentChange[RestartDeploymentParams], built_in="kubernetes.restartDeployment"):
    """As `kubectl rollout restart` does: a new annotation on the pods' template."""

    async def change(self, api: KubernetesApi, path: str, params: RestartDeploymentParams) -> dict[str, Any]:
        before = await api.get(path)
        if before["spec"].get("paused"):
            raise _Rollout("it is paused, and would not restart: resume it first (kubectl rollout resume)", before)
        # to the microsecond: two restarts within one second are two
        annotations = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat()}
        return await api.patch(path, {"spec": {"template": {"metadata": {"annotations": annotations}}}}, STRATEGIC_MERGE)

    def missing(self, deployment: dict[str, Any], params: RestartDeploymentParams) -> str | None:
        _hold_against_deadline(deployment)
        if deployment["spec"].get("paused"):
            raise _Rollout("it was paused while its pods were waited for", deployment)
        status = deployment.get("status", {})
        wanted = deployment["spec"].get("replicas", 1)
        updated = status.get("updatedReplicas", 0)
        if updated < wanted:
            return f"{updated} of {wanted} pods are new"
        if status.get("replicas", 0) > updated:
            return f"{status['replicas'] - updated} old pods still end"
        if min(status.get("availableReplicas", 0), status.get("readyReplicas", 0)) < updated:
            return f"{status.get('readyReplicas', 0)} of {updated} new pods are ready"
        return None


class ScaleDeployment(_DeploymentChange[ScaleDeploymentParams], built_in="kubernetes.scaleDeployment"):
    """Through the `scale` subresource, so that an account that may scale and nothing else is enough."""

    async def change(self, api: KubernetesApi, path: str, params: ScaleDeploymentParams) -> dict[str, Any]:
        await api.patch(f"{path}/scale", {"spec": {"replicas": params.replicas}}, MERGE)
        return await api.get(path)

    def missing(self, deployment: dict[str, Any], params: ScaleDeploymentParams) -> str | None:
        wanted = deployment["spec"].get("replicas", 1)
        if wanted != params.replicas:
            words = f"something else has set it to {wanted} replicas meanwhile; an autoscaler?"
            raise _Rollout(words, deployment)
        _hold_against_deadline(deployment)
        status = deployment.get("status", {})
        there, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
        if there != wanted:
            return f"{there} of {wanted} pods are there" if there < wanted else f"{there - wanted} pods still end"
        return f"{ready} of {wanted} pods are ready" if ready != wanted else None


class GetLogs(Action[PodLogsParams], built_in="kubernetes.getLogs"):
    """What there is, without following. A pod of several that has no log (yet) is a line in `stderr`."""

    async def run(self, params: PodLogsParams, context: Context) -> Outcome:
        if (params.pod is None) == (params.selector is None):
            raise InvalidParams("pod, selector: give exactly one of them")
        async with kubernetes_api(context.connection, self.settings, params.namespace) as api:
            valid_names(namespace=api.namespace, pod=params.pod, container=params.container)
            stdout = context.stream("stdout")
            read: list[str] = []
            try:
                pods = [params.pod] if params.pod is not None else await self._selected(api, params.selector or "")
                if not pods:
                    message = f"no pod in {api.namespace} has the labels {params.selector}"
                    return Outcome.failed("refused", message, _logs(read, stdout))
                refusals: list[ApiError] = []
                for pod in pods:
                    if len(pods) > 1:
                        stdout.write(f"==> {pod} <==\n".encode())
                    try:
                        await self._copy(api, pod, params, stdout)
                        read.append(pod)
                    except ApiError as error:
                        if error.status not in (400, 404):
                            raise
                        refusals.append(error)
                        if len(pods) > 1:
                            context.stream("stderr").write(f"{pod}: {error}\n".encode())
            except ApiError as error:
                return _failed(error, f"logs in {api.namespace}", _logs(read, stdout))
            if not read:
                return _failed(refusals[0], f"logs of {pods[0]} in {api.namespace}", _logs(read, stdout))
            return Outcome.completed(_logs(read, stdout))

    async def _selected(self, api: KubernetesApi, selector: str) -> list[str]:
        pods: list[str] = []
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            page = await api.get(f"{CORE}/namespaces/{api.namespace}/pods", query)
            pods += [item["metadata"]["name"] for item in page.get("items", [])]
            if not (more := page.get("metadata", {}).get("continue")):
                return sorted(pods)
            query["continue"] = more

    async def _copy(self, api: KubernetesApi, pod: str, params: PodLogsParams, stdout: OutputStream) -> None:
        query = {"tailLines": str(params.tail_lines)}
        if params.container is not None:
            query["container"] = params.container
        if params.since_seconds is not None:
            query["sinceSeconds"] = str(params.since_seconds)
        if params.previous:
            query["previous"] = "true"
        last = b"\n"
        async with api.stream(f"{CORE}/namespaces/{api.namespace}/pods/{pod}/log", query) as response:
            async for part in response.aiter_bytes():
                stdout.write(part)
                last = part[-1:]
                await stdout.drain()
        if last != b"\n":
            stdout.write(b"\n")


async def probe_kubernetes(connection: OpenedConnection, settings: Settings) -> str:
    """Who we are is not asked: not every cluster can say. Whether we may restart deployments, every one can."""
    try:
        async with kubernetes_api(connection, settings) as api:
            version = await api.get("/version")
            attributes = {"namespace": api.namespace, "group": "apps", "resource": "deployments", "verb": "patch"}
            review = await api.post(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                {
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": attributes},
                },
            )
    except (InvalidParams, ApiError) as error:
        raise ProbeFailed(str(error)) from None
    may = "may" if review.get("status", {}).get("allowed") else "may not"
    return f"Kubernetes {version.get('gitVersion', '')}; the account {may} change deployments in {api.namespace}"


def _not_observed(deployment: dict[str, Any]) -> str | None:
    """Until the cluster has seen the change, its status speaks of what was before."""
    generation = deployment["metadata"].get("generation", 0)
    if deployment.get("status", {}).get("observedGeneration", 0) < generation:
        return "the cluster has not seen the change yet"
    return None


def _hold_against_deadline(deployment: dict[str, Any]) -> None:
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            words = f"its pods did not get ready within its progress deadline: {condition.get('message', '')}"
            raise _Rollout(f"{words} ({_in_figures(deployment)})", deployment)


def _in_figures(deployment: dict[str, Any]) -> str:
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    return f"{status.get('updatedReplicas', 0)} new and {status.get('readyReplicas', 0)} ready of {wanted} pods"


def _output(deployment: dict[str, Any]) -> dict[str, Any]:
    return DeploymentOutput(
        namespace=deployment["metadata"]["namespace"],
        deployment=deployment["metadata"]["name"],
        generation=deployment["metadata"].get("generation", 0),
        replicas=deployment["spec"].get("replicas", 1),
        ready_replicas=deployment.get("status", {}).get("readyReplicas", 0),
    ).model_dump(by_alias=True)


def _logs(pods: list[str], stdout: OutputStream) -> dict[str, Any]:
    return {"pods": pods, "stdout": stdout.text(), "truncated": stdout.truncated}


def _failed(error: ApiError, what: str, output: dict[str, Any] | None = None) -> Outcome:
    if error.status == 0:
        return Outcome.failed("exception", f"{what}: {error}", output)
    return Outcome.failed("http_status", f"{what}: {error}", output, status_code=error.status)
