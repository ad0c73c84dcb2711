//! Connections that send slowly or nothing, and a server of Redis that goes away and comes back.

use compartment_testkit::{eventually, run_test};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::Running;

#[test]
#[ignore = "needs redis-server"]
fn connections_that_send_nothing_keep_nobody_from_being_answered() {
    run_test(async {
        let server = Running::start(|options| options.max_connections = 64).await;
        let mut silent = Vec::new();
        for at in 0..63 {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            if at % 2 == 0 {
                stream.write_all(b"GET /api/look HTTP/1.1\r\nHost:").await.unwrap();
            }
            silent.push(stream);
        }
        assert_eq!(server.get("/api/look").await.status, 200);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn odd_bytes_end_a_connection_and_nothing_else() {
    run_test(async {
        let server = Running::start(|_| ()).await;
        let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(2_000));
        for request in [
            "\r\n\r\n",
            "\0\0\0\0",
            "GET\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &long,
            &many,
        ] {
            let answer = server.send(request).await;
            assert!(
                answer.status == 0 || answer.status >= 400,
                "{}: {:?}",
                answer.status,
                &answer.head
            );
        }
        assert_eq!(server.get("/api/look").await.status, 200);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_goes_away_is_told_and_one_that_comes_back_is_read_again() {
    run_test(async {
        let mut server = Running::start(|_| ()).await;
        server.redis.kill();
        eventually("the loss", || async { server.get("/ready").await.status == 503 }).await;
        let look = server.get("/api/look").await.json();
        assert!(look["stats"]["instances"][0]["problem"].is_string(), "{look}");
        let metrics = server.get("/metrics").await.body;
        assert!(metrics.contains("compartment_instance_up{instance=\"primary\"} 0"), "{metrics}");
        assert_eq!(server.get("/health").await.status, 200);
        server.redis.restart().await;
        eventually("its return", || async { server.get("/ready").await.status == 200 }).await;
    });
}
