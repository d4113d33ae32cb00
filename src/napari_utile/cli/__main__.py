"""`python -m napari_utile.cli`: the command `utile` where its script is not on the path."""

import sys

from napari_utile.cli import main

if __name__ == "__main__":
    sys.exit(main())
