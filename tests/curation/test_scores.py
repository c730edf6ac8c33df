"""Image features from local weights, and fitted heads that curation scores with."""

import io
import json
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest
import torch
import trimesh

from versemill.curation import CurationConfig, curate, curate_file
from versemill.curation.features import features
from versemill.curation.image_features import image_features, names
from versemill.curation.scores import DEFAULT_HEAD, NAMES, LinearHead, fit, fit_labels, score
from versemill.errors import ConfigError, MissingDependencyError

BALL, BOX = trimesh.creation.icosphere(3), trimesh.creation.box()


class Moments(torch.nn.Module):
    """A stand-in for DINOv2: the mean and the spread of each channel."""

    def forward(self, images):
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "moments.pt"
    torch.jit.script(Moments()).save(path)
    return str(path)


def test_a_model_sees_normal_maps_in_colour(model, of_trimesh):
    ball = of_trimesh(BALL).normalized()
    values = np.array(image_features(ball.vertices, ball.faces, (model,)))
    assert values.shape == (6,)
    assert np.linalg.norm(values) == pytest.approx(1, abs=1e-4)
    # x and y are even on a ball, z looks at the viewer; all on white.
    assert values[0] == pytest.approx(values[1], abs=0.01)
    assert values[2] > values[0]
    twice = image_features(ball.vertices, ball.faces, (model, model))
    assert twice == [*values, *values]
    box = of_trimesh(BOX).normalized()
    assert np.abs(np.array(image_features(box.vertices, box.faces, (model,))) - values).max() > 0.02
    assert image_features(ball.vertices, ball.faces, ()) == []


def test_curation_says_what_the_score_rests_on(model, of_trimesh, tmp_path):
    plain = curate(of_trimesh(BALL), CurationConfig())
    assert plain.methods["score"]["head"] == "written by hand"
    assert "image_models is empty" in plain.methods["score"]["image_models"]
    assert plain.metrics["image_features"] == []
    assert plain.metrics["score"] == DEFAULT_HEAD(plain.metrics["features"])
    rng = np.random.default_rng(0)
    rows = [dict(zip((*NAMES, *names(6)), rng.random(len(NAMES) + 6), strict=True)) for _ in range(40)]
    head = fit(rows, [1 + 4 * row["image_0002"] for row in rows])
    head.save(tmp_path / "head.json")
    config = CurationConfig(image_models=(model,), score_head=str(tmp_path / "head.json"))
    kept = curate(of_trimesh(BALL), config)
    measured = kept.metrics["features"] | dict(zip(names(6), kept.metrics["image_features"], strict=True))
    assert kept.metrics["score"] == LinearHead.load(tmp_path / "head.json")(measured)
    assert kept.methods["score"]["head"].startswith("head.json ")
    assert kept.methods["score"]["image_models"][0].startswith("moments.pt ")
    json.dumps(kept.metrics)
    with pytest.raises(ConfigError, match=r"6 image features and curate\.image_models gives 0"):
        curate(of_trimesh(BALL), CurationConfig(score_head=str(tmp_path / "head.json")))


def test_a_head_without_image_features_scores_with_and_without_models(of_trimesh, tmp_path):
    rng = np.random.default_rng(0)
    head = fit([dict(zip(NAMES, rng.random(len(NAMES)), strict=True)) for _ in range(20)], rng.uniform(1, 5, 20))
    head.save(tmp_path / "head.json")
    measured = features(of_trimesh(BALL).normalized())
    assert (
        score(measured, [], str(tmp_path / "head.json"))
        == score(measured, [0.5] * 6, str(tmp_path / "head.json"))
        == head(measured)
    )


def test_labels_with_image_features_fit_a_head_that_uses_them(model, tmp_path):
    # The stand-in tells balls from boxes, and so do the marks.
    for k in range(6):
        mesh = (BALL if k % 2 else BOX).copy()
        mesh.apply_scale((1, 1 + 0.05 * k, 1))
        mesh.export(tmp_path / f"{k}.ply")
        curate_file(tmp_path / f"{k}.ply", tmp_path, CurationConfig(image_models=(model,)))
    lines = ["metrics,score"] + [f"{k}.json,{5 if k % 2 else 1}" for k in range(6)]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    head = fit_labels(tmp_path / "labels.csv")
    assert set(names(6)) < set(head.names)
    assert any(w for n, w in zip(head.names, head.weights, strict=True) if n.startswith("image_"))
    marks = [json.loads((tmp_path / f"{k}.json").read_text())["metrics"] for k in range(6)]
    scored = [head(m["features"] | dict(zip(names(6), m["image_features"], strict=True))) for m in marks]
    assert min(scored[1::2]) > 4 > 2 > max(scored[::2])
    # One that was curated without the model does not fit in.
    curate_file(tmp_path / "0.ply", tmp_path)
    with pytest.raises(ConfigError, match="different image models"):
        fit_labels(tmp_path / "labels.csv")


class Ran:
    """What runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("name", ["model.pt2", "model.pt"])
def test_no_model_file_runs_a_command(of_trimesh, tmp_path, name):
    ball = of_trimesh(BALL).normalized()
    path, mark = tmp_path / name, tmp_path / "ran"
    good = tmp_path / "good.pt2"
    torch.export.save(torch.export.export(Moments(), (torch.zeros(4, 3, 224, 224),)), good)
    buffer = io.BytesIO()
    torch.save(Ran(mark), buffer)
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():  # every pickled member replaced
            new.writestr(member, buffer.getvalue() if member.endswith(".pt") else old.read(member))
        new.writestr("archive/data.pkl", pickle.dumps(Ran(mark)))
        new.writestr("archive/code/__torch__.py", "")
    with pytest.raises(ConfigError):
        image_features(ball.vertices, ball.faces, (str(path),))
    assert not mark.exists()


def test_weights_that_are_missing_or_broken_are_said(of_trimesh, tmp_path):
    ball = of_trimesh(BALL).normalized()
    with pytest.raises(MissingDependencyError, match=r"none\.pt.*leave the setting empty"):
        image_features(ball.vertices, ball.faces, (str(tmp_path / "none.pt"),))
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ConfigError, match=r"is not a TorchScript file"):
        image_features(ball.vertices, ball.faces, (str(tmp_path / "text.pt"),))
    torch.export.save(torch.export.export(Moments(), (torch.zeros(4, 3, 224, 224),)), tmp_path / "exported.pt2")
    torch.save({"a": torch.zeros(1)}, tmp_path / "saved.pt")
    for name in ("exported.pt2", "saved.pt"):
        with pytest.raises(ConfigError, match="runs pickled code"):
            image_features(ball.vertices, ball.faces, (str(tmp_path / name),))
    torch.jit.script(torch.nn.Identity()).save(tmp_path / "same.pt")
    with pytest.raises(ConfigError, match=r"must answer \(4, D\)"):
        image_features(ball.vertices, ball.faces, (str(tmp_path / "same.pt"),))


def test_curation_without_models_does_not_load_torch():
    import subprocess

    code = "import versemill.curation, sys; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
