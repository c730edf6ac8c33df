"""Maps the root folders to one import name: `zeroverse/` is imported as `versemill.zeroverse`, and so on. The rest is in
pyproject.toml."""

import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PACKAGES = runpy.run_path("versemill/packages.py")["PACKAGES"]


class BuildWithPipelines(build_py):
    """Puts the root's pipelines.yaml next to the package that reads it."""

    def run(self) -> None:
        """Builds, then copies."""
        super().run()
        if not self.editable_mode:
            shutil.copy("pipelines.yaml", Path(self.build_lib) / "versemill" / "mill" / "pipelines.yaml")


inner = [f"versemill.{name}" for name in find_packages(include=[p for name in PACKAGES for p in (name, f"{name}.*")])]
setup(
    packages=[*find_packages(include=["versemill", "versemill.*"]), *inner],
    package_dir={"versemill": "versemill", **{f"versemill.{name}": name for name in PACKAGES}},
    cmdclass={"build_py": BuildWithPipelines},
)
