"""MJCF: one free body per asset for MuJoCo: `<id>/model.xml` with OBJ and PNG files next to it.

Lengths are metres, masses kg; Z up. The body's frame is the asset's: its origin is the middle of the bounding box. The model
has no floor and no light: it is there to be attached to a scene.
"""

from pathlib import Path
from xml.etree import ElementTree as xml

from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, obj, save, text
from versemill.shards.export.simulators.body import SimulationConfig, body_of
from versemill.shards.export.simulators.looks import write_looks
from versemill.shards.export.simulators.urdf import document, number, numbers
from versemill.shards.export.solids import KERNELS


def write(item: Item, out: Path, config: SimulationConfig) -> Entry:
    """Writes one asset's folder."""
    body, folder = body_of(item, config), out / item.id
    root = xml.Element("mujoco", model=item.id)
    xml.SubElement(root, "compiler", angle="radian", autolimits="true")
    default = xml.SubElement(root, "default")
    seen = xml.SubElement(default, "default", {"class": "visual"})
    xml.SubElement(seen, "geom", type="mesh", contype="0", conaffinity="0", group="2")
    solid = xml.SubElement(default, "default", {"class": "collision"})
    # MuJoCo's other two coefficients, of torsion and rolling, keep its defaults.
    xml.SubElement(solid, "geom", type="mesh", group="3", friction=f"{number(body.friction)} 0.005 0.0001")
    assets = xml.SubElement(root, "asset")
    frame = xml.SubElement(xml.SubElement(root, "worldbody"), "body", name="body")
    xml.SubElement(frame, "freejoint", name="free")
    inertia = body.rigid.inertia
    terms = [inertia[a, b] for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    xml.SubElement(frame, "inertial", pos=numbers(body.rigid.center), mass=number(body.rigid.mass), fullinertia=numbers(terms))
    for k, look in enumerate(write_looks(body.asset, folder)):
        paint = {"name": f"material{k}", "rgba": numbers(look.rgba), "roughness": number(look.material.roughness),
                 "metallic": number(look.material.metallic)}  # fmt: skip
        if look.texture:
            xml.SubElement(assets, "texture", name=f"texture{k}", type="2d", file=look.texture)
            paint |= {"texture": f"texture{k}", "rgba": "1 1 1 1"}
        xml.SubElement(assets, "material", paint)
        # A look is an open sheet: MuJoCo refuses to weigh it unless it is called a shell, even where it weighs nothing.
        xml.SubElement(assets, "mesh", name=f"visual{k}", file=look.mesh, inertia="shell")
        xml.SubElement(frame, "geom", {"class": "visual", "mesh": f"visual{k}", "material": f"material{k}"})
    for k, hull in enumerate(body.hulls):
        save(folder / "collision" / f"{k}.obj", obj(hull.vertices, hull.faces))
        xml.SubElement(assets, "mesh", name=f"collision{k}", file=f"collision/{k}.obj", inertia="convex")
        xml.SubElement(frame, "geom", {"class": "collision", "mesh": f"collision{k}"})
    save(folder / "model.xml", document(root))
    save(folder / "body.json", text(body.record))
    return {"mass": body.rigid.mass, "hulls": len(body.hulls)}


FORMAT = Format(
    summary="MJCF for MuJoCo: a free body with mass, inertia, convex colliders, friction, textured looks; metres, Z up",
    columns=("mesh",),
    write=per_asset(write),
    kernels=KERNELS,
    settings=SimulationConfig,
)
