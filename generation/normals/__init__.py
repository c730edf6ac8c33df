"""One picture to the normals of its pixels: NiRNE (Hi3DGen, arXiv 2503.22236, section 3.1) at sizes that a CPU trains.

presets     recipes                     network   two streams, one decoder
domains     photograph-like pictures    data      views of the shards, batches of both stages
losses      the objective               errors    NE, SNE, spectra
judging     what an evaluation does     photographs   folders of real photographs with measured normals
answers     pictures of one's own       family    NORMALS, what `training` receives
"""
