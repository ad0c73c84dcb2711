//! A thread of the front: its programs and its connections to servers.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use compartment_redis::RedisConfig;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

use crate::accounting::Accounts;
use crate::front::{Config, Front};
use crate::programs::Programs;
use crate::session::Session;
use crate::socket::Incoming;
use crate::upstream::{Away, Servers};

/// So long programs are given to take the replies that are on their way, when the front stops.
const GRACE: Duration = Duration::from_secs(10);

/// What a thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// A program has connected.
    Serve(Incoming),
    /// Another configuration, with accounts of its own and all servers that there are.
    Configure(Arc<Config>, Arc<Accounts>, Vec<(String, RedisConfig)>),
    /// No more requests are read.
    Stop,
}

/// What a thread begins with.
pub(crate) struct Start {
    pub(crate) config: Arc<Config>,
    pub(crate) servers: Vec<(String, RedisConfig)>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) programs: Arc<Programs>,
    /// Which servers cannot be reached.
    pub(crate) away: Arc<Away>,
    /// How many programs are connected, over all threads.
    pub(crate) clients: Arc<AtomicUsize>,
}

/// A program that is connected, until this is dropped.
struct Connected(Arc<AtomicUsize>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves programs until it is told to stop, and those that it has are done.
pub(crate) fn serve(start: Start, mut orders: UnboundedReceiver<Order>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let Start { config, servers, accounts, programs, away, clients } = start;
    local.block_on(&runtime, async move {
        let max_output = usize::try_from(config.settings.max_output).unwrap_or(usize::MAX);
        let servers = Servers::new(servers, away, max_output);
        let front = Front::new(config, Rc::clone(&servers), accounts, programs);
        while let Some(order) = orders.recv().await {
            match order {
                Order::Serve(incoming) => {
                    let (front, connected) = (Rc::clone(&front), Connected(Arc::clone(&clients)));
                    tokio::task::spawn_local(async move {
                        let _connected = connected;
                        if let Some(socket) = incoming.open().await
                            && let Some(session) = Session::new(&front, socket)
                        {
                            session.run().await;
                        }
                    });
                }
                Order::Configure(config, accounts, all) => {
                    servers.set(all);
                    front.set_config(config, accounts);
                }
                Order::Stop => break,
            }
        }
        front.stop();
        let gone = async {
            while Rc::strong_count(&front) > 1 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(GRACE, gone).await;
        servers.close();
    });
    Ok(())
}
