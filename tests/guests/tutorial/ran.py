"""What ran, in order: the tests read it after each request, and compare."""

log: list[str] = []
note = log.append


def taken() -> list[str]:
    """Takes all that is there, and nothing that a thread adds meanwhile."""
    return [log.pop(0) for _ in range(len(log))]
