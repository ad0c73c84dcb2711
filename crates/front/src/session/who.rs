//! Who a program is: its login, its name, the index it selected, the protocol it speaks.

use bytes::Bytes;
use compartment_core::FrontLogin;

use crate::front::Config;
use crate::resp::Resp;
use crate::route::Program;
use crate::upstream::Login;

/// Who a program is.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) id: u64,
    pub(crate) login: Login,
    /// The user's name, `default` before it has logged in.
    pub(crate) user: String,
    /// Whether requests are executed: the front knows its own users, and it is none of them yet.
    pub(crate) must_log_in: bool,
    /// As `CLIENT SETNAME` set it.
    pub(crate) name: Bytes,
    pub(crate) library: Bytes,
    pub(crate) library_version: Bytes,
    pub(crate) select: u32,
    pub(crate) resp: Resp,
}

impl Who {
    pub(crate) fn new(id: u64, config: &Config) -> Self {
        let is_own = config.settings.login == FrontLogin::Own;
        Self {
            id,
            login: if is_own { Login::OfUrl } else { Login::Nobody },
            user: "default".to_owned(),
            must_log_in: is_own && !config.settings.users.is_empty(),
            name: Bytes::new(),
            library: Bytes::new(),
            library_version: Bytes::new(),
            select: 0,
            resp: Resp::Two,
        }
    }

    pub(crate) fn program(&self) -> Program<'_> {
        Program { user: &self.user, client: &self.name, select: self.select }
    }
}
