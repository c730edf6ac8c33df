"""`python -m versemill` is the command line."""

from versemill.mill.cli import main

if __name__ == "__main__":
    main()
