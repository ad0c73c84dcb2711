//! Identity: instances, places and indexes that are not as the map thinks; versions and clocks.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_admin::doctor::{Code, DoctorOptions, Severity, examine};
use compartment_core::{Contract, DatabaseKind, DatabaseMap, Instance, Placement};
use compartment_testkit::{FaultProxy, TestRedis, run_test};

use super::{codes, deployed, examined, found, pipeline, severity};

/// `jobs` on one URL at index 1, `mail` on another at `index`.
fn two(first: &str, second: &str, index: u32) -> DatabaseMap {
    let at = |instance: &str, index| Placement::Index { instance: instance.into(), index };
    DatabaseMap::builder()
        .instance("one", Instance::new(first).unwrap())
        .instance("two", Instance::new(second).unwrap())
        .database(Contract::new("jobs", DatabaseKind::Durable).placement(at("one", 1)))
        .database(Contract::new("mail", DatabaseKind::Durable).placement(at("two", index)))
        .build()
        .unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn two_instances_that_are_one_server_are_found_by_its_own_name() {
    run_test(async {
        let (server, other) = (TestRedis::start().await, TestRedis::start().await);
        let by_name = format!("redis://localhost:{}", server.port());
        let examination = examined(&two(&server.url(), &by_name, 1)).await;
        let finding = found(&examination, Code::PlaceShared);
        assert_eq!(
            (finding.databases.join(","), finding.severity),
            ("jobs,mail".into(), Severity::Critical)
        );

        let examination = examined(&two(&server.url(), &by_name, 2)).await;
        assert_eq!(severity(&examination, Code::ServerShared), Severity::Notice);
        assert!(!codes(&examination).contains(&Code::PlaceShared));

        let apart = codes(&examined(&two(&server.url(), &other.url(), 1)).await);
        assert!(!apart.contains(&Code::PlaceShared) && !apart.contains(&Code::ServerShared));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn servers_that_hide_their_name_are_told_apart_by_a_canary_only() {
    run_test(async {
        let server = TestRedis::builder()
            .acl_user("quiet", "pw", "~* &* +@all -info -@dangerous")
            .start()
            .await;
        let url = server.url_with_user("quiet", "pw");
        let by_name = url.replace("127.0.0.1", "localhost");
        let map = two(&url, &by_name, 1);
        let reads = examined(&map).await;
        assert!(!codes(&reads).contains(&Code::PlaceShared), "{reads:#?}");
        assert!(reads.unknown.iter().any(|part| part.contains("--canary")), "{:?}", reads.unknown);

        let mut options = DoctorOptions::default();
        options.writes_canary = true;
        let wrote = examine(&deployed(&map).await, &options).await;
        found(&wrote, Code::PlaceShared);
        assert_eq!(server.command_in(1, &["DBSIZE"]).await.integer(), Some(0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_ignores_select_is_found_by_its_word_or_by_a_canary() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let map = pipeline(&proxy.url());
        assert!(!codes(&examined(&map).await).contains(&Code::SelectIgnored));
        proxy.rewrite_select();
        let examination = examined(&map).await;
        let finding = found(&examination, Code::SelectIgnored);
        assert_eq!((finding.databases.len(), finding.severity), (6, Severity::Critical));

        // One that does not say which index a session uses.
        proxy.answer_by("CLIENT", "return 'OK'");
        assert!(!codes(&examined(&map).await).contains(&Code::SelectIgnored));
        let mut options = DoctorOptions::default();
        options.writes_canary = true;
        let wrote = examine(&deployed(&map).await, &options).await;
        found(&wrote, Code::SelectIgnored);
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn missing_databases_and_servers_are_found() {
    run_test(async {
        let server = TestRedis::builder().databases(4).start().await;
        let examination = examined(&pipeline(&server.url())).await;
        let finding = found(&examination, Code::TooFewDatabases);
        assert_eq!(finding.databases, ["batch", "metrics"]);
        assert!(finding.cure.starts_with("databases 6 "), "{}", finding.cure);

        let proxy = FaultProxy::start(server.port()).await;
        proxy.refuse().await;
        let examination = examined(&two(&server.url(), &proxy.url(), 2)).await;
        let finding = found(&examination, Code::InstanceUnreachable);
        assert_eq!(
            (finding.instance.as_str(), finding.databases.join(",")),
            ("two", "mail".into())
        );
        assert_eq!((examination.instances, examination.databases), (1, 1));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn old_versions_and_clocks_that_differ_are_found() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let map = pipeline(&proxy.url());
        let examination = examined(&map).await;
        assert!(!codes(&examination).contains(&Code::ClockDiffers), "{examination:#?}");
        let info = server.command(&["INFO", "server"]).await.text();
        let is_old =
            ["7.0", "8.0"].iter().any(|line| info.contains(&format!("redis_version:{line}.")));
        assert_eq!(codes(&examination).contains(&Code::VersionEndOfLife), is_old);

        proxy.clock_ahead(3_600_000);
        let examination = examined(&map).await;
        let finding = found(&examination, Code::ClockDiffers);
        assert!(finding.what.contains("1 h ahead of"), "{}", finding.what);
        // A version of long ago, as a server tells it.
        let told = "return 'redis_version:7.0.4\\r\\nredis_mode:standalone\\r\\nrun_id:abc\\r\\n'";
        proxy.answer_by("INFO", told);
        let examination = examined(&map).await;
        assert_eq!(severity(&examination, Code::VersionEndOfLife), Severity::Notice);
    });
}
