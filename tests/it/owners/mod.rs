//! What owners do over the wire: who may call what, editing, and bringing in many places.

mod detection;
mod edits;
mod imports;
mod roles;
