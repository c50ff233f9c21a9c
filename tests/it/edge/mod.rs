//! The edge: who may call what, what is said of wrong input, tokens and their end, starting and stopping.

mod access;
mod arriving;
mod fields;
mod path;
mod registering;
mod serving;
mod stream_bounds;
mod stream_ends;
mod streams;
mod tokens;
