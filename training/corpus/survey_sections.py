"""The parts of the survey's page: each takes figures and gives HTML, with every name escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from device.enrolment.progress import ENOUGH_SPEECH_SECONDS
from device.enrolment.prompts import NOISY_SNR_DB, QUIET_DBFS
from training.corpus import survey_plots as plots
from training.corpus.survey import MOST_DETAILED, MOST_OTHERS, Part, Survey
from training.corpus.survey_likeness import LOOK_ALIKE_SHARE
from training.corpus.survey_warnings import LOW_SPEECH_RATIO, Advice

_READ_A_BOX = "Box: the middle half of the recordings; stroke: the median; line: 5 to 95 %."


def summary(survey: Survey) -> str:
    people = len(survey.residents)
    speech = sum(each.speech_seconds for each in survey.residents)
    sessions = sum(len(each.sessions) for each in survey.residents)
    who = "One resident" if people == 1 else f"{people} residents"
    recorded = sum(len(each.recordings) for each in survey.residents)
    sentence = f"{who}, {recorded} recordings in {sessions} sessions, {speech / 60:.1f} minutes of speech."
    others = [
        f"{each.people} {each.role if each.people > 1 else each.role[:-1]} with {each.speech_seconds / 60:.0f} minutes"
        for each in survey.groups
        if each.role in ("others", "strangers")
    ]
    return f"{sentence} Besides them {' and '.join(others)} of speech." if others else f"{sentence} Nobody else."


def advice_html(advice: Sequence[Advice]) -> str:
    if not advice:
        fine = "<span class=tag>all well</span>Enough speech on several days, clean, and nobody sounds like another."
        return f"<ul class=advice><li class=fine>{fine}</li></ul>"
    items = [
        f"<li class={'urgent' if each.urgent else 'note'}><span class=tag>{escape(_tag(each))}</span>"
        f"{escape(each.sentence)}</li>"
        for each in advice
    ]
    return f"<ul class=advice>{''.join(items)}</ul>"


def _tag(advice: Advice) -> str:
    return f"{advice.person}: {advice.kind}" if advice.person else advice.kind


def residents_html(survey: Survey) -> str:
    pitch = {each.person: each.pitch for each in survey.voices}
    head = ["", "sessions", "recordings", "recorded", "speech", "share", "level", "SNR", "clipped", "pitch"]
    rows = []
    for each in survey.residents:
        heard = pitch.get(each.name)
        rows.append(
            [
                each.name,
                str(len(each.sessions)),
                *_amount(each),
                f"{each.spread('level_dbfs').median:.0f} dBFS",
                f"{each.spread('snr_db').median:.0f} dB",
                str(len(each.clipped)),
                f"{heard.hz.median:.0f} Hz" if heard else "–",
            ]
        )
    return _table(head, rows)


def sessions_html(survey: Survey) -> str:
    rows = [
        [person.name, session.name, *_amount(session)] for person in survey.residents for session in person.sessions
    ]
    table = _table(["", "session", "recordings", "recorded", "speech", "share"], rows, css="wide left")
    return f"<details><summary>Every session</summary>{table}</details>"


def everybody_else_html(survey: Survey) -> str:
    if not survey.groups:
        return ""
    rows = []
    for each in survey.groups:
        spoken = each.role not in ("noise", "rir")
        known = spoken and each.role != "crowd"
        amount = _amount(each) if spoken else [str(len(each.recordings)), _time(each.seconds), "–", "–"]
        level = f"{each.spread('level_dbfs').median:.0f} dBFS"
        snr = f"{each.spread('snr_db').median:.0f} dB" if spoken else "–"
        rows.append([each.role, str(each.people) if known else "–", *amount, level, snr, str(len(each.clipped))])
    head = ["", "people", "recordings", "recorded", "speech", "share", "level", "SNR", "clipped"]
    return f"<h2>Everybody and everything else</h2>{_table(head, rows)}"


def shown_html(survey: Survey) -> str:
    """That not everybody is in the pictures, where that is so."""
    if len(survey.residents) <= plots.MOST_ROWS:
        return ""
    return f"<p>The pictures show the first {plots.MOST_ROWS} residents by name; tables and advice tell of all.</p>"


def amounts_html(survey: Survey) -> list[str]:
    return [
        _figure(
            "Minutes of each resident",
            plots.minutes_plot(survey.residents),
            "Coloured is speech, a shade for each session, grey the silence between; right of the dashed line there is "
            f"enough ({ENOUGH_SPEECH_SECONDS:.0f} s).",
        ),
        _figure(
            "Durations before and after silence removal",
            plots.durations_plot(_spoken(survey)),
            "Grey is a recording as it is, coloured its net speech: a box holds the middle half of the recordings, the "
            "stroke is the median, the line reaches from 5 to 95 %.",
        ),
    ]


def qualities_html(survey: Survey) -> list[str]:
    spoken = _spoken(survey)
    cards = [
        _figure(
            "Share of speech",
            plots.spread_plot(
                "ratio",
                "Share of each recording that is speech",
                "speech / recording",
                [(each.name, each.speech_ratios) for each in spoken],
                limit=LOW_SPEECH_RATIO,
            ),
            f"{_READ_A_BOX} Left of the dashed line there is hardly anything but silence.",
        ),
        _figure(
            "Level",
            plots.spread_plot(
                "level",
                "Level of the recordings",
                "dBFS",
                [(each.name, each.spread("level_dbfs")) for each in spoken],
                limit=QUIET_DBFS,
            ),
            f"{_READ_A_BOX} Left of the dashed line is too quiet.",
        ),
        _figure(
            "Speech above noise",
            plots.spread_plot(
                "snr",
                "Signal-to-noise ratio of the recordings",
                "dB (estimate)",
                [(each.name, each.spread("snr_db")) for each in spoken],
                limit=NOISY_SNR_DB,
            ),
            f"{_READ_A_BOX} Left of the dashed line is noisy; recordings without pauses are estimated too low.",
        ),
    ]
    if any(each.clipped for each in spoken):
        text = "The share of recordings that are clipped: their loudest moments are cut flat."
        cards.append(_figure("Clipping", plots.clipping_plot(spoken), text))
    return cards


def likeness_html(survey: Survey) -> str:
    likeness = survey.likeness
    if not likeness.surroundings:
        return ""
    share = f"{LOOK_ALIKE_SHARE:.0%}"
    compared = f"{survey.others_heard} others" if survey.others_heard else "nobody else, for want of others/"
    note = f"Compared with {compared}."
    group = survey.group("others")
    if group and group.people > MOST_OTHERS:
        note = f"Compared with {survey.others_heard} of the {group.people} others, drawn by a hash of the name."
    if survey.others_known:
        note += f" {survey.others_known} of them taught the network, which tells those apart better than new people."
    cards = [
        _figure(
            "How alike everybody sounds to each resident",
            plots.closeness_plot(survey),
            "Grey: the others (box and line as above, the cross is the nearest); dots: the other residents; diamond: "
            f"the same person on another day. Right of the dashed line only {1 - LOOK_ALIKE_SHARE:.0%} of pairs of "
            "unknown people are so alike; a good diamond stands right of everything else.",
        )
    ]
    if len(likeness.surroundings) > 1:
        text = "The fuller the colour, the more alike; orange is a look-alike pair, beyond the dashed line beside."
        cards.append(_figure("Residents among themselves", plots.likeness_matrix(survey), text))
    rows = [[each.first, each.second, "resident", f"{each.cosine:.2f}", f"{each.rank:.1%}"]
            for each in likeness.residents[:10]]  # fmt: skip
    nearest = sorted((pair for each in likeness.surroundings for pair in each.nearest), key=lambda each: -each.cosine)
    rows += [[each.first, each.second, "other", f"{each.cosine:.2f}", f"{each.rank:.1%}"] for each in nearest[:10]]
    table = _table(["", "sounds like", "who is", "cosine", "closer than"], rows, css="wide left")
    return (
        f"<h2>Who sounds like whom</h2><p>{escape(note)}</p><div class=cards>{''.join(cards)}</div>"
        f"<details><summary>The closest pairs, with the share of pairs of unknown people that they are closer than "
        f"({share} makes a look-alike)</summary>{table}</details>"
    )


def voices_html(survey: Survey) -> str:
    if not survey.voices:
        return ""
    able = len(survey.residents)
    capped = f"<p>Of {able} residents the first {MOST_DETAILED} by name with a usable clip are shown.</p>"
    pitches = [(each.person, each.pitch.hz) for each in survey.voices if each.pitch]
    cards = [
        _figure(
            "Colour of each voice: long-term average spectrum",
            plots.spectra_plot(survey.voices),
            "How much of a voice lies at each frequency, on average; a line that stands apart throughout tells of "
            "another microphone rather than another voice.",
        )
    ]
    if pitches:
        text = "Box: the middle half of the voiced moments; stroke: the median; line: 5 to 95 %."
        plot = plots.spread_plot("pitch", "Fundamental frequency of each resident", "Hz", pitches)
        cards.insert(0, _figure("Pitch of each voice", plot, text))
    for number, voice in enumerate(survey.voices):
        text = f"Three seconds of session {voice.example.session}: brighter is louder, the blue line is the pitch."
        cards.append(_figure(voice.person, plots.spectrogram_plot(voice, number), text))
    return f"<h2>The voices</h2>{capped if able > len(survey.voices) else ''}<div class=cards>{''.join(cards)}</div>"


def _spoken(survey: Survey) -> list[Part]:
    """Residents (no more than fit) and then the groups of people."""
    groups = [each for each in survey.groups if each.role in ("others", "strangers", "crowd")]
    return [*survey.residents[: plots.MOST_ROWS - len(groups)], *groups]


def _amount(part: Part) -> list[str]:
    return [str(len(part.recordings)), _time(part.seconds), _time(part.speech_seconds), f"{part.speech_ratio:.0%}"]


def _time(seconds: float) -> str:
    """Seconds below two minutes, minutes above; rounded down like the advice, so that both say the same."""
    return f"{int(seconds)} s" if seconds < 120.0 else f"{seconds / 60.0:.1f} min"


def _figure(title: str, svg: str, caption: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, css: str = "wide") -> str:
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="{css}"><table><tr>{top}</tr>{body}</table></div>'
