"""What somebody who tries all day comes to, and how soon a resident gets in, as a section of the report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from training.report_page import table

HEAD = ("a stranger, all day", "judged visits in any hour", "a day, usual bar", "a day, higher bar",
        "false openings a day", "at most, with 95 % confidence")  # fmt: skip


def section(tries: Mapping[str, Any]) -> str:
    """A heading, both tables, how to read them."""
    rows = [
        [row["pattern"], str(row["most_an_hour"]), str(row["usual_a_day"]), str(row["strict_a_day"]),
         f"{row['false_openings_a_day']:.2f}", f"{row['at_most_a_day']:.1f}"]
        for row in tries["patterns"]
    ]  # fmt: skip
    waits = [
        [name, f"{seconds:.0f} s" if seconds is not None else "not within an hour"]
        for name, seconds in tries["resident_waits_seconds"].items()
    ]
    usual, strict, residents = tries["usual"], tries["strict"], tries["residents_strict"]
    return (
        "<h2>Somebody who tries all day</h2>"
        f"{table(HEAD, rows)}"
        f"<p>A door as shipped. Judged visits are counted on its own policy; of strangers' visits {_opened(usual)} "
        f"opened at the usual bar and {_opened(strict)} at the bar {tries['strict_llr_margin']:g} higher, which holds "
        f"after failed visits; openings are the product. <i>At most</i> takes the 95 % bound of both shares, "
        f"{usual['upper_bound']:.2%} and {strict['upper_bound']:.2%}, and mostly says how few strangers were tried. "
        "It is the share of different people's visits: one person who sounds like a resident gets in more often.</p>"
        f"{table(('a resident', 'gets in after'), waits)}"
        f"<p>Talking on, with clips of {tries['resident_llr']:+.1f}, the residents' median. At the higher bar "
        f"{_opened(residents)} of their visits opened.</p>"
    )


def _opened(visits: Mapping[str, Any]) -> str:
    return escape(f"{visits['opened']} of {visits['visits']}")
