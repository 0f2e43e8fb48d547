"""Studies: what each idea is worth, on the same people and the same trials.

``plan`` the file that names the runs, ``runs`` each learnt and judged, ``scaling`` what more data would bring,
``command`` the command.
"""
