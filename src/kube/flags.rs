//! kubectl's connection flags and kubeconfig rules.
use std::{path::PathBuf, time::Duration};
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub namespace: Option<String>,
    pub context: Option<String>,
    pub kubeconfig: Option<PathBuf>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub as_user: Option<String>,
    pub as_group: Vec<String>,
    pub as_uid: Option<String>,
    pub request_timeout: Option<Duration>,
}
