//! Sockets that systemd has opened, so that no program is refused while the front starts anew.

use compartment_front::Socket;

use crate::exit_code::CliError;

/// Those of `LISTEN_FDS`; none where the process was started otherwise.
#[cfg(unix)]
pub(super) fn handed_over() -> Result<Vec<Socket>, CliError> {
    use crate::exit_code::ExitCode;

    let mut all = listenfd::ListenFd::from_env();
    let mut sockets = Vec::with_capacity(all.len());
    for at in 0..all.len() {
        let socket = match all.take_tcp_listener(at) {
            Ok(Some(listener)) => Some(Socket::Tcp(listener)),
            _ => all.take_unix_listener(at).ok().flatten().map(Socket::Unix),
        };
        sockets.push(socket.ok_or_else(|| {
            let what =
                format!("socket {at} of LISTEN_FDS is neither TCP nor Unix, or does not listen");
            CliError::new(ExitCode::Configuration, what)
        })?);
    }
    Ok(sockets)
}

#[cfg(not(unix))]
pub(super) fn handed_over() -> Result<Vec<Socket>, CliError> {
    Ok(Vec::new())
}
