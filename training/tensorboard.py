"""A run's records in TensorBoard's format, where it is asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from versemill.errors import MissingDependencyError


@contextmanager
def board(out: Path, step: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Writes records to `out`/tensorboard; what a killed run wrote after `step` is superseded.

    Raises:
        MissingDependencyError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError("TensorBoard is not installed: pip install 'versemill[tensorboard]'") from error
    with SummaryWriter(str(out / "tensorboard"), purge_step=step + 1) as writer:

        def write(record: dict[str, float]) -> None:
            for name, value in record.items():
                if name != "step":
                    writer.add_scalar(f"train/{name}", value, int(record["step"]))

        yield write
