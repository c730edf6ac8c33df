"""Every error that versemill raises on purpose.

An error names the value, the limit and what to do. The command line prints it as one line and exits with
its `exit_code`; anything else that reaches the command line is a defect and shows its traceback.
"""

import re

MOST_CHARACTERS = 500
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""What Python's `repr` of most objects ends in."""


class VersemillError(Exception):
    """Base of all intended errors. `exit_code` is what a script sees."""

    exit_code = 1


class ConfigError(VersemillError):
    """A configuration, argument or path that can't be used; nothing was done. Exit code 2."""

    exit_code = 2


class MissingDependencyError(VersemillError):
    """A requested device, program, package or weight file is missing; the message gives the command that fixes it."""

    exit_code = 3


class BusyError(VersemillError):
    """Another run is writing to the dataset; nothing was done. Exit code 5."""

    exit_code = 5


class AssetError(VersemillError):
    """An asset that can't be used, with a `reason` (a short snake_case code) that is counted in the ledger.

    The message is cut to `MOST_CHARACTERS`, since it may quote a foreign file, and holds no memory addresses: the same file
    is refused with the same words on every run.
    """

    def __init__(self, reason: str, message: str) -> None:
        text = ADDRESS.sub("", message)
        super().__init__(text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + " ...")
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, str(self))


class ShardError(VersemillError):
    """A shard that is missing, truncated, tampered with, or of another schema version."""
