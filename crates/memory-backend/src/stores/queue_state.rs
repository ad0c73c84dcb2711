//! The tasks of one queue, and their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use compartment_core::backend::{LEASES_ENDED_ERROR, TaskRecord};
use compartment_core::{
    Claim, ClaimedTask, DeadTask, FencingToken, NewTask, QueueCounts, Submitted, TaskClass,
    TaskEnds, TaskId, Timestamp,
};

/// Milliseconds since the epoch.
type Millis = u64;
type Id = u64;

#[derive(Debug)]
struct Task {
    record: TaskRecord,
    ended: TaskEnds,
    error: String,
    died: Millis,
    /// Also in `taken_keys`, except while the task is dead.
    deduplication_key: Option<String>,
}

/// The waiting tasks of one group in one class.
#[derive(Debug)]
struct Line {
    /// The position of the line: the lowest turn is served first.
    turn: u64,
    tasks: BTreeSet<(Millis, Id)>,
}

impl Line {
    fn head(&self) -> Millis {
        self.tasks.first().map_or(Millis::MAX, |(at, _)| *at)
    }
}

/// One queue. Every set is in the order in which its tasks are claimed, with ties by id, as on Redis.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The greatest number issued to a task or a claim.
    last: u64,
    turn: u64,
    is_paused: bool,
    tasks: HashMap<Id, Task>,
    /// By class and group.
    lines: [BTreeMap<Arc<str>, Line>; 3],
    delayed: BTreeSet<(Millis, Id)>,
    /// By the end of the lease.
    leases: BTreeSet<(Millis, Id)>,
    claims: HashMap<Id, (u64, Millis)>,
    dead: BTreeSet<(Millis, Id)>,
    taken_keys: HashMap<String, Id>,
}

impl Queue {
    /// The next number: greater than the last one, and than any from before the queue was emptied.
    fn number(&mut self, now: Timestamp) -> u64 {
        self.last = (self.last + 1).max(now.as_micros());
        self.last
    }

    pub(crate) fn submit(&mut self, task: NewTask, delay: u64, now: Timestamp) -> Submitted {
        if let Some(id) = task.deduplication_key.as_ref().and_then(|key| self.taken_keys.get(key)) {
            return Submitted::new(TaskId::from_number(*id), false);
        }
        let id = self.number(now);
        if let Some(key) = &task.deduplication_key {
            self.taken_keys.insert(key.clone(), id);
        }
        let submitted = now.as_millis().saturating_add(delay);
        let record = TaskRecord {
            class: task.class,
            group: task.group,
            submitted_at: Timestamp::from_millis(submitted),
            payload: task.payload,
        };
        let deduplication_key = task.deduplication_key;
        self.tasks.insert(
            id,
            Task {
                record,
                ended: TaskEnds::default(),
                error: String::new(),
                died: 0,
                deduplication_key,
            },
        );
        if delay == 0 {
            self.wait(id);
        } else {
            self.delayed.insert((submitted, id));
        }
        Submitted::new(TaskId::from_number(id), true)
    }

    /// Makes a task ready, at its position by submission time.
    fn wait(&mut self, id: Id) {
        let Some(task) = self.tasks.get(&id) else { return };
        let place = (task.record.submitted_at.as_millis(), id);
        let lines = &mut self.lines[task.record.class.place()];
        if let Some(line) = lines.get_mut(task.record.group.as_str()) {
            line.tasks.insert(place);
            return;
        }
        self.turn += 1;
        let line = Line { turn: self.turn, tasks: BTreeSet::from([place]) };
        lines.insert(task.record.group.as_str().into(), line);
    }

    pub(crate) fn claim(
        &mut self,
        max: usize,
        lease: u64,
        max_lost: u32,
        now: Timestamp,
    ) -> Vec<ClaimedTask> {
        if self.is_paused {
            return Vec::new();
        }
        self.bring_due(max, now.as_millis());
        self.reclaim(max, max_lost, now.as_millis());
        let taken = self.take(max);
        if taken.is_empty() {
            return Vec::new();
        }
        let token = self.number(now);
        let end = now.as_millis().saturating_add(lease);
        let claimed = taken.into_iter().filter_map(|id| {
            let task = self.tasks.get(&id)?;
            self.leases.insert((end, id));
            self.claims.insert(id, (token, end));
            let claim = Claim::new(TaskId::from_number(id), FencingToken::from_number(token));
            Some(task.record.clone().claimed(claim, task.ended))
        });
        claimed.collect()
    }

    fn bring_due(&mut self, max: usize, now: Millis) {
        for _ in 0..max {
            let Some((due, id)) = self.delayed.first().copied().filter(|(due, _)| *due <= now)
            else {
                return;
            };
            self.delayed.remove(&(due, id));
            self.wait(id);
        }
    }

    /// Takes back tasks with expired leases.
    fn reclaim(&mut self, max: usize, max_lost: u32, now: Millis) {
        let ended: Vec<Id> =
            self.leases.iter().take_while(|(end, _)| *end <= now).take(max).map(|l| l.1).collect();
        for id in ended {
            self.let_go(id);
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            task.ended.lost += 1;
            if task.ended.lost < max_lost {
                self.wait(id);
            } else {
                task.error = LEASES_ENDED_ERROR.to_owned();
                self.bury(id, now);
            }
        }
    }

    /// Removes up to `max` ready tasks, by deadline and turn; returns their ids.
    fn take(&mut self, max: usize) -> Vec<Id> {
        let mut taken = Vec::new();
        let mut is_closed = false;
        while taken.len() < max && !is_closed {
            let mut deadlines: Vec<(Millis, TaskClass)> = Vec::with_capacity(3);
            for class in TaskClass::ALL {
                let heads = self.lines[class.place()].values().map(Line::head);
                deadlines.extend(heads.min().map(|head| (head + slack(class), class)));
            }
            deadlines.sort_by_key(|(deadline, class)| (*deadline, class.place()));
            let Some(&(_, class)) = deadlines.first() else { break };
            // Tasks of this class are taken until another class has an earlier deadline.
            let until = deadlines.get(1).map_or(Millis::MAX, |(deadline, _)| *deadline);
            let lines = &mut self.lines[class.place()];
            let share = (max / lines.len().max(1)).max(1).min(max - taken.len());
            let next = lines.iter().min_by_key(|(_, line)| line.turn);
            let Some(group) = next.map(|(group, _)| Arc::clone(group)) else { break };
            let Some(line) = lines.get_mut(&group) else { break };
            let had = taken.len();
            for nth in 0..share {
                let Some(&(at, id)) = line.tasks.first() else { break };
                if nth > 0 && at + slack(class) > until {
                    break;
                }
                // It may have ended its worker, so it is claimed alone.
                is_closed = self.tasks.get(&id).is_some_and(|task| task.ended.lost > 0);
                if is_closed && !taken.is_empty() {
                    break;
                }
                line.tasks.remove(&(at, id));
                taken.push(id);
                if is_closed {
                    break;
                }
            }
            // The claim ends before this line.
            if taken.len() == had {
                break;
            }
            if line.tasks.is_empty() {
                lines.remove(&group);
            } else {
                self.turn += 1;
                line.turn = self.turn;
            }
        }
        taken
    }

    /// Whether the claim still counts.
    pub(crate) fn counts(&self, claim: &Claim) -> bool {
        let token = self.claims.get(&claim.id.number()).map(|(token, _)| *token);
        token == Some(claim.token.number())
    }

    /// Ends the claim of a task.
    fn let_go(&mut self, id: Id) {
        if let Some((_, end)) = self.claims.remove(&id) {
            self.leases.remove(&(end, id));
        }
    }

    pub(crate) fn renew(&mut self, claim: &Claim, lease: u64, now: Timestamp) -> bool {
        let counts = self.counts(claim);
        if counts {
            let (id, end) = (claim.id.number(), now.as_millis().saturating_add(lease));
            self.let_go(id);
            self.leases.insert((end, id));
            self.claims.insert(id, (claim.token.number(), end));
        }
        counts
    }

    pub(crate) fn complete(&mut self, claim: &Claim) -> bool {
        let counts = self.counts(claim);
        if counts {
            self.let_go(claim.id.number());
            self.free_key(claim.id.number());
            self.tasks.remove(&claim.id.number());
        }
        counts
    }

    pub(crate) fn release(&mut self, claim: &Claim) -> bool {
        let counts = self.counts(claim);
        if counts {
            self.let_go(claim.id.number());
            self.wait(claim.id.number());
        }
        counts
    }

    /// `pause` is in milliseconds; `None` buries the task.
    pub(crate) fn fail(
        &mut self,
        claim: &Claim,
        error: &str,
        pause: Option<u64>,
        now: Timestamp,
    ) -> bool {
        let id = claim.id.number();
        if !self.counts(claim) {
            return false;
        }
        self.let_go(id);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.ended.failed += 1;
            error.clone_into(&mut task.error);
        }
        match pause {
            Some(pause) => {
                self.delayed.insert((now.as_millis().saturating_add(pause), id));
            }
            None => self.bury(id, now.as_millis()),
        }
        true
    }

    fn bury(&mut self, id: Id, now: Millis) {
        self.free_key(id);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.died = now;
            self.dead.insert((now, id));
        }
    }

    fn free_key(&mut self, id: Id) {
        let task = self.tasks.get(&id);
        if let Some(key) = task.and_then(|task| task.deduplication_key.as_deref()) {
            self.taken_keys.remove(key);
        }
    }

    pub(crate) fn dead(&self, skip: usize, max: usize) -> Vec<DeadTask> {
        let listed = self.dead.iter().skip(skip).take(max).filter_map(|(died, id)| {
            let task = self.tasks.get(id)?;
            let (id, died) = (TaskId::from_number(*id), Timestamp::from_millis(*died));
            Some(task.record.clone().dead(id, task.ended, died, task.error.clone()))
        });
        listed.collect()
    }

    /// Removes a task from the dead ones.
    fn exhume(&mut self, id: TaskId) -> bool {
        let died = self.tasks.get(&id.number()).map(|task| task.died);
        died.is_some_and(|died| self.dead.remove(&(died, id.number())))
    }

    pub(crate) fn replay(&mut self, id: TaskId, now: Timestamp) -> bool {
        let key = self.tasks.get(&id.number()).and_then(|task| task.deduplication_key.clone());
        if key.as_ref().is_some_and(|key| self.taken_keys.contains_key(key)) || !self.exhume(id) {
            return false;
        }
        if let Some(key) = key {
            self.taken_keys.insert(key, id.number());
        }
        if let Some(task) = self.tasks.get_mut(&id.number()) {
            task.ended = TaskEnds::default();
            task.error.clear();
            task.record.submitted_at = Timestamp::from_millis(now.as_millis());
        }
        self.wait(id.number());
        true
    }

    pub(crate) fn discard(&mut self, id: TaskId) -> bool {
        let was_dead = self.exhume(id);
        if was_dead {
            self.tasks.remove(&id.number());
        }
        was_dead
    }

    /// Removes every task; returns how many there were.
    pub(crate) fn purge(&mut self) -> u64 {
        let kept =
            Self { last: self.last, turn: self.turn, is_paused: self.is_paused, ..Self::default() };
        std::mem::replace(self, kept).tasks.len() as u64
    }

    pub(crate) fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    pub(crate) fn count(&self) -> QueueCounts {
        let lines = self.lines.iter().flat_map(BTreeMap::values);
        QueueCounts::new(
            lines.map(|line| line.tasks.len() as u64).sum(),
            self.delayed.len() as u64,
            self.leases.len() as u64,
            self.dead.len() as u64,
            self.is_paused,
        )
    }
}

fn slack(class: TaskClass) -> Millis {
    Duration::as_millis(&class.slack()) as Millis
}
