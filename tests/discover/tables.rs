//! The rendered table of `list`, narrow and wide, with and without colour.
use pgmigrate::{strategy::choose::choose, strategy::estimate::Basis, term::list::render};
use serde_json::{Value, json};

fn items() -> Vec<Value> {
    let choice = choose(Some(15), None);
    let outage = Basis::default().outage_of(choice.strategy);
    let suggestion = json!({"strategy": "replica", "reasons": choice.reasons, "outageSeconds": outage});
    vec![
        json!({"kind": "postgresql.acid.zalan.do", "namespace": "shop", "name": "acid-shop", "version": "15",
            "size": "20Gi", "instances": 2, "state": "Running", "standby": false, "suggestion": suggestion,
            "usedBy": ["deployment/shop-web", "deployment/shop-worker", "cronjob/shop-report", "deployment/bi in analytics"]}),
        json!({"kind": "postgresql.acid.zalan.do", "namespace": "shop", "name": "acid-copy", "version": "15",
            "size": "20Gi", "instances": 1, "state": "CreateFailed", "standby": true, "usedBy": [],
            "usedByUnknown": "secrets: forbidden"}),
        json!({"kind": "postgresql.acid.zalan.do", "namespace": "mastodon", "name": "mastodon-postgresql",
            "version": "17", "size": "1Gi", "instances": 1, "state": "Running", "usedBy": ["deployment/mastodon-web"],
            "suggestion": suggestion, "migration": "mastodon"}),
        json!({"kind": "cluster.postgresql.cnpg.io", "namespace": "mastodon", "name": "database-cnpg", "version": "17.6",
            "size": "1Gi", "instances": 3, "readyInstances": 2, "state": "Creating a new replica", "healthy": false}),
        json!({"kind": "migration", "namespace": "mastodon", "name": "mastodon", "state": "prepared",
            "next": "kubectl pgmigrate cutover mastodon"}),
    ]
}

#[test]
fn narrow_and_wide_with_and_without_colour() {
    for (columns, narrow) in [(60, true), (120, false)] {
        console::set_colors_enabled(false);
        let plain = render(&items(), true, columns);
        if narrow {
            snapbox::assert_data_eq!(&plain, snapbox::file!["snapshots/list-60.txt"].raw());
        } else {
            snapbox::assert_data_eq!(&plain, snapbox::file!["snapshots/list-120.txt"].raw());
        }
        console::set_colors_enabled(true);
        let coloured = render(&items(), true, columns);
        assert!(coloured.contains("\u{1b}[32mRunning"), "{coloured}");
        assert_eq!(console::strip_ansi_codes(&coloured), plain, "colour adds nothing but colour");
    }
    console::set_colors_enabled(false);
}
