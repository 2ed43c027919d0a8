"""Records what the whole command line prints and writes, and compares two recordings.

    python tools/golden.py record --out golden/before --pythonpath ../old-checkout
    python tools/golden.py record --out golden/after
    python tools/golden.py compare golden/before golden/after

The cases are the command lines in tools/goldens/cases/*.yaml, in groups; a group has a folder of its own. Of each case
the exit code, stdout, stderr and every file that it wrote or changed are kept as text: JSON sorted, scores.parquet as
rows, a report's page as its data and its text. What the cases read (tiny checkpoints, tasks, recorded answers, results
of the real lm-eval and inspect_ai) is made once into `inputs` beside --out, by the tree of the first recording, and
used by every later one: remove it to make it anew, and record both sides again. Nobody may change the checkout
while it is recorded: a worktree of its own (`git worktree add --detach`) sees to that.

`compare` goes case by case and ends with a count of cases by file and key, so that a change that is meant shows once.

Wanted: the benchmark mirror (EVALKIT_DATA_DIR, else ../shared/hub). Groups whose engine is not installed are left out.

Not compared, because two recordings of the same code differ in it:
- times and dates: `created`, `finished`, `blessed`, run ids made of the time, time stamps of progress;
- seconds: `timing`, `seconds` of programs, and texts of how long something took;
- progress lines, as how many there are depends on the machine's load, and the engines' own logs;
- the machine and the checkout: `hardware`, the host's name, the paths of tree, mirror and working folder;
- `command`: the command line as Python was given it; evalkit's own version.

Each case is a fork of a process that has imported the slow libraries, not evalkit, which saves most of the time; groups
marked `cold` start a Python for each case.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from goldens.comparing import compare
from goldens.recording import Recorder, groups

ROOT = Path(__file__).resolve().parents[1]


def record(args: argparse.Namespace) -> int:
    out, tree = args.out.resolve(), args.pythonpath.resolve()
    hub = Path(os.environ.get("EVALKIT_DATA_DIR", ROOT.parent / "shared" / "hub"))
    if not hub.is_dir():
        print(f"no benchmark mirror: {hub} is not a folder; set EVALKIT_DATA_DIR to one", file=sys.stderr)
        return 2
    recorder = Recorder(out, args.python, tree, out.parent / "inputs", hub, args.lock)
    if not recorder.inputs.is_dir():
        command = [args.python, str(ROOT / "tools" / "goldens" / "inputs.py"), str(recorder.inputs), str(hub)]
        subprocess.run(command, check=True, env=recorder.environment(), stderr=subprocess.DEVNULL)
    recorder.record(groups(args.group), args.jobs)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("record", help="run the cases and keep what came out")
    verb.add_argument("--out", type=Path, required=True, help="the folder of this recording")
    verb.add_argument(
        "--python",
        default=sys.executable,
        help="the Python that runs it; its plug-ins are used",
    )
    verb.add_argument("--pythonpath", type=Path, default=ROOT, help="the checkout whose evalkit is run")
    verb.add_argument("--group", default="*", help="only groups that fit these patterns (with commas)")
    verb.add_argument("--jobs", type=int, default=2, help="groups at a time")
    verb.add_argument("--lock", type=Path, help="a file to lock while a heavy engine runs")
    verb.set_defaults(call=record)
    verb = verbs.add_parser("compare", help="print every difference; exit 1 where there is one")
    verb.add_argument("a", type=Path)
    verb.add_argument("b", type=Path)
    verb.add_argument("--case", default="*", help="only cases GROUP/CASE that fit these patterns (with commas)")
    verb.add_argument("--most", type=int, default=8, help="differences shown for each case")
    verb.add_argument("--close", type=float, default=0.0, help="floats that differ by no more than this are equal")
    verb.set_defaults(call=lambda args: int(compare(args.a, args.b, args.case, args.most, args.close) > 0))
    args = parser.parse_args()
    code: int = args.call(args)
    return code


if __name__ == "__main__":
    sys.exit(main())
