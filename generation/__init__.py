"""Generation models trained on the shards: shapes, normals, novel views, distillation. Families that `training` receives.

SHAPE_VAE    surface points to a set of latents to a field of signed distances (TripoSG)
SHAPE_FLOW   a picture, or none, to the latents of a shape by rectified flow (TripoSG)
NORLD        a normal map to the latents of a shape, held to the normals of its surface (Hi3DGen)
NORMALS      a picture to the normals of its pixels, by two streams (NiRNE)
NOVEL_VIEWS  a view and a relative pose to the view from there, by diffusion (Zero-1-to-3); Zero-to-Hero at test time
MULTI_VIEWS  the same for four views at once that see each other
MAP_VIEWS    a part map of a view to the view, by diffusion

training.train(SHAPE_VAE, dataset_dir, "tiny", out)    writes a checkpoint that resumes exactly
`paths` and `sampling` know no model: images, latents and token sets alike.
"""

import lazy_loader

# torch is loaded when something is trained or evaluated.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "shapes.families": ["NORLD", "SHAPE_FLOW", "SHAPE_VAE"],
        "normals.family": ["NORMALS"],
        "views.families": ["MAP_VIEWS", "MULTI_VIEWS", "NOVEL_VIEWS"],
    },
)
