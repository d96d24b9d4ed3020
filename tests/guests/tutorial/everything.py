"""All of it as one component: the tutorial's app, with those that show what concerns a whole app below it."""

from apps import functions, handlers, layers, proxied, shared
from main import app

for module in (functions, handlers, layers, proxied, shared):
    app.mount(f"/apps/{module.__name__.rpartition('.')[2]}", module.app)
