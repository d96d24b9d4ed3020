"""What `fasterapi.testclient` is made of, and the pytest plugin."""
