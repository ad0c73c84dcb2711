//! The contract of [`compartment_core::QueueStore`] about the order of tasks.

use std::collections::BTreeMap;

use compartment_core::{NewTask, TaskClass};

use super::queue::{
    MILLISECOND, QUEUE, SECOND, claim, claim_one, claims, max, payloads, queue, submit,
};
use crate::Harness;

/// Among classes, the oldest task of each decides.
pub async fn the_earliest_deadline_goes_first(harness: &dyn Harness) {
    let store = queue(harness).await;
    let new = |name: &str, class| NewTask::new(name.to_owned()).class(class);
    submit(&store, new("low at 0", TaskClass::Low)).await;
    submit(&store, new("normal at 0", TaskClass::Normal)).await;
    submit(&store, new("high at 0", TaskClass::High)).await;
    harness.advance(SECOND * 59).await;
    submit(&store, new("high at 59", TaskClass::High)).await;
    submit(&store, new("normal at 59", TaskClass::Normal)).await;
    harness.advance(SECOND * 2).await;
    submit(&store, new("high at 61", TaskClass::High)).await;
    let order =
        ["high at 0", "high at 59", "normal at 0", "high at 61", "normal at 59", "low at 0"];
    let all = claim(&store, max(10)).await;
    assert_eq!(payloads(&all), order);
    store.release(QUEUE, &claims(&all)).await.unwrap();
    for wanted in order {
        assert_eq!(payloads(&claim(&store, max(1)).await), [wanted], "one by one likewise");
    }
    // Even if urgent tasks always wait, a low task waits for its slack and no longer.
    store.purge(QUEUE).await.unwrap();
    submit(&store, new("low", TaskClass::Low)).await;
    let mut waited = 0;
    loop {
        submit(&store, new("high", TaskClass::High)).await;
        submit(&store, new("high", TaskClass::High)).await;
        let first = claim(&store, max(1)).await;
        if payloads(&first) == ["low"] {
            break;
        }
        let second = claim(&store, max(1)).await;
        store.complete(QUEUE, &claims(&[first, second].concat())).await.unwrap();
        harness.advance(SECOND * 20).await;
        waited += 20;
        assert!(waited <= 620, "it starves");
    }
    assert_eq!(waited, 620, "at 600 seconds the older of the two is still the high one");
}

/// A claim is divided evenly, and a group that has had its turn goes behind the waiting ones.
pub async fn groups_take_turns(harness: &dyn Harness) {
    let store = queue(harness).await;
    for (group, tasks) in [("a", 100), ("b", 10), ("c", 100)] {
        let new = |n| NewTask::new(format!("{group}{n}")).group(group);
        store.submit(QUEUE, (0..tasks).map(new).collect()).await.unwrap();
        harness.advance(SECOND).await;
    }
    let taken = payloads(&claim(&store, max(6)).await);
    assert_eq!(taken, ["a0", "a1", "b0", "b1", "c0", "c1"]);
    for wanted in ["a2", "b2", "c2", "a3"] {
        assert_eq!(payloads(&claim(&store, max(1)).await), [wanted]);
    }
    let taken = payloads(&claim(&store, max(60)).await);
    let of = |group: &str| taken.iter().filter(|name| name.starts_with(group)).count();
    assert_eq!(of("b"), 7, "all that it had");
    assert!(of("a").abs_diff(of("c")) <= 20 && of("a") + of("c") == 53, "{taken:?}");
}

/// Between two turns of a group, every other group of its class has one.
pub async fn a_large_group_starves_nobody(harness: &dyn Harness) {
    let store = queue(harness).await;
    let large = (0..900).map(|n| NewTask::new(n.to_string()).group("large")).collect();
    store.submit(QUEUE, large).await.unwrap();
    harness.advance(SECOND).await;
    let groups = 5_usize;
    let mut of_group = BTreeMap::new();
    for group in 0..groups {
        let new = |n: usize| NewTask::new(format!("{group}:{n}")).group(format!("small {group}"));
        store.submit(QUEUE, (0..4).map(new).collect()).await.unwrap();
    }
    // The bound: the nth task of a group is taken once each group has had at most n turns.
    for before in 0..(groups + 1) * 4 {
        let task = claim_one(&store).await.unwrap();
        let nth: &mut usize = of_group.entry(task.group.clone()).or_default();
        *nth += 1;
        assert!(before < *nth * (groups + 1), "{} waited for {before} tasks", task.group);
        assert!(before >= (*nth - 1) * (groups + 1), "{} came too early", task.group);
    }
    assert_eq!(of_group.len(), groups + 1, "each group had its share");
    assert!(of_group.values().all(|taken| *taken == 4), "{of_group:?}");
}

/// Tasks of a group are taken by time of submission, however many are claimed at a time.
pub async fn a_group_is_first_in_first_out(harness: &dyn Harness) {
    let store = queue(harness).await;
    for n in 0..300 {
        submit(&store, NewTask::new(n.to_string())).await;
        if n % 7 == 0 {
            harness.advance(MILLISECOND).await;
        }
    }
    let mut order = Vec::new();
    for count in (1..).take_while(|count| count * (count - 1) / 2 < 300) {
        order.extend(payloads(&claim(&store, max(count)).await));
    }
    let wanted: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(order, wanted);
}

suite! { queue_order as queue_order_suite, needs Queues:
    the_earliest_deadline_goes_first
    groups_take_turns
    a_large_group_starves_nobody
    a_group_is_first_in_first_out
}
