"""A Kubernetes API in the shapes of the real one, as far as deployments, pods and logs go: tokens and what they may, `Status`
for every refusal, generations, and a deployment controller that replaces one pod at each of its turns.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.certificates import ServerCertificate
from tests.webserver import serving

Json = dict[str, Any]
TOKEN = "eyJhbGciOiJSUzI1NiJ9.kanarienvogel.signatur"


@dataclass
class Pod:
    """`logs` by container; `previous` those of the container before it. Without logs it is still being created."""

    name: str
    labels: dict[str, str]
    logs: dict[str, bytes] = field(default_factory=dict)
    previous: dict[str, bytes] = field(default_factory=dict)


class Cluster:
    """`forbidden`: what the token may not, as (verb, resource). `stuck`: new pods do not get ready. `still`: the controller
    does nothing, not even observe. `conflicts`: so many patches meet one. `away`: so many requests are answered 503."""

    def __init__(self) -> None:
        self.address = ""
        self.deployments: dict[tuple[str, str], Json] = {}
        self.pods: dict[str, list[Pod]] = {}
        self.forbidden: set[tuple[str, str]] = set()
        self.stuck = False
        self.still = False
        self.conflicts = 0
        self.away = 0
        self.too_many = 0
        self.requests: list[tuple[str, str]] = []
        self.patches: list[tuple[str, Json]] = []
        self.log_queries: list[dict[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def add_deployment(self, name: str, replicas: int, namespace: str = "default") -> Json:
        self.deployments[namespace, name] = deployment = {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": str(uuid4()),
                "resourceVersion": "1000",
                "generation": 1,
            },
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name, "image": "x"}]}},
                "progressDeadlineSeconds": 600,
            },
            "status": {
                "observedGeneration": 1,
                "replicas": replicas,
                "updatedReplicas": replicas,
                "readyReplicas": replicas,
                "availableReplicas": replicas,
                "conditions": [_progressing("NewReplicaSetAvailable", "True")],
            },
        }
        return deployment

    # --- the deployment controller

    async def control(self) -> None:
        """Takes a turn for every deployment, again and again."""
        while True:
            await asyncio.sleep(0.02)
            if not self.still:
                for deployment in self.deployments.values():
                    self._turn(deployment)

    def _turn(self, deployment: Json) -> None:
        spec, status, meta = deployment["spec"], deployment["status"], deployment["metadata"]
        wanted = spec["replicas"]
        if status.get("observedGeneration") != meta["generation"]:
            status["observedGeneration"] = meta["generation"]
            if meta.pop("_template_changed", False):
                # fields that are zero are left out, as the real API does
                status.pop("updatedReplicas", None)
                status["conditions"] = [_progressing("ReplicaSetUpdated", "True")]
            return
        there, updated, ready = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas"))
        if updated < min(there, wanted) or there < wanted:
            if self.stuck:
                message = f'ReplicaSet "{meta["name"]}-5d9" has timed out progressing.'
                status["conditions"] = [_progressing("ProgressDeadlineExceeded", "False", message)]
                status["unavailableReplicas"] = 1
                return
            if updated < there and there > wanted:
                there, ready = there - 1, ready - 1  # an old pod has ended
            elif there <= wanted:
                there, updated = there + 1, updated + 1  # one more than wanted, until an old one ends
                ready += 1
        elif there > wanted:
            there, ready, updated = there - 1, min(ready, there - 1), min(updated, there - 1)
        elif ready < there:
            ready += 1
        else:
            status["conditions"] = [_progressing("NewReplicaSetAvailable", "True")]
        for name, value in (
            ("replicas", there),
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", ready),
        ):
            status.pop(name, None)
            if value:
                status[name] = value

    # --- the API

    def app(self) -> Starlette:
        deployment = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        pods = "/api/v1/namespaces/{namespace}/pods"
        routes = [
            Route(deployment, self._guarded("get", "deployments", self._get), methods=["GET"]),
            Route(deployment, self._guarded("patch", "deployments", self._patch), methods=["PATCH"]),
            Route(deployment + "/scale", self._guarded("patch", "deployments/scale", self._scale), methods=["PATCH"]),
            Route(pods, self._guarded("list", "pods", self._list), methods=["GET"]),
            Route(pods + "/{name}/log", self._guarded("get", "pods/log", self._log), methods=["GET"]),
            Route("/version", self._version, methods=["GET"]),
            Route("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self._review, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _guarded(self, verb: str, resource: str, answer: Callable[[Request], Any]) -> Any:
        async def guarded(request: Request) -> Response:
            self.requests.append((request.method, request.url.path))
            await self.gate.wait()
            if self.away > 0:
                self.away -= 1
                return Response("upstream connect error", 503)
            if self.too_many > 0:
                self.too_many -= 1
                refused = _status(429, "TooManyRequests", "too many requests, please try again later")
                refused.headers["retry-after"] = "0"
                return refused
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return _status(401, "Unauthorized", "Unauthorized")
            if (verb, resource) in self.forbidden:
                who = 'User "system:serviceaccount:ops:runyard"'
                what = f'cannot {verb} resource "{resource}" in API group "apps" in the namespace "default"'
                return _status(403, "Forbidden", f'deployments.apps "web" is forbidden: {who} {what}')
            response: Response = await answer(request)
            return response

        return guarded

    def _found(self, request: Request) -> Json | None:
        return self.deployments.get((request.path_params["namespace"], request.path_params["name"]))

    async def _get(self, request: Request) -> Response:
        deployment = self._found(request)
        return JSONResponse(_shown(deployment)) if deployment is not None else _no_deployment(request)

    async def _patch(self, request: Request) -> Response:
        deployment = self._found(request)
        if deployment is None:
            return _no_deployment(request)
        if request.headers["content-type"] != "application/strategic-merge-patch+json":
            return _status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        if self.conflicts > 0:
            self.conflicts -= 1
            return _conflict(request)
        patch = json.loads(await request.body())
        self.patches.append((request.url.path, patch))
        before = copy.deepcopy(deployment["spec"])
        _merge(deployment, patch)
        if deployment["spec"] != before:
            deployment["metadata"]["generation"] += 1
            deployment["metadata"]["_template_changed"] = deployment["spec"]["template"] != before["template"]
        return JSONResponse(_shown(deployment))

    async def _scale(self, request: Request) -> Response:
        deployment = self._found(request)
        if deployment is None:
            return _no_deployment(request)
        if self.conflicts > 0:
            self.conflicts -= 1
            return _conflict(request)
        patch = json.loads(await request.body())
        self.patches.append((request.url.path, patch))
        replicas = patch["spec"]["replicas"]
        if replicas > 1_000:
            message = f'Scale.autoscaling "{request.path_params["name"]}" is invalid: spec.replicas: Invalid value: {replicas}'
            return _status(422, "Invalid", message)
        if deployment["spec"]["replicas"] != replicas:
            deployment["spec"]["replicas"] = replicas
            deployment["metadata"]["generation"] += 1
        # of the scale, not of the deployment: it has no generation
        meta = {name: deployment["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
        return JSONResponse(
            {
                "kind": "Scale",
                "apiVersion": "autoscaling/v1",
                "metadata": meta,
                "spec": {"replicas": replicas},
                "status": {"replicas": deployment["status"].get("replicas", 0), "selector": "app=web"},
            }
        )

    async def _list(self, request: Request) -> Response:
        selector = dict(part.split("=") for part in request.query_params.get("labelSelector", "").split(",") if part)
        found = [
            pod
            for pod in self.pods.get(request.path_params["namespace"], [])
            if all(pod.labels.get(name) == value for name, value in selector.items())
        ]
        start = int(request.query_params.get("continue", 0))
        limit = int(request.query_params.get("limit", 500))
        more = str(start + limit) if len(found) > start + limit else None
        items = [
            {"metadata": {"name": pod.name, "namespace": "default", "labels": pod.labels}, "status": {"phase": "Running"}}
            for pod in found[start : start + limit]
        ]
        meta = {"resourceVersion": "1000"} | ({"continue": more} if more else {})
        return JSONResponse({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items})

    async def _log(self, request: Request) -> Response:
        name, query = request.path_params["name"], dict(request.query_params)
        self.log_queries.append(query)
        pod = next((pod for pod in self.pods.get(request.path_params["namespace"], []) if pod.name == name), None)
        if pod is None:
            return _status(404, "NotFound", f'pods "{name}" not found')
        container = query.get("container")
        if container is None and len(pod.logs) > 1:
            choices = " ".join(pod.logs)
            message = f"a container name must be specified for pod {name}, choose one of: [{choices}]"
            return _status(400, "BadRequest", message)
        logs = pod.previous if query.get("previous") == "true" else pod.logs
        if not logs:
            what = "previous terminated container" if query.get("previous") else "container"
            return _status(
                400, "BadRequest", f'{what} "{container or "app"}" in pod "{name}" is waiting to start: ContainerCreating'
            )
        if container is not None and container not in logs:
            return _status(400, "BadRequest", f"container {container} is not valid for pod {name}")
        log = logs[container or next(iter(logs))]
        lines = log.splitlines(keepends=True)[-int(query["tailLines"]) :]

        async def parts() -> AsyncIterator[bytes]:
            text = b"".join(lines)
            for at in range(0, len(text), 1_000):
                yield text[at : at + 1_000]
                await asyncio.sleep(0)

        return StreamingResponse(parts(), media_type="text/plain")

    async def _version(self, request: Request) -> Response:
        return JSONResponse({"major": "1", "minor": "33", "gitVersion": "v1.33.1"})

    async def _review(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized", "Unauthorized")
        review = json.loads(await request.body())
        attributes = review["spec"]["resourceAttributes"]
        allowed = (attributes["verb"], attributes["resource"]) not in self.forbidden
        return JSONResponse(review | {"status": {"allowed": allowed}}, 201)


@asynccontextmanager
async def cluster_running(certificate: ServerCertificate | None = None) -> AsyncIterator[Cluster]:
    cluster = Cluster()
    controller = asyncio.create_task(cluster.control())
    async with serving(cluster.app(), certificate) as cluster.address:
        try:
            yield cluster
        finally:
            cluster.gate.set()
            controller.cancel()
            await asyncio.gather(controller, return_exceptions=True)


def _progressing(reason: str, status: str, message: str = "") -> Json:
    return {"type": "Progressing", "status": status, "reason": reason, "message": message}


def _shown(deployment: Json) -> Json:
    shown = copy.deepcopy(deployment)
    shown["metadata"].pop("_template_changed", None)
    return shown


def _merge(into: Json, patch: Json) -> None:
    for name, value in patch.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value


def _status(code: int, reason: str, message: str) -> JSONResponse:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return JSONResponse(status | {"message": message, "reason": reason, "code": code}, code)


def _no_deployment(request: Request) -> Response:
    return _status(404, "NotFound", f'deployments.apps "{request.path_params["name"]}" not found')


def _conflict(request: Request) -> Response:
    message = f'Operation cannot be fulfilled on deployments.apps "{request.path_params["name"]}": the object has been modified'
    return _status(409, "Conflict", f"{message}; please apply your changes to the latest version and try again")
