//! A small S3 client: list and measure. Signing is rusty-s3's, transport is hyper's.

mod client;
mod list;
mod store;
#[cfg(test)]
mod tests;

pub use list::{Object, Total};
pub use store::Store;
