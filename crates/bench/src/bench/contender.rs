//! A contender of `bench backends`: a client with a name, its type erased.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::client::{Client, Data, Operation};
use crate::measure::Failure;
use crate::measure::slice::{Work, slice};

/// A client with its name.
pub(super) struct Contender {
    pub(super) name: &'static str,
    driver: Arc<dyn Drive>,
}

impl Contender {
    pub(super) fn new<C: Client>(name: &'static str, client: C, data: &Arc<Data>) -> Self {
        Self { name, driver: Arc::new(Driver { client, data: Arc::clone(data) }) }
    }

    /// One task: the median latency in microseconds. Several: operations per second.
    pub(super) fn slice(
        &self,
        operation: Operation,
        tasks: usize,
        duration: Duration,
    ) -> BoxFuture<'static, Result<f64, Failure>> {
        self.driver.slice(operation, tasks, duration)
    }
}

trait Drive: Send + Sync {
    fn slice(
        &self,
        operation: Operation,
        tasks: usize,
        duration: Duration,
    ) -> BoxFuture<'static, Result<f64, Failure>>;
}

struct Driver<C> {
    client: C,
    data: Arc<Data>,
}

impl<C: Client> Drive for Driver<C> {
    fn slice(
        &self,
        operation: Operation,
        tasks: usize,
        duration: Duration,
    ) -> BoxFuture<'static, Result<f64, Failure>> {
        let (client, data) = (self.client.clone(), Arc::clone(&self.data));
        Box::pin(slice(Operated { client, data, operation }, tasks, duration))
    }
}

/// One operation of one client.
#[derive(Clone)]
struct Operated<C> {
    client: C,
    data: Arc<Data>,
    operation: Operation,
}

impl<C: Client> Work for Operated<C> {
    const IN_PROCESS: bool = C::IN_PROCESS;

    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        self.operation.perform(&self.client, &self.data, turn).await
    }
}
