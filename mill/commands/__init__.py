"""The commands of `versemill`, by what they work on: datasets, assets, models. Each calls one function of the house."""
