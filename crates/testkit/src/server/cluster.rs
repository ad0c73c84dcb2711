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
        let program = ServerProgram::usual();
        // Numbered databases where a cluster can have them.
        let numbered = program.is_valkey() && program.major() >= 9;
        let settings: &[&str] = if numbered { &["cluster-databases 16"] } else { &[] };
        Self::start_on(&program, settings).await
    }

    /// Starts the masters with this program and further settings, each a line of redis.conf, for example
    /// `cluster-databases 16`.
    ///
    /// # Panics
    /// As [`TestCluster::start`].
    pub async fn start_on(program: &ServerProgram, settings: &[&str]) -> Self {
        let has_bus_port = program.major() >= 7;
        let settings = settings.join("\n");
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
                     {bus}{settings}\n"
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

    /// The slot of a key, and the master that had it at the start.
    ///
    /// # Panics
    /// If the cluster does not answer.
    pub async fn home_of(&self, key: &str) -> (usize, u16) {
        let slot = self.command(0, &["CLUSTER", "KEYSLOT", key]).await.integer();
        let slot = slot.and_then(|slot| usize::try_from(slot).ok()).expect("a slot is a number");
        let home = (0..MASTERS).rfind(|number| number * SLOTS / MASTERS <= slot).unwrap_or(0);
        (home, u16::try_from(slot).expect("slots are few"))
    }

    /// Moves slots with their keys from one master to another: as `redis-cli --cluster reshard` does, and with
    /// `MIGRATESLOTS` where Valkey has numbered databases, which the former way does not know.
    ///
    /// # Panics
    /// If a master refuses.
    pub async fn move_slots(&self, from: usize, to: usize, slots: std::ops::RangeInclusive<u16>) {
        let numbered = self.command(from, &["CONFIG", "GET", "cluster-databases"]).await;
        if numbered.array().get(1).is_some_and(|count| count.text() != "1") {
            self.migrate_slots(from, to, slots).await;
            return;
        }
        for slot in slots {
            let moving = self.begin_move(from, to, slot).await;
            while moving.keys(100).await {}
            moving.end().await;
            self.agree_on_epoch().await;
        }
    }

    /// Waits until every master knows the newest epoch. One that takes a slot over and does not know that the slot's
    /// former master has a newer epoch than itself would give the slot back to it, while that one has let go of it.
    async fn agree_on_epoch(&self) {
        let epoch = async |master: &Process| {
            let info = master.command(&["CLUSTER", "INFO"]).await.text();
            let line = info.lines().find(|line| line.starts_with("cluster_current_epoch:"));
            line.map(str::to_owned)
        };
        eventually("the masters agree on the epoch", || async {
            let first = epoch(&self.masters[0]).await;
            first.is_some()
                && epoch(&self.masters[1]).await == first
                && epoch(&self.masters[2]).await == first
        })
        .await;
    }

    /// Moves slots at once, with the keys of every numbered database: Valkey 9.
    async fn migrate_slots(&self, from: usize, to: usize, slots: std::ops::RangeInclusive<u16>) {
        let other = self.command(to, &["CLUSTER", "MYID"]).await.text();
        let (first, last) = (slots.start().to_string(), slots.end().to_string());
        let command = ["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", &first, &last, "NODE", &other];
        let begun = self.command(from, &command).await;
        assert!(!begun.is_error(), "{begun:?}");
        eventually("the slots are at their new master", || async {
            let state = self.command(from, &["CLUSTER", "GETSLOTMIGRATIONS"]).await.text();
            state.contains("success")
        })
        .await;
    }

    /// Kills one master, counted from 0, like a crash.
    ///
    /// # Panics
    /// If there is no such master.
    pub fn kill(&mut self, master: usize) {
        self.masters[master].kill();
    }

    /// Restarts a master, with its slots, and without its keys unless it has `appendonly yes`.
    ///
    /// # Panics
    /// If there is no such master, or it does not start.
    pub async fn restart(&mut self, master: usize) {
        self.masters[master].restart().await;
    }
}
