"""How long napari waits for the plugin: import of the package, and discovery of its manifest, without torch."""

import statistics
import subprocess
import sys

from timing import options

CASES = {
    "import napari_utile": "import napari_utile",
    "read the manifest (npe2 included)": (
        "import npe2; manager = npe2.PluginManager(); manager.discover(); manager.get_manifest('napari-utile')"
    ),
    "for comparison: import torch": "import torch",
}


def seconds(program: str, repeats: int) -> float:
    """Return the median time of `program` in fresh interpreters that have started already."""
    timed = f"import time; start = time.perf_counter(); {program}; print(time.perf_counter() - start)"
    runs = [
        subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
        for _ in range(repeats)
    ]
    return statistics.median(float(run.stdout) for run in runs)


if __name__ == "__main__":
    repeats = 2 if options(__doc__).parse_args().quick else 7
    for name, program in CASES.items():
        print(f"{name:36} {seconds(program, repeats):6.3f} s")
