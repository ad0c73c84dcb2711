//! The course of a migration: source, targets, and facts about their servers.

use crate::clocks::{ClockShift, told};
use crate::migrate::copies::Copies;
use crate::migrate::way::protection::Protection;
use crate::migrate::{Item, Migration, Routes};
use crate::{Place, Result};

/// The migration from the view of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) source: Place,
    pub(crate) targets: Vec<Place>,
    pub(crate) routes: Routes,
    pub(crate) keep: bool,
    pub(crate) verify: bool,
    /// Whether a key that cannot move like the others may use another way.
    pub(crate) any_way: bool,
    /// Whether the run stops when a target evicts keys.
    pub(crate) watches_evictions: bool,
    /// For each target, whether it is on another server than the source; see
    /// [`Course::look_at_servers`].
    pub(crate) elsewhere: Vec<bool>,
    /// How far the clock of each target is ahead of the source's.
    pub(crate) shifts: Vec<ClockShift>,
    /// The keys copied so far, if the run follows the source.
    pub(crate) copies: Option<Copies>,
}

impl Course {
    pub(crate) fn of(migration: &Migration) -> Self {
        Self {
            source: migration.source.clone(),
            targets: migration.targets.clone(),
            routes: migration.routes.clone(),
            keep: migration.options.keep,
            verify: migration.options.verify,
            any_way: migration.options.way.is_none(),
            watches_evictions: !migration.options.accept_eviction,
            elsewhere: Vec::new(),
            shifts: Vec::new(),
            copies: None,
        }
    }

    /// Compares the servers of the targets with the source's, and their clocks. Returns remarks for the
    /// operator.
    ///
    /// # Errors
    /// When they cannot be compared.
    pub(crate) async fn look_at_servers(&mut self) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        (self.elsewhere, self.shifts) = (Vec::new(), Vec::new());
        for target in &self.targets {
            self.elsewhere.push(!self.source.is_on_server_of(target).await?);
        }
        let protection = Protection::of(&self.source, &self.targets).await?;
        notes.extend(protection.notes(&self.source, &self.targets));
        for target in &self.targets {
            let shift = ClockShift::between(&self.source, target).await?;
            notes.extend(told(shift, &self.source, target));
            self.shifts.push(shift);
        }
        Ok(notes)
    }

    /// How far the clock of target `number` is ahead.
    pub(crate) fn shift(&self, number: usize) -> ClockShift {
        self.shifts.get(number).copied().unwrap_or_default()
    }

    /// Tolerance when two values of one expiry are compared.
    pub(crate) fn slack_ms(&self) -> u64 {
        let slacks = self.shifts.iter().map(|shift| shift.slack_ms());
        slacks.max().unwrap_or_else(|| ClockShift::default().slack_ms())
    }

    /// The item's name on the source's server.
    pub(crate) fn source_name(&self, item: &Item) -> Vec<u8> {
        self.source.on_server(&item.name).into_owned()
    }

    /// The index of the item's target, and its name on that server.
    pub(crate) fn destination(&self, item: &Item) -> (usize, Vec<u8>) {
        let number = self.routes.target(item.rule);
        let name = self.routes.new_name(item.rule, &item.name);
        let name = match self.targets.get(number) {
            Some(place) => place.on_server(&name).into_owned(),
            None => name,
        };
        (number, name)
    }
}
