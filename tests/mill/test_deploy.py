"""Every file in deploy/ is what its reader expects, and every versemill command in it is one that our command line takes.

The shell commands that can run here do: the crontab's line, twice and at once, and the SLURM script on one Ray node.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml
from ray._private.services import find_gcs_addresses

from versemill.mill.cli import app
from versemill.mill.pipeline import config
from versemill.mill.report.status import status
from versemill.mill.upkeep.verify import verify
from versemill.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
IMAGE = re.compile(r"registry\.example\.com/versemill:(cpu|cuda)")

FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".sh"]
READ = [path for path in (*FILES, ROOT / "docs" / "deploy.md") if path.is_file()]

# Fields of KubeRay's API reference that are used here; a field of another name would be dropped without a word.
RAYJOB = {
    "entrypoint", "backoffLimit", "submissionMode", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished",
    "activeDeadlineSeconds", "runtimeEnvYAML", "rayClusterSpec", "suspend", "entrypointNumCpus",
}  # fmt: skip
RAYCLUSTER = {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs", "enableInTreeAutoscaling", "autoscalerOptions"}
WORKERS = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template", "numOfHosts"}

TINY = [
    "render.width=32", "render.height=32", "render.cameras.views=2", "curate.resolution=32", "run.workers=1",
    "sources.detailverse=null", "sources.zeroverse.texture_size=32", "shards.assets_per_shard=2",
    *(f"fields.{name}=64" for name in ("surface_points", "near_points", "volume_points", "sharp_points", "sharp_near_points")),
]  # fmt: skip


def commands(path):
    """Argument lists of the versemill commands in a file: in YAML lists, in shell lines, in code of Markdown."""
    text = path.read_text()
    if path.name == "kubernetes-cronjob.yaml":
        job = next(doc for doc in yaml.safe_load_all(text) if doc["kind"] == "CronJob")
        containers = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        return [container["args"] for container in containers]
    if path.suffix == ".md":
        text = "\n".join(re.findall(r"```(?:\w*)\n(.*?)```", text, re.S) + re.findall(r"`(versemill [^`\n]+)`", text))
    text = text.replace("\\\n", " ")
    quoted = re.findall(r"(?:^|[\s'\"`(])(versemill (?:--\w+|[a-z]+ ?)[^\n'`;)]*)", text, re.M)
    lines = [re.split(r"\s(?:>|2>|\||&&|#)", line)[0] for line in quoted]
    return [shlex.split(line) for line in lines if line.split()[1] in known() or line.split()[1].startswith("--")]


def known():
    return typer.main.get_command(app).commands


def test_the_commands_are_found():
    counts = {path.name: len(commands(path)) for path in READ}
    for name in (
        "crontab",
        "slurm.sh",
        "kuberay-rayjob.yaml",
        "ray-cluster.yaml",
        "kubernetes-cronjob.yaml",
        "Dockerfile",
        "deploy.md",
    ):
        assert counts[name] >= 1, (name, counts)


@pytest.mark.parametrize("path", READ, ids=lambda path: path.name)
def test_every_versemill_command_is_one_that_the_command_line_takes(path):
    for words in commands(path):
        rest = [word.replace('"$@"', "").replace("$@", "") for word in words[1:]]
        if rest[0].startswith("--"):
            assert rest in (["--help"], ["--version"]), words
            continue
        rest = [word for word in rest if word]
        if path.name == "slurm.sh":  # "$@" stands for what the line above it sets
            default = re.search(r"set -- (.*)", path.read_text())[1]
            rest = [rest[0], *shlex.split(default), *rest[1:]]
        context = known()[rest[0]].make_context(rest[0], rest[1:])  # raises on an unknown option
        if rest[0] == "run":
            given = context.params
            config.load(given["pipeline"], overrides=given["overrides"] or [], assets=given["assets"], seed=given["seed"])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_pass_shellcheck(path):
    assert path.stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", path], check=True)
    checker = tool("shellcheck")
    done = subprocess.run([checker, "--severity=warning", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_passes_hadolint_and_copies_what_the_wheel_holds():
    done = subprocess.run([tool("hadolint"), DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    text = (DEPLOY / "Dockerfile").read_text()
    copied = {source for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M) for source in line.split()}
    assert {"versemill", "setup.py", "pyproject.toml", "pipelines.yaml", *PACKAGES} <= copied
    allowed = set(re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.M))
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def tool(name):
    program = BIN / name
    if not program.exists() and not shutil.which(name):
        pytest.skip(f"no {name} here: pip install versemill[test]")
    return str(program if program.exists() else shutil.which(name))


def test_the_cronjob_is_valid_kubernetes():
    kubernetes = pytest.importorskip("kubernetes_validate")
    claim, job = yaml.safe_load_all((DEPLOY / "kubernetes-cronjob.yaml").read_text())
    for document in (claim, job):
        kubernetes.validate(document, "1.32", strict=True)
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate({**job, "spec": {**job["spec"], "concurrency": "Forbid"}}, "1.32", strict=True)
    spec = job["spec"]["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert IMAGE.fullmatch(pod["containers"][0]["image"])
    # What no further try mends ends the job; these are the command line's own codes.
    values = [code for rule in spec["podFailurePolicy"]["rules"] for code in rule.get("onExitCodes", {}).get("values", [])]
    assert values == [2, 3, 4]


def test_the_rayjob_has_the_fields_of_kuberay_and_valid_pods():
    kubernetes = pytest.importorskip("kubernetes_validate")
    job = yaml.safe_load((DEPLOY / "kuberay-rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    assert set(spec) <= RAYJOB
    assert set(cluster) <= RAYCLUSTER
    assert re.search(rf"^ray=={re.escape(cluster['rayVersion'])}$", (ROOT / "constraints.txt").read_text(), re.M)
    assert set(cluster["headGroupSpec"]) <= {"rayStartParams", "template", "serviceType"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert all(set(group) <= WORKERS for group in cluster["workerGroupSpecs"])
    assert all(group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] for group in cluster["workerGroupSpecs"])
    for group in groups:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **group["template"]}
        kubernetes.validate(pod, "1.32", strict=True)
        assert IMAGE.fullmatch(pod["spec"]["containers"][0]["image"])
    assert any("nvidia.com/gpu" in g["template"]["spec"]["containers"][0]["resources"]["limits"] for g in groups)


def test_the_cluster_file_is_what_ray_up_takes():
    from ray.autoscaler._private.util import prepare_config, validate_config

    content = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text())
    validate_config(prepare_config(content))
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config({**content, "workers": 3}))
    assert IMAGE.fullmatch(content["docker"]["image"])


def test_rotation_covers_where_cron_logs():
    settings = dict(re.findall(r"^(\w+)=(\S+)$", (DEPLOY / "crontab").read_text(), re.M))
    pattern = re.search(r"^(/\S+) \{$", (DEPLOY / "logrotate.conf").read_text(), re.M)[1]
    assert Path(settings["LOG"]).match(pattern)


@pytest.fixture
def small(tmp_path):
    """An environment whose `versemill run` makes two tiny assets, whatever the pipeline."""
    shim = tmp_path / "bin" / "versemill"
    shim.parent.mkdir()
    extra = " ".join(f"--set {shlex.quote(text)}" for text in TINY)
    shim.write_text(
        f'#!/bin/sh\ncase $1 in run) exec {BIN}/versemill "$@" --assets 2 {extra};; *) exec {BIN}/versemill "$@";; esac\n'
    )
    shim.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return {**environment, "PATH": f"{shim.parent}:{BIN}:{os.environ['PATH']}"}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("flock"), reason="no flock here")
def test_the_crontab_line_runs_is_idempotent_and_never_fights(small, tmp_path):
    text = (DEPLOY / "crontab").read_text()
    lines = [line for line in text.splitlines() if re.match(r"^[\d*]", line)]
    assert all(re.match(r"^(\S+\s+){5}\S", line) for line in lines)
    assert "%" not in "".join(lines), "cron takes a percent sign for the end of a line"
    run, verify_line, report = (re.split(r"\s+", line, maxsplit=5)[5] for line in lines)
    out, log = tmp_path / "data" / "quickstart", tmp_path / "log"
    out.parent.mkdir()
    environment = {**small, "OUT": str(out), "LOG": str(log)}

    def shell(line):
        return subprocess.Popen(["/bin/sh", "-c", line], env=environment, cwd=tmp_path)

    first = shell(run)
    end = time.monotonic() + 60
    while not (out / "lock").exists():
        assert time.monotonic() < end
        assert first.poll() is None, log.read_text()
        time.sleep(0.05)
    assert shell(run).wait(20) == 0, "the second one leaves at once, without a word"
    words = ["run", "quickstart", "--out", str(out), "--assets", "2", *(word for text in TINY for word in ("--set", text))]
    rival = subprocess.run(
        [BIN / "versemill", *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    if first.poll() is None:
        assert rival.returncode == 5
        assert "another run is writing" in rival.stderr
    assert first.wait(150) == 0, log.read_text()
    assert status(out)["state"] == "complete"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    used = sum(os.times()[2:4])
    assert shell(run).wait(100) == 0
    assert sum(os.times()[2:4]) - used < 30, "CPU seconds over a complete dataset"
    assert shell(verify_line).wait(100) == 0
    assert shell(report).wait(100) == 0
    assert (out / "report.html").stat().st_size > 10_000
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before
    assert verify(out) == []
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_the_slurm_script_runs_on_one_node(small, tmp_path):
    """With SLURM's own two programs replaced: `srun` runs its command here, `scontrol` names this machine."""
    patience = time.monotonic() + 90  # a Ray that another test killed takes its time to go
    while find_gcs_addresses():
        if time.monotonic() > patience:
            pytest.skip("another Ray runs on this machine, where `ray symmetric-run` starts none beside it")
        time.sleep(1)
    folder = tmp_path / "bin"
    for name, body in {
        "srun": 'while case $1 in --*) true;; *) false;; esac; do shift; done; exec "$@"',
        "scontrol": "echo 127.0.0.1",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    out = tmp_path / "data"
    slurm = {
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_JOB_NODELIST": "here",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_CPUS_PER_TASK": "1",
    }
    environment = {**small, **slurm, "VENV": str(tmp_path / "none"), "RAY_TMPDIR": "/tmp"}
    command = [DEPLOY / "slurm.sh", "quickstart", "--out", str(out)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert status(out)["state"] == "complete"
