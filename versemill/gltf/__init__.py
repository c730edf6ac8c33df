"""GLB (binary glTF 2.0) out and in.

An asset is Z up and indexed; a GLB is Y up and splits vertices where UVs or normals differ. The rotation only moves
and negates coordinates, so it is exact both ways, and the attribute `_VERTEX_INDEX` says which split vertices are one:
positions, topology, ids and PNG textures come back bit for bit. UVs come back to within half a float32 step of 1 - v.

Written and read by our own code because what has to survive does not survive trimesh's: its material factors are
8 bit, sparse and normalised accessors are not decoded, and unused UVs are dropped.
"""

from versemill.gltf.read import from_glb
from versemill.gltf.write import to_glb

__all__ = ["from_glb", "to_glb"]
