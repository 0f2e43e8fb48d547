"""The outlook as a section of the report, and as a page of its own where there was nobody to evaluate on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from training.outlook_advice import FEWEST_VISITS, carries
from training.report_page import STYLE, Markup, share_bar, table

HEAD = ("", "speech", "days", "refused, a day left out", "nearest resident", "nearest stranger",
        "strangers let in")  # fmt: skip


def section(outlook: Mapping[str, Any]) -> str:
    """A heading, a table, what to record more of, how to read it."""
    rows = [_row(told) for told in outlook["residents"]]
    advice = [each for told in outlook["residents"] for each in told["advice"]]
    asked = "".join(f"<li>{escape(each[:1].upper() + each[1:])}.</li>" for each in advice)
    weak = [
        f"{told['person']}: {carries(told['left_out'])}"
        for told in outlook["residents"]
        if told["left_out"]["kind"] != "session" or told["left_out"]["visits"] < 10
    ]
    return (
        "<h2>How each resident is likely to fare</h2>"
        f"{table(HEAD, rows)}"
        + (f"<p><b>What to record more of</b></p><ul>{asked}</ul>" if asked else "<p>Nothing needs to be recorded.</p>")
        + (f"<p class=soft>Read with care. {escape('; '.join(weak))}.</p>" if weak else "")
        + "<p>Each day of a resident is left out in turn, the resident enrolled on the other days, and the visits of "
        "the day left out meet the door's own threshold; for a bundle that is enrolled on every day that is "
        "harsh. <i>At most</i> is the upper end with 95 % confidence. The nearest resident is told with the mean score "
        "of this one's clips under the other's name, the nearest stranger with the mean best score of a visit. "
        f"Strangers are {escape(str(outlook['strangers']))}.</p>"
    )


def page_alone(title: str, outlook: Mapping[str, Any]) -> str:
    """A page with nothing else: no strangers, or no second session, to evaluate on."""
    return "\n".join([
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>",
        "<p class=lead>This bundle was not evaluated: that needs strangers, and a second session of the residents.</p>",
        section(outlook),
        "</html>",
    ])  # fmt: skip


def reports_alone(title: str, outlook: Mapping[str, Any], thresholds: Mapping[str, Any]) -> dict[str, bytes]:
    """``report.json`` and ``report.html`` of a bundle that was not evaluated."""
    told = {"title": title, "thresholds": dict(thresholds), "evaluated": False, "outlook": outlook}
    return {
        "report.json": json.dumps(told, indent=1, allow_nan=False).encode(),
        "report.html": page_alone(title, outlook).encode(),
    }


def _row(told: Mapping[str, Any]) -> Sequence[str]:
    left, resident, stranger = told["left_out"], told["nearest_resident"], told["nearest_stranger"]
    refused = "nothing to leave out"
    if left["frr"] is not None:
        bound = "a hint" if left["visits"] < FEWEST_VISITS else f"at most {left['upper_bound']:.0%}"
        counts = f"{left['refused']} of {left['visits']} ({bound})"
        refused = share_bar(left["frr"], bad=True, text=counts)
    return [
        str(told["person"]),
        f"{told['speech_seconds']:.0f} s",
        f"{told['sessions']}" + (" (same day)" if left["kind"] == "group" else ""),
        refused,
        "nobody" if resident is None else _two_lines(resident["name"], f"{resident['mean_llr']:+.1f}"),
        "nobody" if stranger is None else _two_lines(stranger["name"], f"{stranger['mean_peak_llr']:+.1f}"),
        "" if stranger is None else _two_lines(
            f"{stranger['all_let_in']} of {stranger['all_visits']}", f"at most {stranger['upper_bound']:.1%}"
        ),
    ]  # fmt: skip


def _two_lines(first: str, second: str) -> Markup:
    return Markup(f"<td>{escape(first)}<br><small>{escape(second)}</small></td>")
