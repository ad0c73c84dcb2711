//! The servers for tests: they start, work, and end when their handles are dropped.

use std::time::{Duration, Instant};

use compartment_testkit::{
    FaultProxy, NotRedis, Reply, RespConnection, TestCluster, TestRedis, TestSentinel, run_test,
};

fn ok() -> Reply {
    Reply::Bytes(b"OK".to_vec())
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_starts_restarts_and_goes_with_its_handle() {
    run_test(async {
        let mut server =
            TestRedis::builder().databases(20).config("maxmemory", "20mb").start().await;
        let (port, folder) = (server.port(), server.folder());
        assert_eq!(server.command_in(19, &["SET", "a", "1"]).await, ok());
        assert_eq!(server.command(&["GET", "a"]).await, Reply::Nil);
        let limit = server.command(&["CONFIG", "GET", "maxmemory"]).await;
        assert_eq!(limit.array()[1].text(), "20971520");
        assert!(server.command(&["NONSENSE"]).await.is_error());
        server.kill();
        assert!(RespConnection::open(port).await.is_err());
        server.restart().await;
        assert_eq!(server.port(), port);
        assert_eq!(server.command_in(19, &["GET", "a"]).await, Reply::Nil, "nothing is kept");
        drop(server);
        assert!(RespConnection::open(port).await.is_err());
        assert!(!folder.exists());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_paused_server_answers_when_it_goes_on() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut connection = server.connect().await;
        server.pause();
        let ping = connection.send(&["PING"]);
        assert!(tokio::time::timeout(Duration::from_millis(50), ping).await.is_err());
        server.resume();
        assert_eq!(server.command(&["SET", "a", "1"]).await, ok());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn users_and_passwords_are_asked_for() {
    run_test(async {
        let server = TestRedis::builder()
            .password("pw")
            .acl_user("bob", "b", "~b:* +get +ping")
            .start()
            .await;
        assert_eq!(server.command(&["SET", "b:1", "1"]).await, ok());
        assert_eq!(server.url(), format!("redis://:pw@127.0.0.1:{}", server.port()));
        let mut stranger = RespConnection::open(server.port()).await.unwrap();
        assert!(stranger.send(&["GET", "b:1"]).await.unwrap().text().starts_with("NOAUTH"));
        assert_eq!(stranger.send(&["AUTH", "bob", "b"]).await.unwrap(), ok());
        assert_eq!(stranger.send(&["GET", "b:1"]).await.unwrap().text(), "1");
        assert!(stranger.send(&["GET", "a"]).await.unwrap().text().starts_with("NOPERM"));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_with_tls_has_its_certificates() {
    run_test(async {
        let server = TestRedis::builder().tls_with_client_certificates().start().await;
        assert!(server.url().starts_with("rediss://localhost:"));
        let files = server.certificates().unwrap();
        let ask = |with_certificate: bool| {
            let mut command = std::process::Command::new("redis-cli");
            command.args(["-h", "localhost", "-p", &server.port().to_string(), "--tls"]);
            command.arg("--cacert").arg(&files.ca);
            if with_certificate {
                command.arg("--cert").arg(&files.client_certificate);
                command.arg("--key").arg(&files.client_key);
            }
            command.arg("PING").output().unwrap()
        };
        assert_eq!(ask(true).stdout, b"PONG\n");
        assert_ne!(ask(false).stdout, b"PONG\n");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn time_passes_for_every_key_of_every_database() {
    run_test(async {
        let server = TestRedis::start().await;
        for index in [0, 9] {
            for i in 0..500 {
                let key = format!("minute {i}");
                server.command_in(index, &["SET", &key, "1", "EX", "60"]).await;
                if i == 9 {
                    break;
                }
            }
            server.command_in(index, &["SET", "for ever", "1"]).await;
            server.command_in(index, &["SET", "hour", "1", "EX", "3600"]).await;
        }
        server.pass_time(Duration::from_secs(50)).await;
        for index in [0, 9] {
            let left = server.command_in(index, &["PTTL", "minute 3"]).await.integer().unwrap();
            assert!((1..=10_000).contains(&left), "{left}");
        }
        server.pass_time(Duration::from_secs(10)).await;
        for index in [0, 9] {
            assert_eq!(server.command_in(index, &["DBSIZE"]).await, Reply::Integer(2));
            assert_eq!(server.command_in(index, &["PTTL", "for ever"]).await, Reply::Integer(-1));
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_comes_together() {
    run_test(async {
        let mut cluster = TestCluster::start().await;
        assert_eq!(cluster.ports().len(), 3);
        assert!(cluster.url().starts_with("redis+cluster://127.0.0.1:"));
        let mut answered = 0;
        for master in 0..3 {
            let set = cluster.command(master, &["SET", "a", "1", "EX", "60"]).await;
            answered += i32::from(set == ok());
            assert!(set == ok() || set.text().starts_with("MOVED"), "{set:?}");
        }
        assert_eq!(answered, 1);
        cluster.pass_time(Duration::from_secs(60)).await;
        for master in 0..3 {
            assert_eq!(cluster.command(master, &["DBSIZE"]).await, Reply::Integer(0));
        }
        cluster.kill(1);
        cluster.restart(1).await;
        assert_eq!(cluster.command(1, &["PING"]).await.text(), "PONG");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn sentinel_fails_over() {
    run_test(async {
        let mut group = TestSentinel::start().await;
        let first = group.master_port().await;
        assert_eq!(group.command(&["SET", "a", "1"]).await, ok());
        group.fail_over().await;
        let second = group.master_port().await;
        assert_ne!(first, second);
        assert_eq!(group.command(&["GET", "a"]).await.text(), "1");
        group.kill_master().await;
        assert_eq!(group.master_port().await, first);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_proxy_cuts_refuses_delays_and_rewrites() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let mut connection = RespConnection::open(proxy.port()).await.unwrap();
        assert_eq!(connection.send(&["SET", "a", "1"]).await.unwrap(), ok());
        proxy.cut();
        assert!(connection.send(&["GET", "a"]).await.is_err());

        let mut connection = RespConnection::open(proxy.port()).await.unwrap();
        connection.send(&["PING"]).await.unwrap();
        proxy.refuse().await;
        assert_eq!(connection.send(&["GET", "a"]).await.unwrap().text(), "1", "an old one lives");
        assert!(RespConnection::open(proxy.port()).await.is_err());
        proxy.heal().await;

        proxy.delay(Duration::from_millis(40));
        let began = Instant::now();
        connection.send(&["GET", "a"]).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(80), "both ways");
        proxy.heal().await;

        proxy.rewrite_select();
        connection.send(&["SELECT", "5"]).await.unwrap();
        assert_eq!(connection.send(&["GET", "a"]).await.unwrap().text(), "1");
        assert!(proxy.accepted() >= 2);
    });
}

#[test]
fn a_stranger_answers_in_http() {
    run_test(async {
        let stranger = NotRedis::start().await;
        let mut connection = RespConnection::open(stranger.port()).await.unwrap();
        let error = connection.send(&["PING"]).await.unwrap_err();
        assert!(error.to_string().contains("unknown"), "{error}");
    });
}
