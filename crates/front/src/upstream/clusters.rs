//! The clusters of a front: which node has a slot, and what happens when that changes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use compartment_redis::{SLOTS, read_slots};

use super::cluster::{Cluster, NOWHERE};
use super::once::asked_once;
use super::servers::{NODES, Node, One, Servers};

/// The most bytes of an answer to CLUSTER SLOTS.
const MOST: usize = 16 << 20;
/// The most nodes of all clusters, over the life of a front.
const MAX_NODES: usize = 65_536;
/// So long a program waits until the slots are known for the first time: its other servers may be there.
const FIRST: Duration = Duration::from_secs(1);
/// The pause between two questions for the slots.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause after no node has answered.
const LATER: Duration = Duration::from_millis(500);
/// Bytes of requests to clusters that may be kept at once, before programs wait for replies.
const KEPT: usize = 64 << 20;

impl Servers {
    /// The cluster of an instance. Its slots are asked for when it is used first.
    pub(crate) fn cluster(self: &Rc<Self>, instance: usize) -> Rc<Cluster> {
        if let Some(Some(cluster)) = self.clusters.borrow().get(instance) {
            return Rc::clone(cluster);
        }
        let cluster = Rc::new(Cluster::new(instance));
        let mut clusters = self.clusters.borrow_mut();
        if clusters.len() <= instance {
            clusters.resize(instance + 1, None);
        }
        clusters[instance] = Some(Rc::clone(&cluster));
        drop(clusters);
        self.look_again(instance);
        cluster
    }

    /// The number of the node that has a slot; without one, of any node that is there.
    pub(crate) fn node_of(self: &Rc<Self>, instance: usize, slot: u16) -> usize {
        let cluster = self.cluster(instance);
        if slot < SLOTS {
            let master = cluster.master(slot);
            if master == NOWHERE {
                self.look_again(instance);
            }
            return master;
        }
        let masters = cluster.masters();
        let is_there = |(number, _): &&(usize, u16)| {
            self.one(*number).is_some_and(|one| !one.is_looked_for.get())
        };
        let any = masters.iter().find(is_there).or(masters.first());
        any.map_or(NOWHERE, |(number, _)| *number)
    }

    /// A slot of each master of a cluster, in an order that stays while the masters do: cursors depend on it.
    pub(crate) fn slot_of_each(self: &Rc<Self>, instance: usize) -> Vec<u16> {
        let mut masters = self.cluster(instance).masters();
        masters.sort_by_cached_key(|(number, _)| self.address(*number));
        masters.into_iter().map(|(_, slot)| slot).collect()
    }

    /// Waits until the slots of a cluster are known, or cannot be known now.
    pub(crate) async fn slots_read(self: &Rc<Self>, instance: usize) {
        let cluster = self.cluster(instance);
        if cluster.is_read() || *cluster.reads.borrow() > 0 {
            return;
        }
        let mut reads = cluster.reads.subscribe();
        self.look_again(instance);
        // The sender lives as long as the cluster.
        let _ = tokio::time::timeout(FIRST, reads.changed()).await;
    }

    /// How often something has changed in a cluster: a program waits for its replies before it goes on then.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    pub(super) fn changed(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    /// Counts bytes of requests that are kept.
    pub(super) fn weigh(&self, bytes: isize) {
        self.kept.set(self.kept.get().saturating_add_signed(bytes));
    }

    /// Whether so much is kept that programs have to wait for replies.
    pub(crate) fn keeps_much(&self) -> bool {
        self.kept.get() > KEPT
    }

    /// The address of a node, as `host:port`.
    pub(crate) fn address(&self, number: usize) -> String {
        let one = self.one(number);
        one.and_then(|one| one.node.as_ref().map(|node| node.address.clone())).unwrap_or_default()
    }

    /// A node says that a slot is at this address. Returns the number of the node there.
    pub(crate) fn moved(self: &Rc<Self>, instance: usize, slot: u16, address: &str) -> usize {
        let cluster = self.cluster(instance);
        let node = self.node(&cluster, address);
        if cluster.master(slot) != node {
            cluster.set_master(slot, node);
            // What is on its way to the former master may come back, and comes before what follows it.
            self.changed();
        }
        self.look_again(instance);
        node
    }

    /// A node says that a slot is on its way to this address. Returns the number of the node there.
    pub(crate) fn asks(self: &Rc<Self>, instance: usize, address: &str) -> usize {
        self.node(&self.cluster(instance), address)
    }

    fn node(&self, cluster: &Cluster, address: &str) -> usize {
        if let Some(number) = cluster.nodes.borrow().get(address) {
            return *number;
        }
        let mut nodes = self.nodes.borrow_mut();
        let of = self.servers.borrow().get(cluster.instance).map(Rc::clone);
        let (Some(of), true) = (of, nodes.len() < MAX_NODES) else { return NOWHERE };
        let node = Node { address: address.to_owned(), instance: cluster.instance };
        let name = format!("{} ({address})", of.name);
        nodes.push(Some(Rc::new(One::new(name, of.server.clone(), Some(node)))));
        let number = NODES + nodes.len() - 1;
        cluster.nodes.borrow_mut().insert(address.to_owned(), number);
        number
    }

    /// Asks for the slots of a cluster, in the background.
    pub(crate) fn look_again(self: &Rc<Self>, instance: usize) {
        let Some(Some(cluster)) = self.clusters.borrow().get(instance).cloned() else { return };
        if cluster.is_reading.replace(true) {
            cluster.reads_again.set(true);
            return;
        }
        let servers = Rc::clone(self);
        tokio::task::spawn_local(async move {
            loop {
                cluster.reads_again.set(false);
                let is_read = servers.read(&cluster).await;
                cluster.reads.send_modify(|reads| *reads += 1);
                tokio::time::sleep(if is_read { PAUSE } else { LATER }).await;
                if !cluster.reads_again.get() {
                    break;
                }
            }
            cluster.is_reading.set(false);
        });
    }

    /// Asks one node after the other, first those that answered last time; whether one has answered.
    async fn read(&self, cluster: &Rc<Cluster>) -> bool {
        let of = self.servers.borrow().get(cluster.instance).map(Rc::clone);
        let Some(of) = of else { return false };
        let mut addresses: Vec<String> = Vec::new();
        let masters = cluster.masters().into_iter();
        let known = masters.filter_map(|(number, _)| self.one(number));
        let (away, there): (Vec<_>, Vec<_>) = known.partition(|one| one.is_looked_for.get());
        let of_nodes = |list: Vec<Rc<One>>| {
            list.into_iter()
                .filter_map(|one| one.node.as_ref().map(|node| node.address.clone()))
                .collect::<Vec<_>>()
        };
        addresses.extend(of_nodes(there));
        addresses.extend(of.server.url.addresses().map(|(host, port)| format!("{host}:{port}")));
        addresses.extend(of_nodes(away));
        let mut asked: Vec<String> = Vec::new();
        for address in addresses {
            if asked.contains(&address) {
                continue;
            }
            // Boxed: opening a connection is a large future.
            let words = [b"CLUSTER".as_slice(), b"SLOTS"];
            let answer = Box::pin(asked_once(&of.server, Some(&address), &words, MOST)).await;
            match answer.and_then(|answer| read_slots(&answer, &address)) {
                Ok(ranges) if !ranges.is_empty() => {
                    let ranges = ranges.iter().map(|r| (r.first, r.last, r.master.as_str()));
                    self.take_slots(cluster, ranges);
                    return true;
                }
                Ok(_) => tracing::warn!(node = address, "the node knows of no slots"),
                Err(error) => tracing::warn!(node = address, "{error}"),
            }
            asked.push(address);
        }
        false
    }

    fn take_slots<'a>(
        &self,
        cluster: &Rc<Cluster>,
        ranges: impl Iterator<Item = (u16, u16, &'a str)>,
    ) {
        let is_of_now = self
            .clusters
            .borrow()
            .get(cluster.instance)
            .is_some_and(|now| now.as_ref().is_some_and(|now| Rc::ptr_eq(now, cluster)));
        if !is_of_now {
            return;
        }
        let mut slots = vec![NOWHERE; usize::from(SLOTS)];
        for (first, last, address) in ranges {
            let node = self.node(cluster, address);
            let range = usize::from(first)..=usize::from(last.min(SLOTS - 1));
            if let Some(range) = slots.get_mut(range) {
                range.fill(node);
            }
        }
        if cluster.set(slots) {
            self.changed();
        }
        let masters = cluster.masters();
        let known: BTreeMap<String, usize> = std::mem::take(&mut *cluster.nodes.borrow_mut());
        let is_master = |number: &usize| masters.iter().any(|(master, _)| master == number);
        let (here, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            known.into_iter().partition(|(_, number)| is_master(number));
        *cluster.nodes.borrow_mut() = here;
        for number in gone.into_values() {
            self.end_node(number);
        }
    }

    /// Ends the connections to a node that is no master any more: requests on their way are still answered.
    pub(super) fn end_node(&self, number: usize) {
        let Some(one) = self.one(number) else { return };
        self.away.set(&one.name, false);
        if let Some(place) = self.nodes.borrow_mut().get_mut(number.wrapping_sub(NODES)) {
            *place = None;
        }
        self.retire(number);
    }

    /// Forgets the cluster of an instance, and its nodes.
    pub(super) fn end_cluster(&self, instance: usize) {
        let cluster = self.clusters.borrow_mut().get_mut(instance).and_then(Option::take);
        let Some(cluster) = cluster else { return };
        for number in std::mem::take(&mut *cluster.nodes.borrow_mut()).into_values() {
            self.end_node(number);
        }
    }
}
