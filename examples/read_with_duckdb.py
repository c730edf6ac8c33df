"""SQL over the shards, without versemill: they are plain Parquet."""

import sys
from pathlib import Path

import duckdb
from quickstart import dataset

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
shards = f"{dataset(out)}/shards/*.parquet"

print(
    duckdb.sql(f"""
    SELECT meta.source, count(*) AS assets, round(avg(mesh.face_count)) AS faces, avg(meta.depth_to_surface) AS error
    FROM '{shards}' GROUP BY meta.source ORDER BY meta.source
""")
)
print(
    duckdb.sql(f"SELECT meta.id, meta.split, meta.caption FROM '{shards}' WHERE len(meta.tags) > 2 ORDER BY meta.index LIMIT 3")
)

# One cell, byte for byte: the GLB of the first asset opens in any viewer.
[(glb,)] = duckdb.sql(f"SELECT mesh.glb FROM '{shards}' ORDER BY meta.index LIMIT 1").fetchall()
(out / "first.glb").write_bytes(glb)
print(f"wrote {out / 'first.glb'}: {len(glb):,} bytes, magic {glb[:4]!r}")
