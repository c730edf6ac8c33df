"""Score distillation: a 2D diffusion model turned into a 3D asset, by SDS, by SDI (arXiv 2405.15891) and by their kin.

`methods` is the mathematics and knows neither a network nor a scene; `models` says what it needs of a 2D model.
"""
