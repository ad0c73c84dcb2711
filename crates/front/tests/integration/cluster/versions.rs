//! Clusters of every version of the servers.

use compartment_testkit::{ServerProgram, TestCluster, run_test};

use super::{alone, connect, key_of_each};
use crate::fixture::{Front, talk};

/// Databases with an index of their own on a cluster of Valkey 9.
fn numbered(cluster: &TestCluster) -> String {
    format!(
        "[instances.primary]\nurl = \"{}\"\n\
         [databases.jobs]\nkind = \"durable\"\nindex = 1\n\
         [databases.cache]\nkind = \"cache\"\nindex = 2\ndefault_ttl = \"1h\"\n\
         [databases.rest]\nkind = \"durable\"\nindex = 3\n\
         [front]\nlisten = [\"127.0.0.1:0\"]\ndefault = \"rest\"\nflush = [\"cache\"]\n\
         [[front.route]]\nto = \"jobs\"\nkeys = [\"job:*\"]\n\
         [[front.route]]\nto = \"cache\"\nkeys = [\"page:*\"]\n",
        cluster.url()
    )
}

#[test]
#[ignore = "needs servers of several versions"]
fn numbered_databases_of_a_cluster_are_apart() {
    run_test(async {
        let program = ServerProgram::named("valkey-9.1");
        let cluster = TestCluster::start_on(&program, &["cluster-databases 16"]).await;
        let front = Front::of(&numbered(&cluster)).await;
        let mut program = connect(front.port).await;
        talk(
            &mut program,
            "MSET job:{t} 1 page:{t} 2 x{t} 3 job:2 4 page:2 5 -> OK\n\
             MGET x{t} page:2 job:{t} page:{t} job:2 -> [3 5 1 2 4]\nTTL page:{t} -> 3600\nTTL page:2 -> 3600\n\
             SET page:3 x -> OK\nLPUSH page:4 x -> 1\nTTL page:4 -> 3600\nDBSIZE -> 7\n\
             MULTI -> OK\nINCR job:{t} -> QUEUED\nINCR page:{t} -> QUEUED\nINCR x{t} -> QUEUED\n\
             EXEC -> [2 3 4]\n\
             WATCH job:{t} page:{t} -> OK\nMULTI -> OK\nINCR page:{t} -> QUEUED\nINCR job:{t} -> QUEUED\n\
             EXEC -> [4 3]\n\
             MULTI -> OK\nMGET job:{t} x{t} -> QUEUED\nEXEC -> [[3 4]]\nGET x{t} -> 4",
        )
        .await;
        let (home, slot) = cluster.home_of("job:{t}").await;
        cluster.move_slots(home, (home + 1) % 3, slot..=slot).await;
        talk(
            &mut program,
            "MGET x{t} page:{t} job:{t} -> [4 4 3]\nINCR page:{t} -> 5\n\
             MULTI -> OK\nINCR job:{t} -> QUEUED\nINCR page:{t} -> QUEUED\nEXEC -> [4 6]\n\
             FLUSHDB -> OK\nDBSIZE -> 3\nMGET x{t} page:{t} job:{t} -> [4 (nil) 4]",
        )
        .await;
        let mut all = 0;
        for master in 0..3 {
            let info = cluster.command(master, &["INFO", "keyspace"]).await.text();
            all += info.matches("db1:").count() + info.matches("db3:").count();
            assert!(!info.contains("db0:") && !info.contains("db2:"), "{info}");
        }
        assert!(all > 1);
        front.stop().await;
    });
}

#[test]
#[ignore = "needs servers of several versions"]
fn a_cluster_of_every_version_is_served() {
    run_test(async {
        for program in ServerProgram::all() {
            let cluster = TestCluster::start_on(&program, &[]).await;
            let front = Front::of(&alone(&cluster, "")).await;
            let mut program = connect(front.port).await;
            for key in key_of_each(&cluster, "k").await {
                talk(
                    &mut program,
                    &format!(
                        "SET {key} 1 -> OK\nINCR {key} -> 2\nMULTI -> OK\nINCR {key} -> QUEUED\nEXEC -> [3]\n\
                         WATCH {key} -> OK\nUNWATCH -> OK\nMGET {key} none other -> [3 (nil) (nil)]\n\
                         EVAL return{{KEYS[1]}} 1 {key} -> [{key}]"
                    ),
                )
                .await;
                let (home, slot) = cluster.home_of(&key).await;
                cluster.move_slots(home, (home + 1) % 3, slot..=slot).await;
                talk(&mut program, &format!("INCR {key} -> 4\nDEL {key} none -> 1")).await;
            }
            talk(&mut program, "DBSIZE -> 0").await;
            front.stop().await;
        }
    });
}
