"""Run all benchmarks of this folder, or those named: `python benchmarks/run.py [--quick] [NAME...]`.

Each is a script of its own in a process of its own, so that one's memory and threads do not burden the next. Run
them on a machine that does nothing else: ratios within a run are what counts.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def window_server() -> list[str]:
    """Return the command that gives the docks' benchmarks a window where there is no display."""
    xvfb = shutil.which("xvfb-run")
    if xvfb is None or os.environ.get("DISPLAY"):
        return []
    return [xvfb, "-a", "-s", "-screen 0 1600x1000x24 +extension GLX"]


def main(arguments: list[str]) -> int:
    names = [each for each in arguments if each != "--quick"]
    passed_on = [each for each in arguments if each == "--quick"]
    no_benchmarks = {Path(__file__).name, "heartbeat.py", "timing.py", "compat.py"}
    known = {path.stem: path for path in sorted(HERE.glob("*.py")) if path.name not in no_benchmarks}
    if unknown := [name for name in names if name not in known]:
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    failed = []
    for name in names or known:
        start = time.perf_counter()
        print(f"\n== {name} ==", flush=True)
        # -u: what a benchmark prints is seen when it is known, also through a pipe
        if subprocess.run([*window_server(), sys.executable, "-u", known[name], *passed_on]).returncode:
            failed.append(name)
        print(f"({time.perf_counter() - start:.0f} s)", flush=True)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
