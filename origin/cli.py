"""The command line. Every mistake of a user ends in one line that says what was expected."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

import sr
from origin import __version__
from origin.app import serve
from origin.bench import add_command as add_bench
from origin.cache import add_commands as add_cache_commands
from origin.config import Config, load_config
from origin.doctor import add_command as add_doctor
from origin.errors import ConfigError, OriginError
from origin.evaluate import add_command as add_evaluate
from origin.sign import add_command as add_sign
from origin.telemetry import setup_logging
from origin.train import add_command as add_train
from origin.upscale import add_command as add_upscale
from origin.warm import add_command as add_warm

_USAGE_ERROR = 2


class _OneLineParser(argparse.ArgumentParser):
    """Says what was wrong in one line, without the usage text."""

    def error(self, message: str) -> "None":  # type: ignore[override]
        """Print the message and leave with status 2."""
        self.exit(_USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except OriginError as error:
        sys.stderr.write(f"upscale-origin: {error.detail}\n")
        return _USAGE_ERROR if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="upscale-origin", description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    add_upscale(commands)
    add_evaluate(commands)
    add_warm(commands)
    add_train(commands)
    add_bench(commands)
    add_doctor(commands)
    add_sign(commands)
    add_cache_commands(commands)
    models = commands.add_parser("models", help="list the models")
    models.add_argument("--json", action="store_true", help="as JSON")
    models.set_defaults(command=_models)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[_OneLineParser]") -> None:
    parser = commands.add_parser("serve", help="serve titles with upscaled variants")
    parser.add_argument("sources", nargs="*", metavar="NAME=SOURCE", help="a library: a directory")
    parser.add_argument("--config", type=Path, metavar="FILE.toml")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8080); 0 picks one")
    parser.add_argument("--cache", metavar="DIR", help="where produced segments are kept")
    parser.add_argument("--cache-size", metavar="SIZE", help="such as 20GB")
    parser.add_argument("--device", metavar="auto|cpu|cuda|cuda:N")
    parser.add_argument(
        "--rendition",
        action="append",
        metavar="SPEC",
        help="2x:anime4k-m, 720p:lanczos:when=warmed or auto; may be given several times",
    )
    parser.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> int:
    overrides = {
        "libraries": options.sources or None,
        "host": options.host,
        "port": options.port,
        "cache": options.cache,
        "cache_size": options.cache_size,
        "device": options.device,
        "renditions": options.rendition,
    }

    def read() -> Config:
        config = load_config(options.config, overrides)
        if not config.libraries:
            raise ConfigError("nothing to serve: give at least one NAME=SOURCE")
        return config

    config = read()
    setup_logging(config.log_format, config.log_level)
    uvloop.run(serve(config, read_again=read))
    return 0


def _models(options: argparse.Namespace) -> int:
    rows = sr.list_models()
    if options.json:
        fields = ("name", "scale", "scales", "kmac_per_pixel", "radius", "licence", "weights")
        document = [{field: getattr(row, field) for field in fields} for row in rows]
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return 0
    name = Column("model", no_wrap=True)
    weights = Column("weights", overflow="fold")
    table = Table(name, "scale", "kMAC/pixel", "radius", "licence", weights, box=SIMPLE)
    for row in rows:
        scale = " ".join(f"×{s}" for s in row.scales or (row.scale,) if s) or "any"
        cost = f"{row.kmac_per_pixel:g}"
        cells = (row.name, scale, cost, str(row.radius), row.licence, row.weights)
        table.add_row(*map(escape, cells))
    Console().print(table)
    return 0
