//! What a component says of itself: its routes and options.
