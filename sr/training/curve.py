"""The course of a training, as a picture and as JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from sr.training.recipe import Trained

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 720, 220, 70, 34, 56
_INK, _LINE, _BASE = "#222", "#1864ab", "#c92a2a"
_MARKS = 4


def curve_document(trained: Trained) -> dict[str, Any]:
    """Everything that was measured, for JSON."""
    return {
        **trained.file.training,
        "architecture": trained.file.architecture,
        "scale": trained.file.scale,
        "history": [asdict(point) for point in trained.history],
    }


def curve_svg(trained: Trained) -> str:
    """Loss, and PSNR of the held-out frames beside plain interpolation, against steps."""
    points = trained.history
    losses = [(p.step, p.loss) for p in points if p.loss is not None]
    psnrs = [(p.step, p.psnr) for p in points]
    last = max(1, points[-1].step)
    title = f"{trained.file.architecture} ×{trained.file.scale}"
    panels = [
        _panel(f"{title}: loss", losses, {}, last, _TOP),
        _panel(
            f"{title}: PSNR of luma on held-out frames, dB (best {trained.best.psnr:.2f})",
            psnrs,
            trained.baselines,
            last,
            _TOP + _HEIGHT + _GAP,
        ),
    ]
    height = 2 * (_HEIGHT + _GAP) + _TOP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>\n' + "".join(panels) + "</svg>\n"
    )


def _panel(
    title: str,
    values: Sequence[tuple[int, float]],
    baselines: dict[str, float],
    last: int,
    top: int,
) -> str:
    levels = [value for _, value in values] + list(baselines.values()) or [0.0]
    low, high = min(levels), max(levels)
    margin = (high - low or abs(high) or 1.0) * 0.08
    low, high = low - margin, high + margin

    def x(step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 20) * step / last

    def y(value: float) -> float:
        return top + _HEIGHT * (high - value) / (high - low)

    parts = [f'<text x="{_LEFT}" y="{top - 10}" font-weight="bold">{escape(title)}</text>\n']
    parts += _grid(x, y, (low, high), last)
    for name, value in baselines.items():
        parts.append(
            f'<path d="M{x(0):.1f} {y(value):.1f}H{x(last):.1f}" stroke="{_BASE}" '
            f'stroke-dasharray="5 4"/><text x="{x(last):.1f}" y="{y(value) - 4:.1f}" '
            f'text-anchor="end" fill="{_BASE}">{escape(name)} {value:.2f}</text>\n'
        )
    path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in values)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{_LINE}" stroke-width="2"/>\n')
    return "".join(parts)


def _grid(
    x: Callable[[float], float], y: Callable[[float], float], ends: tuple[float, float], last: int
) -> list[str]:
    low, high = ends
    parts = []
    for mark in range(_MARKS + 1):
        value, step = low + (high - low) * mark / _MARKS, round(last * mark / _MARKS)
        parts.append(
            f'<path d="M{x(0):.1f} {y(value):.1f}H{x(last):.1f}" stroke="#e5e5e5"/>'
            f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>'
            f'<text x="{x(step):.1f}" y="{y(low) + 18:.1f}" text-anchor="middle">{step}</text>\n'
        )
    return parts
