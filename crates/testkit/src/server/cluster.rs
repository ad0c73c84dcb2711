//! A cluster of three masters for a single test.

use std::time::Duration;

use super::process::{Process, free_port};
use super::test_redis::pass_time;
use crate::{Reply, eventually};

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// Three masters without replicas; killed when dropped.
#[derive(Debug)]
pub struct TestCluster {
    masters: Vec<Process>,
}

impl TestCluster {
    /// Starts the masters and waits until each reports a complete cluster.
    ///
    /// # Panics
    /// If there is no redis-server, or the cluster does not form.
    pub async fn start() -> Self {
        let mut masters = Vec::with_capacity(MASTERS);
        for number in 0..MASTERS {
            // The bus port has to be set: its default, the port plus 10,000, can be out of range.
            let process = Process::start(false, None, |_| {
                format!(
                    "save \"\"\nappendonly no\ncluster-enabled yes\ncluster-port {}\n\
                     cluster-node-timeout 5000\n",
                    free_port()
                )
            })
            .await;
            let (first, last) = (number * SLOTS / MASTERS, (number + 1) * SLOTS / MASTERS - 1);
            let slots = [first.to_string(), last.to_string()];
            let added = process.command(&["CLUSTER", "ADDSLOTSRANGE", &slots[0], &slots[1]]).await;
            assert!(!added.is_error(), "{added:?}");
            // Without different epochs, the masters would first have to resolve the conflict.
            let epoch = (number + 1).to_string();
            let set = process.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            assert!(!set.is_error(), "{set:?}");
            masters.push(process);
        }
        let cluster = Self { masters };
        cluster.bring_together().await;
        cluster
    }

    async fn bring_together(&self) {
        let first = &self.masters[0];
        let mut bus_ports = Vec::new();
        for master in &self.masters {
            let reply = master.command(&["CONFIG", "GET", "cluster-port"]).await;
            bus_ports.push(reply.array()[1].text());
        }
        for (master, bus_port) in self.masters.iter().zip(&bus_ports).skip(1) {
            let port = master.port.to_string();
            let met = first.command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus_port]).await;
            assert!(!met.is_error(), "{met:?}");
        }
        for master in &self.masters {
            eventually("the cluster is whole", || async {
                let info = master.command(&["CLUSTER", "INFO"]).await.text();
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
            .await;
        }
    }

    /// The URL with every master.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.masters.iter().map(|master| format!("127.0.0.1:{}", master.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The ports of the masters.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.masters.iter().map(|master| master.port).collect()
    }

    /// Sends a command to one master, counted from 0, and returns its answer.
    ///
    /// # Panics
    /// If there is no such master, or it does not answer.
    pub async fn command<A: AsRef<[u8]>>(&self, master: usize, command: &[A]) -> Reply {
        self.masters[master].command(command).await
    }

    /// Lets `by` pass for every key, like [`crate::TestRedis::pass_time`].
    ///
    /// # Panics
    /// If a master does not answer.
    pub async fn pass_time(&self, by: Duration) {
        for master in &self.masters {
            let mut connection = master.connect().await.expect("the master takes connections");
            pass_time(&mut connection, by).await;
        }
    }

    /// Kills one master, counted from 0, like a crash.
    ///
    /// # Panics
    /// If there is no such master.
    pub fn kill(&mut self, master: usize) {
        self.masters[master].kill();
    }

    /// Restarts a master, with its slots and without its keys.
    ///
    /// # Panics
    /// If there is no such master, or it does not start.
    pub async fn restart(&mut self, master: usize) {
        self.masters[master].restart().await;
    }
}
