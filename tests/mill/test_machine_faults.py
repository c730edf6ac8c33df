"""Faults of the machine and its stores are one line and exit code 1; no line shows a credential or a memory address."""

import os
import subprocess
import sys

import pytest

from versemill.errors import AssetError
from versemill.shards import storage


def versemill(cwd, *arguments, **environment):
    variables = {key: value for key, value in os.environ.items() if key not in ("VERSEMILL_CACHE", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", "versemill", *arguments], cwd=cwd, env={**variables, **environment}, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("uri", "plain"),
    [
        ("s3://KEY:SECRET@bucket/data", "s3://bucket/data"),
        ("s3://bucket/data?access_key=KEY&secret_key=SECRET", None),
        ("/folder/with:colon@sign", "/folder/with:colon@sign"),
    ],
)
def test_a_location_is_shown_without_its_credentials(uri, plain):
    text = storage.shown(uri)
    assert "SECRET" not in text
    assert plain is None or text == plain


def test_a_store_out_of_reach_is_one_line_without_its_credentials(tmp_path):
    uri = "s3://KEY:SECRET@bucket/data?endpoint_override=127.0.0.1:9&scheme=http"
    code, said = versemill(tmp_path, "status", uri, AWS_EC2_METADATA_DISABLED="true", AWS_MAX_ATTEMPTS="1")
    assert code == 1, said
    assert "SECRET" not in said
    assert "Traceback" not in said


def test_a_home_that_can_not_be_written_names_the_way_out(tmp_path):
    code, said = versemill(tmp_path, "preview", "zeroverse", "--out", "x.png", "--resolution", "32", HOME="/proc/nowhere")
    assert code == 1, said
    assert "VERSEMILL_CACHE=DIR" in said
    assert "Traceback" not in said


def test_a_path_of_any_letters_works_in_the_c_locale(tmp_path):
    code, said = versemill(tmp_path, "status", "Ordner-ä-雪", LC_ALL="C", LANG="C")
    assert code == 2, said
    assert "Ordner-" in said
    assert "Traceback" not in said


def test_reasons_hold_no_memory_addresses():
    text = str(AssetError("bad", f"can't use {object()!r} of the file"))
    assert "0x" not in text
    assert text.startswith("can't use <object object")
