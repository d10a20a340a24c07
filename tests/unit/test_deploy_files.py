"""The files of `deploy/` that run Runyard in containers, as far as they can be held against the code and against the programs
that read them: hadolint, the compose specification, Helm itself and the schemas of Kubernetes. No image is built here."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import runyard_agent.settings
import runyard_approvals.settings
import runyard_dispatcher.settings
import runyard_gateway.settings
import runyard_orchestrator.settings
import runyard_projections.settings
from compose_spec import PyCompose
from pydantic_settings import BaseSettings
from ruamel.yaml import YAML
from runyard_gateway.http.web_app import DIRECTORY as WEB_APP
from runyard_shared.messaging.topology import APPROVALS_PARTITIONS, approvals_inbox_partition
from runyard_standalone.distributed import SERVICES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose"
SYSTEMD = DEPLOY / "systemd"
CHART = DEPLOY / "helm" / "runyard"
SETTINGS: Mapping[str, type[BaseSettings]] = {
    "runyard_orchestrator": runyard_orchestrator.settings.Settings,
    "runyard_dispatcher": runyard_dispatcher.settings.Settings,
    "runyard_approvals": runyard_approvals.settings.Settings,
    "runyard_projections": runyard_projections.settings.Settings,
    "runyard_gateway": runyard_gateway.settings.Settings,
    "runyard_agent": runyard_agent.settings.Settings,
}
COMMANDS = {
    "runyard_standalone.migrate": {"RUNYARD_DATABASE_URL"},
    "runyard_standalone.enrol": {"RUNYARD_URL", "RUNYARD_ADMIN_TOKEN"},
}
"""What runs to its end, and the variables it reads."""
KUBERNETES = ("1.27", kubernetes_validate.latest_version())
OF_OPERATORS = {"ScaledObject", "TriggerAuthentication", "ServiceMonitor", "PodMonitor", "PrometheusRule"}
"""Kinds that Kubernetes itself does not know: their schemas are not at hand."""


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def variables(module: str) -> set[str]:
    if module in COMMANDS:
        return COMMANDS[module]
    return {f"RUNYARD_{name.upper()}" for name in SETTINGS[module].model_fields}


def read_by(module: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises if the process would not start with these variables, or if it knows nothing of one of them."""
    assert find_spec(f"{module}.__main__" if module in SETTINGS else module), module
    assert {name for name in environment if name.startswith("RUNYARD_")} <= variables(module), module
    if module in COMMANDS:
        assert COMMANDS[module] <= environment.keys()
        return
    for name in list(os.environ):
        if name.startswith("RUNYARD_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = SETTINGS[module]()
    needed = ("url",) if module == "runyard_agent" else ("database_url", "amqp_url")
    assert all(getattr(settings, name) for name in needed), module


# ------------------------------------------------------------------------------------------------------------ the images


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (DEPLOY / "Dockerfile").read_text()


def test_the_dockerfile_is_what_a_linter_of_dockerfiles_asks_for() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_images_are_made_of_is_there_and_sent_to_the_builder(dockerfile: str) -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    members = set()
    for words in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        for source in words.split()[:-1]:
            assert list(ROOT.glob(source)), f"{source} is not there"
            assert any(source == each or source.startswith(f"{each}/") for each in allowed), f"{source} is ignored"
            members.add(source)
    # uv reads every member of the workspace, also those that are not installed
    workspace = [path.relative_to(ROOT).as_posix() for pattern in MEMBERS for path in ROOT.glob(f"{pattern}/pyproject.toml")]
    assert set(workspace) <= members
    everything_else = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in everything_else and "**/.env" in everything_else, "secrets of a working copy stay out of the images"


MEMBERS = ("shared", "services/*", "agent", "deploy/standalone", "bench", "cli")


def test_the_images_are_made_with_the_tools_that_everything_else_is_made_with(dockerfile: str) -> None:
    uv = re.search(r"^pinned=(.+)$", (DEPLOY / "uv.sh").read_text(), re.MULTILINE)
    node = re.search(r"^pinned=(\d+)\.", (DEPLOY / "web.sh").read_text(), re.MULTILINE)
    assert uv and f"uv=={uv[1]}" in dockerfile
    assert node and f"ARG NODE={node[1]}" in dockerfile
    assert f"ARG PYTHON={sys.version_info.major}.{sys.version_info.minor}" in dockerfile
    assert 'members = ["' + '", "'.join(MEMBERS) + '"]' in (ROOT / "pyproject.toml").read_text()


def test_an_installation_is_made_of_what_the_working_copy_has_now_and_not_of_packages_built_before(tmp_path: Path) -> None:
    plan = subprocess.run(
        ["make", "-n", "install", f"PREFIX={tmp_path}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    anew = set(re.findall(r"--reinstall-package (\S+)", plan.stdout))
    files = [path for pattern in MEMBERS for path in ROOT.glob(f"{pattern}/pyproject.toml")]
    assert anew == {tomllib.loads(path.read_text())["project"]["name"] for path in files}


def test_the_web_app_is_where_the_gateway_serves_it_from_and_part_of_its_wheel(dockerfile: str) -> None:
    served = WEB_APP.relative_to(ROOT).as_posix()
    assert f"COPY --from=web /src/{served} {served}" in dockerfile
    assert f"outDir: '../{Path(served).parent.name}/web'" in (ROOT / "services/gateway/ui/vite.config.ts").read_text()
    assert 'artifacts = ["runyard_gateway/web"]' in (ROOT / "services/gateway/pyproject.toml").read_text()


def test_both_images_run_as_the_user_that_owns_what_they_write(dockerfile: str) -> None:
    for stage in ("agent", "server"):
        text = dockerfile.split(f"FROM base AS {stage}\n")[1].split("\nFROM ", maxsplit=1)[0]
        assert "--uid 10001 " in text and "\nUSER 10001:10001\n" in text
        assert text.index("USER 10001") > text.index("COPY --from=build")


# ------------------------------------------------------------------------------------------------------------ compose


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What init.sh makes."""
    file = tmp_path_factory.mktemp("compose") / ".env"
    subprocess.run([COMPOSE / "init.sh", file], check=True, capture_output=True, timeout=30)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    subprocess.run([COMPOSE / "init.sh", file], check=True, capture_output=True, timeout=30)
    assert file.read_text() == before, "what is there already stays"
    return dict(line.split("=", 1) for line in before.splitlines())


@pytest.fixture(scope="module")
def compose(secrets: dict[str, str]) -> dict[str, Any]:
    """The file as compose reads it: with the secrets, and what `<<` merges."""

    def value(match: re.Match[str]) -> str:
        name, how, default = match["name"], match["how"], match["default"]
        return secrets[name] if how == ":?" else secrets.get(name) or default or ""

    text = (COMPOSE / "compose.yaml").read_text()
    pattern = r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?P<how>:[?-])?(?P<default>[^}]*)\}"
    document = yaml(re.sub(pattern, value, text))
    assert isinstance(document, dict)
    return document


def test_the_compose_file_is_what_the_specification_allows(compose: dict[str, Any]) -> None:
    PyCompose.from_json(json.dumps(compose)).validate()
    services = compose["services"]
    assert {"postgres", "rabbitmq", *SERVICES, "agent-1", "agent-2", "prometheus", "grafana"} <= services.keys()
    for name, service in services.items():
        assert service.get("restart"), f"{name} does not come back"
        for other, how in service.get("depends_on", {}).items():
            ends = services[other]["restart"] == "on-failure"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")
            assert ends or "healthcheck" in services[other], f"nobody can tell whether {other} is healthy"


def test_no_secret_is_in_the_compose_file_and_none_has_a_default(secrets: dict[str, str]) -> None:
    text = (COMPOSE / "compose.yaml").read_text()
    made = {name for name in secrets if name != "RUNYARD_PUBLIC_URL"}
    for name in made:
        uses = re.findall(rf"\$\{{{name}(:?[^}}]*)\}}", text) or [f":? as a file: {name}"]
        assert all(use.startswith(":?") for use in uses), f"{name} could be empty"
    assert len({secrets[name] for name in made}) == len(made), "each is another one"
    assert all(len(secrets[name]) >= 64 for name in made)
    assert "deploy/compose/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_service_of_the_compose_file_starts_with_what_it_is_given(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {name: service for name, service in compose["services"].items() if service["image"].startswith("runyard-")}
    assert len(ours) == len(SERVICES) + 4
    for name, service in ours.items():
        python, flag, module, *_ = service["command"]
        assert (python, flag) == ("python", "-m")
        assert module == f"runyard_{name}" or name.startswith("agent-") or module in COMMANDS
        read_by(module, service["environment"], monkeypatch)
        assert service["read_only"] and service["cap_drop"] == ["ALL"], f"{name} is not confined"


def test_nothing_but_the_servers_reaches_the_database_and_an_agent_sees_its_own_key_alone(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in ("agent-1", "agent-2"):
        assert services[name]["networks"] == ["agents"]
        (volume,) = services[name]["volumes"]
        assert volume["volume"]["subpath"] == f"agents/{name}"
        assert services[name]["environment"]["RUNYARD_AGENT_KEY_FILE"] == f"{volume['target']}/key"
    assert services["enrol"]["command"][3:] == ["/var/lib/runyard", "agent-1", "agent-2"]
    assert services["postgres"]["networks"] == ["server"]
    assert services["jaeger"]["profiles"] == ["tracing"]
    for name in (*SERVICES, "agent-1", "agent-2"):
        assert services[name]["environment"]["RUNYARD_TRACING"] == "false", name
        assert services[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"
        assert set(services[name]["networks"]) & set(services["jaeger"]["networks"]), f"{name} does not reach it"
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"gateway", "prometheus", "grafana", "jaeger"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_what_the_compose_file_mounts_is_there_and_where_its_reader_looks(compose: dict[str, Any]) -> None:
    targets = {}
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            if isinstance(volume, str) and volume.startswith("."):
                source, target, _ = volume.split(":")
                assert (COMPOSE / source).exists(), source
                targets[target] = COMPOSE / source
    provider = yaml((DEPLOY / "grafana/provisioning/dashboards/runyard.yaml").read_text())["providers"][0]
    assert targets[provider["options"]["path"]].resolve() == DEPLOY / "grafana" / "dashboards"
    source = (DEPLOY / "grafana/provisioning/datasources/runyard.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", source)) <= compose["services"]["grafana"]["environment"].keys()
    scraped = yaml((COMPOSE / "prometheus.yml").read_text())["scrape_configs"]
    services, prometheus = compose["services"], compose["services"]["prometheus"]
    ports = {"gateway": services["gateway"]["environment"]["RUNYARD_PORT"], "rabbitmq": "15692"}
    for name, service in services.items():
        if port := service.get("environment", {}).get("RUNYARD_OPS_PORT"):
            ports[name] = port
    assert ports.keys() == {*SERVICES, "agent-1", "agent-2", "rabbitmq"}
    asked = {target for job in scraped for static in job["static_configs"] for target in static["targets"]}
    assert asked == {f"{name}:{port}" for name, port in ports.items()}
    for name in ports:
        assert {*services[name]["networks"]} & {*prometheus["networks"]}, f"Prometheus does not reach {name}"
    (rules,) = yaml((COMPOSE / "prometheus.yml").read_text())["rule_files"]
    assert targets[rules].resolve() == CHART / "files" / "alerts.yaml"
    (secret,) = compose["services"]["prometheus"]["secrets"]
    assert scraped[0]["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert compose["secrets"][secret]["environment"] == "RUNYARD_METRICS_TOKEN"


# ------------------------------------------------------------------------------------------------------------ systemd


def test_every_unit_of_systemd_starts_a_process_with_what_init_sh_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {
        "RUNYARD_DATABASE_URL": "postgresql://runyard:x@127.0.0.1/runyard",
        "RUNYARD_AMQP_URL": "amqp://runyard:x@127.0.0.1:5672/",
        "RUNYARD_AMQP_MANAGEMENT_URL": "http://runyard:x@127.0.0.1:15672",
        "RUNYARD_PUBLIC_URL": "https://runyard.example.com",
    }
    init = [SYSTEMD / "init.sh", tmp_path]
    unsaid = subprocess.run(init, env={}, capture_output=True, text=True, timeout=30, check=False)
    assert unsaid.returncode == 1 and "RUNYARD_DATABASE_URL is not in" in unsaid.stderr
    subprocess.run(init, env=where, check=True, capture_output=True, timeout=30)
    files = {file.stem: file.read_text() for file in tmp_path.glob("*.env")}
    subprocess.run(init, env={}, check=True, capture_output=True, timeout=30)
    assert files == {file.stem: file.read_text() for file in tmp_path.glob("*.env")}, "what is there already stays"
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.glob("*.env"))

    made = {name: dict(line.split("=", 1) for line in text.splitlines()) for name, text in files.items()}
    unit = (SYSTEMD / "runyard@.service").read_text()
    assert "\nExecStart=/opt/runyard/current/bin/python -m runyard_%i\n" in unit
    assert "\nEnvironmentFile=/etc/runyard/runyard.env\nEnvironmentFile=-/etc/runyard/%i.env\n" in unit
    for service in SERVICES:
        read_by(f"runyard_{service}", made["runyard"] | made.get(service, {}), monkeypatch)
    agent = dict(re.findall(r"^Environment=(\w+)=(.*)$", (SYSTEMD / "runyard-agent.service").read_text(), re.MULTILINE))
    read_by("runyard_agent", agent | {"RUNYARD_URL": where["RUNYARD_PUBLIC_URL"]}, monkeypatch)
    assert find_spec("runyard_standalone.migrate") and made["runyard"].keys() >= {"RUNYARD_DATABASE_URL"}


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("no systemd-analyze here")
    for unit in SYSTEMD.glob("runyard*"):
        text = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name.replace("@.", "@gateway.")).write_text(text)
    units = sorted(tmp_path.iterdir())
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# ------------------------------------------------------------------------------------------------------------ the chart


@pytest.fixture(scope="module")
def helm() -> Any:
    return pytest.importorskip("helm_python", reason="Helm's library is not made for this kind of machine")


SERVER = {"server": "registry.example.com/runyard/server"}
LEAST: dict[str, Any] = {"existingSecret": "of-mine", "publicUrl": "https://runyard.example.com", "image": SERVER}
ALL: dict[str, Any] = LEAST | {
    "image": SERVER | {"agent": "registry.example.com/runyard/agent"},
    "agents": [{"name": "agent-1", "existingSecret": "key-1"}, {"name": "agent-2", "existingSecret": "key-2"}],
    "approvals": {"keda": {"enabled": True}},
    "gateway": {"autoscaling": {"enabled": True}, "trustedProxies": ["10.0.0.0/8", "192.168.0.0/16"]},
    "projections": {"archive": {"enabled": True, "storageClass": "slow"}},
    "ingress": {"enabled": True, "className": "nginx", "host": "runyard.example.com", "tlsSecret": "tls"},
    "networkPolicy": {"databaseTo": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "agentsTo": [{"namespaceSelector": {}}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccountName": "runyard",
    "tracing": {
        "enabled": True,
        "endpoint": "http://collector.observability:4318",
        "sampledShare": 0.1,
        "to": [{"namespaceSelector": {}}],
    },
    "env": {"gateway": {"RUNYARD_MAX_STREAMS": 1000}, "agent": {"RUNYARD_AGENT_TAGS": "linux"}},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "ops", "operator": "Exists"}],
}


@pytest.fixture(scope="module")
def chart(helm: Any) -> Iterator[Any]:
    with helm.Chart.load(CHART) as loaded:
        yield loaded


def manifests(chart: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
    rendered = chart.render(values, name="runyard", namespace="ops")
    parser = YAML(typ="safe", pure=True)
    return [each for name, text in rendered.items() if name.endswith(".yaml") for each in parser.load_all(text) if each]


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"]["template"] for each in objects if "template" in each.get("spec", {})}


@pytest.mark.parametrize(("values", "versions"), [(LEAST, KUBERNETES[:1]), (ALL, KUBERNETES)], ids=["least", "all"])
def test_kubernetes_takes_what_helm_makes_of_the_chart(
    helm: Any, chart: Any, values: dict[str, Any], versions: tuple[str, ...]
) -> None:
    assert helm.lint(CHART, values)["errors"] == []
    chart.validate_schema(values)
    objects = manifests(chart, values)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names)) > 15
    for each in objects:
        if each["kind"] not in OF_OPERATORS:
            for version in versions:
                kubernetes_validate.validate(each, version, strict=True)
    assert chart.metadata["appVersion"] == "0.1.0" == chart.metadata["version"]


SECRETS = {"RUNYARD_DATABASE_URL": "postgresql://runyard:of-mine@db/runyard", "RUNYARD_AMQP_URL": "amqps://runyard:of-mine@mq/"}
OTHER_SECRET = "a-secret-" + "0123456789abcdef" * 4


def test_every_pod_of_the_chart_starts_with_what_it_is_given(chart: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = set()
    for name, pod in pods(manifests(chart, ALL)).items():
        (container,) = pod["spec"]["containers"]
        python, flag, module = container["command"]
        assert (python, flag) == ("python", "-m"), name
        modules.add(module)
        given = {each["name"]: each.get("value", SECRETS.get(each["name"], OTHER_SECRET)) for each in container["env"]}
        read_by(module, given, monkeypatch)
        secret = {each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each}
        assert secret == {"of-mine"} or secret <= {"key-1", "key-2"}, name
        pod_security, security = pod["spec"]["securityContext"], container["securityContext"]
        assert pod_security["runAsNonRoot"] and pod_security["runAsUser"] == 10001
        assert security["readOnlyRootFilesystem"] and security["capabilities"] == {"drop": ["ALL"]}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
        if module in SETTINGS:
            assert given["RUNYARD_TRACING"] == "true"
            assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.observability:4318"
            assert (given["OTEL_TRACES_SAMPLER"], given["OTEL_TRACES_SAMPLER_ARG"]) == ("parentbased_traceidratio", "0.1")
    assert modules == SETTINGS.keys() | {"runyard_standalone.migrate"}


def test_the_chart_holds_no_secret_and_names_where_each_comes_from(chart: Any) -> None:
    objects = manifests(chart, ALL)
    assert not [each for each in objects if each["kind"] in ("Secret", "ConfigMap")]
    named = set(re.findall(r"key: ([a-z]+-[a-z-]+)", json.dumps(objects).replace('"', "")))
    said = set(re.findall(r"^#   ([a-z-]+)  ", (CHART / "values.yaml").read_text(), re.MULTILINE))
    assert named == said


def test_an_upgrade_migrates_first_and_replaces_gateways_while_others_serve(chart: Any) -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in manifests(chart, LEAST)}
    assert objects["Job", "runyard-migrate"]["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    gateway = objects["Deployment", "runyard-gateway"]["spec"]
    assert gateway["replicas"] == 2
    assert gateway["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (container,) = gateway["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert gateway["template"]["spec"]["terminationGracePeriodSeconds"] > 30 + int(
        container["lifecycle"]["preStop"]["exec"]["command"][1]
    )
    for part in (*SERVICES, "agent"):
        (container,) = next(pod for name, pod in pods(manifests(chart, ALL)).items() if part in name)["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz", part
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", part
        (port,) = container["ports"]
        assert container["livenessProbe"]["httpGet"]["port"] == port["name"] == ("http" if part == "gateway" else "ops")
    for ended in ("orchestrator", "projections"):
        spec = objects["Deployment", f"runyard-{ended}"]["spec"]
        assert spec["replicas"] == 2 and spec["strategy"] == {"type": "Recreate"}


def test_the_archive_can_be_mounted_by_as_many_projections_as_there_are(chart: Any) -> None:
    for replicas, mode in ((1, "ReadWriteOnce"), (2, "ReadWriteMany")):
        values = {**LEAST, "projections": {"replicas": replicas, "archive": {"enabled": True}}}
        (claim,) = [each for each in manifests(chart, values) if each["kind"] == "PersistentVolumeClaim"]
        assert claim["spec"]["accessModes"] == [mode]


def test_what_selects_pods_finds_them(chart: Any) -> None:
    objects = manifests(chart, ALL)
    labels = [pod["metadata"]["labels"] for pod in pods(objects).values()]
    for each in objects:
        spec = each.get("spec", {})
        selectors = (
            [spec["selector"].get("matchLabels", spec["selector"])]
            if "selector" in spec and each["kind"] != "ServiceMonitor"
            else []
        )
        selectors += [spec["podSelector"].get("matchLabels", {})] if "podSelector" in spec else []
        for selector in selectors:
            assert any(selector.items() <= found.items() for found in labels), (each["kind"], each["metadata"]["name"])
    names = {each["metadata"]["name"] for each in objects if each["kind"] == "Deployment"}
    targets = {each["spec"]["scaleTargetRef"]["name"] for each in objects if "scaleTargetRef" in each.get("spec", {})}
    assert targets == {"runyard-gateway", "runyard-approvals"} <= names


def test_the_prometheus_operator_asks_every_pod_and_gets_the_alerts(chart: Any) -> None:
    objects = {each["kind"]: each for each in manifests(chart, ALL)}
    assert objects["PrometheusRule"]["spec"] == yaml((CHART / "files" / "alerts.yaml").read_text())
    monitor = objects["PodMonitor"]["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    asked = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for pod in pods(manifests(chart, ALL)).values()
        if monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        and endpoint["port"] in {port["name"] for port in pod["spec"]["containers"][0].get("ports", ())}
    }
    assert asked == {"orchestrator", "dispatcher", "approvals", "projections", "agent"}
    for each in (objects["PodMonitor"], objects["ServiceMonitor"]):
        assert each["spec"]["jobLabel"] == "app.kubernetes.io/name", "the alerts name the job"
    assert not [each for each in manifests(chart, LEAST) if each["kind"] in ("PodMonitor", "ServiceMonitor", "PrometheusRule")]


def test_the_queues_that_approvals_are_scaled_by_are_theirs(chart: Any) -> None:
    (scaled,) = [each for each in manifests(chart, ALL) if each["kind"] == "ScaledObject"]
    queues = [trigger["metadata"]["queueName"] for trigger in scaled["spec"]["triggers"]]
    assert queues == [approvals_inbox_partition(number) for number in range(APPROVALS_PARTITIONS)]
    assert scaled["spec"]["maxReplicaCount"] <= APPROVALS_PARTITIONS


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image": SERVER}, "existingSecret: name the Secret"),
        ({"existingSecret": "of-mine", "image": SERVER}, "publicUrl: where people"),
        (LEAST | {"gatway": {"replicas": 3}}, "gatway"),
        (LEAST | {"gateway": {"replicas": "three"}}, "replicas"),
        (LEAST | {"gateway": {"drainSeconds": 301}}, "maximum"),
        (LEAST | {"orchestrators": {"replicas": 2}}, "orchestrators"),
        (LEAST | {"agents": [{"name": "agent-1"}]}, "existingSecret"),
        (LEAST | {"image": {}}, "image.server"),
        (LEAST | {"agents": [{"name": "agent-1", "existingSecret": "key-1"}]}, "image.agent"),
        (LEAST | {"ingress": {"enabled": True}}, "ingress.host"),
    ],
)
def test_values_that_cannot_work_are_refused_with_what_is_wrong(
    helm: Any, chart: Any, values: dict[str, Any], said: str
) -> None:
    with pytest.raises((helm.HelmValuesError, helm.HelmRenderError), match=re.escape(said)):
        chart.validate_schema(values)
        chart.render(values, name="runyard", namespace="ops")
