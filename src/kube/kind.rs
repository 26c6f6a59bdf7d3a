//! The kinds a migration touches.

/// Group, version, kind and plural of an API type; `group` is "" for core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
}

impl Kind {
    /// `clusters.postgresql.cnpg.io`, as kubectl and RBAC name it.
    pub fn resource(&self) -> String {
        match self.group {
            "" => self.plural.to_string(),
            group => format!("{}.{group}", self.plural),
        }
    }
    /// `postgresql.cnpg.io/v1`; core is `v1`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_string(),
            group => format!("{group}/{}", self.version),
        }
    }
    /// Cluster-wide kinds have no namespace in their path.
    pub fn namespaced(&self) -> bool {
        !matches!(
            self.plural,
            "namespaces" | "nodes" | "persistentvolumes" | "customresourcedefinitions" | "storageclasses"
        )
    }
}

const fn kind(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind { group, version, kind, plural }
}

pub const POD: Kind = kind("", "v1", "Pod", "pods");
pub const SECRET: Kind = kind("", "v1", "Secret", "secrets");
pub const CONFIG_MAP: Kind = kind("", "v1", "ConfigMap", "configmaps");
pub const SERVICE: Kind = kind("", "v1", "Service", "services");
pub const ENDPOINTS: Kind = kind("", "v1", "Endpoints", "endpoints");
pub const PVC: Kind = kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
pub const NAMESPACE: Kind = kind("", "v1", "Namespace", "namespaces");
pub const EVENT: Kind = kind("", "v1", "Event", "events");
pub const DEPLOYMENT: Kind = kind("apps", "v1", "Deployment", "deployments");
pub const STATEFUL_SET: Kind = kind("apps", "v1", "StatefulSet", "statefulsets");
pub const JOB: Kind = kind("batch", "v1", "Job", "jobs");
pub const CRON_JOB: Kind = kind("batch", "v1", "CronJob", "cronjobs");
pub const HPA: Kind = kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
pub const LEASE: Kind = kind("coordination.k8s.io", "v1", "Lease", "leases");
pub const POSTGRESQL: Kind = kind("acid.zalan.do", "v1", "postgresql", "postgresqls");
pub const CLUSTER: Kind = kind("postgresql.cnpg.io", "v1", "Cluster", "clusters");
pub const POOLER: Kind = kind("postgresql.cnpg.io", "v1", "Pooler", "poolers");
pub const BACKUP: Kind = kind("postgresql.cnpg.io", "v1", "Backup", "backups");
pub const SCHEDULED_BACKUP: Kind = kind("postgresql.cnpg.io", "v1", "ScheduledBackup", "scheduledbackups");
pub const OBJECT_STORE: Kind = kind("barmancloud.cnpg.io", "v1", "ObjectStore", "objectstores");
pub const RESOURCE_QUOTA: Kind = kind("", "v1", "ResourceQuota", "resourcequotas");
pub const LIMIT_RANGE: Kind = kind("", "v1", "LimitRange", "limitranges");
pub const NETWORK_POLICY: Kind = kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
pub const OPERATOR_CONFIGURATION: Kind = kind("acid.zalan.do", "v1", "OperatorConfiguration", "operatorconfigurations");
pub const STORAGE_CAPACITY: Kind = kind("storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities");
pub const STORAGE_CLASS: Kind = kind("storage.k8s.io", "v1", "StorageClass", "storageclasses");
