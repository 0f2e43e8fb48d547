"""Room 4: the ports without hardware, shipped and supported: ``--simulate``, the demo and the tests run on them."""
