//! Addresses, names and the user of the lab.
use std::{
    net::Ipv4Addr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Hands out addresses of 127.<subnet>.0.0/16, each once: a name that is still cached somewhere never leads to another pod.
pub struct Pool {
    subnet: u8,
    pods: AtomicU32,
    services: AtomicU32,
}

impl Pool {
    pub fn new(subnet: u8) -> Pool {
        Pool { subnet, pods: AtomicU32::new(0), services: AtomicU32::new(0) }
    }

    /// From 127.<subnet>.1.1 on, 254 per third octet; wraps after some 50000.
    pub fn pod(&self) -> Ipv4Addr {
        self.nth(self.pods.fetch_add(1, Ordering::Relaxed), 1, 199)
    }

    /// From 127.<subnet>.200.1 on.
    pub fn service(&self) -> Ipv4Addr {
        self.nth(self.services.fetch_add(1, Ordering::Relaxed), 200, 50)
    }

    fn nth(&self, n: u32, first_third_octet: u8, octets: u32) -> Ipv4Addr {
        let third = u32::from(first_third_octet) + (n / 254) % octets;
        Ipv4Addr::new(127, self.subnet, third as u8, (n % 254 + 1) as u8)
    }
}

/// What a host name can mean, in the order of a pod's search list: (pod, service, namespace).
pub fn readings<'a>(host: &'a str, namespace: &'a str) -> impl Iterator<Item = (Option<&'a str>, &'a str, &'a str)> {
    let host = host.trim_end_matches('.');
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let (host, full) = match host.strip_suffix(".svc") {
        Some(host) => (host, true),
        None => (host, false),
    };
    let parts: Vec<&str> = host.split('.').collect();
    let found = match (parts.as_slice(), full) {
        ([service], false) => vec![(None, *service, namespace)],
        ([first, second], false) => vec![(None, *first, *second), (Some(*first), *second, namespace)],
        ([service, namespace], true) => vec![(None, *service, *namespace)],
        ([pod, service, namespace], _) => vec![(Some(*pod), *service, *namespace)],
        _ => vec![],
    };
    found.into_iter()
}

/// The `postgres` user when we are root: PostgreSQL refuses to run as root.
pub fn postgres_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        // SAFETY: geteuid has no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            return None;
        }
        let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
        let line = passwd.lines().find(|line| line.starts_with("postgres:"))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_service_name_is_read() {
        for host in ["db", "db.shop", "db.shop.svc", "db.shop.svc.cluster.local", "db.shop.svc.cluster.local."] {
            assert_eq!(readings(host, "shop").next(), Some((None, "db", "shop")), "{host}");
        }
        assert_eq!(readings("db-0.db.shop.svc", "other").next(), Some((Some("db-0"), "db", "shop")));
        assert_eq!(readings("db-0.db", "shop").nth(1), Some((Some("db-0"), "db", "shop")));
    }

    #[test]
    fn pods_and_services_never_share_an_address() {
        let pool = Pool::new(77);
        let pods: Vec<_> = (0..600).map(|_| pool.pod()).collect();
        assert_eq!(pods[0], Ipv4Addr::new(127, 77, 1, 1));
        assert_eq!(pods[254], Ipv4Addr::new(127, 77, 2, 1));
        assert_eq!(pool.service(), Ipv4Addr::new(127, 77, 200, 1));
    }
}
