//! The front as a whole: it listens, gives programs to its threads, takes on another configuration, and stops.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment_core::{DatabaseMap, Error, ErrorKind, Result};
use compartment_redis::RedisConfig;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::accounting::Accounts;
use crate::dry;
use crate::figures::{FrontFigures, ServerFigures};
use crate::front::Config;
use crate::listen::{Listener, Socket};
use crate::passwords::Passwords;
use crate::programs::Programs;
use crate::route::Router;
use crate::socket::Incoming;
use crate::table::read_table;
use crate::thread::{Order, Start, serve};
use crate::tls;
use crate::upstream::Away;

/// A pause after a connection could not be accepted, as when there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The configuration of a front.
#[derive(Debug)]
pub struct Setup {
    /// The databases, their servers, and `[front]`.
    pub map: DatabaseMap,
    /// The router of the map.
    pub router: Router,
    /// The passwords of the front's own users.
    pub passwords: Passwords,
    /// Where to listen instead of where the map says.
    pub listen: Option<Vec<String>>,
    /// Sockets that listen already: then none of the addresses is bound.
    pub sockets: Vec<Socket>,
    /// The dry mode: every request passes to the index that the program selects, on the server of the default
    /// database, and what the routes would do with it is counted.
    pub observes: bool,
}

/// A front that listens.
///
/// # Contract
///
/// Routing:
/// - `each_key_lives_in_its_database`: by the routes that fit the program, the first that takes the key.
/// - `a_program_sees_one_database`: SCAN, KEYS, DBSIZE, RANDOMKEY and INFO are of all its databases; cursors stay below
///   2^53.
/// - `every_command_of_every_server_is_treated_as_the_list_says`, and `keys_are_found_where_every_server_finds_them`.
///
/// Several databases:
/// - `commands_over_several_databases_are_split_and_put_together_in_order`, atomically on one server.
/// - `commands_whose_keys_belong_together_are_one_step` where one server has them all.
/// - `transactions_are_atomic_over_the_databases_of_a_server`; `nothing_between_watch_and_exec_ends_the_watch`.
/// - `scripts_run_in_the_database_of_their_keys`, and `a_script_without_keys_runs_in_the_database_of_its_route`.
/// - `patterns_of_sort_are_of_keys_beside_the_sorted_one`: others are refused.
///
/// Connections:
/// - `blocking_commands_and_channels_are_as_without_it`.
/// - `notifications_name_the_index_that_the_program_knows`, and come for its own keys.
/// - `a_program_of_the_third_protocol_is_told_of_changed_keys`, after the reply that changed them:
///   `a_transaction_is_answered_before_it_is_told_what_it_has_changed`.
/// - `monitoring_shows_the_requests_of_others`; `a_replica_is_given_the_stream_of_the_server` where that is allowed.
///
/// Programs apart:
/// - `a_transaction_changes_no_connection` that another program has later.
/// - `a_login_leads_to_the_database_of_its_route`, and `a_user_who_may_not_select_writes_nowhere_else`.
/// - `after_another_address_nothing_goes_to_the_old_one`.
/// - `what_a_command_has_copied_is_gone_however_it_ends`.
///
/// Contracts of databases:
/// - `a_flush_empties_what_the_route_allows`, and `what_is_flushed_does_not_come_back`.
/// - `foreign_writes_get_the_life_of_their_contract`, and `a_write_into_several_databases_keeps_to_the_terms_of_each`.
/// - `a_key_gets_the_lifetime_of_its_rule_by_the_terms_of_its_route`.
///
/// Previous places:
/// - `a_living_database_is_separated_without_a_stop`, and `keys_of_several_databases_are_brought_before_the_command`.
/// - `every_way_of_asking_finds_a_key_that_has_not_moved`; `a_watch_outlasts_what_is_brought`.
///
/// Clusters:
/// - `keys_on_a_cluster_are_at_the_nodes_of_their_slots`, and `ordinary_commands_answer_as_a_single_server_does`.
/// - `commands_over_several_nodes_are_split_and_others_are_refused`; `a_program_sees_one_database_on_all_nodes`.
/// - `databases_on_a_cluster_are_told_apart_by_prefixes`, and `numbered_databases_of_a_cluster_are_apart`.
/// - `a_transaction_is_of_one_slot`; `scripts_are_stored_at_every_node`.
/// - `elements_are_waited_for_at_the_node_of_their_key`, and `who_waits_for_an_element_waits_where_the_slot_goes`.
/// - `messages_reach_everybody_and_those_of_shards_their_node`; `notifications_come_from_every_node`.
/// - `every_increment_counts_once_while_slots_move_key_by_key`, and `a_program_reads_what_it_has_written_while_slots_move`.
/// - `keys_of_a_slot_between_two_nodes_are_found_at_either`; `a_write_and_its_life_follow_a_slot_together`.
/// - `a_dead_master_takes_away_its_slots_only`, and `no_acknowledged_write_is_lost_with_a_master`.
/// - `a_master_that_takes_over_is_followed`; `a_cluster_that_is_away_is_looked_for`.
/// - `no_answer_of_a_node_goes_to_another_question`; `a_login_is_passed_to_each_node`.
/// - `one_database_is_on_a_cluster_and_another_on_a_server`; `the_dry_mode_passes_through_to_a_cluster`.
///
/// Figures:
/// - `everything_that_passes_is_counted`, and `the_dry_mode_changes_nothing_and_counts`.
///
/// Faults:
/// - `no_answer_goes_to_another_question_in_ten_thousand_rounds` of cut packets and broken connections.
/// - `a_killed_server_that_comes_back_is_used_again`, and `the_breaker_of_one_server_leaves_the_others_alone`.
/// - `a_new_master_of_sentinel_is_followed`, and `a_server_that_is_back_is_seen_to_be`.
/// - `who_waits_for_a_lost_connection_is_not_left_waiting`.
/// - `a_program_that_takes_no_replies_holds_up_nobody`, and `a_program_that_has_gone_takes_no_element`.
/// - `garbage_gets_the_server_s_own_error_and_ends`.
/// - `long_values_pass_through_without_being_held`.
///
/// Operation:
/// - `the_server_decides_what_a_login_may`, or `the_front_can_have_users_of_its_own`.
/// - `programs_connect_over_tls_and_the_front_to_its_servers`.
/// - `programs_beyond_the_limit_are_told_so`.
/// - `another_configuration_is_taken_on_without_losing_a_connection`.
/// - `programs_get_the_replies_on_their_way_when_it_stops`.
#[derive(Debug)]
pub struct FrontServer {
    listeners: Vec<Listener>,
    handle: FrontHandle,
    threads: Vec<JoinHandle<std::io::Result<()>>>,
    clients: Arc<AtomicUsize>,
}

/// A hold on a front that runs.
#[derive(Clone, Debug)]
pub struct FrontHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Mutex<Arc<Config>>,
    /// The instances that were ever used, by number.
    servers: Mutex<Vec<(String, RedisConfig)>>,
    /// Which of them cannot be reached.
    away: Arc<Away>,
    orders: Vec<UnboundedSender<Order>>,
    /// Of each configuration so far, and each thread.
    accounts: Mutex<Vec<(Arc<Config>, Arc<Accounts>)>>,
    programs: Arc<Programs>,
    clients: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address())
    }
}

fn failed(what: String) -> Error {
    Error::new(ErrorKind::Configuration, "open the front", what)
}

/// The servers of a map, after those that are known: each keeps its number.
fn servers_of(
    map: &DatabaseMap,
    mut known: Vec<(String, RedisConfig)>,
) -> Vec<(String, RedisConfig)> {
    for (name, instance) in map.instances() {
        let config = RedisConfig::for_instance(instance, 1);
        match known.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = config,
            None => known.push((name.clone(), config)),
        }
    }
    known
}

async fn config_of(setup: Setup, servers: &[(String, RedisConfig)]) -> Result<Arc<Config>> {
    let Setup { map, router, passwords, observes, listen: _, sockets: _ } = setup;
    let names: Vec<String> = servers.iter().map(|(name, _)| name.clone()).collect();
    let Some(home) = router.view(&crate::route::Program::default()).map(|view| view.home()) else {
        return Err(failed("the map has no database".to_owned()));
    };
    let home = router
        .databases()
        .get(home.position())
        .map(|contract| contract.placement.instance().to_owned());
    let of_home = servers.iter().filter(|(name, _)| Some(name) == home.as_ref());
    let others = servers.iter().filter(|(name, _)| Some(name) != home.as_ref());
    let table = read_table(of_home.chain(others)).await?;
    let (map, router, observer) = match observes {
        true => dry::passing(&map, router, home.as_deref().unwrap_or_default(), &names)?,
        false => (map, router, None),
    };
    Ok(Arc::new(Config::new(&map, &names, router, table, passwords, observer)?))
}

impl FrontServer {
    /// Reads the servers' tables of commands, listens, and starts the threads.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for settings that cannot be kept, or an address that is taken; the server's error
    /// if no server answers.
    pub async fn bind(mut setup: Setup) -> Result<Self> {
        let mut settings = setup.map.front().clone();
        if let Some(listen) = &setup.listen {
            settings.listen.clone_from(listen);
        }
        let inherited = std::mem::take(&mut setup.sockets);
        if !inherited.is_empty() {
            settings.listen.clear();
        }
        let servers = servers_of(&setup.map, Vec::new());
        let config = config_of(setup, &servers).await?;
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let mut listeners = Vec::with_capacity(settings.listen.len());
        for socket in inherited {
            let listener = Listener::inherited(socket, tls.as_ref());
            listeners.push(listener.map_err(|error| {
                failed(format!("cannot use a socket that was handed over: {error}"))
            })?);
        }
        for address in &settings.listen {
            let bound = Listener::bind(address, tls.as_ref()).await;
            listeners.push(
                bound.map_err(|error| failed(format!("cannot listen on {address}: {error}")))?,
            );
        }
        let clients = Arc::new(AtomicUsize::new(0));
        let (away, programs) = (Arc::new(Away::default()), Arc::new(Programs::default()));
        let (mut orders, mut accounts, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..settings.threads.max(1) {
            let (sender, receiver) = unbounded_channel();
            let own = Arc::new(config.accounts());
            let start = Start {
                config: Arc::clone(&config),
                servers: servers.clone(),
                accounts: Arc::clone(&own),
                programs: Arc::clone(&programs),
                away: Arc::clone(&away),
                clients: Arc::clone(&clients),
            };
            threads.push(tokio::task::spawn_blocking(move || serve(start, receiver)));
            orders.push(sender);
            accounts.push((Arc::clone(&config), own));
        }
        let shared = Shared {
            config: Mutex::new(config),
            servers: Mutex::new(servers),
            away,
            orders,
            accounts: Mutex::new(accounts),
            programs,
            clients: Arc::clone(&clients),
        };
        Ok(Self { listeners, handle: FrontHandle { shared: Arc::new(shared) }, threads, clients })
    }

    /// The addresses on which it listens.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// A hold on it, to reconfigure and to count.
    #[must_use]
    pub fn handle(&self) -> FrontHandle {
        self.handle.clone()
    }

    /// Serves programs until `stop` is ready; then those that are connected get the replies that are on their way.
    ///
    /// # Errors
    /// If a thread could not be started.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        let Self { listeners, handle, threads, clients } = self;
        let mut accepting = Vec::new();
        for listener in listeners {
            accepting.push(tokio::spawn(accept(listener, handle.clone(), Arc::clone(&clients))));
        }
        stop.await;
        for task in &accepting {
            task.abort();
        }
        for task in accepting {
            let _ = task.await;
        }
        for orders in &handle.shared.orders {
            let _ = orders.send(Order::Stop);
        }
        for thread in threads {
            let ended =
                thread.await.map_err(|error| failed(format!("a thread has failed: {error}")))?;
            ended.map_err(|error| failed(format!("a thread could not be started: {error}")))?;
        }
        Ok(())
    }
}

/// Gives each program that connects to the next thread.
async fn accept(listener: Listener, handle: FrontHandle, clients: Arc<AtomicUsize>) {
    let mut next = 0;
    loop {
        let incoming = match listener.accept().await {
            Ok(incoming) => incoming,
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let limit = handle.config().settings.clients as usize;
        if clients.fetch_add(1, Ordering::Relaxed) >= limit {
            clients.fetch_sub(1, Ordering::Relaxed);
            refuse(incoming);
            continue;
        }
        next = (next + 1) % handle.shared.orders.len().max(1);
        if let Some(orders) = handle.shared.orders.get(next)
            && orders.send(Order::Serve(incoming)).is_err()
        {
            return;
        }
    }
}

/// Says why there is no room.
fn refuse(incoming: Incoming) {
    tokio::spawn(async move {
        // Before TLS nothing can be said.
        if let Incoming::Tcp(stream, None) = incoming
            && let Ok(mut stream) = tokio::net::TcpStream::from_std(stream)
        {
            let _ = stream.write_all(b"-ERR max number of clients reached\r\n").await;
        }
    });
}

impl FrontHandle {
    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.shared.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The figures since the front began.
    #[must_use]
    pub fn figures(&self) -> FrontFigures {
        let config = self.config();
        let mut figures = FrontFigures::default();
        // Of all configurations so far, each by its own numbers.
        for (config, accounts) in
            self.shared.accounts.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            FrontFigures::read(config, accounts, &mut figures);
        }
        figures.clients = self.shared.clients.load(Ordering::Relaxed) as u64;
        let servers = self.shared.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut away = self.shared.away.names();
        figures.servers = servers
            .iter()
            .map(|(name, _)| ServerFigures { name: name.clone(), is_away: away.remove(name) })
            .collect();
        // Nodes of clusters.
        let nodes = away.into_iter().map(|name| ServerFigures { name, is_away: true });
        figures.servers.extend(nodes);
        figures.programs = self.shared.programs.figures();
        figures.observed = config.observer.as_ref().map(crate::observer::Observer::observed);
        figures
    }

    /// Takes on another configuration. Connections stay; requests from now on are routed by it. Addresses, TLS and the
    /// number of threads stay as they were.
    ///
    /// # Errors
    /// As [`FrontServer::bind`]; the configuration stays as it was then.
    pub async fn reconfigure(&self, setup: Setup) -> Result<()> {
        let known = self.shared.servers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let servers = servers_of(&setup.map, known);
        let config = config_of(setup, &servers).await?;
        self.shared.servers.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&servers);
        *self.shared.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&config);
        let mut all = self.shared.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for orders in &self.shared.orders {
            let own = Arc::new(config.accounts());
            all.push((Arc::clone(&config), Arc::clone(&own)));
            let _ = orders.send(Order::Configure(Arc::clone(&config), own, servers.clone()));
        }
        Ok(())
    }
}
