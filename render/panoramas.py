"""Which panoramas light an asset: those of a folder, or those that ship with Blender."""

from pathlib import Path

from versemill.errors import ConfigError, MissingDependencyError
from versemill.panoramas import in_folder
from versemill.render.config import CyclesConfig


def files(folder: str | None) -> list[Path]:
    """The panoramas of a folder, by name; of Blender's own if None (eight of Poly Haven's, CC0).

    Raises:
        ConfigError: a folder without any. MissingDependencyError: Blender is not here.
    """
    if folder is None:
        home = Path(CyclesConfig().python).parents[1]
        images = sorted(home.glob("lib/python3*/site-packages/bpy/*/datafiles/studiolights/world/*.exr"))
        if not images:
            raise MissingDependencyError(
                f"lighting preset 'hdri' without a folder takes the panoramas that ship with Blender, and none is under "
                f"'{home}'; `make blender` installs it, or set lighting.folder to a folder of .hdr or .exr files"
            )
        return images
    images = in_folder(folder)
    if not images:
        raise ConfigError(f"lighting.folder '{folder}' has no .hdr or .exr file")
    return images
