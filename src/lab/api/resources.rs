//! The types that the API serves.

/// How one type is named and where it lives.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub short: &'static [&'static str],
    pub namespaced: bool,
    /// Defined by a CRD: no strategic merge.
    pub custom: bool,
    /// Has a `scale` subresource.
    pub scale: bool,
}

impl Resource {
    /// The store's name of it: `pods`, `clusters.postgresql.cnpg.io`.
    pub fn key(&self) -> String {
        if self.group.is_empty() { self.plural.into() } else { format!("{}.{}", self.plural, self.group) }
    }
    /// Its status is a subresource: a write of the object leaves it as it is.
    pub fn has_status(&self) -> bool {
        !matches!(
            self.kind,
            "Secret"
                | "ConfigMap"
                | "Endpoints"
                | "Event"
                | "ServiceAccount"
                | "Lease"
                | "ImageCatalog"
                | "StorageClass"
                | "CSIStorageCapacity"
        ) && self.group != "rbac.authorization.k8s.io"
    }
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }
}

const fn builtin(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
) -> Resource {
    Resource { group, version, kind, plural, short, namespaced: true, custom: false, scale: false }
}
const fn scaled(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
) -> Resource {
    Resource { group, version: "v1", kind, plural, short, namespaced: true, custom: false, scale: true }
}
const fn everywhere(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
) -> Resource {
    Resource { group, version, kind, plural, short, namespaced: false, custom: false, scale: false }
}
const fn custom(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
) -> Resource {
    Resource { group, version: "v1", kind, plural, short, namespaced: true, custom: true, scale: false }
}

pub static RESOURCES: &[Resource] = &[
    builtin("", "v1", "Pod", "pods", &["po"]),
    builtin("", "v1", "Secret", "secrets", &[]),
    builtin("", "v1", "ConfigMap", "configmaps", &["cm"]),
    builtin("", "v1", "Service", "services", &["svc"]),
    builtin("", "v1", "Endpoints", "endpoints", &["ep"]),
    builtin("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", &["pvc"]),
    builtin("", "v1", "Event", "events", &["ev"]),
    builtin("", "v1", "ServiceAccount", "serviceaccounts", &["sa"]),
    builtin("", "v1", "ResourceQuota", "resourcequotas", &["quota"]),
    builtin("", "v1", "LimitRange", "limitranges", &["limits"]),
    everywhere("", "v1", "Namespace", "namespaces", &["ns"]),
    everywhere("", "v1", "Node", "nodes", &["no"]),
    everywhere("", "v1", "PersistentVolume", "persistentvolumes", &["pv"]),
    scaled("apps", "Deployment", "deployments", &["deploy"]),
    scaled("apps", "StatefulSet", "statefulsets", &["sts"]),
    scaled("apps", "ReplicaSet", "replicasets", &["rs"]),
    builtin("batch", "v1", "Job", "jobs", &[]),
    builtin("batch", "v1", "CronJob", "cronjobs", &["cj"]),
    builtin("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"]),
    builtin("coordination.k8s.io", "v1", "Lease", "leases", &[]),
    builtin("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", &["pdb"]),
    builtin("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", &["netpol"]),
    builtin("rbac.authorization.k8s.io", "v1", "Role", "roles", &[]),
    builtin("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", &[]),
    everywhere("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", &[]),
    everywhere("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", &[]),
    everywhere("storage.k8s.io", "v1", "StorageClass", "storageclasses", &["sc"]),
    builtin("storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities", &[]),
    everywhere("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", &["crd"]),
    custom("acid.zalan.do", "postgresql", "postgresqls", &["pg"]),
    custom("acid.zalan.do", "OperatorConfiguration", "operatorconfigurations", &["opconfig"]),
    Resource { scale: true, ..custom("postgresql.cnpg.io", "Cluster", "clusters", &[]) },
    custom("postgresql.cnpg.io", "Pooler", "poolers", &[]),
    custom("postgresql.cnpg.io", "Backup", "backups", &[]),
    custom("postgresql.cnpg.io", "ScheduledBackup", "scheduledbackups", &[]),
    custom("postgresql.cnpg.io", "Database", "databases", &[]),
    custom("postgresql.cnpg.io", "Publication", "publications", &[]),
    custom("postgresql.cnpg.io", "Subscription", "subscriptions", &[]),
    custom("postgresql.cnpg.io", "ImageCatalog", "imagecatalogs", &[]),
    custom("barmancloud.cnpg.io", "ObjectStore", "objectstores", &[]),
];

pub fn by_path(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|r| r.group == group && r.version == version && r.plural == plural)
}

pub fn by_key(key: &str) -> Option<&'static Resource> {
    let (plural, group) = key.split_once('.').unwrap_or((key, ""));
    RESOURCES.iter().find(|r| r.plural == plural && r.group == group)
}
