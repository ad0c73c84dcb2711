//! The plans that can be acted on: each for five minutes, once, by the session that made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment::backend::random;
use compartment::clock::{Clock, MonotonicInstant};

use super::counted::{Bound, MAX_NAMES};
use super::{Actor, Change, ChangeError, PlannedChange};

/// How long a plan can be acted on.
pub(super) const VALID: Duration = Duration::from_secs(300);
/// Plans of one session; a further one takes the place of its oldest.
const MAX_OF_A_SESSION: usize = 16;
/// Plans of all sessions.
const MAX_PLANS: usize = 256;
/// Names that all plans keep.
const MAX_KEPT_NAMES: usize = 4 * MAX_NAMES;

/// A plan that can be acted on.
#[derive(Clone, Debug)]
pub(super) struct KeptPlan {
    pub(super) plan: PlannedChange,
    pub(super) bound: Bound,
    session: String,
    until: MonotonicInstant,
    number: u64,
}

#[derive(Debug)]
pub(super) struct Kept {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plans: HashMap<String, KeptPlan>,
    made: u64,
}

impl Kept {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Keeps a plan under a new id, which nobody can guess, and returns the plan with the id.
    pub(super) fn keep(
        &self,
        mut plan: PlannedChange,
        bound: Bound,
        actor: &Actor,
    ) -> PlannedChange {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        state.plans.retain(|_, kept| kept.until > now);
        state.make_room(&actor.session, bound.names());
        plan.id = format!("plan_{:016x}{:016x}", random(), random());
        state.made += 1;
        let kept = KeptPlan {
            plan: plan.clone(),
            bound,
            session: actor.session.clone(),
            until: now.after(VALID),
            number: state.made,
        };
        state.plans.insert(plan.id.clone(), kept);
        plan
    }

    /// Takes a plan out, so that it is acted on once. `expected` is the change that it has to be for, if given; a plan for
    /// another change stays.
    pub(super) fn take(
        &self,
        id: &str,
        expected: Option<&Change>,
        actor: &Actor,
    ) -> Result<KeptPlan, ChangeError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        let found = state.plans.get(id).filter(|kept| kept.session == actor.session);
        let Some(found) = found.filter(|kept| kept.until > now) else {
            return Err(ChangeError::UnknownPlan);
        };
        if expected.is_some_and(|expected| *expected != found.plan.change) {
            return Err(ChangeError::OtherChange(format!(
                "this plan is for another change ({}); nothing was changed: repeat the arguments of its dry run, or \
                 make a new dry run",
                found.plan.summary
            )));
        }
        state.plans.remove(id).ok_or(ChangeError::UnknownPlan)
    }
}

impl State {
    fn make_room(&mut self, session: &str, names: usize) {
        let of_session = |kept: &KeptPlan| kept.session == session;
        if self.plans.values().filter(|kept| of_session(kept)).count() >= MAX_OF_A_SESSION {
            self.remove_oldest(of_session);
        }
        let kept_names = |state: &Self| state.plans.values().map(|kept| kept.bound.names()).sum();
        let is_full = |state: &Self| -> bool {
            let kept: usize = kept_names(state);
            state.plans.len() >= MAX_PLANS || kept + names > MAX_KEPT_NAMES
        };
        while !self.plans.is_empty() && is_full(self) {
            self.remove_oldest(|_| true);
        }
    }

    fn remove_oldest(&mut self, is_one: impl Fn(&KeptPlan) -> bool) {
        let all = self.plans.iter().filter(|(_, kept)| is_one(kept));
        let oldest = all.min_by_key(|(_, kept)| kept.number).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest {
            self.plans.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use compartment::clock::ManualClock;
    use serde_json::Value;

    use super::*;

    fn pause(batch: &str) -> Change {
        Change::PauseBatch { batch: batch.to_owned() }
    }

    fn plan(batch: &str) -> PlannedChange {
        PlannedChange {
            id: String::new(),
            change: pause(batch),
            summary: String::new(),
            touches: Vec::new(),
            count: 1,
            digest: String::new(),
            server: String::new(),
            refusals: Vec::new(),
            made_ms: 0,
            expires_ms: 0,
            dry_run: Value::Null,
        }
    }

    fn kept() -> (Kept, ManualClock, Actor) {
        let clock = ManualClock::default();
        (Kept::new(Arc::new(clock.clone())), clock, Actor::new("test", "one"))
    }

    #[test]
    fn a_plan_is_taken_once_and_by_its_session_only() {
        let (kept, _, actor) = kept();
        let id = kept.keep(plan("smith"), Bound::Nothing, &actor).id;
        let other = Actor::new("test", "two");
        assert!(matches!(kept.take(&id, None, &other), Err(ChangeError::UnknownPlan)));
        let wrong = kept.take(&id, Some(&pause("jones")), &actor);
        assert!(matches!(wrong, Err(ChangeError::OtherChange(_))));
        assert!(kept.take(&id, Some(&pause("smith")), &actor).is_ok());
        assert!(matches!(kept.take(&id, None, &actor), Err(ChangeError::UnknownPlan)));
    }

    #[test]
    fn a_plan_is_valid_for_five_minutes_whatever_the_wall_clock_says() {
        let (kept, clock, actor) = kept();
        let (early, late) = (
            kept.keep(plan("a"), Bound::Nothing, &actor).id,
            kept.keep(plan("b"), Bound::Nothing, &actor).id,
        );
        clock.advance(VALID - Duration::from_millis(1));
        clock.set(clock.now().after(Duration::from_secs(86_400)));
        assert!(kept.take(&early, None, &actor).is_ok());
        clock.advance(Duration::from_millis(1));
        assert!(matches!(kept.take(&late, None, &actor), Err(ChangeError::UnknownPlan)));
    }

    #[test]
    fn a_session_that_plans_without_end_pushes_out_its_own_plans_only() {
        let (kept, _, actor) = kept();
        let other = Actor::new("test", "two");
        let first = kept.keep(plan("a"), Bound::Nothing, &actor).id;
        let ids: Vec<String> =
            (0..1_000).map(|_| kept.keep(plan("b"), Bound::Nothing, &other).id).collect();
        let open = |id: &String| kept.take(id, None, &other).is_ok();
        assert_eq!(ids.iter().filter(|id| open(id)).count(), MAX_OF_A_SESSION);
        assert!(kept.take(&first, None, &actor).is_ok());
        let distinct: std::collections::HashSet<&String> = ids.iter().collect();
        assert_eq!((distinct.len(), ids[0].len()), (1_000, "plan_".len() + 32));
    }

    #[test]
    fn many_sessions_keep_a_bounded_number_of_plans() {
        let (kept, ..) = kept();
        for session in 0..2 * MAX_PLANS {
            kept.keep(plan("a"), Bound::Nothing, &Actor::new("test", session.to_string()));
        }
        assert_eq!(kept.state.lock().unwrap().plans.len(), MAX_PLANS);
    }
}
