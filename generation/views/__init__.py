"""View-conditioned diffusion: a picture and a relative pose to the picture from there, and what is done to it at test time.

`families` is what `training` receives. `attention` holds the one hook through which every network here attends; Zero-to-Hero
(`zero_to_hero`) is a hook and a sampler, and knows no network.
"""
