"""Parts: `objects/<id>.glb`, a scene with one watertight mesh per part, and a line with its caption per part in `parts.jsonl`.

For models that make objects part by part: PartCrafter's preprocessing reads the folder `objects` as it is. Meshes hold
positions and triangles alone, so that readers find them closed; Y up, as glTF says, all in the asset's own frame.
"""

import json
import re
from pathlib import Path

import trimesh

from versemill.mesh import volume
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, save, y_up
from versemill.shards.export.solids import KERNELS, LEAST, part_solids, tidied


def write(item: Item, out: Path) -> Entry:
    """Writes one asset's scene. An asset without parts has one mesh: the whole."""
    solids = part_solids(item.asset, *item.watertight)
    crumb = LEAST * sum(volume(solid.vertices, solid.faces) for solid in solids.values())
    scene, records = trimesh.Scene(), []
    for part, whole in solids.items():
        solid = tidied(whole, crumb)
        node, name = f"part{part:03d}", item.asset.part_names[part]
        scene.add_geometry(trimesh.Trimesh(y_up(solid.vertices), solid.faces, process=False), node_name=node, geom_name=node)
        facts = {"volume": volume(solid.vertices, solid.faces), "low": solid.vertices.min(0).tolist(),
                 "high": solid.vertices.max(0).tolist()}  # fmt: skip
        records.append({"id": item.id, "node": node, "name": name, "caption": caption(item, name), **facts})
    save(out / "objects" / f"{item.id}.glb", scene.export(file_type="glb", include_normals=False))
    return {"parts": records}


def caption(item: Item, part: str) -> str:
    """One sentence about a part: what DetailVerse wrote of it, else its name and the caption of the whole."""
    whole = item.row["meta"]["caption"].rstrip(".")
    recorded = (item.meta["provenance"].get("captions") or {}) if item.row["meta"]["source"] == "detailverse" else {}
    known = {words["part"]: words for words in recorded.get("parts", [])}.get(part)
    if known is not None:
        whole = recorded["short"].rstrip(".")
        ornament = f", with {' and '.join(known['ornament'])}" if known["ornament"] else ""
        return f"The {known['material']} {known['name']} of {whole[:1].lower()}{whole[1:]}{ornament}."
    name = re.sub(r"[ _]\d+$", "", part)
    return f"The {name} of {whole[:1].lower()}{whole[1:]}." if whole else f"{name}."


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes the index: one line per part."""
    lines = [json.dumps(record) for entry in entries for record in entry["parts"]]
    save(out / "parts.jsonl", "".join(f"{line}\n" for line in lines).encode())


FORMAT = Format(
    summary="a GLB per asset with a watertight mesh per part, and a caption per part; Y up, [-1, 1]^3",
    columns=("mesh",),
    write=per_asset(write),
    kernels=KERNELS,
    finish=finish,
)
