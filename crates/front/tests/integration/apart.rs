//! Programs stay apart: nothing that one does to its connection reaches another, and no request lands elsewhere.

use std::time::Duration;

use compartment_front::Passwords;
use compartment_testkit::{RespConnection, TestRedis, eventually, run_test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{Front, ask, map, setup, shown, talk};

#[test]
#[ignore = "needs redis-server"]
fn a_login_leads_to_the_database_of_its_route() {
    run_test(async {
        let server = TestRedis::builder().password("pw").start().await;
        let front = Front::of(&map(&server.url_with_user("default", "pw"), "", "")).await;
        for _ in 0..3 {
            let mut program = front.connect().await;
            talk(
                &mut program,
                "SET x 1 -> !NOAUTH…
                 AUTH pw -> OK
                 MULTI -> OK
                 SET x 1 -> QUEUED
                 EXEC -> [OK]",
            )
            .await;
        }
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));
        assert_eq!(server.command_in(5, &["GET", "x"]).await.text(), "1");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_user_who_may_not_select_writes_nowhere_else() {
    run_test(async {
        let server = TestRedis::builder()
            .acl_user("client1", "pw", "~* +get +set +ping +auth")
            .start()
            .await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(&mut program, "AUTH client1 pw -> OK\nSET x 1 -> !NOPERM…\nSET job:1 1 -> !NOPERM…")
            .await;
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_transaction_changes_no_connection() {
    run_test(async {
        let server = TestRedis::builder().acl_user("boss", "b", "~* &* +@all").start().await;
        let front = Front::before(&server).await;
        for command in [
            "AUTH boss b",
            "HELLO 3",
            "SUBSCRIBE news",
            "MONITOR",
            "CLIENT REPLY OFF",
            "CLIENT SETNAME me",
            "CLIENT TRACKING ON",
            "CLIENT NO-EVICT ON",
            "CLIENT PAUSE 1",
            "CLIENT KILL TYPE normal",
            "COPY x y DB 9",
            "MOVE x 9",
        ] {
            let (mut program, mut other) = (front.connect().await, front.connect().await);
            talk(&mut program, "MULTI -> OK").await;
            assert!(ask(&mut program, command).await.is_error(), "{command}");
            talk(&mut program, "EXEC -> !EXECABORT…").await;
            talk(
                &mut other,
                "MULTI -> OK
                 ACL WHOAMI -> QUEUED
                 HGETALL none -> QUEUED
                 EXEC -> [default []]",
            )
            .await;
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_program_that_has_gone_takes_no_element() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        for _ in 0..5 {
            let mut gone = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
            gone.write_all(b"BLPOP job:l 0\r\n").await.unwrap();
            eventually("it waits", || async {
                server.command(&["INFO", "clients"]).await.text().contains("blocked_clients:1")
            })
            .await;
            drop(gone);
            eventually("it waits no more", || async {
                server.command(&["INFO", "clients"]).await.text().contains("blocked_clients:0")
            })
            .await;
        }
        let mut program = front.connect().await;
        talk(&mut program, "RPUSH job:l a -> 1\nLLEN job:l -> 1").await;
        // Requests that were sent before the end are executed.
        let mut last = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        last.write_all(
            b"MULTI\r\nSET job:1 a\r\nEXEC\r\nSET x b\r\nSET page:1 c\r\nSET job:2 d\r\n",
        )
        .await
        .unwrap();
        last.shutdown().await.unwrap();
        let mut told = String::new();
        last.read_to_string(&mut told).await.unwrap();
        assert_eq!(told, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn after_another_address_nothing_goes_to_the_old_one() {
    run_test(async {
        let (old, new) = (TestRedis::start().await, TestRedis::start().await);
        let front = Front::before(&old).await;
        let mut waiting = front.connect().await;
        let waited = tokio::spawn(async move { shown(&ask(&mut waiting, "BLPOP job:l 0").await) });
        eventually("it waits", || async {
            old.command(&["INFO", "clients"]).await.text().contains("blocked_clients:1")
        })
        .await;
        front
            .handle
            .reconfigure(setup(&map(&new.url(), "", ""), Passwords::default()))
            .await
            .unwrap();
        old.command_in(1, &["RPUSH", "job:l", "a"]).await;
        assert_eq!(waited.await.unwrap(), "[job:l a]");
        for number in 0..20 {
            let mut program = front.connect().await;
            talk(&mut program, "MULTI -> OK").await;
            assert_eq!(shown(&ask(&mut program, &format!("SET job:{number} a")).await), "QUEUED");
            talk(&mut program, "EXEC -> [OK]").await;
        }
        assert_eq!(new.command_in(1, &["DBSIZE"]).await.integer(), Some(20));
        assert_eq!(old.command_in(1, &["DBSIZE"]).await.integer(), Some(0));
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_a_command_has_copied_is_gone_however_it_ends() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(&mut program, "SADD job:s a -> 1\nSADD page:s old -> 1\nSET page:t 1 -> OK").await;
        let mut words = vec!["SUNION".to_owned(), "job:s".to_owned()];
        words.extend((0..9_000).map(|number| format!("page:{number}")));
        let refused = shown(&program.send(&words).await.unwrap());
        assert!(refused.contains("7,000 arguments"), "{refused}");
        talk(
            &mut program,
            "SUNION job:s page:s page:t -> !WRONGTYPE…
             DEL page:s -> 1
             SADD page:s new -> 1
             SINTER page:s job:s -> []
             SDIFF page:s job:s -> [new]",
        )
        .await;
        for index in 0..6 {
            let names = server.command_in(index, &["KEYS", "compartment*"]).await;
            assert!(names.array().is_empty(), "{names:?}");
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn messages_without_number_reach_a_program_of_the_second_protocol() {
    run_test(async {
        const MESSAGES: usize = 12_000;
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut told = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        told.write_all(b"SUBSCRIBE news\r\n").await.unwrap();
        let mut head = [0; 33];
        told.read_exact(&mut head).await.unwrap();
        let mut publisher = TcpStream::connect(("127.0.0.1", server.plain_port())).await.unwrap();
        let publishing = tokio::spawn(async move {
            publisher.write_all(&b"PUBLISH news hello\r\n".repeat(MESSAGES)).await.unwrap();
            publisher
        });
        let message = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n";
        let mut all = vec![0; message.len() * MESSAGES];
        let reading = tokio::time::timeout(Duration::from_secs(20), told.read_exact(&mut all));
        reading.await.unwrap().unwrap();
        assert!(all.chunks(message.len()).all(|one| one == message));
        drop(publishing.await);
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn who_waits_for_a_lost_connection_is_not_left_waiting() {
    run_test(async {
        let mut server = TestRedis::builder().config("proto-max-bulk-len", "2mb").start().await;
        let front = Front::before(&server).await;
        let long = vec![b'x'; 3 << 20];
        let mut program = front.connect().await;
        let told = program.send(&[b"SET".as_slice(), b"job:long", &long]).await;
        assert!(told.is_err() || told.is_ok_and(|told| told.is_error()));
        let mut programs = Vec::new();
        for command in ["MULTI", "WATCH job:1", "CLIENT ID"] {
            let mut program = front.connect().await;
            assert!(!ask(&mut program, command).await.is_error());
            programs.push(program);
        }
        server.kill();
        server.restart().await;
        for mut program in programs {
            let asked = async {
                let _ = program.send(&["SET", "job:1", "a"]).await;
                program.send(&["EXEC"]).await
            };
            let told = tokio::time::timeout(Duration::from_secs(10), asked).await;
            assert!(told.is_ok_and(|told| told.is_err() || told.is_ok_and(|told| told.is_error())));
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_is_back_is_seen_to_be() {
    run_test(async {
        let mut server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let is_away = || front.handle.figures().servers.iter().any(|one| one.is_away);
        server.kill();
        eventually("it is noticed", || async {
            if let Ok(mut program) = RespConnection::open(front.port).await {
                let _ = program.send(&["GET", "x"]).await;
            }
            is_away()
        })
        .await;
        server.restart().await;
        // Nobody asks for anything.
        eventually("it is seen", || async { !is_away() }).await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn scripts_are_known_to_every_server_of_the_program() {
    run_test(async {
        let (server, other) = (TestRedis::start().await, TestRedis::start().await);
        let text = format!(
            "[instances.second]\nurl = \"{}\"\n{}",
            other.url(),
            map(&server.url(), "", "")
        )
        .replace("index = 2\n", "instance = \"second\"\nindex = 2\n");
        let front = Front::of(&text).await;
        let mut program = front.connect().await;
        let loaded = program.send(&["SCRIPT", "LOAD", "return KEYS[1]"]).await.unwrap().text();
        for key in ["page:1", "job:1"] {
            let reply = program.send(&["EVALSHA", &loaded, "1", key]).await.unwrap();
            assert_eq!(shown(&reply), key);
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_refused_subscription_is_told_in_the_third_protocol() {
    run_test(async {
        let server =
            TestRedis::builder().acl_user("deaf", "pw", "~* +@all resetchannels").start().await;
        let front = Front::before(&server).await;
        let mut program = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        program.write_all(b"AUTH deaf pw\r\nHELLO 3\r\nSUBSCRIBE news\r\nGET x\r\n").await.unwrap();
        let mut told = Vec::new();
        let reading = async {
            while !told.ends_with(b"_\r\n") {
                assert!(
                    program.read_buf(&mut told).await.unwrap() > 0,
                    "{}",
                    String::from_utf8_lossy(&told)
                );
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap();
        assert!(String::from_utf8_lossy(&told).contains("-NOPERM"));
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn programs_that_only_greet_leave_nothing_behind() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        for _ in 0..100 {
            let mut gone = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
            gone.write_all(b"HELLO 3\r\n").await.unwrap();
        }
        eventually("the connections are closed", || async {
            let info = server.command(&["INFO", "clients"]).await.text();
            let count = info.lines().find_map(|line| {
                line.strip_prefix("connected_clients:")?.trim().parse::<u32>().ok()
            });
            front.handle.figures().clients == 0 && count.is_some_and(|count| count <= 80)
        })
        .await;
        front.stop().await;
    });
}
