"""``python -m freshtune``."""

from freshtune.cli import main

if __name__ == "__main__":
    main()
