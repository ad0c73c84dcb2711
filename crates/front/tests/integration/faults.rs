//! Cut packets, broken connections, killed servers: no answer goes to another's question, and no write that was
//! acknowledged is lost.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use compartment_testkit::{
    FaultProxy, RespConnection, TestRedis, TestSentinel, eventually, run_test,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{Front, map, shown, talk};

/// Programs that ask at once.
const PROGRAMS: u64 = 8;

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    bytes.into_bytes()
}

/// A generator of numbers that look random: the same at each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Asks several questions at once, in pieces; each answer has to be its own. `None` if the connection broke.
async fn round(stream: &mut TcpStream, program: u64, number: u64, dice: &mut Dice) -> Option<()> {
    let heads = ["job", "page", "lock", "x"];
    let (mut bytes, mut wanted) = (Vec::new(), Vec::new());
    for question in 0..1 + dice.below(6) {
        let key = format!("{}:{program}", heads[usize::try_from(dice.below(4)).unwrap()]);
        let value = format!("{program}-{number}-{question}");
        bytes.extend(request(&["SET", &key, &value, "EX", "1000"]));
        bytes.extend(request(&["GET", &key]));
        wanted
            .extend([b"+OK\r\n".to_vec(), format!("${}\r\n{value}\r\n", value.len()).into_bytes()]);
        if dice.below(5) == 0 {
            bytes.extend(request(&["MGET", &key, "none", "job:none"]));
            wanted
                .push(format!("*3\r\n${}\r\n{value}\r\n$-1\r\n$-1\r\n", value.len()).into_bytes());
        }
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let length = usize::try_from(1 + dice.below(60)).unwrap().min(rest.len());
        let (piece, after) = rest.split_at(length);
        stream.write_all(piece).await.ok()?;
        if dice.below(8) == 0 {
            tokio::task::yield_now().await;
        }
        rest = after;
    }
    for wanted in wanted {
        let mut reply = vec![0; wanted.len()];
        stream.read_exact(&mut reply).await.ok()?;
        // A server of several that was not reached: nothing was executed.
        if reply.starts_with(b"-LOAD") {
            return None;
        }
        assert_eq!(
            String::from_utf8_lossy(&reply),
            String::from_utf8_lossy(&wanted),
            "the answer to another question"
        );
    }
    Some(())
}

/// Programs ask, in so many rounds together, while their ways are cut one after the other. Some rounds break, and not all.
pub(crate) async fn rounds_while_cut(
    port: u16,
    rounds: u64,
    pause: Duration,
    proxies: Vec<FaultProxy>,
) {
    let cuts = Arc::new(AtomicBool::new(true));
    let cutting = {
        let cuts = Arc::clone(&cuts);
        tokio::spawn(async move {
            while cuts.load(Ordering::Relaxed) {
                for proxy in &proxies {
                    tokio::time::sleep(pause).await;
                    proxy.cut();
                }
            }
            proxies
        })
    };
    let broken = Arc::new(AtomicU64::new(0));
    let mut programs = Vec::new();
    for program in 0..PROGRAMS {
        let broken = Arc::clone(&broken);
        programs.push(tokio::spawn(async move {
            let mut dice = Dice(program + 1);
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            for number in 0..rounds / PROGRAMS {
                if round(&mut stream, program, number, &mut dice).await.is_none() {
                    broken.fetch_add(1, Ordering::Relaxed);
                    stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                }
            }
        }));
    }
    for program in programs {
        program.await.unwrap();
    }
    cuts.store(false, Ordering::Relaxed);
    cutting.await.unwrap();
    let broken = broken.load(Ordering::Relaxed);
    assert!(broken > 0 && broken < rounds, "{broken} rounds were cut");
}

#[test]
#[ignore = "needs redis-server"]
fn no_answer_goes_to_another_question_in_ten_thousand_rounds() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.plain_port()).await;
        let front = Front::of(&map(&proxy.url(), "", "")).await;
        // The cuts are the fault; when they come is not what is tested.
        rounds_while_cut(front.port, 10_000, Duration::from_millis(15), vec![proxy]).await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_killed_server_that_comes_back_is_used_again() {
    run_test(async {
        let mut server = TestRedis::builder()
            .config("appendonly", "yes")
            .config("appendfsync", "always")
            .start()
            .await;
        let front = Front::before(&server).await;
        let (port, mut kept) = (front.port, Vec::new());
        for life in 0..3 {
            let mut program = RespConnection::open(port).await.unwrap();
            for number in 0..50 {
                let (key, value) = (format!("job:{life}:{number}"), number.to_string());
                assert_eq!(shown(&program.send(&["SET", &key, &value]).await.unwrap()), "OK");
                kept.push((key, value));
            }
            server.kill();
            // Without its server the program's connection ends, as it would without the front.
            eventually("the connection ends", || async {
                let mut program = RespConnection::open(port).await.unwrap();
                program.send(&["GET", "job:0:0"]).await.is_err()
            })
            .await;
            server.restart().await;
            eventually("the server is used again", || async {
                let mut program = RespConnection::open(port).await.unwrap();
                program.send(&["GET", "job:0:0"]).await.is_ok_and(|reply| !reply.is_error())
            })
            .await;
        }
        let mut program = RespConnection::open(port).await.unwrap();
        for (key, value) in kept {
            assert_eq!(program.send(&["GET", &key]).await.unwrap().text(), value);
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_breaker_of_one_server_leaves_the_others_alone() {
    run_test(async {
        let (server, mut other) = (TestRedis::start().await, TestRedis::start().await);
        let text = map(&server.url(), "", "");
        let text = format!("[instances.second]\nurl = \"{}\"\n{text}", other.url())
            .replace("index = 2\n", "instance = \"second\"\nindex = 2\n");
        let front = Front::of(&text).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "MSET job:1 a page:1 b -> OK
             MGET page:1 job:1 -> [b a]
             SADD job:s a -> 1
             SUNION job:s page:s -> !CROSSSLOT…
             MULTI -> OK
             SET job:1 c -> QUEUED
             SET page:1 c -> !ERR the transaction is on the server…
             EXEC -> !EXECABORT…
             GET job:1 -> a",
        )
        .await;
        other.kill();
        eventually("the other is noticed to be away", || async {
            let mut program = RespConnection::open(front.port).await.unwrap();
            let told = program.send(&["GET", "page:1"]).await;
            told.is_ok_and(|told| told.text().starts_with("LOADING the server \"second\""))
        })
        .await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "SET job:1 z -> OK
             GET page:1 -> !LOADING the server \"second\"…
             GET job:1 -> z
             MGET job:1 page:1 -> !LOADING…",
        )
        .await;
        assert!(
            front.handle.figures().servers.iter().any(|one| one.name == "second" && one.is_away)
        );
        other.restart().await;
        eventually("the other is used again", || async {
            let mut program = RespConnection::open(front.port).await.unwrap();
            program.send(&["GET", "page:1"]).await.is_ok_and(|told| !told.is_error())
        })
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_program_that_takes_no_replies_holds_up_nobody() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::of(&map(&server.url(), "max_output = \"8MB\"", "")).await;
        let mut program = front.connect().await;
        let long = vec![b'x'; 4 << 20];
        assert_eq!(
            shown(&program.send(&[b"SET".as_slice(), b"job:long", &long]).await.unwrap()),
            "OK"
        );
        let mut slow = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        for _ in 0..50 {
            slow.write_all(&request(&["GET", "job:long"])).await.unwrap();
        }
        for number in 0..200 {
            let value = number.to_string();
            let asked = async {
                program.send(&["SET", "job:1", &value]).await.unwrap();
                program.send(&["GET", "job:1"]).await.unwrap().text()
            };
            let answered = tokio::time::timeout(Duration::from_secs(5), asked).await;
            assert_eq!(answered.unwrap(), value);
        }
        drop(slow);
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_new_master_of_sentinel_is_followed() {
    run_test(async {
        let mut sentinel = TestSentinel::start().await;
        let front = Front::of(&map(&sentinel.url(), "", "")).await;
        let mut program = front.connect().await;
        talk(&mut program, "SET job:1 a -> OK\nGET job:1 -> a").await;
        sentinel.kill_master().await;
        let port = front.port;
        eventually("the new master is used", || async {
            let Ok(mut program) = RespConnection::open(port).await else { return false };
            program.send(&["SET", "job:2", "b"]).await.is_ok_and(|reply| reply.text() == "OK")
        })
        .await;
        let mut program = front.connect().await;
        talk(&mut program, "GET job:2 -> b\nMULTI -> OK\nGET job:2 -> QUEUED\nEXEC -> [b]").await;
        front.stop().await;
    });
}
