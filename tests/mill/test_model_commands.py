"""The models' commands: what they print, what they refuse before anything is done."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from versemill.errors import AssetError, ConfigError
from versemill.mill import cli
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training import train


def versemill(*arguments: str) -> str:
    """Standard output of the command, in this process.

    Raises:
        VersemillError: the command's own.
    """
    answer = CliRunner().invoke(cli.app, list(arguments))
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return answer.stdout


@pytest.fixture(scope="module")
def run(box_dataset: Path, toy_preset: GaussiansRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(GAUSSIANS, box_dataset, toy_preset.model_copy(update={"input_views": 4, "steps": 2}), out, device="cpu")
    return out


def test_few_objects_are_listed_one_by_one_without_an_interval(run: Path, box_dataset: Path) -> None:
    answer = versemill("evaluate", str(run), str(box_dataset), "--quick", "--device", "cpu")
    assert "visual hull" in answer
    assert "no intervals: they need 20 objects" in answer
    assert "LPIPS is not measured" in answer
    page = (run / "evaluation" / "table.md").read_text()
    assert "2 objects, family gaussians, preset toy, views 4" in page
    assert "95 %" not in page


def test_a_folder_of_meshes_is_judged_mesh_by_mesh(run: Path, box_dataset: Path, boxes, tmp_path: Path) -> None:
    from versemill.gltf import to_glb

    (tmp_path / "deep").mkdir()
    for k, name in enumerate(("a.glb", "deep/b.glb")):
        (tmp_path / name).write_bytes(to_glb(boxes[k]))
    (tmp_path / "bad.obj").write_text("v nan nan nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    answer = versemill(
        "evaluate",
        str(run),
        str(tmp_path),
        "--dataset",
        str(box_dataset),
        "--quick",
        "--json",
        "--judge",
        "views=8",
        "--device",
        "cpu",
    )
    assert [item["name"] for item in json.loads(answer)["objects"]] == ["a.glb", "b.glb"]
    few = ["--dataset", str(box_dataset), "--quick", "--json", "--device", "cpu"]
    answer = versemill("evaluate", str(run), str(tmp_path), "--objects", "1", *few)
    assert [item["name"] for item in json.loads(answer)["objects"]] == ["a.glb"]
    with pytest.raises(AssetError, match="NaN"):
        versemill("evaluate", str(run), str(tmp_path / "bad.obj"), *few)


def test_what_can_not_be_judged_is_named(run: Path, box_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither shards nor meshes"):
        versemill("evaluate", str(run), str(tmp_path), "--dataset", str(box_dataset))
    with pytest.raises(ConfigError, match="--dataset"):
        versemill("evaluate", str(run), str(tmp_path))
    with pytest.raises(ConfigError, match="did you mean 'boolean'"):
        versemill("ablate", "bolean", "--out", str(tmp_path / "x"))
    with pytest.raises(ConfigError, match="--out"):
        versemill("ablate", "boolean")
    assert not (tmp_path / "x").exists()


def test_the_ablations_are_listed() -> None:
    answer = versemill("ablate", "list")
    assert all(name in answer for name in ("zeroverse-mix", "height-field", "stability"))


def test_presets_are_listed_from_the_table() -> None:
    shown = " ".join(versemill("train", "--presets").split())
    assert all(word in shown for word in ("gaussians: LRM-Zero", "triplane: ", "monocular: ", "micro", "2 CPU cores"))


def test_unknown_families_presets_and_settings_are_named(box_dataset: Path, run: Path, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "x"))
    with pytest.raises(ConfigError, match="unknown family 'reconstruction'; known: gaussians, triplane"):
        versemill("train", "reconstruction", str(box_dataset), *out)
    with pytest.raises(ConfigError, match="no preset 'huge'; the presets are: micro"):
        versemill("train", "gaussians", str(box_dataset), *out, "--preset", "huge")
    with pytest.raises(ConfigError, match=r"unknown key 'preset micro\.stepps'; did you mean 'preset micro\.steps'"):
        versemill("train", "gaussians", str(box_dataset), *out, "--set", "stepps=3")
    with pytest.raises(ConfigError, match=r"views: .*got 5.*its settings: views"):
        versemill("evaluate", str(run), str(box_dataset), "--judge", "views=5")
    assert not (tmp_path / "x").exists()


def test_train_reads_a_dataset_or_mills_a_pipeline(box_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    def train_live(family, pipeline, recipe, out, *rest, **options):
        given.update(family=family.name, pipeline=pipeline, recipe=recipe, out=out, rest=rest, **options)
        return {"steps": 1}

    monkeypatch.setattr("versemill.mill.live.training.train", train_live)
    out = ("--out", str(tmp_path / "run"))
    for arguments in ((), (str(box_dataset), "--live", "tiny")):
        with pytest.raises(ConfigError, match="name either a dataset folder, or a pipeline"):
            versemill("train", "gaussians", *arguments, *out)
    for option in (("--curriculum",), ("--draws", "x"), ("--live-set", "run.seed=1"), ("--address", "auto")):
        with pytest.raises(ConfigError, match="for training with --live"):
            versemill("train", "gaussians", str(box_dataset), *out, *option)
    answer = versemill(
        "train", "gaussians", "--live", "tiny", *out, "--live-set", "run.seed=9", "--live-set", "live.ahead=5", "--curriculum",
        "--set", "steps=7", "--seed", "3", "--device", "cpu",
    )  # fmt: skip
    assert json.loads(answer) == {"steps": 1}
    assert (given["family"], given["recipe"].steps, given["rest"][:2]) == ("gaussians", 7, (3, "cpu"))
    assert (given["pipeline"].name, given["pipeline"].run.seed, given["pipeline"].live.ahead) == ("tiny", 9, 5)
    assert (given["curriculum"], given["draws"], given["address"]) == (True, None, None)
