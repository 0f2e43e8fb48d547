"""The report's pictures, as inline SVG whose colours follow the page's (``--in``, ``--out``, ``currentColor``)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from statistics import NormalDist

import numpy as np

from training.metrics import roc

DET_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
_BINS = 60


def histograms(residents: Sequence[float], strangers: Sequence[float], *, open_llr: float, refuse_llr: float) -> str:
    """Two histograms over one axis, residents above and strangers below: each bar is the share of its group's clips."""
    values = np.concatenate([residents, strangers])
    low, high = min(float(values.min()), refuse_llr) - 0.5, max(float(values.max()), open_llr) + 0.5
    edges = np.linspace(low, high, _BINS + 1)

    def x(llr: float) -> float:
        return 20.0 + 860.0 * (llr - low) / (high - low)

    bars = []
    for scores, css in ((residents, "in"), (strangers, "out")):
        share, _ = np.histogram(scores, edges)
        for left, height in zip(edges[:-1], 100.0 * share / share.max(), strict=True):
            if height > 0:
                top = 125.0 - height if css == "in" else 129.0
                bars.append(f'<rect class={css} x="{x(left):.1f}" y="{top:.1f}" width="13" height="{height:.1f}"/>')
    lines = "".join(
        f'<line x1="{x(llr):.1f}" x2="{x(llr):.1f}" y1="14" y2="232" stroke="currentColor" stroke-dasharray="4"/>'
        f'<text x="{x(llr) + 4:.1f}" y="22" font-size="13">{word} {llr:+.1f}</text>'
        for llr, word in ((open_llr, "open"), (refuse_llr, "refuse"))
    )
    step = max(1, round((high - low) / 12))
    ticks = "".join(
        f'<text x="{x(llr):.1f}" y="248" font-size="13" text-anchor="middle">{llr:+d}</text>'
        for llr in range(int(np.ceil(low)), int(high) + 1, step)
    )
    return _svg("0 0 900 258", "Scores of residents above, of strangers below", "".join(bars) + lines + ticks)


def det_curve(residents: Sequence[float], strangers: Sequence[float], *, open_llr: float) -> str:
    """False refusals against false accepts, both on normal-deviate axes, with the door's own threshold marked.

    The part that fewer than three strangers' clips decide is shaded: it says little.
    """
    far, frr = roc(residents, strangers)
    points = " ".join(f"{_at(a, 60, 460):.1f},{_at(r, 430, 30):.1f}" for a, r in zip(far, frr, strict=True))
    own_far = float(np.mean(np.asarray(strangers) >= open_llr))
    own_frr = float(np.mean(np.asarray(residents) < open_llr))
    few = _at(3.0 / len(strangers), 60, 460)
    parts = [
        f'<rect x="60" y="30" width="{few - 60:.1f}" height="400" fill="currentColor" opacity="0.08"/>',
        '<line x1="60" y1="430" x2="460" y2="30" stroke="currentColor" opacity="0.4" stroke-dasharray="2 4"/>',
    ]
    for tick in DET_TICKS:
        across, up = _at(tick, 60, 460), _at(tick, 430, 30)
        label = f"{100 * tick:g}"
        parts.append(
            f'<line x1="{across:.1f}" x2="{across:.1f}" y1="30" y2="430" stroke="currentColor" opacity="0.15"/>'
            f'<line x1="60" x2="460" y1="{up:.1f}" y2="{up:.1f}" stroke="currentColor" opacity="0.15"/>'
            f'<text x="{across:.1f}" y="446" font-size="12" text-anchor="middle">{label}</text>'
            f'<text x="52" y="{up + 4:.1f}" font-size="12" text-anchor="end">{label}</text>'
        )
    parts.append(f'<polyline points="{points}" fill="none" class=curve stroke-width="2.5"/>')
    parts.append(f'<circle cx="{_at(own_far, 60, 460):.1f}" cy="{_at(own_frr, 430, 30):.1f}" r="6" class=out />')
    parts.append('<text x="260" y="468" font-size="13" text-anchor="middle">strangers accepted, %</text>')
    parts.append('<text x="60" y="18" font-size="13">residents refused, %</text>')
    return _svg("0 0 480 475", "Detection error trade-off; the dot is the door's own threshold", "".join(parts))


def _at(rate: float, start: float, stop: float) -> float:
    """Where a rate lies between two edges of the picture that stand for the outermost ticks."""
    normal = NormalDist()
    low, high = normal.inv_cdf(DET_TICKS[0]), normal.inv_cdf(DET_TICKS[-1])
    kept = min(max(rate, DET_TICKS[0]), DET_TICKS[-1])
    return start + (stop - start) * (normal.inv_cdf(kept) - low) / (high - low)


def _svg(view_box: str, label: str, content: str) -> str:
    return f'<svg viewBox="{view_box}" role="img" aria-label="{escape(label, quote=True)}">{content}</svg>'
