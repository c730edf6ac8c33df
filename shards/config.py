"""What a user may choose about shards: their size, their splits and the codecs of images."""

from typing import Literal

from pydantic import Field, model_validator

from versemill.config import Config


class ShardsConfig(Config):
    """Section `shards` of a pipeline."""

    assets_per_shard: int = Field(
        default=64, gt=0, le=100_000, description="asset indices per shard; rejected ones leave fewer rows"
    )
    row_group_rows: int = Field(default=8, gt=0, le=1024, description="rows per Parquet row group, at most")
    row_group_mb: float = Field(
        default=64.0, gt=0, le=256, description="megabytes (10^6) per row group, at most; a larger row stands alone"
    )
    splits: tuple[float, float, float] = Field(
        default=(0.8, 0.1, 0.1), description="shares of train, val and test; they sum to 1"
    )
    mesh_textures: Literal["png", "jpeg"] = Field(
        default="png", description="texture format inside the stored GLB; jpeg is smaller, lossy"
    )
    image_codec: Literal["zstd", "webp", "png"] = Field(
        default="zstd",
        description="lossless codec of colour passes: zstd loads fastest, webp is a tenth smaller, viewers open png",
    )
    image_effort: int = Field(
        default=1, ge=0, le=6, description="WebP method: 1 is 4 ms per 256² view; 0 is 1 ms and a third larger"
    )
    zstd_level: int = Field(default=1, ge=1, le=19, description="Zstandard level of normals, depth, masks, meshes and fields")

    @model_validator(mode="after")
    def _shares(self) -> "ShardsConfig":
        if min(self.splits) < 0 or abs(sum(self.splits) - 1) > 1e-9:
            raise ValueError(f"splits must be three shares that sum to 1, got {self.splits}")
        return self
