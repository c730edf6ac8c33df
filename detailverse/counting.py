"""Counts in words."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
           "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")  # fmt: skip


def number(count: int) -> str:
    """A count in words, up to twenty."""
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)
