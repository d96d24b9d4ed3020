"""What runs only inside a component: the event loop over component-model async, and the two transports."""
