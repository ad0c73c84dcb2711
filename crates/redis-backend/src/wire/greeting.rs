//! The login on a new connection: protocol, password, database, and the library's name for `CLIENT LIST`.

use redis::{
    Cmd, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisResult, ServerError, Value,
};

use super::exchange::Exchange;

/// Logs in. The caller bounds the time.
///
/// # Errors
/// The server's, if it refuses the protocol, the login or the database.
pub(super) async fn greet(exchange: &Exchange, login: &RedisConnectionInfo) -> RedisResult<()> {
    if let Some(refusal) = say(exchange, login, login.username()).await? {
        // Redis before 6.0 knows passwords only.
        let is_old =
            refusal.details().is_some_and(|text| text.contains("wrong number of arguments"));
        let refused = match is_old && login.username().is_some() {
            true => say(exchange, login, None).await?.is_some(),
            false => true,
        };
        if refused {
            let what = "Password authentication failed";
            return Err((ErrorKind::AuthenticationFailed, what).into());
        }
    }
    Ok(())
}

/// Sends everything at once. Returns the refusal of a password in RESP2.
async fn say(
    exchange: &Exchange,
    login: &RedisConnectionInfo,
    user: Option<&str>,
) -> RedisResult<Option<ServerError>> {
    let is_resp3 = login.protocol() != ProtocolVersion::RESP2;
    let mut commands = Vec::with_capacity(4);
    if is_resp3 {
        commands.push(hello(login));
    } else if let Some(password) = login.password() {
        let mut auth = redis::cmd("AUTH");
        auth.arg(user).arg(password);
        commands.push(auth);
    }
    let logins = commands.len();
    if login.db() != 0 {
        let mut select = redis::cmd("SELECT");
        select.arg(login.db());
        commands.push(select);
    }
    let selects = commands.len() - logins;
    for (name, value) in [("LIB-NAME", login.lib_name()), ("LIB-VER", login.lib_ver())] {
        let mut inform = redis::cmd("CLIENT");
        inform.arg("SETINFO").arg(name).arg(value.unwrap_or_default());
        // Servers before 7.2 do not know it.
        commands.push(inform);
    }
    let commands: Vec<&Cmd> = commands.iter().collect();
    let mut replies = exchange.many(&commands).await?.into_iter();
    if let Some(Value::ServerError(refusal)) = replies.by_ref().take(logins).next() {
        return if is_resp3 { Err(refusal.into()) } else { Ok(Some(refusal)) };
    }
    if let Some(Value::ServerError(refusal)) = replies.by_ref().take(selects).next() {
        let what = "Redis server refused to switch database";
        let said = refusal.details().unwrap_or_default().to_owned();
        return Err((redis::ServerErrorKind::ResponseError.into(), what, said).into());
    }
    Ok(None)
}

fn hello(login: &RedisConnectionInfo) -> Cmd {
    let mut hello = redis::cmd("HELLO");
    hello.arg("3");
    if let Some(password) = login.password() {
        hello.arg("AUTH").arg(login.username().unwrap_or("default")).arg(password);
    }
    hello
}
