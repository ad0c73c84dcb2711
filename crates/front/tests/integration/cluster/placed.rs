//! Configurations with a cluster: beside a single server, with logins, in the dry mode, with numbered databases.

use compartment_front::{FrontServer, Passwords};
use compartment_testkit::{TestCluster, TestRedis, run_test};

use super::{alone, connect, key_of_each};
use crate::fixture::{Front, ask, setup, shown, talk};

/// Jobs on a cluster, the rest on a single server.
fn mixed(cluster: &TestCluster, server: &TestRedis) -> String {
    format!(
        "[instances.primary]\nurl = \"{}\"\n[instances.many]\nurl = \"{}\"\n\
         [databases.rest]\nkind = \"durable\"\nindex = 2\n\
         [databases.jobs]\nkind = \"durable\"\ninstance = \"many\"\nindex = 0\n\
         [front]\nlisten = [\"127.0.0.1:0\"]\ndefault = \"rest\"\n\
         [[front.route]]\nto = \"jobs\"\nkeys = [\"job:*\"]\n",
        server.url(),
        cluster.url()
    )
}

#[test]
#[ignore = "needs redis-server"]
fn one_database_is_on_a_cluster_and_another_on_a_server() {
    run_test(async {
        let (cluster, server) = (TestCluster::start().await, TestRedis::start().await);
        let front = Front::of(&mixed(&cluster, &server)).await;
        let mut program = connect(front.port).await;
        let keys = key_of_each(&cluster, "job:").await;
        let [a, b, c] = [&keys[0], &keys[1], &keys[2]];
        talk(
            &mut program,
            &format!(
                "MSET {a} 1 x 2 {b} 3 y 4 {c} 5 -> OK\nMGET y {c} {b} x {a} -> [4 5 3 2 1]\nDBSIZE -> 5\n\
                 EXISTS {a} x none -> 2\n\
                 SMOVE {a} x y -> !CROSSSLOT the keys of SMOVE are in several databases…\n\
                 MULTI -> OK\nSET x 3 -> QUEUED\nINCR x -> QUEUED\nEXEC -> [OK 4]\n\
                 MULTI -> OK\nSET {a} 3 -> QUEUED\nINCR {a} -> QUEUED\nEXEC -> [OK 4]\n\
                 MULTI -> OK\nSET {a} 3 -> QUEUED\nSET x 3 -> !CROSSSLOT the keys of the transaction…\n\
                 EXEC -> !EXECABORT…\n\
                 WATCH x -> OK\nGET x -> 4\nMULTI -> OK\nSET x 5 -> QUEUED\nEXEC -> [OK]\n\
                 WATCH {a} -> OK\nMULTI -> OK\nSET {a} 5 -> QUEUED\nEXEC -> [OK]\n\
                 WATCH x -> OK\nMULTI -> OK\nDISCARD -> OK\n\
                 LPUSH l x -> 1\nBLPOP l 1 -> [l x]\nLPUSH {{{b}}}l x -> 1\nBLPOP {{{b}}}l 1 -> [{{{b}}}l x]\n\
                 EVAL return{{KEYS[1]}} 1 {a} -> [{a}]\nEVAL return{{KEYS[1]}} 1 x -> [x]\n\
                 SUBSCRIBE n -> [subscribe n 1]\nUNSUBSCRIBE n -> [unsubscribe n 0]\n\
                 SET x 1 -> OK\nSET {a} 1 -> OK\nSET y 2 -> OK\nGET x -> 1"
            ),
        )
        .await;
        assert_eq!(server.command_in(2, &["GET", "x"]).await.text(), "1");
        let figures = front.handle.figures();
        assert!(figures.databases["jobs"].passed.operations > 5);
        let info = ask(&mut program, "INFO keyspace").await.text();
        assert!(info.contains("db0:keys=5,"), "{info}");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_login_is_passed_to_each_node() {
    run_test(async {
        let cluster = TestCluster::start().await;
        for master in 0..3 {
            let user = ["ACL", "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@read", "+ping"];
            let set = cluster.command(master, &user).await;
            assert!(!set.is_error(), "{set:?}");
        }
        let front = Front::of(&alone(&cluster, "")).await;
        let mut program = connect(front.port).await;
        for key in key_of_each(&cluster, "k").await {
            talk(
                &mut program,
                &format!(
                    "AUTH reader wrong -> !WRONGPASS…\nAUTH reader secret -> OK\nSET {key} x -> !NOPERM…\n\
                     GET {key} -> (nil)\nMULTI -> OK\nSET {key} x -> QUEUED\nEXEC -> !EXECABORT…\n\
                     MGET {key} other -> [(nil) (nil)]\nRESET -> RESET\nSET {key} y -> OK\nDEL {key} -> 1"
                ),
            )
            .await;
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_dry_mode_passes_through_to_a_cluster() {
    run_test(async {
        let (cluster, server) = (TestCluster::start().await, TestRedis::start().await);
        let text = mixed(&cluster, &server).replace("default = \"rest\"", "default = \"jobs\"");
        let text =
            text.replace("to = \"jobs\"\nkeys = [\"job:*\"]", "to = \"rest\"\nkeys = [\"x:*\"]");
        let mut observing = setup(&text, Passwords::default());
        observing.observes = true;
        let front = Front::with(observing).await;
        let mut program = connect(front.port).await;
        let keys = key_of_each(&cluster, "job:").await;
        let [a, b, _] = [&keys[0], &keys[1], &keys[2]];
        talk(
            &mut program,
            &format!(
                "MSET {a} 1 {b} 2 x:1 3 -> OK\nMGET {a} x:1 {b} -> [1 3 2]\nRENAME {a} {b} -> !CROSSSLOT…\n\
                 DBSIZE -> 3\nFLUSHDB -> OK\nDBSIZE -> 0"
            ),
        )
        .await;
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));
        let observed = front.handle.figures().observed.unwrap_or_default();
        assert_eq!((observed.split, observed.keys["jobs"], observed.keys["rest"]), (2, 6, 2));
        let refusals = observed.refusals.join("\n");
        assert!(
            refusals.contains("RENAME: its keys are in several slots of a cluster"),
            "{refusals}"
        );
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_previous_place_on_a_cluster_is_refused() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let text = alone(&cluster, "")
            .replace("index = 0\n", "index = 1\nprevious = { index = 0, patterns = [\"x:*\"] }\n");
        let refused = FrontServer::bind(setup(&text, Passwords::default())).await;
        let told = refused.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(
            told.contains("\"all\"") && told.contains("brings no keys from a previous place"),
            "{told}"
        );
    });
}

#[test]
fn an_explanation_names_the_slot() {
    let text = "[instances.primary]\nurl = \"redis+cluster://127.0.0.1:1\"\n[databases.all]\nkind = \"durable\"\n\
                index = 0\n[front]\nlisten = [\"127.0.0.1:0\"]\ndefault = \"all\"\n";
    let setup = setup(text, Passwords::default());
    let told = setup.router.explain(&compartment_front::route::Program::default(), b"123456789");
    assert_eq!(told.place.as_ref().and_then(|place| place.slot), Some(12_739));
    assert!(told.to_string().contains("index 0 of primary, durable, slot 12739"), "{told}");
}

#[test]
#[ignore = "needs redis-server"]
fn another_cluster_takes_the_place_of_one_without_losing_a_connection() {
    run_test(async {
        let (old, new) = (TestCluster::start().await, TestCluster::start().await);
        let front = Front::of(&alone(&old, "")).await;
        let mut program = connect(front.port).await;
        let keys = key_of_each(&old, "k").await;
        for key in &keys {
            talk(&mut program, &format!("SET {key} old -> OK")).await;
        }
        front.handle.reconfigure(setup(&alone(&new, ""), Passwords::default())).await.unwrap();
        compartment_testkit::eventually("the new cluster is used", || async {
            let mut program = connect(front.port).await;
            shown(&ask(&mut program, &format!("GET {}", keys[0])).await) == "(nil)"
        })
        .await;
        for key in &keys {
            talk(&mut program, &format!("GET {key} -> (nil)\nSET {key} new -> OK")).await;
        }
        for (master, key) in keys.iter().enumerate() {
            assert_eq!(old.command(master, &["GET", key]).await.text(), "old");
            assert_eq!(new.command(master, &["GET", key]).await.text(), "new");
        }
        front.stop().await;
    });
}

/// On every version of the servers.
mod versions {
    use compartment_testkit::ServerProgram;

    use super::*;

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
}
