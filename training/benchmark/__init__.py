"""The standard benchmark: how every change to the network is judged.

``pack`` who speaks, ``systems`` who listens, ``verification`` clip against clip, ``household`` residents and strangers,
``cnn`` what course projects build, ``told`` the table, ``det`` the curves, ``command`` the command.
"""
