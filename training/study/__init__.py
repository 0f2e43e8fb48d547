"""Studies: what each idea is worth, on the same people and the same trials.

Of the project's own network: ``plan`` the file that names the runs, ``runs`` each learnt and judged, ``scaling`` what
more data would bring, ``plan_command`` their command; ``layers`` which of its layers matter.

Of the classifiers that course projects train (:mod:`training.classifier`): ``trials`` the people each is learnt from
and judged on, ``cases`` one recipe learnt and judged there with one seed; ``ledger`` many such cases, killed and gone
on with, ``chance`` what seeds and households do to their figures, ``seeds`` that of one recipe, ``grid`` what each
setting is worth (``grid_plan``, ``grid_ranks``); ``compare`` every network beside the ``baselines``; ``uncertainty``
whether one knows when it does not know, ``spectrogram`` bands, length of a clip, silence and pitch.

For all: ``households`` which are drawn, and the options that say so, ``paired`` differences between systems on the same
draws, ``kept`` what was computed before, ``study_page`` the frame of their pages, ``strips`` and ``pictures`` what is
drawn.

``command`` is ``study`` with all of them.
"""
