"""The study of the spectrogram: how many bands on which scale, how long a clip, and whether silence is cut out.

``settings`` what is tried and against what; ``cuts`` clips of another length, with silence and without; ``carry_out``
each setting learnt and judged on the same households; ``band_means`` how much of a band's mean intensity is the
speaker's and how much the day's; ``pitch`` what the fundamental frequency alone tells; ``page`` and ``command``.
"""
