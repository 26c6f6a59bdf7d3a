//! The closed list of steps, one file each.

mod bootstrap;
pub mod detach_operator;
pub mod dump;
mod ends;
pub mod first_backup;
pub mod fix;
pub mod gate;
pub mod hook;
pub mod keepers;
pub mod pause_patroni;
pub mod pooler;
pub mod prove_login;
pub mod repair_logins;
pub mod replica;
pub mod retire_source;
pub mod start_apps;
pub mod stop_apps;
pub mod switch_connections;
pub mod tidy;
mod workloads;

pub use ends::{keep_source, source};
pub use workloads::kind as workload_kind;
