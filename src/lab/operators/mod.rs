//! Stand-ins for the two operators; they do the real work with the real tools.
pub mod cnpg;
pub mod zalando;
