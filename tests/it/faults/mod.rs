//! Faults: real processes that are killed, paused, starved and restarted while phones and tills ask and retry.
//!
//! Laws 1 and 2 of the design: nothing offered twice, nothing oversold, retries are free. The phones keep logs of what
//! they were told; [`recount`] holds them against the record when the storm is over.
//!
//! | file | what |
//! |---|---|
//! | [`process`], [`node`], [`pair`], [`outside`], [`proxy`] | the processes: any, Dintorni's, two of them, Redis and PostgreSQL, and what stands before that |
//! | [`world`], [`caller`], [`phone`], [`storm`], [`recount`] | who pings where, and what must be so afterwards |
//! | [`market`], [`holder`], [`till`], [`tally`] | the same of coupons: who claims, who redeems, and what must be so |
//! | the others | the tests |

mod caller;
mod clock;
mod cluster;
mod cluster_tills;
mod disk;
mod embedded;
mod embedded_tills;
mod hangup;
mod holder;
mod line;
mod market;
mod node;
mod outside;
mod pair;
mod phone;
mod process;
mod proxy;
mod recount;
mod refused;
mod repeated;
mod restoring;
mod stopping;
mod storm;
mod tally;
mod till;
mod world;
