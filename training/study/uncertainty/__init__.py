"""The study of uncertainty: does a network that is asked several times know when it does not know?

``members`` several answers of one network (dropout) and of several (an ensemble); ``measures`` what the answers
disagree on; ``outsiders`` sounds that are neither residents nor strangers; ``band`` refusing what is uncertain;
``product`` the same question to the network that ships; ``carry_out`` all of it on the same trials; ``summary`` the
figures; ``page`` and ``command``.
"""
