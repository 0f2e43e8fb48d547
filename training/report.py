"""The evaluation as one page that needs nothing else (``report_page``), and as JSON.

What the figures hold (all made by :func:`training.evaluate.evaluate`; rates are 0..1, scores natural-log ratios)::

    counts       residents, resident_clips, strangers, stranger_clips
    runs_in      int8, or float32 for a network that does not survive int8: then so are the figures called int8
    int8, float  clip, visit -> eer, frr_at_far_1pct, frr_at_far_01pct, min_dcf, cllr -> value[, low, high];
                 the two frr_at also strangers_behind_it: how many strangers' trials that FAR is;
                 at_threshold -> far, frr, f1 and the four counts of the confusion. ``float`` may be absent.
    conditions   name -> the same as ``int8``, without intervals; accepted -> resident -> share of single clips
    door         residents, strangers -> visits, opened, share, upper_bound, people, people_let_in,
                 people_upper_bound, speech_seconds_until_open (None where it never opened)
    tries        patterns -> rows of pattern, most_an_hour, usual_a_day, strict_a_day, false_openings_a_day,
                 at_most_a_day; usual, strict, residents_strict: visits at either bar; resident_waits_seconds; may be
                 absent; see ``training.door_tries``
    long         strangers, noise (either may be absent) -> hours, decisions, openings, per_hour, upper_bound_per_hour
                 (both None where the recordings are too short to say)
    per_person   rows of role, person, clips, accepted, mean_llr, highest_llr
    scores       residents, strangers -> one number a clip
    outlook      each resident's; may be absent; see ``training.outlook``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.errors import DataError
from training.outlook_page import reports_alone, section
from training.report_page import page
from training.tries_page import section as tries_section

REQUIRED = ("counts", "runs_in", "int8", "door", "per_person", "scores", "conditions", "long")


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation. Raises :class:`DataError` when a part that the page needs is missing."""

    title: str
    figures: Mapping[str, Any]
    thresholds: Mapping[str, Any]

    def __post_init__(self) -> None:
        missing = [key for key in REQUIRED if key not in self.figures]
        missing += [key for key in ("open_llr", "refuse_llr", "max_clips") if key not in self.thresholds]
        if missing:
            raise DataError("the report lacks figures", received=", ".join(missing), allowed="all of them")

    def to_json(self) -> str:
        """Everything on the page and the single scores, for programs."""
        content = {"title": self.title, "thresholds": dict(self.thresholds), **self.figures}
        # A figure that is not a number would make a file that strict readers refuse.
        return json.dumps(content, indent=1, allow_nan=False)

    def to_html(self) -> str:
        """The whole page: no scripts, nothing loaded from elsewhere, light and dark."""
        outlook = self.figures.get("outlook")
        extra = [section(outlook)] if outlook is not None else []
        if "tries" in self.figures:
            extra.append(tries_section(self.figures["tries"]))
        return page(self.title, self.figures, self.thresholds, extra=extra)


def reports_of(
    title: str, figures: Mapping[str, Any], outlook: Mapping[str, Any], thresholds: Mapping[str, Any]
) -> dict[str, bytes]:
    """``report.json`` and ``report.html``: the whole evaluation with the outlook, or the outlook alone where there was
    nobody to evaluate on (``figures`` empty)."""
    if not figures:
        return reports_alone(title, outlook, thresholds)
    report = Report(title, {**figures, "outlook": outlook}, thresholds)
    return {"report.json": report.to_json().encode(), "report.html": report.to_html().encode()}
