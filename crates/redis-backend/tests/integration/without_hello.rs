//! The suite on a server without `HELLO`, like behind many proxies: the backend uses RESP2.

use compartment_testkit::TestRedis;

use crate::harness::{RedisHarness, Servers};

async fn without_hello() -> RedisHarness {
    let server = TestRedis::builder().config("rename-command", "HELLO \"\"").start().await;
    RedisHarness::on(Servers::Single(server)).await
}

compartment_testkit::conformance_suite!(
    #[ignore = "needs redis-server"]
    => without_hello().await
);
