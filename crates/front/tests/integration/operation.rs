//! Logins, TLS, limits, another configuration while programs are connected, and the end.

use compartment_front::{Endpoint, Passwords};
use compartment_testkit::{RespConnection, TestRedis, eventually, run_test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::fixture::{Front, map, setup, talk};

#[test]
#[ignore = "needs redis-server"]
fn the_server_decides_what_a_login_may() {
    run_test(async {
        let server = TestRedis::builder()
            .password("front")
            .acl_user("reader", "secret", "~* &* +@read +ping +select +hello +auth")
            .start()
            .await;
        let front = Front::of(&map(&server.url_with_user("default", "front"), "", "")).await;
        let (mut program, mut other) = (front.connect().await, front.connect().await);
        talk(
            &mut program,
            "PING -> !NOAUTH…
             SELECT 1 -> !NOAUTH…
             SET job:1 a -> !NOAUTH…
             MULTI -> !NOAUTH…
             AUTH wrong -> !WRONGPASS…
             AUTH front -> OK
             SET job:1 a -> OK
             SELECT 1 -> OK",
        )
        .await;
        talk(
            &mut other,
            "HELLO 2 AUTH reader secret SETNAME tester -> [server redis version…
             CLIENT GETNAME -> tester
             GET job:1 -> a
             SET job:1 b -> !NOPERM…
             FLUSHDB -> !NOPERM…",
        )
        .await;
        let mut third = front.connect().await;
        talk(&mut third, "GET job:1 -> !NOAUTH…").await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_front_can_have_users_of_its_own() {
    run_test(async {
        let server = TestRedis::builder().password("front").start().await;
        let users = "login = \"own\"\nuser = [{ name = \"app\", password_env = \"APP\" }]\n";
        let text = map(
            &server.url_with_user("default", "front"),
            users,
            "\n[[front.route]]\nname = \"by-user\"\nto = \"sessions\"\nusers = [\"app\"]\nselect = [2]\n",
        );
        let passwords = Passwords::new([("app".to_owned(), "secret".to_owned())]);
        let front = Front::with(setup(&text, passwords)).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "GET job:1 -> !NOAUTH…
             AUTH app wrong -> !WRONGPASS…
             AUTH app secret -> OK
             SET job:1 a -> OK
             GET job:1 -> a
             SELECT 2 -> OK
             SET job:1 s -> OK
             RESET -> RESET
             GET job:1 -> !NOAUTH…",
        )
        .await;
        assert_eq!(server.command_in(4, &["GET", "job:1"]).await.text(), "s");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn another_configuration_is_taken_on_without_losing_a_connection() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(&mut program, "SET job:1 a -> OK\nSET new:1 a -> OK").await;
        let more = "\n[[front.route]]\nname = \"new\"\nto = \"sessions\"\nkeys = [\"new:*\"]\n";
        let changed = setup(&map(&server.url(), "", more), Passwords::default());
        front.handle.reconfigure(changed).await.unwrap();
        eventually("the route is in use", || async {
            let mut other = front.connect().await;
            other
                .send(&["GET", "new:1"])
                .await
                .is_ok_and(|reply| reply == compartment_testkit::Reply::Nil)
        })
        .await;
        talk(&mut program, "GET job:1 -> a\nGET new:1 -> (nil)\nSET new:1 b -> OK").await;
        assert_eq!(server.command_in(4, &["GET", "new:1"]).await.text(), "b");
        // What was counted before is counted under its own names: a database that comes first now is another number.
        let more = "\n[databases.aaa]\nkind = \"durable\"\nindex = 6\n\n[[front.route]]\nto = \"aaa\"\nkeys = [\"new:*\"]\n";
        let before = front.handle.figures();
        let changed = setup(
            &map(&server.url(), "", more).replace("index = 1\n", "index = 7\n"),
            Passwords::default(),
        );
        front.handle.reconfigure(changed).await.unwrap();
        let after = front.handle.figures();
        assert_eq!(before.databases, after.databases);
        assert_eq!(before.databases["sessions"].commands["set"].operations, 1);
        eventually("the database is used", || async {
            let mut other = front.connect().await;
            other.send(&["SET", "new:1", "c"]).await.is_ok()
                && front.handle.figures().databases.contains_key("aaa")
        })
        .await;
        assert_eq!(front.handle.figures().databases["sessions"].commands["set"].operations, 1);
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn programs_beyond_the_limit_are_told_so() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::of(&map(&server.url(), "clients = 2", "")).await;
        let (mut first, mut second) = (front.connect().await, front.connect().await);
        talk(&mut first, "PING -> PONG").await;
        talk(&mut second, "PING -> PONG").await;
        let mut third = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        let mut told = String::new();
        third.read_to_string(&mut told).await.unwrap();
        assert_eq!(told, "-ERR max number of clients reached\r\n");
        drop(second);
        eventually("there is room again", || async {
            let mut next = front.connect().await;
            next.send(&["PING"]).await.is_ok()
        })
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn garbage_gets_the_server_s_own_error_and_ends() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        for (bytes, wanted) in [
            ("*1\r\nPING\r\n", "-ERR Protocol error: expected '$', got 'P'\r\n"),
            ("*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("*1\r\n$999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            (
                "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                "-ERR wrong number of arguments for 'get' command\r\n",
            ),
        ] {
            let mut stream = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut told = String::new();
            stream.read_to_string(&mut told).await.unwrap();
            assert_eq!(told, wanted);
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn programs_get_the_replies_on_their_way_when_it_stops() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("front.sock");
        let listen = format!("[\"127.0.0.1:0\", \"unix:{}\"]", path.display());
        let text = map(&server.url(), "", "").replace("[\"127.0.0.1:0\"]", &listen);
        let front = Front::of(&text).await;
        let endpoint = Endpoint::bind("127.0.0.1:0").await.unwrap();
        let probed = endpoint.address().unwrap();
        tokio::spawn(endpoint.run(front.handle.clone()));
        let mut near = UnixStream::connect(&path).await.unwrap();
        near.write_all(b"SET job:1 a\r\n").await.unwrap();
        let mut reply = [0; 5];
        near.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"+OK\r\n");
        let mut probe = TcpStream::connect(probed).await.unwrap();
        probe
            .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut told = String::new();
        probe.read_to_string(&mut told).await.unwrap();
        assert!(
            told.starts_with("HTTP/1.1 200 OK") && told.contains("\"status\":\"ok\""),
            "{told}"
        );
        front.stop().await;
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty() && !path.exists());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn programs_connect_over_tls_and_the_front_to_its_servers() {
    run_test(async {
        let server = TestRedis::builder().tls().start().await;
        let files = server.certificates().unwrap();
        let tls = format!(
            "[front.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            files.server_certificate.display(),
            files.server_key.display()
        );
        let text = map(&server.url(), "", &format!("\n{tls}"));
        let text = text.replace(
            &format!("url = \"{}\"", server.url()),
            &format!("url = \"{}\"\ntls_ca = \"{}\"", server.url(), files.ca.display()),
        );
        let front = Front::of(&text).await;
        let mut refused = RespConnection::open(front.port).await.unwrap();
        assert!(refused.send(&["PING"]).await.is_err(), "without TLS nothing is answered");
        let output = std::process::Command::new("redis-cli")
            .args(["-p", &front.port.to_string(), "--tls", "--cacert"])
            .arg(&files.ca)
            .args(["SET", "job:1", "over tls"])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "OK\n");
        front.stop().await;
    });
}
