"""FastAPI's tutorial and advanced guide, feature by feature: a router a topic, for one app."""
