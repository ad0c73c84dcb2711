//! A slot that moves from one master of a test's cluster to another, key by key, as `redis-cli --cluster reshard` does.

use super::cluster::TestCluster;

/// A slot between two masters. It is at the first one until [`SlotMove::end`].
#[derive(Debug)]
pub struct SlotMove<'a> {
    cluster: &'a TestCluster,
    slot: String,
    from: usize,
    to: usize,
}

impl TestCluster {
    /// Begins to move a slot between two masters, counted from 0. None of its keys has gone yet.
    ///
    /// # Panics
    /// If a master refuses.
    pub async fn begin_move(&self, from: usize, to: usize, slot: u16) -> SlotMove<'_> {
        let moving = SlotMove { cluster: self, slot: slot.to_string(), from, to };
        let (own, other) = (moving.id_of(from).await, moving.id_of(to).await);
        moving.set(to, &["IMPORTING", &own]).await;
        moving.set(from, &["MIGRATING", &other]).await;
        moving
    }
}

impl SlotMove<'_> {
    async fn id_of(&self, master: usize) -> String {
        self.cluster.command(master, &["CLUSTER", "MYID"]).await.text()
    }

    async fn set(&self, master: usize, state: &[&str]) {
        let command = [&["CLUSTER", "SETSLOT", &self.slot], state].concat();
        let set = self.cluster.command(master, &command).await;
        assert!(!set.is_error(), "{set:?}");
    }

    /// Moves one key, over one of its name that is there already.
    ///
    /// # Panics
    /// If the master refuses.
    pub async fn key(&self, name: &str) {
        let port = self.cluster.ports()[self.to].to_string();
        let command = ["MIGRATE", "127.0.0.1", &port, name, "0", "5000", "REPLACE"];
        let moved = self.cluster.command(self.from, &command).await;
        assert!(!moved.is_error(), "{moved:?}");
    }

    /// Moves up to `most` keys; `false` if all have gone.
    ///
    /// # Panics
    /// If the master refuses.
    pub async fn keys(&self, most: u32) -> bool {
        let command = ["CLUSTER", "GETKEYSINSLOT", &self.slot, &most.to_string()];
        let keys = self.cluster.command(self.from, &command).await;
        for key in keys.array() {
            self.key(&key.text()).await;
        }
        !keys.array().is_empty()
    }

    /// Tells every master that the slot is at its new one.
    ///
    /// # Panics
    /// If a master refuses.
    pub async fn end(self) {
        let other = self.id_of(self.to).await;
        let masters = 0..self.cluster.ports().len();
        for master in std::iter::once(self.to).chain(masters.filter(|one| *one != self.to)) {
            self.set(master, &["NODE", &other]).await;
        }
    }
}
