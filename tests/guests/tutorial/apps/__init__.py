"""What concerns a whole app: an app a topic."""
