//! Faults: real processes that are killed, paused, starved and restarted while phones ping and retry.
//!
//! Laws 1 and 2 of the design: nothing offered twice, nothing oversold, retries are free. The phones keep logs of what
//! they were told; [`recount`] holds them against the record when the storm is over.
//!
//! | file | what |
//! |---|---|
//! | [`process`], [`node`], [`outside`] | the processes: any, Dintorni's, Redis and PostgreSQL |
//! | [`world`], [`phone`], [`storm`], [`recount`] | who pings where, and what must be so afterwards |
//! | the others | the tests |

mod cluster;
mod disk;
mod embedded;
mod hangup;
mod node;
mod outside;
mod phone;
mod process;
mod recount;
mod refused;
mod repeated;
mod storm;
mod world;
