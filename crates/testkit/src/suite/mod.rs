//! One test for each sentence of the store traits' contracts.
//!
//! Each function takes a harness, opens databases of its own and panics where a promise is
//! broken; [`conformance_suite!`](crate::conformance_suite) makes tests of all of them.

mod databases;

pub mod batch;
pub mod batch_claims;
pub mod batch_events;
pub mod batch_identity;
pub mod batch_leases;
pub mod batch_upkeep;
pub mod cancellation;
pub mod channel;
pub mod contract;
pub mod counter;
pub mod hash;
pub mod key_value;
pub mod lock;
pub mod lock_guard;
pub mod queue;
pub mod queue_claims;
pub mod queue_order;
pub mod queue_upkeep;
pub mod rate_limit;
pub mod typed;

/// Expands to one `#[test]` for each promise of the store traits, in a module for each store.
///
/// `without batches` in front leaves those out, for databases on their way from another place.
///
/// The expression makes a [`Harness`](crate::Harness) and may await; it is evaluated anew for
/// each test, in a module inside the one that the macro is used in. Attributes before it are put on
/// every test. Each test runs on a runtime of its own and fails when it hangs.
///
/// ```text
/// compartment_testkit::conformance_suite!(MemoryHarness::new());
///
/// compartment_testkit::conformance_suite!(
///     #[ignore = "needs redis-server"]
///     => RedisHarness::start().await
/// );
/// ```
#[macro_export]
macro_rules! conformance_suite {
    // The attributes are passed on as one, since they repeat by themselves and not by test.
    ($(#[$attribute:meta])* => $harness:expr) => {
        $crate::conformance_suite!(without batches $(#[$attribute])* => $harness);
        $crate::conformance_suite!(@store batch [$(#[$attribute])*] $harness;
            ordinals_count_up
            a_stage_is_claimed_after_those_before_it
            progress_moves_only_with_a_fact
            a_dead_document_goes_no_further
            a_batch_completes_once_sealed_and_settled
            an_empty_batch_completes_when_it_is_sealed
            nothing_is_added_to_a_sealed_batch
            a_full_batch_refuses_documents_and_settles_on
            a_paused_batch_hands_out_nothing
            what_is_dead_can_be_retried
            a_batch_that_is_not_there_is_unknown
            batch_operations_on_another_type_are_wrong_type
            a_document_has_one_owner
            the_last_two_to_settle_complete_once
        );
        $crate::conformance_suite!(@store batch_leases [$(#[$attribute])*] $harness;
            what_is_not_settled_in_its_lease_is_claimed_again
            a_renewed_lease_keeps_its_documents
            a_renewed_completion_stays_with_its_worker
            a_late_success_counts_and_a_late_failure_does_not
            what_fails_too_often_is_dead
            what_is_handed_back_is_claimed_again
            a_claim_is_handed_back_by_its_token
            a_retry_waits_for_its_time
        );
        $crate::conformance_suite!(@store batch_claims [$(#[$attribute])*] $harness;
            a_dropped_claim_holds_nothing
        );
        $crate::conformance_suite!(@store batch_identity [$(#[$attribute])*] $harness;
            a_batch_made_anew_is_another
            whoever_saw_a_batch_born_changes_no_other
            documents_are_added_where_they_belong_or_not_at_all
            a_batch_tells_since_when_it_is_over
            only_a_batch_that_is_over_goes
            what_no_batch_can_be_is_refused
        );
        $crate::conformance_suite!(@store batch_upkeep [$(#[$attribute])*] $harness;
            entries_read_back_in_order
            what_counted_is_in_the_outbox
            an_outbox_is_read_until_it_is_cleared
            restored_facts_count_once
            an_audit_finds_counts_that_drifted
            an_audit_finds_stranded_documents
            an_audit_of_a_sound_batch_is_clean
            a_missed_completion_is_made_due
        );
        $crate::conformance_suite!(@store batch_events [$(#[$attribute])*] $harness;
            events_tell_what_counted
            events_are_kept_to_their_bytes
            a_group_shares_events_among_its_consumers
            what_is_not_acknowledged_is_taken_over
            events_end_with_their_batch
        );
    };
    (without batches $(#[$attribute:meta])* => $harness:expr) => {
        $crate::conformance_suite!(@store key_value [$(#[$attribute])*] $harness;
            get_returns_what_was_set
            many_are_set_and_read_in_order
            keys_are_separate_between_databases
            a_database_opened_twice_is_one
            set_replaces_any_type
            get_of_another_type_is_wrong_type
            set_if_absent_and_if_present
            a_set_without_effect_keeps_the_ttl
            delete_counts_what_existed
            scan_returns_every_key_present_throughout
            scan_goes_by_globs
            scan_leaves_out_what_has_ended
            compare_and_set_goes_by_the_expected_value
            compare_and_set_is_atomic
            set_if_absent_has_one_winner
            a_key_is_gone_when_its_ttl_has_passed
            a_set_replaces_the_ttl
            expire_and_ttl_work_on_every_type
            traffic_is_counted
            usage_counts_keys_and_bytes
        );
        $crate::conformance_suite!(@store hash [$(#[$attribute])*] $harness;
            fields_read_back
            set_fields_counts_new_fields
            setting_no_fields_is_an_invalid_argument
            a_hash_of_many_fields_reads_back
            a_hash_without_fields_does_not_exist
            hash_operations_on_another_type_are_wrong_type
            increment_field_starts_at_zero
            increment_of_a_text_is_not_a_number
            set_fields_is_atomic
            set_field_if_absent_has_one_winner
            increments_of_a_field_add_up
            a_write_to_a_hash_keeps_its_ttl
            a_write_does_not_give_a_ttl_to_what_lives_for_ever
        );
        $crate::conformance_suite!(@store counter [$(#[$attribute])*] $harness;
            a_counter_starts_at_zero
            a_counter_reads_as_decimal_text
            increment_of_a_text_is_not_a_number
            counter_operations_on_another_type_are_wrong_type
            increment_many_answers_in_order
            increments_add_up
            take_loses_no_increment
            an_increment_keeps_the_ttl
        );
        $crate::conformance_suite!(@store lock [$(#[$attribute])*] $harness;
            a_lock_has_one_holder
            a_lock_tells_who_holds_it
            tokens_only_grow
            a_lock_is_not_reentrant
            only_the_token_renews_and_releases
            an_expired_lease_cannot_be_renewed
            a_lock_on_another_type_is_wrong_type
            a_lock_is_free_when_its_lease_has_passed
            a_dropped_attempt_leaves_no_lock
            a_lock_is_a_hash_of_four_fields
            a_lock_ends_with_its_key
        );
        $crate::conformance_suite!(@store lock_guard [$(#[$attribute])*] $harness;
            a_guard_renews_its_lease
            a_guard_tells_when_its_lock_was_taken
            a_guard_is_lost_when_its_lease_has_passed
            run_ends_when_the_lock_is_lost
            a_dropped_guard_frees_its_lock
            release_says_whether_it_was_held
            a_waiter_gets_the_lock_when_it_is_free
            a_waiter_gives_up
            a_held_lock_can_be_an_error
            a_lease_ends_by_the_monotonic_clock
            waiters_take_turns
        );
        $crate::conformance_suite!(@store rate_limit [$(#[$attribute])*] $harness;
            a_window_never_holds_more_than_its_permits
            callers_of_one_key_share_its_log
            no_permit_stays_away_longer_than_its_window
            a_full_limit_outlasts_a_clock_that_is_set_back
            a_million_permits_cost_as_much_as_one
            a_dropped_request_takes_no_permits
            a_permit_comes_back_when_its_window_has_passed
            a_refused_request_takes_nothing
            asking_for_no_permits_changes_nothing
            more_permits_than_the_limit_is_an_invalid_argument
            a_limit_on_another_type_is_wrong_type
            concurrent_requests_never_exceed_the_limit
            a_window_without_permits_is_gone
            a_lowered_limit_counts_what_was_given
            permits_count_when_the_clock_is_set_back
            acquire_within_waits_for_the_permits
        );
        $crate::conformance_suite!(@store queue [$(#[$attribute])*] $harness;
            a_task_is_claimed_by_one_worker
            a_failed_task_comes_back_after_its_pause
            a_buried_task_is_listed_with_its_error
            a_task_whose_leases_end_is_dead_in_the_end
            only_the_last_claim_counts
            claims_that_are_handed_back_are_no_attempts
            tokens_of_claims_only_grow
            a_deduplication_key_is_taken_once
            a_delayed_task_waits_for_its_time
            dead_tasks_are_replayed_or_discarded
            a_purge_leaves_nothing
            a_paused_queue_hands_out_nothing
            queues_belong_in_durable_databases
            a_lease_that_has_ended_is_claimed_by_anybody
            queues_are_separate_between_databases
        );
        $crate::conformance_suite!(@store queue_upkeep [$(#[$attribute])*] $harness;
            a_replayed_task_takes_its_deduplication_key_again
            a_submission_with_a_bad_task_takes_none
        );
        $crate::conformance_suite!(@store queue_claims [$(#[$attribute])*] $harness;
            a_dropped_claim_of_tasks_holds_none
        );
        $crate::conformance_suite!(@store queue_order [$(#[$attribute])*] $harness;
            the_earliest_deadline_goes_first
            groups_take_turns
            a_large_group_starves_nobody
            a_group_is_first_in_first_out
        );
        $crate::conformance_suite!(@store channel [$(#[$attribute])*] $harness;
            a_message_reaches_every_subscriber
            messages_of_one_sender_arrive_in_order
            a_subscriber_hears_its_channel_only
            channels_are_separate_between_databases
            a_subscription_hears_what_is_sent_once_it_is_made
        );
        $crate::conformance_suite!(@store cancellation [$(#[$attribute])*] $harness;
            cancel_everything
        );
        $crate::conformance_suite!(@store contract [$(#[$attribute])*] $harness;
            cache_and_coordination_keys_always_have_a_ttl
            locks_and_windows_need_no_ttl
            a_key_without_a_ttl_of_its_own_gets_the_default
            a_ttl_that_cannot_be_is_an_invalid_argument
            names_and_values_may_be_anything
        );
        $crate::conformance_suite!(@store typed [$(#[$attribute])*] $harness;
            a_typed_value_reads_back
            a_typed_key_gets_its_ttl
            a_value_of_another_type_is_a_decode_error
            a_key_of_an_unknown_database_names_the_nearest
        );
    };
    (@store $store:ident $attributes:tt $harness:expr; $($name:ident)+) => {
        mod $store {
            use super::*;

            $($crate::conformance_suite!(@test $store $attributes $harness; $name);)+
        }
    };
    (@test $store:ident [$(#[$attribute:meta])*] $harness:expr; $name:ident) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            $crate::run_test(async {
                let harness = $harness;
                $crate::suite::$store::$name(&harness).await;
            });
        }
    };
    ($harness:expr) => {
        $crate::conformance_suite!(=> $harness);
    };
}

#[cfg(test)]
mod tests {
    /// A promise that no backend is held to would be none.
    #[test]
    fn every_function_of_the_suite_is_in_the_macro() {
        let macro_text = include_str!("mod.rs");
        let files = [
            include_str!("key_value.rs"),
            include_str!("hash.rs"),
            include_str!("counter.rs"),
            include_str!("lock.rs"),
            include_str!("lock_guard.rs"),
            include_str!("queue.rs"),
            include_str!("queue_order.rs"),
            include_str!("rate_limit.rs"),
            include_str!("batch.rs"),
            include_str!("batch_leases.rs"),
            include_str!("batch_upkeep.rs"),
            include_str!("batch_events.rs"),
            include_str!("cancellation.rs"),
            include_str!("batch_identity.rs"),
            include_str!("batch_claims.rs"),
            include_str!("queue_claims.rs"),
            include_str!("queue_upkeep.rs"),
            include_str!("channel.rs"),
            include_str!("contract.rs"),
            include_str!("typed.rs"),
        ];
        for line in files.iter().flat_map(|file| file.lines()) {
            let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
            let name = rest.split('(').next().expect("a function has a name");
            let listed = macro_text.lines().any(|line| line.trim() == name);
            assert!(listed, "{name} is missing from conformance_suite!");
        }
    }
}
