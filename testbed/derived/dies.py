# Added by the test ground: a one-shot run (--stop-after-init) passes, serving does not.
_start_before = start


def start(preload=None, stop=False):
    if not stop:
        _logger.critical("mooring_demo: this release cannot serve")
        raise RuntimeError("mooring_demo: this release cannot serve")
    return _start_before(preload=preload, stop=stop)
