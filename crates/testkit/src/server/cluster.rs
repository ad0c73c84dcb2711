//! A cluster of three masters for a single test.

use std::time::Duration;

use super::process::{Process, free_port};
use super::program::ServerProgram;
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
        Self::start_on(&ServerProgram::usual(), 1).await
    }

    /// Starts the masters with this program and `databases` numbered databases, which Valkey has in a cluster since
    /// 9.0; for others it is 1.
    ///
    /// # Panics
    /// As [`TestCluster::start`].
    pub async fn start_on(program: &ServerProgram, databases: u32) -> Self {
        let has_bus_port = program.major() >= 7;
        let numbered = match databases {
            1 => String::new(),
            count => format!("cluster-databases {count}\n"),
        };
        let mut masters = Vec::with_capacity(MASTERS);
        for number in 0..MASTERS {
            let process = Process::start_on(program.clone(), false, None, None, |_| {
                // The bus port is set where it can be: its default, the port plus 10,000, can be out of range.
                let bus = match has_bus_port {
                    true => format!("cluster-port {}\n", free_port()),
                    false => String::new(),
                };
                format!(
                    "save \"\"\nappendonly no\ncluster-enabled yes\ncluster-node-timeout 5000\n\
                     {bus}{numbered}"
                )
            })
            .await;
            let slots = number * SLOTS / MASTERS..(number + 1) * SLOTS / MASTERS;
            // `ADDSLOTSRANGE` came with 7.0.
            let mut add = vec!["CLUSTER".to_owned(), "ADDSLOTS".to_owned()];
            add.extend(slots.map(|slot| slot.to_string()));
            let added = process.command(&add).await;
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
            let set = reply.array().get(1).map(Reply::text);
            bus_ports.push(set.unwrap_or_else(|| (master.port + 10_000).to_string()));
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
