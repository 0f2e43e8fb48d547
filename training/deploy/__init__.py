"""From the workshop to the doors: ``parcel`` is what is sent, ``inventory`` where to, ``remote`` the way over ssh,
``door`` what can be asked of one door, ``deploy`` the sequence, ``command`` the command line. ``pull`` is the other
way, recordings from the doors to the workshop, and ``pull_command`` its command line."""
