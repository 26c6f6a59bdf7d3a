//! What the target's image holds, asked of the image itself (`check --image-pod`): a Job whose pod says it, removed at once,
//! and by the cluster itself where this program is killed meanwhile.

use super::{Looks, image};
use crate::{
    error::{Context, Error, Result},
    facts::{cnpg::OURS, text},
    kube::{
        Probe,
        kind::{JOB, POD},
    },
    step::World,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// As `postgres --version`, `pg_config` and the C library's own programs say it; PostgreSQL on Debian keeps its extensions
/// where the fallback looks.
const SCRIPT: &str = r#"version=$(postgres --version) || exit 1
echo "version $version"
major=$(echo "$version" | sed 's/[^0-9]*\([0-9]*\).*/\1/')
share=$(pg_config --sharedir 2>/dev/null) || share=/usr/share/postgresql/$major
for file in "$share"/extension/*.control; do
    name=${file##*/}
    echo "extension ${name%.control}"
done
locale -a 2>/dev/null | sed 's/^/locale /'
echo "glibc $(ldd --version 2>/dev/null | head -n 1 | sed 's/.* //')""#;
const CONTAINER: &str = "image";
/// With the pull of an image that the node has never had.
const LIMIT: Duration = Duration::from_secs(180);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    pub image: String,
    pub major: u32,
    pub extensions: BTreeSet<String>,
    /// As [`locale`] writes them.
    locales: BTreeSet<String>,
    /// "" where the image does not say.
    pub glibc: String,
}

impl Contents {
    pub(super) fn read(image: &str, said: &str) -> Option<Contents> {
        let mut found = Contents { image: image.into(), ..Contents::default() };
        for (what, value) in said.lines().filter_map(|line| line.trim().split_once(' ')) {
            match what {
                "version" => found.major = number(value)?,
                "extension" => drop(found.extensions.insert(value.into())),
                "locale" => drop(found.locales.insert(locale(value))),
                "glibc" => found.glibc = value.into(),
                _ => {}
            }
        }
        (found.major > 0 && !found.extensions.is_empty()).then_some(found)
    }

    pub fn has_locale(&self, name: &str) -> bool {
        self.locales.contains(&locale(name))
    }
}

/// The first number of `postgres (PostgreSQL) 17.4`.
fn number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty())?.parse().ok()
}

/// `en_US.UTF-8` and `en_US.utf8` are one.
fn locale(name: &str) -> String {
    match name.split_once('.') {
        Some((language, codeset)) => format!("{language}.{}", codeset.to_lowercase().replace('-', "")),
        None => name.to_owned(),
    }
}

/// Asks; what went wrong makes the checks that need it unknown.
pub async fn ask(world: &World, looks: &Looks) -> Result<Contents> {
    let image = match &looks.facts {
        Ok(facts) => image::of(&looks.migration, facts),
        Err(error) => return Err(Error::failed(format!("which image it will be is not known: {}", error.chain()))),
    };
    if image.is_empty() {
        return Err(Error::failed("the image is named by a catalog, not by the template"));
    }
    let name = format!("pgmigrate-{}-image-{}", world.migration.name, &uuid::Uuid::new_v4().simple().to_string()[..6]);
    let job = job(&name, &image, looks);
    world.kube.create(&JOB, &job).await.with_context(|| format!("asking the image {image} what it holds"))?;
    let said = said(world, &name).await.with_context(|| format!("asking the image {image} what it holds"));
    let removed = world.kube.delete(&JOB, &name).await;
    let said = said?;
    removed.with_context(|| format!("removing job {name}"))?;
    let unclear = || Error::failed(format!("the image {image} said: {}", said.lines().last().unwrap_or_default()));
    Contents::read(&image, &said).ok_or_else(unclear)
}

async fn said(world: &World, job: &str) -> Result<String> {
    let (kube, labels) = (&world.kube, format!("job-name={job}"));
    let pods = kube.wait_all(&POD, &labels, "the image's pod", LIMIT, &world.cancel, &world.events, ended).await?;
    let pod = pods.first().map(|pod| text(pod, "/metadata/name")).unwrap_or_default();
    let said = kube.logs(pod, CONTAINER, None).await?;
    match text(&pods[0], "/status/phase") {
        "Succeeded" => Ok(said),
        _ => Err(Error::failed(format!("pod {pod} failed: {}", said.lines().last().unwrap_or("it said nothing")))),
    }
}

/// An image that cannot be had, or not run, is no reason to wait for the limit.
fn ended(pods: &[Value]) -> Probe {
    let Some(pod) = pods.first() else { return Probe::Pending("no pod yet".into()) };
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    match (text(pod, "/status/phase"), waiting["reason"].as_str()) {
        ("Succeeded" | "Failed", _) => Probe::Done,
        (
            _,
            Some(reason @ ("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "CreateContainerConfigError")),
        ) => Probe::Failed(format!("{reason}: {}", waiting["message"].as_str().unwrap_or_default())),
        (phase, reason) => Probe::Pending(format!("{phase} {}", reason.unwrap_or_default())),
    }
}

/// One pod with limits, as Pod Security's level `restricted` wants it. CloudNativePG's images are of user 26.
fn job(name: &str, image: &str, looks: &Looks) -> Value {
    let amounts = json!({"cpu": "200m", "memory": "128Mi"});
    let container = json!({
        "name": CONTAINER, "image": image, "command": ["sh", "-c", SCRIPT],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    let labels = json!({ OURS: looks.migration.name });
    let mut pod = json!({
        "restartPolicy": "Never", "automountServiceAccountToken": false, "containers": [container],
        "securityContext": {"runAsNonRoot": true, "runAsUser": 26, "seccompProfile": {"type": "RuntimeDefault"}},
    });
    let pull = looks.template("/spec/imagePullSecrets");
    if pull.is_array() {
        pod["imagePullSecrets"] = pull.clone();
    }
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0, "activeDeadlineSeconds": LIMIT.as_secs(), "ttlSecondsAfterFinished": 60,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    })
}

#[cfg(test)]
mod said {
    use super::*;

    #[test]
    fn what_an_image_says() {
        let said =
            "version postgres (PostgreSQL) 17.4 (Debian 17.4-1)\nextension vector\nlocale en_US.utf8\nglibc 2.36\n";
        let found = Contents::read("x", said).expect("whole");
        assert_eq!((found.major, found.glibc.as_str()), (17, "2.36"));
        assert!(
            found.extensions.contains("vector") && found.has_locale("en_US.UTF-8") && !found.has_locale("de_DE.UTF-8")
        );
        assert_eq!(Contents::read("x", "sh: postgres: not found"), None);
        assert_eq!(Contents::read("x", "version postgres 17\n"), None);
    }
}
