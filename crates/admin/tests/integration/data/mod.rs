//! Keys of every type and encoding for tests, and what a server says they are.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test support: a failure here is a failed test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment_admin::{Place, Silent};
use compartment_redis::{RedisConfig, Server};
use compartment_testkit::{Reply, RespConnection, TestRedis};

/// What is known of a key without knowing its value: type, digest, expiry.
pub(crate) type State = BTreeMap<Vec<u8>, (String, String, i64)>;

/// A server whose values can be compared by digest.
pub(crate) async fn server() -> TestRedis {
    TestRedis::builder().debug_command().start().await
}

pub(crate) fn silent() -> Arc<Silent> {
    Arc::new(Silent)
}

/// A place on a test's server, as its default user.
pub(crate) async fn place(server: &TestRedis, index: u32) -> Place {
    place_at(&server.url(), index).await
}

pub(crate) async fn place_at(url: &str, index: u32) -> Place {
    let instance = compartment_core::Instance::new(url).unwrap();
    let server = Server::connect(RedisConfig::for_instance(&instance, 1)).await.unwrap();
    Place::new(format!("index {index}"), server, index)
}

pub(crate) async fn connection(server: &TestRedis, index: u32) -> RespConnection {
    let mut connection = server.connect().await;
    connection.send(&["SELECT", &index.to_string()]).await.unwrap();
    connection
}

/// Sends a line of words as one command and checks that it is taken.
pub(crate) async fn tell(connection: &mut RespConnection, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    let reply = connection.send(&words).await.unwrap();
    assert!(!reply.is_error(), "{line}: {reply:?}");
    reply
}

/// A little of everything that a Redis 7 holds: each type in each encoding, names that are no
/// text, streams with groups and pending entries, a third of them with an expiry.
pub(crate) async fn fill(server: &TestRedis, index: u32) {
    let mut c = connection(server, index).await;
    for i in 0..60 {
        tell(&mut c, &format!("SET text:{i} value-{i}")).await;
        tell(&mut c, &format!("SET number:{i} {i}")).await;
        tell(&mut c, &format!("HSET small:hash:{i} a {i} b x")).await;
        tell(&mut c, &format!("RPUSH small:list:{i} a b {i}")).await;
        tell(&mut c, &format!("SADD ints:{i} 1 2 {i}")).await;
        tell(&mut c, &format!("SADD words:{i} a b {i}")).await;
        tell(&mut c, &format!("ZADD scores:{i} 1.5 a -inf b {i} c")).await;
        tell(&mut c, &format!("XADD events:{i} * kind a number {i}")).await;
    }
    let long = "x".repeat(20_000);
    tell(&mut c, &format!("SET long {long}")).await;
    for from in (0..3_000).step_by(100) {
        let mut hash = "HSET large:hash".to_owned();
        let mut set = "SADD large:set".to_owned();
        let mut sorted = "ZADD large:scores".to_owned();
        let mut list = "RPUSH large:list".to_owned();
        for i in from..from + 100 {
            hash += &format!(" field-{i} value-{i}");
            set += &format!(" member-{i}");
            sorted += &format!(" {i}.25 member-{i}");
            list += &format!(" element-{i}-{}", &long[..100]);
        }
        for line in [hash, set, sorted, list] {
            tell(&mut c, &line).await;
        }
    }
    for i in 1..=300 {
        tell(&mut c, &format!("XADD stream {i}-1 field value-{i}")).await;
    }
    // Counted since 7.0.
    let counted = ["XGROUP", "CREATE", "stream", "workers", "0", "ENTRIESREAD", "0"];
    if c.send(&counted).await.unwrap().is_error() {
        tell(&mut c, "XGROUP CREATE stream workers 0").await;
    }
    tell(&mut c, "XGROUP CREATE stream idle $").await;
    tell(&mut c, "XREADGROUP GROUP workers one COUNT 20 STREAMS stream >").await;
    tell(&mut c, "XREADGROUP GROUP workers two COUNT 10 STREAMS stream >").await;
    tell(&mut c, "XACK stream workers 1-1 2-1").await;
    tell(&mut c, "XDEL stream 300-1 7-1").await;
    tell(&mut c, "PFADD visitors a b c").await;
    let binary: &[&[u8]] =
        &[b"", b"\x00\xff", b"with space", b"line\r\nbreak", b"rk\x06\x16p", "ключ".as_bytes()];
    for name in binary {
        let reply = c.send(&[b"SET".as_slice(), name, b"\x80\x02binary\x00"]).await.unwrap();
        assert!(!reply.is_error());
    }
    let names: Vec<Vec<u8>> = names(&mut c).await;
    for name in names.iter().step_by(3) {
        let reply = c.send(&[b"PEXPIREAT".as_slice(), name, b"4102444800123"]).await.unwrap();
        assert!(!reply.is_error());
    }
}

/// All names, in order.
pub(crate) async fn names(connection: &mut RespConnection) -> Vec<Vec<u8>> {
    let answer = connection.send(&["KEYS", "*"]).await.unwrap();
    let mut names: Vec<Vec<u8>> = answer
        .array()
        .iter()
        .map(|name| match name {
            Reply::Bytes(name) => name.clone(),
            other => panic!("{other:?} is no name"),
        })
        .collect();
    names.sort();
    names
}

/// What a database holds.
pub(crate) async fn state(server: &TestRedis, index: u32) -> State {
    let mut c = connection(server, index).await;
    let mut state = State::new();
    for name in names(&mut c).await {
        let kind = c.send(&[b"TYPE".as_slice(), &name]).await.unwrap().text();
        let digest = c.send(&[b"DEBUG".as_slice(), b"DIGEST-VALUE", &name]).await.unwrap();
        assert!(!digest.is_error(), "{digest:?}");
        let expires = expires_at(&mut c, &name).await;
        state.insert(name, (kind, digest.text(), expires));
    }
    state
}

/// When a key expires. A server before 7.0 tells it only to about a hundredth of a second.
pub(crate) async fn expires_at(connection: &mut RespConnection, name: &[u8]) -> i64 {
    const AT: &str = "local left, time = redis.call('PTTL', KEYS[1]), redis.call('TIME')
        if left < 0 then return left end
        return math.floor((time[1] * 1000 + math.floor(time[2] / 1000) + left + 500) / 1000) * 1000";
    let told = connection.send(&[b"PEXPIRETIME".as_slice(), name]).await.unwrap();
    if let Some(at) = told.integer() {
        return at;
    }
    let told = connection.send(&[b"EVAL".as_slice(), AT.as_bytes(), b"1", name]).await.unwrap();
    told.integer().unwrap()
}
