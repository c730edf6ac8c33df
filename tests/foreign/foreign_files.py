"""Writes files as strangers write them: small glTF documents, pictures, quads."""

import io
import json
import struct

import numpy as np
from PIL import Image

QUAD = np.float32([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
"""Faces +Z, which in glTF is where the viewer stands."""
QUAD_UV = np.float32([[0, 1], [1, 1], [1, 0], [0, 0]])
QUAD_FACES = np.uint32([0, 1, 2, 0, 2, 3])
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
COMPONENTS = {"f4": 5126, "u4": 5125, "u2": 5123, "u1": 5121}


def png(pixels, **options):
    """Bytes of a picture of (H, W[, C]) pixels."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(out, "PNG", **options)
    return out.getvalue()


def halves(left, right, size=16):
    """(size, size, C) pixels of two colours side by side."""
    pixels = np.empty((size, size, len(left)), np.uint8)
    pixels[:, : size // 2], pixels[:, size // 2 :] = left, right
    return pixels


class Gltf:
    """A glTF document under construction; `add` puts data into its only buffer."""

    def __init__(self, **document):
        self.binary = bytearray()
        self.document = {"asset": {"version": "2.0"}, "bufferViews": [], "accessors": [], **document}

    def view(self, data, **more):
        entry = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data), **more}
        self.document["bufferViews"].append(entry)
        self.binary += data + b"\0" * (-len(data) % 4)
        return len(self.document["bufferViews"]) - 1

    def add(self, values, **more):
        values = np.asarray(values)
        width = 1 if values.ndim == 1 else int(np.prod(values.shape[1:]))
        entry = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes()),
            "componentType": COMPONENTS[values.dtype.str[1:]],
            "count": len(values),
            "type": KINDS[width],
            **more,
        }
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def image(self, data, **texture):
        """A texture of picture bytes; its index."""
        images, textures = (self.document.setdefault(name, []) for name in ("images", "textures"))
        images.append({"bufferView": self.view(data), "mimeType": "image/png"})
        textures.append({"source": len(images) - 1, **texture})
        return len(textures) - 1

    def mesh(self, positions, faces, material=None, **attributes):
        """A mesh of one primitive; its index."""
        names = {"POSITION": self.add(np.float32(positions))}
        names |= {name: self.add(values) for name, values in attributes.items()}
        primitive = {"attributes": names, "indices": self.add(np.uint32(faces).reshape(-1))}
        if material is not None:
            self.document.setdefault("materials", []).append(material)
            primitive["material"] = len(self.document["materials"]) - 1
        meshes = self.document.setdefault("meshes", [])
        meshes.append({"primitives": [primitive]})
        return len(meshes) - 1

    def quad(self, material=None, uv=QUAD_UV, **attributes):
        """A textured quad of side 2 in the x-y plane; the index of its mesh."""
        return self.mesh(QUAD, QUAD_FACES, material, TEXCOORD_0=np.float32(uv), **attributes)

    def nodes(self, *nodes, roots=None):
        """The scene's nodes; all are roots unless said otherwise."""
        self.document["nodes"] = list(nodes)
        self.document["scenes"] = [{"nodes": list(range(len(nodes))) if roots is None else roots}]
        self.document["scene"] = 0
        return self

    def glb(self):
        """The document as GLB."""
        self.document["buffers"] = [{"byteLength": len(self.binary)}, *self.document.get("buffers", [])]
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        total = 28 + len(text) + len(self.binary)
        head = struct.pack("<4sII", b"glTF", 2, total) + struct.pack("<I4s", len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(self.binary), b"BIN\0") + bytes(self.binary)


OBJ_QUAD = "v -1 -1 0\nv 1 -1 0\nv 1 1 0\nv -1 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"


def obj(folder, mtl, name="m", material="m", textures=(), encoding="utf-8", library=None):
    """An OBJ of a quad with an MTL beside it; textures are (relative path, bytes)."""
    library = library or f"{name}.mtl"
    path = folder / f"{name}.obj"
    path.write_bytes(f"mtllib {library}\nusemtl {material}\n{OBJ_QUAD}".encode(encoding))
    (folder / library.strip('"')).write_bytes(f"newmtl {material}\n{mtl}\n".encode(encoding))
    for where, data in textures:
        (folder / where).parent.mkdir(parents=True, exist_ok=True)
        (folder / where).write_bytes(data)
    return path


def box():
    """Positions (8, 3) and outward faces (12, 3) of a cube of side 1 about the origin."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32) - 0.5
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return corners, np.array([[q[k] for k in t] for q in quads for t in ((0, 1, 2), (0, 2, 3))], np.uint32)
