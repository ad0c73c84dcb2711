//! A master, its replica, and a Sentinel that monitors them.

use std::time::Duration;

use super::process::Process;
use super::test_redis::pass_time;
use crate::{Reply, RespConnection, eventually};

/// The name of the group in Sentinel.
const SERVICE: &str = "main";

/// One master, one replica and one Sentinel with a quorum of one; killed when dropped.
#[derive(Debug)]
pub struct TestSentinel {
    sentinel: Process,
    servers: Vec<Process>,
}

impl TestSentinel {
    /// Starts the three processes and waits until Sentinel knows the replica.
    ///
    /// # Panics
    /// If there is no redis-server, or the group does not form.
    pub async fn start() -> Self {
        let plain = "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n";
        let master = Process::start(false, None, |_| plain.to_owned()).await;
        let replica = Process::start(false, None, |_| {
            format!("{plain}replicaof 127.0.0.1 {}\n", master.port)
        })
        .await;
        eventually("the replica follows its master", || async {
            replica.command(&["INFO", "replication"]).await.text().contains("master_link_status:up")
        })
        .await;
        let sentinel = Process::start(true, None, |_| {
            format!(
                "sentinel monitor {SERVICE} 127.0.0.1 {} 1\n\
                 sentinel down-after-milliseconds {SERVICE} 1000\n\
                 sentinel failover-timeout {SERVICE} 2000\n",
                master.port
            )
        })
        .await;
        let group = Self { sentinel, servers: vec![master, replica] };
        eventually("Sentinel knows a good replica", || async {
            let reply = group.ask("REPLICAS").await;
            let text = reply.text();
            text.contains("master-link-status\nok") && text.contains("flags\nslave\n")
        })
        .await;
        group
    }

    /// The URL with Sentinel's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{SERVICE}", self.sentinel.port)
    }

    /// The port of Sentinel.
    #[must_use]
    pub fn sentinel_port(&self) -> u16 {
        self.sentinel.port
    }

    /// The port of the current master, as reported by Sentinel.
    ///
    /// # Panics
    /// If Sentinel does not answer.
    pub async fn master_port(&self) -> u16 {
        let address = self.ask("GET-MASTER-ADDR-BY-NAME").await;
        address.array()[1].text().parse().expect("a port is a number")
    }

    /// Sends a command to the current master and returns its answer.
    ///
    /// # Panics
    /// If the master does not answer.
    pub async fn command<A: AsRef<[u8]>>(&self, command: &[A]) -> Reply {
        self.connect().await.send(command).await.expect("the master answers")
    }

    async fn connect(&self) -> RespConnection {
        let port = self.master_port().await;
        RespConnection::open(port).await.expect("the master takes connections")
    }

    /// Lets `by` pass for every key, like [`crate::TestRedis::pass_time`].
    ///
    /// # Panics
    /// If the master does not answer.
    pub async fn pass_time(&self, by: Duration) {
        pass_time(&mut self.connect().await, by).await;
    }

    /// Promotes the replica, as an operator would, and waits until Sentinel reports it and the old master replicates
    /// from it.
    ///
    /// # Panics
    /// If the failover does not complete.
    pub async fn fail_over(&self) {
        let before = self.master_port().await;
        eventually("the replica has all that the master has", || async {
            let (first, second) = (self.offset(0).await, self.offset(1).await);
            first == second
        })
        .await;
        eventually("Sentinel starts the fail-over", || async {
            !self.ask("FAILOVER").await.is_error()
        })
        .await;
        self.until_another_than(before).await;
        let old = self.servers.iter().find(|server| server.port == before);
        let old = old.expect("one of two is the master");
        // Sentinel would do this itself after some ten seconds.
        let now = self.master_port().await.to_string();
        let follows = old.command(&["REPLICAOF", "127.0.0.1", &now]).await;
        assert!(!follows.is_error(), "{follows:?}");
        eventually("the old master is a replica", || async {
            old.command(&["INFO", "replication"]).await.text().contains("master_link_status:up")
        })
        .await;
    }

    /// Kills the master, like a crash, and waits until the replica is promoted.
    ///
    /// # Panics
    /// If the failover does not complete.
    pub async fn kill_master(&mut self) {
        let before = self.master_port().await;
        for server in self.servers.iter_mut().filter(|server| server.port == before) {
            server.kill();
        }
        self.until_another_than(before).await;
    }

    async fn until_another_than(&self, before: u16) {
        eventually("Sentinel names another master", || async {
            let now = self.master_port().await;
            now != before && self.command(&["ROLE"]).await.text().starts_with("master")
        })
        .await;
    }

    /// The replication offset of a server.
    async fn offset(&self, server: usize) -> Option<String> {
        let info = self.servers[server].command(&["INFO", "replication"]).await.text();
        info.lines().find_map(|line| line.strip_prefix("master_repl_offset:")).map(str::to_owned)
    }

    async fn ask(&self, what: &str) -> Reply {
        self.sentinel.command(&["SENTINEL", what, SERVICE]).await
    }
}
