//! `[front]` as the file that would give the same settings.

use std::path::Path;

use super::super::fields::{changed, present};
use super::super::quantity::{size, span};
use super::foreign::FrontContract;
use super::lists::{numbers, quoted, texts};
use super::route::FrontRoute;
use super::settings::{FrontLogin, FrontSettings, FrontTls, FrontUser};

/// The fields of one table.
type Fields = Vec<(&'static str, String)>;

impl FrontSettings {
    /// The fields of `[front]` that are not as usual, as TOML.
    pub(in super::super) fn fields(&self) -> Fields {
        let usual = Self::default();
        let name = |name: &Option<String>| name.as_deref().map(quoted).unwrap_or_default();
        changed([
            ("listen", self.listen != usual.listen, texts(&self.listen)),
            ("default", self.default.is_some(), name(&self.default)),
            ("login", self.login != FrontLogin::Server, quoted(self.login.name())),
            ("clients", self.clients != usual.clients, self.clients.to_string()),
            ("max_request", self.max_request != usual.max_request, size(self.max_request)),
            ("max_output", self.max_output != usual.max_output, size(self.max_output)),
            ("threads", self.threads != usual.threads, self.threads.to_string()),
            ("allow", !self.allow.is_empty(), texts(&self.allow)),
            ("contract", self.contract != FrontContract::Repair, quoted(self.contract.name())),
            ("flush", !self.flush.is_empty(), texts(&self.flush)),
            ("health", self.health.is_some(), name(&self.health)),
            ("slow", self.slow != usual.slow, span(self.slow)),
            ("idle", self.idle.is_some(), self.idle.map(span).unwrap_or_default()),
        ])
    }

    /// The tables of `[[front.route]]`, as TOML.
    pub(in super::super) fn route_fields(&self) -> Vec<Fields> {
        self.routes.iter().map(FrontRoute::fields).collect()
    }

    /// The tables of `[[front.user]]`, as TOML: where each password is, and never the password.
    pub(in super::super) fn user_fields(&self) -> Vec<Fields> {
        self.users.iter().map(FrontUser::fields).collect()
    }

    /// The fields of `[front.tls]`, as TOML.
    pub(in super::super) fn tls_fields(&self) -> Fields {
        self.tls.as_ref().map(FrontTls::fields).unwrap_or_default()
    }
}

impl FrontRoute {
    fn fields(&self) -> Fields {
        let list = |list: &Vec<String>| (!list.is_empty()).then(|| texts(list));
        present([
            ("name", (self.name != self.to).then(|| quoted(&self.name))),
            ("to", Some(quoted(&self.to))),
            ("keys", list(&self.keys)),
            ("programs", list(&self.programs)),
            ("together", list(&self.together)),
            ("users", list(&self.users)),
            ("clients", list(&self.clients)),
            ("select", (!self.select.is_empty()).then(|| numbers(&self.select))),
            ("scripts", list(&self.scripts)),
            ("flush", self.flush.as_deref().map(texts)),
            ("contract", self.contract.map(|contract| quoted(contract.name()))),
        ])
    }
}

impl FrontUser {
    fn fields(&self) -> Fields {
        present([
            ("name", Some(quoted(&self.name))),
            ("password_env", self.password_env.as_deref().map(quoted)),
            ("password_file", self.password_file.as_deref().map(path)),
        ])
    }
}

impl FrontTls {
    fn fields(&self) -> Fields {
        present([
            ("certificate", Some(path(&self.certificate))),
            ("key", Some(path(&self.key))),
            ("client_ca", self.client_ca.as_deref().map(path)),
        ])
    }
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}
