"""What ran, in order: the tests read it after each request, and compare."""

log: list[str] = []
note = log.append
