//! One deployment: its map, servers, databases and ledger, connected when they are first needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compartment::database_map::{LedgerAddress, Role, Scheme};
use compartment::pipeline::ledger::Ledger;
use compartment::{Database, DatabaseMap, Databases};
use compartment_admin::doctor::{DoctorOptions, Examination, WrittenSecret, examine};
use compartment_admin::{DeployedServer, Deployment};
use futures_util::future::join_all;
use tokio::sync::{Mutex, OnceCell};

use crate::{OperationsError, Result};

/// A request that takes a server longer than this has gone wrong.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// What belongs to a deployment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperationsOptions {
    /// The database map.
    pub map: DatabaseMap,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// The ledger; `None` if it is off.
    pub ledger: Option<LedgerAddress>,
    /// The passwords that stand in the configuration file, for the doctor.
    pub written_secrets: Vec<WrittenSecret>,
    /// Where estimates are kept for the next look; nowhere if `None`.
    pub state_folder: Option<PathBuf>,
}

impl OperationsOptions {
    /// A deployment without a ledger, whose estimates are not kept.
    #[must_use]
    pub fn new(map: DatabaseMap) -> Self {
        Self { map, file: None, ledger: None, written_secrets: Vec::new(), state_folder: None }
    }
}

/// One deployment. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Operations {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: OperationsOptions,
    deployment: Mutex<Option<Arc<Deployment>>>,
    databases: OnceCell<Databases>,
    /// The database of figures by itself: reading figures opens no connection to another.
    metrics: OnceCell<Option<Databases>>,
    ledger: Option<Ledger>,
}

impl Operations {
    /// A deployment. Connects to nothing yet.
    #[must_use]
    pub fn new(options: OperationsOptions) -> Self {
        let ledger = options.ledger.clone().map(Ledger::new);
        let shared = Shared {
            options,
            deployment: Mutex::new(None),
            databases: OnceCell::new(),
            metrics: OnceCell::new(),
            ledger,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The database map.
    #[must_use]
    pub fn map(&self) -> &DatabaseMap {
        &self.shared.options.map
    }

    /// What belongs to the deployment.
    #[must_use]
    pub fn options(&self) -> &OperationsOptions {
        &self.shared.options
    }

    /// The servers of the map. One that is away is part of the answer, and is tried again by the next call.
    ///
    /// # Errors
    /// [`OperationsError::Configuration`] for a map without a server.
    pub async fn deployment(&self) -> Result<Arc<Deployment>> {
        let mut held = self.shared.deployment.lock().await;
        let are_all_there =
            |one: &&Arc<Deployment>| one.instances.iter().all(|one| one.server.is_ok());
        if let Some(deployment) = held.as_ref().filter(are_all_there) {
            return Ok(Arc::clone(deployment));
        }
        let deployment = match held.as_ref() {
            Some(before) => Arc::new(self.connected_again(before).await),
            None => {
                let connect = Deployment::connect(self.map(), RESPONSE_TIMEOUT);
                Arc::new(Box::pin(connect).await)
            }
        };
        if deployment.instances.is_empty() {
            return Err(OperationsError::Configuration(
                "the configuration has no server, only memory://, which no other process sees"
                    .to_owned(),
            ));
        }
        *held = Some(Arc::clone(&deployment));
        Ok(deployment)
    }

    /// The deployment with those instances connected again that were away; the others stay as they are.
    async fn connected_again(&self, before: &Deployment) -> Deployment {
        let mut deployment = before.clone();
        let map = self.map();
        let away = deployment.instances.iter_mut().filter(|one| one.server.is_err());
        let tries = away.filter_map(|one| Some((map.instances().get(&one.name)?, one)));
        let tries = tries.map(|(instance, one)| async move {
            let connect = DeployedServer::connect(map, &one.name, instance, RESPONSE_TIMEOUT);
            one.server = connect.await;
        });
        Box::pin(join_all(tries)).await;
        deployment
    }

    /// The databases of the map, opened by the first call that reaches their servers.
    ///
    /// # Errors
    /// Those of [`compartment::open`].
    pub async fn databases(&self) -> Result<Databases> {
        // Boxed, since the state of opening is large, and every reader of figures holds it.
        let open = || Box::pin(compartment::open(self.map().clone()));
        Ok(self.shared.databases.get_or_try_init(open).await?.clone())
    }

    /// The database of batches and queues.
    ///
    /// # Errors
    /// Those of [`Operations::databases`]; [`OperationsError::Configuration`] where it is in memory, or where the
    /// map has none.
    pub async fn batch_database(&self) -> Result<Database> {
        if self.batch_scheme() == Some(Scheme::Memory) {
            return Err(OperationsError::Configuration(
                "batches, workers and tasks are shared between processes, but memory:// belongs to one"
                    .to_owned(),
            ));
        }
        Ok(self.databases().await?.role(Role::Batch)?.clone())
    }

    /// Whether the map has a database for batches and queues on a server.
    #[must_use]
    pub fn has_pipeline(&self) -> bool {
        self.batch_scheme().is_some_and(|scheme| scheme != Scheme::Memory)
    }

    /// How the database for batches and queues is reached; `None` where the map has none.
    fn batch_scheme(&self) -> Option<Scheme> {
        let map = self.map();
        let contract = map.database(map.roles().database(Role::Batch))?;
        Some(map.instances().get(contract.placement.instance())?.url.scheme())
    }

    /// The database of figures; `None` where the map has none.
    ///
    /// # Errors
    /// Those of [`compartment::open`].
    pub async fn metrics_database(&self) -> Result<Option<Database>> {
        let open = || async {
            let Some(map) = metrics_map(self.map()) else { return Ok(None) };
            Box::pin(compartment::open(map)).await.map(Some)
        };
        let opened = self.shared.metrics.get_or_try_init(open).await?;
        Ok(opened.as_ref().and_then(|opened| opened.iter().next().cloned()))
    }

    /// The ledger for reading; `None` if it is off, or its file does not exist.
    #[must_use]
    pub fn ledger(&self) -> Option<Ledger> {
        let ledger = self.shared.ledger.as_ref()?;
        missing_ledger_file(ledger).is_none().then(|| ledger.clone())
    }

    /// Holds the servers against the contracts of their databases.
    ///
    /// # Errors
    /// Those of [`Operations::deployment`].
    pub async fn examine(&self) -> Result<Examination> {
        let deployment = self.deployment().await?;
        let mut options = DoctorOptions::default();
        options.written_secrets.clone_from(&self.options().written_secrets);
        Ok(Box::pin(examine(&deployment, &options)).await)
    }
}

/// The file of a ledger in SQLite that does not exist.
#[must_use]
pub fn missing_ledger_file(ledger: &Ledger) -> Option<&Path> {
    match ledger.address() {
        LedgerAddress::Sqlite(path) if !path.exists() => Some(path),
        _ => None,
    }
}

/// The map's database of figures, and nothing else of the map.
fn metrics_map(map: &DatabaseMap) -> Option<DatabaseMap> {
    let metrics = map.database(map.roles().database(Role::Metrics))?;
    let instance = metrics.placement.instance();
    let builder = DatabaseMap::builder()
        .instance(instance, map.instances().get(instance)?.clone())
        .database(metrics.clone());
    builder.build().ok()
}
