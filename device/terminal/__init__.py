"""Drawing in a terminal: ``bars`` makes text of numbers, ``screen`` shows lines in place, or one after another where
there is no terminal. Plain ANSI, the standard library alone; nothing here knows what a door is."""
