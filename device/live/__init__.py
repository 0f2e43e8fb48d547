"""The live feed: what the door hears and decides, as JSON lines on a Unix socket, for whoever shows or passes it on.

``requests`` is what a reader may ask, ``access`` who may ask it, ``feed`` the door's side, ``server`` the sockets on a
thread of their own, ``answering`` another thread for questions about the daemon's files, ``reader`` a reader. A feed
that is slow, full or broken, and a question that takes its time, cost the door nothing.

The protocol: one JSON object a line, in UTF-8, both ways. The daemon says ``{"kind": ...}`` (``messages``). A reader
says one of three, each at most 1,024 bytes but a question, which may have 131,072:

* ``{"subscribe": ["level", "event", "status", "audio"], "hold": false, "recent": 0}``: these topics from now on.
* ``{"open": {"by": "...", "asked_at_seconds": 12.5}}``: open the door (since when, by this machine's monotonic clock);
  answered by ``{"kind": "open", "opened": ..., "reason": ...}``.
* ``{"ask": NAME, "with": {...}}``: a question, one at a time on a connection; answered by
  ``{"kind": "answer", "answer": {...}}`` or ``{"kind": "answer", "error": {"type": ..., "what": ..., ...}}``, a line of
  at most 196,608 bytes.

| question | with | answer |
|---|---|---|
| events | kinds, since, until (ISO, zone), through (a number), count (1 to 500) | events, newest first; more |
| event | n | event, or null |
| clips | | are_kept, people, clips (at most 500), count |
| clip_audio | name, offset | size, audio (base64, at most 98,304 bytes) |
| label_clip | name, role (allowed, others), person | |
| delete_clip | name | |
| recordings | | people: role, person, days ([name, takes, seconds]) |
| recording_of | role, person | role, person, days |
| take_part | samples (base64 of int16, little-endian) | bytes so far |
| save_take | role, person, samples (how many), sample_type "int16", rate_hz 16000 | path below the recordings |

Whoever asks what it may not, or something else, is told ``{"kind": "refused", "reason": ...}`` and hung up on; it is
counted in the status (``refused_requests``), and an event ``request_refused`` says who asked what, once in ten minutes.
"""
