"""The commands of `versemill`, grouped by what they work on: datasets, assets, models. Each calls one function."""
