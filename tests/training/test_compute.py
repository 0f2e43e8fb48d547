"""Several devices, several workers, mixed precision: the same learning."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import ConfigError
from tests.conftest import ROOT
from training.recipe import Compute, Data, Publish, Recipe


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def worker(folder: Path, devices: str, *, precision: str = "float32", config: object = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({"TF_CONFIG": json.dumps(config)} if config else {})}
    command = [sys.executable, "-m", "tests.benches.learn_worker", str(folder), devices, precision]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def losses(folder: Path, process: subprocess.Popen[str]) -> list[float]:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said[-2000:]
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_two_workers_learn_what_two_devices_of_one_machine_learn(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    hosts = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    configs = [{"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}} for index in range(2)]
    started = [worker(tmp_path / str(index), "auto", config=config) for index, config in enumerate(configs)]
    first, second = (losses(tmp_path / str(index), each) for index, each in enumerate(started))
    assert first == second
    assert len(first) == 3
    mirrored = losses(tmp_path / "mirrored", worker(tmp_path / "mirrored", "mirrored"))
    assert mirrored == pytest.approx(first, rel=0.02)
    assert (tmp_path / "0/fit/best.weights.h5").exists()


def test_mixed_precision_learns_and_keeps_its_weights_whole(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    half = losses(tmp_path / "half", worker(tmp_path / "half", "one", precision="mixed_bfloat16"))
    assert len(half) == 3
    assert all(0 < loss < 100 for loss in half)


def test_what_cannot_be_computed_on_is_refused() -> None:
    pytest.importorskip("tensorflow")
    from training.compute import strategy_for

    with pytest.raises(ConfigError, match="no workers"):
        strategy_for(Compute(devices="multi_worker"), {})
    with pytest.raises(ConfigError, match="TF_CONFIG cannot be read"):
        strategy_for(Compute(), {"TF_CONFIG": "{"})
    with pytest.raises(ConfigError, match="nothing to mirror"):
        strategy_for(Compute(devices="mirrored"), {})
    with pytest.raises(ConfigError, match="mixed_float16"):
        Compute(precision="half")


def test_where_it_is_computed_makes_no_other_recipe() -> None:
    def recipe(compute: Compute) -> Recipe:
        return Recipe(data=Data(folder="r"), publish=Publish(name="home"), compute=compute)

    assert recipe(Compute(devices="mirrored")).sha256() == recipe(Compute()).sha256()
