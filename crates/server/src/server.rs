//! Listens, and serves until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use compartment_operations::changes::{Allowed, ChangeOptions, Changes, Tier};
use compartment_operations::history::Historian;
use compartment_operations::{Look, Operations, WatchOptions, Watcher};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::connections::Connections;
use crate::router::router;
use crate::state::{Rendered, Shared, render};
use crate::{ServerError, ServerOptions};

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    newest: watch::Sender<Option<Rendered>>,
}

impl Server {
    /// Listens, and begins to look at the deployment.
    ///
    /// # Errors
    /// [`ServerError::NeedsToken`] for an address that other machines reach, without a token;
    /// [`ServerError::Listen`] for one that is taken.
    pub async fn bind(operations: Operations, options: ServerOptions) -> Result<Self, ServerError> {
        if options.token.is_none() && !options.listen.ip().to_canonical().is_loopback() {
            return Err(ServerError::NeedsToken(options.listen));
        }
        let address = options.listen;
        let failed = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let watching = WatchOptions::default().interval(options.interval);
        let watcher = Watcher::start(operations.clone(), watching);
        let allowed = match options.allows_changes && options.token.is_some() {
            // The page's own: everything else is for the command line, and for agents by their tiers.
            true => Allowed::of([Tier::Batches]),
            false => Allowed::none(),
        };
        let changes = Changes::new(operations.clone(), ChangeOptions::new(allowed));
        let (newest, receiver) = watch::channel(None);
        let shared = Arc::new(Shared {
            examining: Semaphore::new(1),
            streams: Arc::new(Semaphore::new(options.max_streams)),
            operations,
            options,
            changes,
            watcher,
            newest: receiver,
        });
        Ok(Self { listener, address, shared, newest })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The looks at the deployment that it serves.
    #[must_use]
    pub fn looks(&self) -> watch::Receiver<Option<Arc<Look>>> {
        self.shared.watcher.looks()
    }

    /// Serves until `stop` ends.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { listener, shared, newest, .. } = self;
        let looks = shared.watcher.looks();
        let connections = Connections::new(listener, shared.options.max_connections);
        let service = router(Arc::clone(&shared));
        tokio::select! {
            () = connections.serve(service) => {}
            () = keep_up(&shared, looks, newest) => {}
            () = stop => {}
        }
    }
}

/// Renders each look, and writes the history.
async fn keep_up(
    shared: &Shared,
    mut looks: watch::Receiver<Option<Arc<Look>>>,
    newest: watch::Sender<Option<Rendered>>,
) {
    let mut historian = Historian::default();
    while looks.changed().await.is_ok() {
        let Some(look) = looks.borrow_and_update().clone() else { continue };
        if let Some(rendered) = render(Arc::clone(&look)) {
            newest.send_replace(Some(rendered));
        }
        if let Err(error) = note(shared, &mut historian, &look).await {
            tracing::warn!(%error, "the history of this minute is not written");
        }
    }
}

async fn note(
    shared: &Shared,
    historian: &mut Historian,
    look: &Look,
) -> compartment_operations::Result<()> {
    match shared.operations.metrics_database().await? {
        Some(metrics) => historian.note(&metrics, look).await,
        None => Ok(()),
    }
}
