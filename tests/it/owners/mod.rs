//! What owners do over the wire: who may call what, editing, and bringing in many places.

mod detection;
mod edits;
mod history;
mod imports;
mod roles;
