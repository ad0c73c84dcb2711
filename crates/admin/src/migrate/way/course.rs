//! The course of a migration: source, targets, and facts about their servers.

use crate::clocks::{ClockShift, told};
use crate::field_lives::FieldLives;
use crate::migrate::copies::Copies;
use crate::migrate::way::protection::Protection;
use crate::migrate::{Item, Migration, Routes};
use crate::rdb::Format;
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
    /// The format that each target reads, if its version is known.
    pub(crate) formats: Vec<Option<Format>>,
    /// What becomes of hashes with expiring fields where a target knows no such fields.
    pub(crate) field_lives: FieldLives,
    /// Whether programs use the source and the targets as one database meanwhile, and bring the keys that they use.
    pub(crate) both_are_used: bool,
}

impl Course {
    pub(crate) fn of(migration: &Migration) -> Self {
        let (source, targets) = (migration.source.clone(), migration.targets.clone());
        let options = &migration.options;
        Self {
            keep: options.keep,
            verify: options.verify,
            any_way: options.way.is_none(),
            watches_evictions: !options.accept_eviction,
            field_lives: options.field_lives,
            ..Self::new(source, targets, migration.routes.clone())
        }
    }

    /// A course by any way, without comparison of what has arrived, on which targets may evict keys.
    pub(crate) fn new(source: Place, targets: Vec<Place>, routes: Routes) -> Self {
        let formats = targets.iter().map(|target| Format::of(target.server().info())).collect();
        Self {
            source,
            targets,
            routes,
            keep: false,
            verify: false,
            any_way: true,
            watches_evictions: false,
            elsewhere: Vec::new(),
            shifts: Vec::new(),
            copies: None,
            formats,
            field_lives: FieldLives::Stop,
            both_are_used: false,
        }
    }

    /// Whether target `number` keeps the expiry of a hash's field. If its version is not known, it is asked by the move.
    pub(crate) fn knows_field_lives(&self, number: usize) -> bool {
        self.formats.get(number).copied().flatten().is_none_or(Format::has_field_lives)
    }

    /// The first target that does not, with its version.
    pub(crate) fn unknowing_target(&self) -> String {
        let number = (0..self.targets.len()).find(|number| !self.knows_field_lives(*number));
        match number.and_then(|number| self.targets.get(number)) {
            Some(place) => {
                let info = place.server().info();
                format!("{place} ({} {})", info.server, info.version)
            }
            None => "the target".to_owned(),
        }
    }

    /// The formats in which values are written again, because a target does not read the source's.
    pub(crate) fn other_formats(&self) -> Vec<Format> {
        let Some(here) = Format::of(self.source.server().info()) else { return Vec::new() };
        let unread = |format: &Format| !format.reads(here.version());
        let mut formats: Vec<Format> =
            self.formats.iter().copied().flatten().filter(unread).collect();
        formats.sort();
        formats.dedup();
        formats
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
