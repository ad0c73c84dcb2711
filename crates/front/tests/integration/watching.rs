//! What a program watches stays watched, whatever the front does between WATCH and EXEC.

use compartment_testkit::{TestRedis, run_test};

use crate::fixture::{Front, talk};

/// Each lies in several databases, or in one whose contract wraps it into a transaction of the front.
const BETWEEN: &[&str] = &[
    "MGET job:1 page:1 -> [1 2]",
    "MSET job:2 x page:2 y -> OK",
    "DEL job:2 page:2 -> 0",
    "SET page:3 x -> OK",
    "INCR lock:1 -> 1",
    "FLUSHDB -> OK",
    "EVAL return(redis.call('incr',KEYS[1])) 1 page:4 -> 1",
];

#[test]
#[ignore = "needs redis-server"]
fn nothing_between_watch_and_exec_ends_the_watch() {
    run_test(async {
        for between in BETWEEN {
            let server = TestRedis::start().await;
            let front = Front::before(&server).await;
            let (mut program, mut other) = (front.connect().await, front.connect().await);
            talk(&mut program, "MSET job:1 1 page:1 2 -> OK\nWATCH job:1 -> OK").await;
            talk(&mut program, between).await;
            talk(&mut other, "SET job:1 another -> OK").await;
            talk(&mut program, "MULTI -> OK\nSET x never -> QUEUED\nEXEC -> (nil)").await;
            talk(&mut program, "EXISTS x -> 0\nGET job:1 -> another").await;

            front.stop().await;
        }
    });
}
