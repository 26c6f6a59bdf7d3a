//! Which proxy leads to the API server, by client-go's rules. kube-rs matches NO_PROXY against the
//! proxy's own address instead of the API server's, so the decision is made here.
use std::net::IpAddr;

/// The proxy for `server`, or None. A kubeconfig's `proxy-url` wins and is not subject to NO_PROXY
/// (client-go passes it to http.ProxyURL); otherwise Go's http.ProxyFromEnvironment.
pub(crate) fn choose(
    server: &http::Uri,
    proxy_url: Option<&str>,
    env: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    if let Some(proxy) = proxy_url.filter(|p| !p.is_empty()) {
        return Some(proxy.to_string());
    }
    let either = |upper: &str, lower: &str| {
        env(upper).filter(|v| !v.is_empty()).or_else(|| env(lower).filter(|v| !v.is_empty()))
    };
    let https = server.scheme_str() != Some("http");
    let proxy = if https { either("HTTPS_PROXY", "https_proxy") } else { either("HTTP_PROXY", "http_proxy") }?;
    let host = server.host()?.trim_matches(['[', ']']).to_lowercase();
    let port = server.port_u16().unwrap_or(if https { 443 } else { 80 });
    if bypassed(&either("NO_PROXY", "no_proxy").unwrap_or_default(), &host, port) {
        return None;
    }
    Some(if proxy.contains("://") { proxy } else { format!("http://{proxy}") })
}

/// Go's rules (golang.org/x/net/http/httpproxy): `*`, an address, a CIDR, a domain (with its subdomains; with a
/// leading dot only those), each with an optional port. Loopback never goes through a proxy.
fn bypassed(no_proxy: &str, host: &str, port: u16) -> bool {
    let ip: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|e| e.trim().to_lowercase()).filter(|e| !e.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let (Some(ip), Some((network, bits))) = (ip, entry.split_once('/')) {
            return matches!((network.parse(), bits.parse()), (Ok(network), Ok(bits)) if within(ip, network, bits));
        }
        let bare = match entry.rsplit_once(':') {
            // An IPv6 address has colons of its own.
            Some((name, number)) if entry.parse::<IpAddr>().is_err() => match number.parse::<u16>() {
                Ok(wanted) if wanted == port => name.trim_matches(['[', ']']).to_string(),
                _ => return false,
            },
            _ => entry,
        };
        match (ip, bare.parse::<IpAddr>()) {
            (Some(ip), Ok(listed)) => ip == listed,
            (Some(_), Err(_)) | (None, Ok(_)) => false,
            (None, Err(_)) => {
                let domain = bare.trim_start_matches("*");
                match domain.strip_prefix('.') {
                    Some(_) => host.ends_with(domain),
                    None => host == domain || host.ends_with(&format!(".{domain}")),
                }
            }
        }
    })
}

fn within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let prefix = |value: u128, width: u32| value.checked_shr(width - bits).unwrap_or(0);
    match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) if bits <= 32 => {
            prefix(a.to_bits().into(), 32) == prefix(b.to_bits().into(), 32)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if bits <= 128 => prefix(a.to_bits(), 128) == prefix(b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(server: &str, no_proxy: &str) -> Option<String> {
        choose(&server.parse().unwrap(), None, |name| match name {
            "HTTPS_PROXY" => Some("proxy.corp:3128".into()),
            "NO_PROXY" => Some(no_proxy.into()),
            _ => None,
        })
    }

    #[test]
    fn no_proxy_is_matched_against_the_api_server() {
        let through = Some("http://proxy.corp:3128".to_string());
        assert_eq!(proxy("https://k8s.corp:6443", ""), through);
        assert_eq!(proxy("https://k8s.corp:6443", "proxy.corp"), through);
        assert_eq!(proxy("https://127.0.0.1:6443", ""), None);
        for direct in ["*", "k8s.corp", "corp", ".corp", "*.corp", "a,,k8s.corp:6443"] {
            assert_eq!(proxy("https://k8s.corp:6443", direct), None, "{direct}");
        }
        for other in ["orp", "k8s.corp:443", ".k8s.corp"] {
            assert_eq!(proxy("https://k8s.corp:6443", other), through, "{other}");
        }
    }

    #[test]
    fn addresses_and_networks() {
        for direct in ["10.1.2.3", "10.0.0.0/8", "0.0.0.0/0", "10.1.2.3:443"] {
            assert_eq!(proxy("https://10.1.2.3", direct), None, "{direct}");
        }
        assert!(proxy("https://10.1.2.3", "10.1.2.0/32").is_some());
        assert_eq!(proxy("https://[fd00::1]:6443", "fd00::/8"), None);
    }

    #[test]
    fn the_kubeconfigs_own_proxy_wins() {
        let server = "https://10.1.2.3".parse().unwrap();
        let chosen = choose(&server, Some("socks5://gate:1080"), |_| Some("*".into()));
        assert_eq!(chosen.as_deref(), Some("socks5://gate:1080"));
    }
}
