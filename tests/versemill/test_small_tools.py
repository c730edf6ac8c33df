"""What the packages share: sRGB's curve, directions, PLY, Markdown tables, files written aside."""

import io

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from versemill import mesh
from versemill.colour import decode_srgb, encode_srgb
from versemill.directions import fibonacci
from versemill.files import written_aside
from versemill.markdown import table
from versemill.ply import header, to_ply


def test_srgb_and_back():
    values = np.linspace(0, 1, 10001)
    np.testing.assert_allclose(encode_srgb(decode_srgb(values)), values, atol=2e-7)
    assert (np.diff(decode_srgb(values)) > 0).all()
    assert decode_srgb(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]
    np.testing.assert_allclose(decode_srgb(np.array([0.5])), 0.2140411, atol=1e-7)  # IEC 61966-2-1's middle grey


@pytest.mark.parametrize("count", [1, 7, 200, 5000])
def test_fibonacci_is_even(count):
    points = fibonacci(count)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-12)
    if count >= 200:
        assert np.abs(points.mean(0)).max() < 2 / count
        np.testing.assert_allclose(points.T @ points / count, np.eye(3) / 3, atol=0.01)


def test_ply_is_what_trimesh_reads():
    box = trimesh.creation.box()
    ids = np.arange(len(box.faces))
    back = trimesh.load(io.BytesIO(to_ply(box.vertices, box.faces, {"part": ids})), file_type="ply", process=False)
    np.testing.assert_allclose(back.vertices, box.vertices)
    assert (back.faces == box.faces).all()
    assert (back.metadata["_ply_raw"]["face"]["data"]["part"] == ids).all()
    points = trimesh.load(io.BytesIO(to_ply(box.vertices)), file_type="ply")
    np.testing.assert_allclose(points.vertices, box.vertices)
    assert header({"vertex": (0, [])}) == b"ply\nformat binary_little_endian 1.0\nelement vertex 0\nend_header\n"


def test_tables_escape_bars():
    assert table(("a", "b"), [(1, "x|y"), ("", 2.5)]) == "| a | b |\n|---|---|\n| 1 | x\\|y |\n|  | 2.5 |"


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "x.json"
    with written_aside(path) as aside:
        aside.write_text("old")
        assert not path.exists()

    def half():
        with written_aside(path) as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@given(scale=st.floats(0.1, 3), shift=st.tuples(*[st.floats(-5, 5)] * 3))
def test_volumes_of_components(scale, shift):
    box, ball = trimesh.creation.box(), trimesh.creation.icosphere(1, radius=scale)
    vertices = np.concatenate([box.vertices, ball.vertices + 10]) + shift
    faces = np.concatenate([box.faces, ball.faces[:, ::-1] + len(box.vertices)])
    volumes = mesh.component_volumes(vertices, faces, mesh.components(faces))
    np.testing.assert_allclose(volumes, [1.0, -ball.volume], atol=1e-9)
    np.testing.assert_allclose(volumes.sum(), mesh.volume(vertices, faces), atol=1e-9)
