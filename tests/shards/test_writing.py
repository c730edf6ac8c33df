"""A shard appears whole or not at all, and its bytes depend on nothing but its rows."""

import hashlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import fs as pafs

from versemill.errors import ConfigError, ShardError
from versemill.shards import ShardsConfig, read_row, seal, verify_shard, write_row
from versemill.shards.schema import blob_leaves, leaves
from versemill.shards.storage import clear_temporary, list_files, open_storage, sha256, write_atomic, write_bytes

FS = pafs.LocalFileSystem()


def visible(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture(scope="module")
def rows(sphere):
    return [sphere.row(i, views=2, size=16) for i in range(5)]


def test_staged_rows_seal_to_the_same_bytes_as_tables(rows, tmp_path):
    paths = [str(tmp_path / "staging" / f"{i}.arrow") for i in range(5)]
    for path, row in zip(paths, rows, strict=True):
        write_row(FS, path, row)
        assert read_row(FS, path).equals(row)
    a = seal(FS, str(tmp_path / "a.parquet"), paths, {"k": "v"})
    b = seal(FS, str(tmp_path / "b.parquet"), rows, {"k": "v"})
    assert a == b
    data = (tmp_path / "a.parquet").read_bytes()
    assert data == (tmp_path / "b.parquet").read_bytes()
    assert (a.sha256, a.rows, a.bytes) == (hashlib.sha256(data).hexdigest(), 5, len(data))
    assert sha256(FS, str(tmp_path / "a.parquet")) == a.sha256
    assert pq.read_metadata(tmp_path / "a.parquet").metadata[b"k"] == b"v"
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 5


def test_row_groups_keep_both_limits(rows, tmp_path):
    seal(FS, str(tmp_path / "a.parquet"), rows, {}, ShardsConfig(row_group_rows=2))
    meta = pq.read_metadata(tmp_path / "a.parquet")
    assert [meta.row_group(g).num_rows for g in range(meta.num_row_groups)] == [2, 2, 1]
    small = rows[0].nbytes * 1.5 / 1e6
    seal(FS, str(tmp_path / "b.parquet"), rows, {}, ShardsConfig(row_group_mb=small))
    assert pq.read_metadata(tmp_path / "b.parquet").num_row_groups == 5


def test_blobs_are_stored_as_they_are(rows, tmp_path):
    seal(FS, str(tmp_path / "a.parquet"), rows, {})
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    codec = {group.column(c).path_in_schema: group.column(c).compression for c in range(group.num_columns)}
    assert list(codec) == leaves()
    assert {path for path, name in codec.items() if name == "UNCOMPRESSED"} == set(blob_leaves())


@pytest.mark.parametrize("order", [[1, 0], [1, 1]])
def test_rows_must_rise_by_index(rows, tmp_path, order):
    with pytest.raises(ShardError, match="must rise by index"):
        seal(FS, str(tmp_path / "a.parquet"), [rows[i] for i in order], {})
    assert visible(tmp_path) == []


def test_a_damaged_or_foreign_row_file_stops_the_seal(rows, tmp_path):
    path = str(tmp_path / "staging" / "0.arrow")
    write_row(FS, path, rows[0])
    Path(path).write_bytes(Path(path).read_bytes()[:-200])
    with pytest.raises(ShardError, match="can't be read"):
        seal(FS, str(tmp_path / "a.parquet"), [path], {})
    with pytest.raises(ShardError, match="one row"):
        write_row(FS, path, rows[0].drop_columns(["fields"]))
    assert visible(tmp_path) == ["staging"]


def test_a_failing_disk_leaves_nothing(rows, tmp_path):
    """A file system that is full after some bytes: the error comes out, no file stays."""

    def broken():
        yield rows[0]
        yield rows[1]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        seal(FS, str(tmp_path / "a.parquet"), broken(), {}, ShardsConfig(row_group_rows=1))
    assert visible(tmp_path) == []


def test_an_earlier_shard_survives_a_failed_rewrite(rows, tmp_path):
    path = str(tmp_path / "a.parquet")
    first = seal(FS, path, rows, {})
    with pytest.raises(ShardError):
        seal(FS, path, [rows[2], rows[1]], {})
    assert sha256(FS, path) == first.sha256
    assert seal(FS, path, rows[:2], {}).rows == 2
    assert pq.read_table(path).num_rows == 2


def test_a_full_disk_stops_the_writer_cleanly(rows, tmp_path):
    """`RLIMIT_FSIZE` makes real writes fail midway, inside Arrow; it needs a process of its own."""
    row, out = str(tmp_path / "staging" / "0.arrow"), str(tmp_path / "out" / "a.parquet")
    write_row(FS, row, rows[0])
    program = textwrap.dedent(
        f"""
        import resource, signal, sys
        from pyarrow import fs
        from versemill.shards import seal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            seal(fs.LocalFileSystem(), {out!r}, [{row!r}], {{}})
        except OSError as error:
            print("refused:", error)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "refused: " in done.stdout
    assert done.stderr == ""
    assert visible(tmp_path / "out") == []


@pytest.mark.slow
def test_a_killed_writer_never_leaves_a_bad_file(rows, tmp_path):
    """Kills a process that seals again and again at 50 random moments; what has a final name is always whole.

    One small program forks all fifty before it ever starts a thread of Arrow's.
    """
    for i, row in enumerate(rows):
        write_row(FS, str(tmp_path / "staging" / f"{i}.arrow"), row)
    out = tmp_path / "out"
    program = textwrap.dedent(
        f"""
        import os, random, signal, time
        from pyarrow import fs
        from versemill.shards import seal, ShardsConfig
        rows = [f"{tmp_path}/staging/{{i}}.arrow" for i in range(5)]

        def start(name, count):
            child = os.fork()
            if child == 0:
                for k in range(count):
                    seal(fs.LocalFileSystem(), f"{out}/{{name}}-{{k % 3}}.parquet", rows, {{}}, ShardsConfig(row_group_rows=1))
                os._exit(0)
            return child

        begin = time.perf_counter()
        os.waitpid(start("whole", 3), 0)
        span = time.perf_counter() - begin
        draws = random.Random(0)
        for kill in range(50):
            child = start(kill, 10**6)
            time.sleep(draws.uniform(0.0, span))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        """
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    want = seal(FS, str(tmp_path / "reference.parquet"), rows, {}, ShardsConfig(row_group_rows=1)).sha256
    finished = list_files(FS, str(out))
    assert len(finished) > 10
    for path in finished:
        assert verify_shard(FS, path, want) == []
    left = clear_temporary(FS, str(out))
    assert left > 5
    assert len(visible(out)) == len(finished)


def test_storage_speaks_uris_and_keeps_temporary_files_hidden(tmp_path):
    fs, path = open_storage("memory://bucket/folder/file.bin")
    write_bytes(fs, path, b"abc")
    assert sha256(fs, path) == hashlib.sha256(b"abc").hexdigest()
    assert [p.rsplit("/", 1)[-1] for p in list_files(fs, path.rsplit("/", 1)[0])] == ["file.bin"]
    assert open_storage(tmp_path / "x")[1] == str(tmp_path / "x")
    with pytest.raises(ConfigError, match="nosuch"):
        open_storage("nosuch://x/y")


def test_a_file_is_hidden_until_it_is_whole(tmp_path):
    def half():
        with write_atomic(FS, str(tmp_path / "f.bin")) as sink:
            sink.write(b"half")
            assert [name.startswith(".f.bin.") for name in visible(tmp_path)] == [True]
            assert list_files(FS, str(tmp_path)) == []
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        half()
    assert visible(tmp_path) == []


def test_a_shard_in_another_file_system_reads_the_same(rows):
    fs, path = open_storage("memory://bucket/shards/shard-000000.parquet")
    sealed = seal(fs, path, rows, {})
    assert verify_shard(fs, path, sealed.sha256, deep=True) == []
