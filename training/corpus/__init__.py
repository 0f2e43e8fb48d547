"""Recordings: what there is (``index``), who may meet whom (``split``), and folders made from packs (``household``)."""
