"""How a dataset stands by its ledger: counts over all sealed shards."""

from dataclasses import dataclass, field
from typing import Any

from versemill.mill.folder import census
from versemill.mill.folder.dataset import Dataset


@dataclass(frozen=True)
class Summary:
    """What a run did, and how its dataset stands now.

    Attributes:
        uri, assets, shards: the dataset; `sealed` of its shards are complete.
        rows, rejected, failed: counts over all sealed shards of the dataset.
        made: assets that this run finished; 0 when there was nothing to do.
        wall: seconds of the pipeline part, from the first task to the last seal. cpu: its workers' CPU seconds.
        cores: how many the run could use. busy: cpu / (wall * cores).
        core_seconds: stage -> CPU seconds per asset made by this run.
        outcomes: with `only`, each asset's record, in the order asked.
    """

    uri: str
    assets: int
    shards: int
    sealed: int
    rows: int
    rejected: int
    failed: int
    made: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    cores: int = 0
    busy: float = 0.0
    core_seconds: dict[str, float] = field(default_factory=dict)
    outcomes: tuple[dict[str, Any], ...] = ()

    @property
    def complete(self) -> bool:
        """Every shard is sealed."""
        return self.sealed == self.shards


def summarise(dataset: Dataset, **of_run: Any) -> Summary:
    """How a dataset stands, by its ledger and the sizes of its files; `of_run` are the fields that only a run knows."""
    facts = census.read(dataset)
    gone = census.absent(dataset, facts)
    sealed = census.whole({shard: fact for shard, fact in facts.items() if shard not in gone})
    rows, rejected, failed = (sum(n[k] for fact in sealed for n in fact["sources"].values()) for k in range(3))
    return Summary(
        uri=dataset.uri,
        assets=dataset.assets,
        shards=dataset.shards,
        sealed=len(sealed),
        rows=rows,
        rejected=rejected,
        failed=failed,
        **of_run,
    )
