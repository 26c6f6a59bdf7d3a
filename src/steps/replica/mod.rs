//! The steps of strategy `replica`: a physical copy, streamed, promoted.

pub mod clean_leftovers;
pub mod control;
pub mod create_target;
pub mod fence_source;
pub mod grow_target;
pub mod make_bootable;
pub mod owner_secret;
pub mod promote;
pub mod prove_caught_up;
pub mod restart_target;
pub mod settle;
pub mod streaming;
pub mod wal_retention;
