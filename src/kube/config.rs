//! From flags, environment and kubeconfig to a client's configuration, by kubectl's rules.
use super::{flags::Flags, proxy};
use crate::error::{Context, Error, Result};
use ::kube::config::{Config, KubeConfigOptions, Kubeconfig};
use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long TCP and TLS to the API server may take.
const CONNECT: Duration = Duration::from_secs(10);

/// In a pod without a kubeconfig: the service account. Not `Config::infer`, whose `KUBE_RS_DEBUG_*`
/// variables can redirect a migration without a word.
pub(crate) async fn load(flags: &Flags) -> Result<Config> {
    let places = places();
    let mut config = match kubeconfig(flags, &places)? {
        Some(found) => from_kubeconfig(found, flags).await?,
        None => Config::incluster().map_err(|cause| none(&places).cause(cause))?,
    };
    config.connect_timeout = Some(CONNECT);
    // kube's own layer repeats every method 15 times on 503 and 504, a create too; super::ask decides instead.
    config.default_retry = false;
    impersonate(&mut config, flags)?;
    Ok(config)
}

/// Where a kubeconfig is looked for without the flag.
struct Places {
    files: Vec<PathBuf>,
    /// By the variable KUBECONFIG.
    listed: bool,
}

fn places() -> Places {
    let listed: Vec<PathBuf> = env::var_os("KUBECONFIG").map(|v| env::split_paths(&v).collect()).unwrap_or_default();
    let files: Vec<PathBuf> = listed.into_iter().filter(|p| !p.as_os_str().is_empty()).collect();
    if !files.is_empty() {
        return Places { files, listed: true };
    }
    Places { files: env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect(), listed: false }
}

/// None of the files is of use: which they are, and what to do.
fn none(places: &Places) -> Error {
    let seen = |file: &PathBuf| {
        let fault = if file.exists() { "names no cluster" } else { "is not there" };
        format!("{} {fault}", file.display())
    };
    let seen: Vec<String> = places.files.iter().map(seen).collect();
    let from = if places.listed { " (named by KUBECONFIG)" } else { "" };
    Error::usage(format!(
        "no kubeconfig found: {}{from}; and this is not a pod with a service account",
        seen.join(", ")
    ))
    .hint(GIVE_ONE)
}

const GIVE_ONE: &str = "give one that is there with --kubeconfig FILE, or set KUBECONFIG to it";

/// The merged kubeconfig; None when there is none at all, which is when kubectl tries the pod's service account.
fn kubeconfig(flags: &Flags, places: &Places) -> Result<Option<Kubeconfig>> {
    if let Some(file) = &flags.kubeconfig {
        return read(file).map(Some);
    }
    let mut merged: Option<Kubeconfig> = None;
    // A missing file of the list is skipped, as client-go does.
    for file in places.files.iter().filter(|f| f.exists()) {
        let next = read(file)?;
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).with_context(|| format!("cannot merge kubeconfig {}", file.display()))?,
        });
    }
    Ok(merged.filter(|m| !m.contexts.is_empty() || !m.clusters.is_empty()))
}

fn read(file: &Path) -> Result<Kubeconfig> {
    let mut read = Kubeconfig::read_from(file).map_err(|cause| {
        let look = || format!("kubectl config view --kubeconfig {}", file.display());
        Error::usage(format!("cannot read kubeconfig {}", file.display())).cause(cause).hint(if file.exists() {
            look()
        } else {
            GIVE_ONE.into()
        })
    })?;
    // kubectl writes `current-context: ""`; taken as set it would hide the next file's.
    read.current_context = read.current_context.filter(|name| !name.is_empty());
    Ok(read)
}

async fn from_kubeconfig(found: Kubeconfig, flags: &Flags) -> Result<Config> {
    let contexts: Vec<&str> = found.contexts.iter().map(|c| c.name.as_str()).collect();
    let name = match flags.context.as_ref().or(found.current_context.as_ref()) {
        Some(name) => name.clone(),
        None => {
            return Err(Error::usage(format!("the kubeconfig has no current context; it knows {}", names(&contexts)))
                .hint("kubectl config use-context NAME, or --context NAME"));
        }
    };
    let context = found.contexts.iter().find(|c| c.name == name).and_then(|c| c.context.clone()).ok_or_else(|| {
        Error::usage(format!("the kubeconfig has no context `{name}`; it knows {}", names(&contexts)))
            .hint("kubectl config get-contexts")
    })?;
    let cluster_name = flags.cluster.clone().unwrap_or(context.cluster);
    let clusters: Vec<&str> = found.clusters.iter().map(|c| c.name.as_str()).collect();
    let cluster =
        found.clusters.iter().find(|c| c.name == cluster_name).and_then(|c| c.cluster.clone()).ok_or_else(|| {
            Error::usage(format!("the kubeconfig has no cluster `{cluster_name}`; it knows {}", names(&clusters)))
                .hint("kubectl config get-clusters")
        })?;
    let users: Vec<&str> = found.auth_infos.iter().map(|u| u.name.as_str()).collect();
    if let Some(user) = flags.user.as_ref().filter(|u| !users.contains(&u.as_str())) {
        return Err(Error::usage(format!("the kubeconfig has no user `{user}`; it knows {}", names(&users)))
            .hint("kubectl config get-users"));
    }
    let options =
        KubeConfigOptions { context: Some(name.clone()), cluster: Some(cluster_name), user: flags.user.clone() };
    let mut config = Config::from_custom_kubeconfig(found, &options)
        .await
        .map_err(|cause| Error::usage(format!("cannot use context `{name}` of the kubeconfig")).cause(cause))?;
    config.proxy_url = match proxy::choose(&config.cluster_url, cluster.proxy_url.as_deref(), |v| env::var(v).ok()) {
        Some(url) => Some(url.parse().map_err(|cause: http::uri::InvalidUri| {
            Error::usage("the proxy's address for the API server is not a URL").cause(cause)
        })?),
        None => None,
    };
    Ok(config)
}

fn names(known: &[&str]) -> String {
    match known {
        [] => "none".to_string(),
        known => known.join(", "),
    }
}

fn impersonate(config: &mut Config, flags: &Flags) -> Result<()> {
    if flags.as_user.is_none() && (!flags.as_group.is_empty() || flags.as_uid.is_some()) {
        return Err(Error::usage("--as-group and --as-uid need --as").hint("--as USER --as-group GROUP"));
    }
    if let Some(user) = &flags.as_user {
        config.auth_info.impersonate = Some(user.clone());
        config.auth_info.impersonate_groups = Some(flags.as_group.clone()).filter(|groups| !groups.is_empty());
        config.auth_info.impersonate_uid = flags.as_uid.clone();
    }
    Ok(())
}
