"""What ten minutes of training on this CPU give: `python tests/benchmarks/bench_train.py`.

An SRCNN on Big Buck Bunny, 720 lines from 360, by `upscale-origin train`; its last second is held
out. Ends with status 1 if the result is no better there than bicubic. `--minutes 5` is shorter;
`--architecture anime4k-m --init anime4k-m` fine-tunes the packaged network.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from origin.cli import main as upscale_origin
from origin.demo import find_clip


def main() -> int:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", default="10")
    parser.add_argument("--architecture", default="srcnn")
    parser.add_argument("--init")
    parser.add_argument("--bitrate")
    parser.add_argument("--json", action="store_true", help="the whole history as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.safetensors"
        words = ["train", str(find_clip()), "--architecture", options.architecture]
        words += ["--out", str(out), "--minutes", options.minutes]
        for name in ("init", "bitrate"):
            if getattr(options, name):
                words += [f"--{name}", getattr(options, name)]
        status = upscale_origin(words)
        if status:
            return status
        result = json.loads(out.with_suffix(".json").read_text())
    if options.json:
        print(json.dumps(result))
    else:
        _print(result, options.minutes)
    return 0 if result["held_out_psnr"] > result["baselines"]["bicubic"] else 1


def _print(result: dict, minutes: str) -> None:
    print(
        f"{result['architecture']}, {minutes} minutes, {result['step']} steps: {result['outcome']}"
    )
    print("PSNR of luma on held-out frames:")
    for name, psnr in (*result["baselines"].items(), ("trained", result["held_out_psnr"])):
        print(f"  {name:<10}{psnr:>7.2f} dB")


if __name__ == "__main__":
    sys.exit(main())
