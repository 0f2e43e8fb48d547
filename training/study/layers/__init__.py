"""Which layers matter: each one changed by itself in a network that has been learnt, and what the voices lose by it.

``treatments`` what is done to a kernel, ``paired`` whether a difference is more than chance, ``start`` the weights the
network began with, ``bench`` one measurement, ``measured`` all of them, kept as they come, ``verdict`` what follows by
rule, ``suggestion`` the best of it together, in int8, ``on_pack`` the same on people who chose nothing, ``told`` the
table, ``charts`` and ``page`` the page, ``command`` the command.
"""
