"""Files that attack who reads them: some 500 in a folder, each with a name that says what it does."""

import base64
import copy
import io
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Document = dict[str, Any]

SECRET = "the secret of somebody else"
"""Text of the file outside; it must come back from nowhere."""

VALUES: tuple[tuple[str, Any], ...] = (
    ("null", None),
    ("negative", -1),
    ("large", 2**31),
    ("digits", int("9" * 400)),
    ("text", "x"),
    ("huge", 1e308),
    ("list", []),
    ("mapping", {}),
    ("true", True),
    ("surrogate", "\ud800"),
)
"""What every value of a valid document is replaced by, one at a time."""

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(MARK) (w) file closefile\nshowpage\n"


def picture(width: int = 4, height: int = 4, kind: str = "PNG") -> bytes:
    """An image file."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 100, 50)).save(out, kind)
    return out.getvalue()


def document() -> tuple[Document, bytes]:
    """A valid glTF document with its binary chunk: a textured quad that is placed by a node."""
    position = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32).tobytes()
    normal = np.array([[0, 0, 1]] * 4, np.float32).tobytes()
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32).tobytes()
    faces = np.array([0, 1, 2, 0, 2, 3], np.uint32).tobytes()
    image = picture()
    parts = [position, normal, uv, faces, image + b"\0" * (-len(image) % 4)]
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    lengths = [*map(len, parts[:4]), len(image)]
    return {
        "asset": {"version": "2.0", "copyright": "somebody"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "quad", "translation": [0.0, 0.0, 1.0], "scale": [1.0, 1.0, 2.0]}],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}, "indices": 3, "material": 0}]}
        ],
        "materials": [
            {
                "name": "m",
                "pbrMetallicRoughness": {
                    "baseColorFactor": [1.0, 1.0, 1.0, 1.0],
                    "metallicFactor": 0.5,
                    "baseColorTexture": {"index": 0},
                },
            }
        ],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
        "buffers": [{"byteLength": starts[-1]}],
        "bufferViews": [{"buffer": 0, "byteOffset": s, "byteLength": n} for s, n in zip(starts[:5], lengths, strict=True)],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 2, "componentType": 5126, "count": 4, "type": "VEC2"},
            {"bufferView": 3, "componentType": 5125, "count": 6, "type": "SCALAR"},
        ],
    }, b"".join(parts)


def glb(content: Document | bytes, binary: bytes = b"") -> bytes:
    """A GLB of a document, or of the bytes of its JSON."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of all values of a document, the collections among them."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _leaves(inner, (*path, key))


def _replaced(value: Document, path: tuple[Any, ...], new: Any) -> Document:
    changed = copy.deepcopy(value)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return changed


def write(folder: Path, quick: bool) -> list[Path]:
    """Writes all files; those that need megabytes are smaller with `quick`."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(picture())
    (outside / "secret.txt").write_text(SECRET)
    folder.mkdir()
    names = [*_documents(folder), *_glbs(folder, quick), *_objs(folder, quick), *_others(folder), *_system(folder, outside)]
    return [folder / name for name in names]


def _documents(folder: Path) -> Iterator[str]:
    """A hostile value in every place of a valid document; of each place and value some, so that all of both come up."""
    valid, binary = document()
    for k, path in enumerate(_leaves(valid)):
        for n, (word, value) in enumerate(VALUES):
            if (k + n) % 3 == 0:
                name = f"value-{'.'.join(map(str, path))}-{word}.glb"
                (folder / name).write_bytes(glb(_replaced(valid, path, value), binary))
                yield name


def _glbs(folder: Path, quick: bool) -> Iterator[str]:
    size = 1 if quick else 8
    valid, binary = document()

    def save(name: str, content: Document | bytes, chunk: bytes = binary) -> str:
        (folder / f"{name}.glb").write_bytes(glb(content, chunk))
        return f"{name}.glb"

    def changed(**lists: Any) -> Document:
        return {**copy.deepcopy(valid), **lists}

    side = 1024 * size
    large = picture(side, side)
    views = [*valid["bufferViews"][:4], {"buffer": 0, "byteOffset": 0, "byteLength": len(large)}]
    many = [{"bufferView": 4} for _ in range(40)]
    primitive = valid["meshes"][0]["primitives"][0]
    materials = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": k}, "metallicFactor": k / 40}} for k in range(40)]
    yield save(
        "forty-images-of-one-view",
        changed(
            images=many,
            textures=[{"source": k} for k in range(40)],
            materials=materials,
            meshes=[{"primitives": [{**primitive, "material": k} for k in range(40)]}],
            bufferViews=[{**view, "byteOffset": view["byteOffset"] + len(large)} for view in views[:4]] + views[4:],
            buffers=[{"byteLength": len(large) + len(binary)}],
        ),
        large + binary,
    )
    pad = bytes(2**20 * size)
    overlapping = [{"buffer": 0, "byteLength": len(pad)} for _ in range(900)]
    accessors = [{"bufferView": k, "componentType": 5121, "count": len(pad), "type": "SCALAR"} for k in range(900)]
    yield save("overlapping-views", changed(bufferViews=overlapping, buffers=[{"byteLength": len(pad)}]), pad)
    yield save(
        "overlapping-attributes",
        changed(
            bufferViews=overlapping,
            accessors=accessors,
            buffers=[{"byteLength": len(pad)}],
            meshes=[{"primitives": [{"attributes": {"POSITION": 0, **{f"TEXCOORD_{k}": k for k in range(900)}}}]}],
        ),
        pad,
    )
    empty = {"componentType": 5126, "count": 15_000_000, "type": "VEC3"}
    yield save("normal-without-data", changed(accessors=[valid["accessors"][0], empty, *valid["accessors"][2:]]))
    yield save("position-without-data", changed(accessors=[empty, empty, *valid["accessors"][2:]]))
    yield save("buffers-of-one-file", changed(buffers=[{"byteLength": 4, "uri": "shared.bin"}] * 3000))
    (folder / "shared.bin").write_bytes(bytes(2**20 * size))
    yield save("many-materials", changed(materials=[{}] * (125_000 * size)))
    yield save("lists-in-json", b'{"asset":{"version":"2.0"},"x":[' + b"[]," * (4_000_000 * size) + b"[]]}")
    yield save("deep-json", b'{"asset":{"version":"2.0"},"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    yield save("digits", b'{"asset":{"version":"2.0"},"scene":' + b"9" * 100_000 + b"}")
    yield save("nan", b'{"asset":{"version":"2.0"},"scene":NaN}')
    yield save("deep-nodes", changed(nodes=[{"children": [k + 1]} for k in range(50_000)] + [{"mesh": 0}]))
    yield save("shared-child", changed(nodes=[{"children": [1, 1]}, {"mesh": 0}]))
    yield save("cycle", changed(nodes=[{"children": [1]}, {"children": [0], "mesh": 0}]))
    yield save("many-instances", changed(nodes=[{"mesh": 0}] * 200_000, scenes=[{"nodes": list(range(200_000))}]))
    yield save("no-nodes", changed(nodes=[], scenes=[{}]))
    for word, value in (("infinite", 1e999), ("nan", float("nan")), ("large", 1e308), ("zero", 0.0)):
        yield save(f"scale-{word}", changed(nodes=[{"mesh": 0, "scale": [value] * 3}]))
        yield save(f"colour-{word}", changed(materials=[{"pbrMetallicRoughness": {"baseColorFactor": [value] * 4}}]))
    for word, data in (
        ("postscript", POSTSCRIPT),
        ("text", b"no image"),
        ("empty", b""),
        ("half", picture()[:40]),
        ("large-png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 2**30, 2**30, 8, 2, 0, 0, 0) + bytes(4)),
        ("fits", b"SIMPLE  =                    T"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("pcx", b"\x0a\x05\x01\x08"),
        ("fpx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        ("wmf", b"\xd7\xcd\xc6\x9a\x00\x00" + bytes(40)),
    ):
        uri = "data:image/png;base64," + base64.b64encode(data).decode()
        yield save(f"image-{word}", changed(images=[{"uri": uri}]))
    for k, uri in enumerate(
        (
            "../outside/secret.png",
            "/etc/passwd",
            "file:///etc/passwd",
            "http://127.0.0.1:9/x.png",
            "//host/share/x.png",
            "\0",
            "..\\outside\\secret.png",
            "%2e%2e/outside/secret.png",
            "pipe",
            "zero",
            "leads-out.png",
            "folder",
            "C:/x.png",
            "",
            "." * 5000,
        )
    ):
        yield save(f"image-uri-{k}", changed(images=[{"uri": uri}]))
        yield save(f"buffer-uri-{k}", changed(buffers=[{"byteLength": 4, "uri": uri}]))
    said = {
        "caption": "<script>alert(1)</script>" * 100_000,
        "tags": ["[/red]"] * 1000,
        "center": [1e308, 0, 0],
        "scale": 1e308,
        "seed": 1,
        "index": 1,
        "source": "zeroverse",
        "normals": False,
        "provenance": {"x": "\ud800"},
    }
    ours = changed(scenes=[{"nodes": [0], "extras": {"versemill": said}}])
    ours["asset"]["generator"] = "versemill"
    ours["materials"][0]["extras"] = {"licence": "CC0-1.0", "source": "procedural/wood"}
    yield save("says-it-is-ours", ours)
    whole = glb(valid, binary)
    for k in (0, 3, 11, 12, 19, 20, 100, len(whole) - 1):
        (folder / f"cut-{k}.glb").write_bytes(whole[:k])
        yield f"cut-{k}.glb"
    (folder / "text.gltf").write_text("[" * 10_000)
    yield "text.gltf"


def _objs(folder: Path, quick: bool) -> Iterator[str]:
    triangle = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\n"
    faces = "f 1/1 2/2 3/3\n"
    megabytes = 2**20 * (4 if quick else 100)
    texts = {
        "empty": "",
        "two-columns": "v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n",
        "one-column": "v 0\nf 1 1 1\n",
        "letters": "v a b c\nf x y z\n",
        "nan": "v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        "infinite": "v 1e999 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        "digits": f"v {'9' * 400} 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        "long-number": f"v {'9' * 100_000} 0 0\nf 1 1 1\n",
        "beyond": triangle + "f 1 2 99999999999\n",
        "digits-of-index": triangle + f"f 1 2 {'9' * 400}\n",
        "zero-index": triangle + "f 0 0 0\n",
        "negative": triangle + "f -9 -8 -7\n",
        "slashes": triangle + "f 1///// 2//// 3///\n",
        "nothing-but-faces": "f 1 2 3\n" * 1000,
        "one-corner": triangle + "f 1\n",
        "long-line": "v " + "0 " * (megabytes // 2) + "\n",
        "comment": "# " + "x" * megabytes,
        "wide-face": triangle + "f" + " 1/1" * 200_000,
        "many-groups": triangle + "".join(f"g g{k}\n{faces}" for k in range(20_000)),
        "nulls": "\0" * 100_000,
        "far": "v 1e300 0 0\nv 1.0000001e300 0 0\nv 1e300 1 0\nf 1 2 3\n",
        "point": "v 1 1 1\n" * 3 + "f 1 2 3\n",
        "surrogate": "o \udc80\udcff\n" + triangle + faces,
        "markup": "o [/red]\x1b[31m<b>\n" + triangle + faces,
        "continued": "v 0 0 \\\n" * 50_000,
        "many-libraries": "mtllib shared.mtl\n" * 20_000 + triangle + faces,
        "recursive-call": "call obj-recursive-call.obj\n" + triangle + faces,
        "shell": "csh touch MARK\n" + triangle + faces,
    }
    for word, text in texts.items():
        (folder / f"obj-{word}.obj").write_bytes(text.encode(errors="surrogateescape"))
        yield f"obj-{word}.obj"
    maps = (
        "../outside/secret.png",
        "/etc/passwd",
        "pipe",
        "zero",
        "leads-out.png",
        "postscript.png",
        "postscript",
        "no-suffix-large",
        "http://127.0.0.1:9/x.png",
        "-s 1 1 1",
        "-bm 9" * 10_000,
        "folder",
        "\0",
        "..\\..\\x.png",
        "text.png",
    )
    for k, name in enumerate(maps):
        (folder / f"map-{k}.mtl").write_text(f"newmtl m\nKd 1 1 1\nmap_Kd {name}\n")
        (folder / f"obj-map-{k}.obj").write_text(f"mtllib map-{k}.mtl\n{triangle}usemtl m\n{faces}")
        yield f"obj-map-{k}.obj"
    for k, name in enumerate(
        ("pipe", "zero", "/etc/passwd", "../outside/secret.txt", "leads-out.txt", "folder", "obj-empty.obj")
    ):
        (folder / f"obj-library-{k}.obj").write_text(f"mtllib {name}\n{triangle}{faces}")
        yield f"obj-library-{k}.obj"
    (folder / "map-many.mtl").write_text("".join(f"newmtl m{k}\nmap_Kd no-suffix-large\n" for k in range(200)))
    used = "".join(f"usemtl m{k}\n{faces}" for k in range(200))
    (folder / "obj-many-maps.obj").write_text(f"mtllib map-many.mtl\n{triangle}{used}")
    (folder / "obj-beside.obj").write_text(triangle + faces)
    (folder / "obj-beside.png").symlink_to("/dev/zero")
    (folder / "obj-beside-link.obj").write_text(triangle + faces)
    (folder / "obj-beside-link-x.png").symlink_to("../outside/secret.png")
    yield from ("obj-many-maps.obj", "obj-beside.obj", "obj-beside-link.obj")


def _others(folder: Path) -> Iterator[str]:
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    head = "ply\nformat {}\nelement vertex {}\n" + axes + "element face {}\n{}end_header\n"
    faces = "property list uchar int vertex_indices\n"
    body = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32).tobytes()
    plies: dict[str, bytes] = {
        "no-end": b"ply\n" + b"comment x\n" * 200_000,
        "billions": head.format("binary_little_endian 1.0", 10**12, 10**12, faces).encode(),
        "digits": head.format("ascii 1.0", "9" * 400, 1, faces).encode(),
        "negative": head.format("ascii 1.0", -3, -1, faces).encode(),
        "short": head.format("binary_little_endian 1.0", 3, 1, faces).encode() + body[:7],
        "long-list": head.format("binary_little_endian 1.0", 3, 1, faces.replace("uchar int", "uint int")).encode()
        + body
        + b"\xff" * 8,
        "negative-list": head.format("binary_little_endian 1.0", 3, 1, faces.replace("uchar int", "int int")).encode()
        + body
        + b"\xff" * 8,
        "unknown-type": head.format("binary_little_endian 1.0", 3, 1, faces.replace("int", "quux")).encode() + body,
        "unknown-format": head.format("binary_middle_endian 1.0", 3, 1, faces).encode() + body,
        "no-faces": head.format("ascii 1.0", 3, 0, faces).encode() + b"0 0 0\n1 0 0\n0 1 0\n",
        "beyond": head.format("ascii 1.0", 3, 1, faces).encode() + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 999\n",
        "words": head.format("ascii 1.0", 3, 1, faces).encode() + b"a b c\n" * 4,
        "nan": head.format("ascii 1.0", 3, 1, faces).encode() + b"nan 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
        "texture-pipe": head.format("ascii 1.0", 3, 1, "comment TextureFile pipe\n" + faces).encode()
        + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
        "texture-out": head.format("ascii 1.0", 3, 1, "comment TextureFile /etc/passwd\n" + faces).encode()
        + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
        "many-properties": b"ply\nformat ascii 1.0\nelement vertex 1\n" + b"property float x\n" * 100_000 + b"end_header\n",
        "many-elements": b"ply\nformat ascii 1.0\n" + b"element vertex 1000000\n" * 10_000 + b"end_header\n",
        "empty": b"",
        "magic": b"ply",
    }
    for word, data in plies.items():
        (folder / f"ply-{word}.ply").write_bytes(data)
        yield f"ply-{word}.ply"
    stls = {
        "billions": bytes(80) + struct.pack("<I", 2**32 - 1),
        "short": bytes(80) + struct.pack("<I", 4) + bytes(60),
        "empty": b"",
        "solid": b"solid x\nfacet normal 0 0 1\nouter loop\n" + b"vertex 0 0\n" * 3,
        "words": b"solid x\n" + b"vertex a b c\n" * 3,
        "nan": bytes(80) + struct.pack("<I", 1) + np.full(12, np.nan, np.float32).tobytes() + bytes(2),
        "head": bytes(40),
        "large": bytes(80) + struct.pack("<I", 1) + np.full(12, 3e38, np.float32).tobytes() + bytes(2),
    }
    offs = {
        "billions": b"OFF\n1000000000000 1000000000000 0\n",
        "digits": b"OFF\n" + b"9" * 400 + b" 1 0\n",
        "negative": b"OFF\n-1 -1 0\n",
        "short": b"OFF\n3 1 0\n0 0 0\n",
        "words": b"OFF\na b c\n",
        "empty": b"",
        "magic": b"OFF",
        "beyond": b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n",
        "wide": b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n99999999999 0 1 2\n",
        "nan": b"OFF\n3 1 0\nnan 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
        "negative-list": b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n-3 0 1 2\n",
    }
    for kind, files in (("stl", stls), ("off", offs)):
        for word, data in files.items():
            (folder / f"{kind}-{word}.{kind}").write_bytes(data)
            yield f"{kind}-{word}.{kind}"


def _system(folder: Path, outside: Path) -> Iterator[str]:
    """Devices, pipes, links that end outside the folder, and files that other files name."""
    valid, binary = document()
    (outside / "model.glb").write_bytes(glb(valid, binary))
    (folder / "folder").mkdir()
    (folder / "folder.glb").mkdir()
    for name in ("pipe", "pipe.glb", "pipe.obj"):
        os.mkfifo(folder / name)
    for name, target in (
        ("zero", "/dev/zero"),
        ("zero.glb", "/dev/zero"),
        ("zero.ply", "/dev/zero"),
        ("null.obj", "/dev/null"),
        ("loop.glb", "loop.glb"),
        ("leads-out.png", outside / "secret.png"),
        ("leads-out.txt", outside / "secret.txt"),
        ("leads-out.glb", outside / "model.glb"),
        ("nowhere.glb", "no-such-file.glb"),
        ("passwd.obj", "/etc/passwd"),
        ("memory.glb", "/proc/self/mem"),
        ("stdin.obj", "/dev/stdin"),
    ):
        (folder / name).symlink_to(target)
    (folder / "postscript.png").write_bytes(POSTSCRIPT)
    (folder / "postscript").write_bytes(POSTSCRIPT)
    (folder / "text.png").write_text("no picture")
    (folder / "shared.mtl").write_text("newmtl m\n")
    (folder / "no-suffix-large").write_bytes(picture(9000, 16))
    (folder / "name.xyz").write_text("0 0 0")
    yield from (
        "folder.glb",
        "pipe.glb",
        "pipe.obj",
        "zero.glb",
        "zero.ply",
        "null.obj",
        "loop.glb",
        "leads-out.glb",
        "nowhere.glb",
        "passwd.obj",
        "memory.glb",
        "stdin.obj",
        "name.xyz",
    )
