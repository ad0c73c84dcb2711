//! SORT reads keys that it names by patterns only.

use compartment_testkit::{TestRedis, run_test};

use crate::fixture::{Front, talk};

#[test]
#[ignore = "needs redis-server"]
fn patterns_of_sort_are_of_keys_beside_the_sorted_one() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            r#"RPUSH job:l 1 2 -> 2
               MSET job:w1 9 job:w2 3 page:w1 9 page:w2 3 -> OK
               SORT job:l BY job:w* -> [2 1]
               SORT job:l BY nosort GET # GET job:w* -> [1 9 2 3]
               SORT job:l BY page:w* -> !CROSSSLOT the keys of SORT are in several databases: "job:l" is in "jobs", those of the pattern "page:w*" are in "cache"; a route that takes both keeps them in one
               SORT_RO job:l GET other:*->field -> !CROSSSLOT the keys of SORT_RO are in several databases: "job:l" is in "jobs", those of the pattern "other:*->field" are in "rest"; a route that takes both keeps them in one
               SORT job:l BY job:w* STORE job:sorted -> 2
               LRANGE job:sorted 0 -1 -> [2 1]"#,
        )
        .await;
        front.stop().await;
    });
}
