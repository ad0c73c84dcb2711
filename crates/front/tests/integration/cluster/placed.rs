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
