"""URDF: one link per asset, for PyBullet, ROS, Gazebo, Isaac, SAPIEN and others: `<id>/model.urdf` with OBJ files next to it.

Lengths are metres, masses kg; Z up. The link's frame is the asset's: its origin is the middle of the bounding box.
"""

from pathlib import Path
from xml.etree import ElementTree as xml

from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, obj, save, text
from versemill.shards.export.simulators.body import SimulationConfig, body_of
from versemill.shards.export.simulators.looks import write_looks
from versemill.shards.export.solids import KERNELS


def write(item: Item, out: Path, config: SimulationConfig) -> Entry:
    """Writes one asset's folder."""
    body, folder = body_of(item, config), out / item.id
    robot = xml.Element("robot", name=item.id)
    link = xml.SubElement(robot, "link", name="body")
    inertial = xml.SubElement(link, "inertial")
    xml.SubElement(inertial, "origin", xyz=numbers(body.rigid.center), rpy="0 0 0")
    xml.SubElement(inertial, "mass", value=number(body.rigid.mass))
    inertia = body.rigid.inertia
    terms = {f"i{'xyz'[a]}{'xyz'[b]}": number(inertia[a, b]) for a in range(3) for b in range(a, 3)}
    xml.SubElement(inertial, "inertia", terms)
    # PyBullet's own tag; other readers pass over it.
    xml.SubElement(xml.SubElement(link, "contact"), "lateral_friction", value=number(body.friction))
    for look in write_looks(body.asset, folder):
        _shape(link, "visual", look.mesh)
    for k, hull in enumerate(body.hulls):
        save(folder / "collision" / f"{k}.obj", obj(hull.vertices, hull.faces))
        _shape(link, "collision", f"collision/{k}.obj")
    save(folder / "model.urdf", document(robot))
    save(folder / "body.json", text(body.record))
    return {"mass": body.rigid.mass, "hulls": len(body.hulls)}


def _shape(link: xml.Element, kind: str, mesh: str) -> None:
    shape = xml.SubElement(link, kind)
    xml.SubElement(shape, "origin", xyz="0 0 0", rpy="0 0 0")
    xml.SubElement(xml.SubElement(shape, "geometry"), "mesh", filename=mesh)


def number(value: float) -> str:
    """A number that reads back as the same float64."""
    return repr(float(value))


def numbers(values: object) -> str:
    """Numbers with spaces between them."""
    return " ".join(map(number, values))  # type: ignore[call-overload]


def document(root: xml.Element) -> bytes:
    """An indented XML file."""
    xml.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(root) + b"\n"


FORMAT = Format(
    summary="URDF for PyBullet, ROS, Gazebo, SAPIEN: a link with mass, inertia, convex colliders, OBJ looks; metres, Z up",
    columns=("mesh",),
    write=per_asset(write),
    kernels=KERNELS,
    settings=SimulationConfig,
)
