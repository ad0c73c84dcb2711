//! `compartment front`: serves programs until it is stopped, and takes on a changed configuration.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use compartment::DatabaseMap;
use compartment_front::{Endpoint, FrontHandle, FrontServer, Setup};

use super::passwords::passwords;
use super::routes::router;
use super::shown::Shown;
use super::sockets;
use super::traffic::Traffic;
use crate::args::{Front, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, STRONG};
use crate::settings;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn run(general: &General, command: &Front) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let file = settings.file.clone();
    let mut setup = setup(&settings.map, command)?;
    setup.sockets = sockets::handed_over()?;
    let health = setup.map.front().health.clone();
    let server = Box::pin(FrontServer::bind(setup)).await?;
    let handle = server.handle();
    let mut traffic = Traffic::open(&settings, handle.clone()).await;
    if let Some(address) = &health {
        let endpoint = Endpoint::bind(address).await.map_err(|error| {
            let what =
                format!("cannot listen on {address}, the address of [front] health: {error}");
            CliError::new(ExitCode::Configuration, what)
        })?;
        tokio::spawn(endpoint.run(handle.clone()));
    }
    let addresses = server.addresses().join(", ");
    let how = if command.observe { "observes on" } else { "serves on" };
    screen::remark(format!("{how} {STRONG}{addresses}{STRONG:#}  Ctrl-C ends it"));
    tokio::select! {
        served = server.run(interrupted()) => served?,
        () = follow(general, command, file, &handle) => {}
        () = traffic.follow() => {}
    }
    traffic.end().await;
    Shown(&handle.figures()).say(command.json);
    Ok(ExitCode::Success)
}

fn setup(map: &DatabaseMap, command: &Front) -> Result<Setup, CliError> {
    let listen = Some(command.listen.clone()).filter(|listen| !listen.is_empty());
    let (map, router, passwords) = (map.clone(), router(map)?, passwords(map)?);
    Ok(Setup { map, router, passwords, listen, sockets: Vec::new(), observes: command.observe })
}

/// Takes on the configuration when the file has changed, or the process is told to.
async fn follow(general: &General, command: &Front, file: Option<PathBuf>, front: &FrontHandle) {
    let mut told = hangups();
    let mut known = changed(file.as_ref());
    loop {
        let is_told = tokio::select! {
            () = told.next() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let now = changed(file.as_ref());
        if !is_told && now == known {
            continue;
        }
        known = now;
        let taken = async {
            let settings = settings::load(general)?;
            Box::pin(front.reconfigure(setup(&settings.map, command)?)).await?;
            Ok::<(), CliError>(())
        };
        match taken.await {
            Ok(()) => screen::remark("the changed configuration is in use"),
            Err(error) => screen::remark(format!("the configuration stays as it was: {error}")),
        }
    }
}

fn changed(file: Option<&PathBuf>) -> Option<SystemTime> {
    std::fs::metadata(file?).and_then(|metadata| metadata.modified()).ok()
}

/// SIGHUP, where there is such a thing.
struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

fn hangups() -> Hangups {
    #[cfg(unix)]
    return Hangups {
        signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
    };
    #[cfg(not(unix))]
    Hangups {}
}

impl Hangups {
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
