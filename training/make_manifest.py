"""List every image that a bundled model is trained on, with its licence, in training/bundled/manifest.csv.

python training/make_manifest.py --data ../shared/data
"""

import argparse
from pathlib import Path

from bundled.models import write_manifest

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    write_manifest(parser.parse_args().data)
