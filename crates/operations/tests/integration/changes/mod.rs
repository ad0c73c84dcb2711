//! Changes by plan, on real servers: the whole data is compared before and after.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod keys;
mod log;
mod others;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use compartment::clock::ManualClock;
use compartment::database_map::Instance;
use compartment::{DatabaseMap, DatabaseMapBuilder, Preset};
use compartment_operations::changes::{
    Actor, Allowed, Change, ChangeDone, ChangeError, ChangeOptions, Changes, PlannedChange,
};
use compartment_operations::{Operations, OperationsOptions};
use compartment_testkit::TestRedis;

/// A server with the databases of a pipeline, and changes of it by a clock that the test moves.
struct Deployed {
    server: TestRedis,
    changes: Changes,
    clock: ManualClock,
    folder: tempfile::TempDir,
}

fn map(server: &TestRedis) -> DatabaseMap {
    DatabaseMapBuilder::preset(Preset::Pipeline)
        .instance("primary", Instance::new(&server.url()).unwrap())
        .build()
        .unwrap()
}

fn actor() -> Actor {
    Actor::new("test", "session")
}

impl Deployed {
    async fn start() -> Self {
        Self::on(TestRedis::start().await)
    }

    fn on(server: TestRedis) -> Self {
        let map = map(&server);
        Self::with_map(server, map)
    }

    fn with_map(server: TestRedis, map: DatabaseMap) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = OperationsOptions::new(map);
        options.state_folder = Some(folder.path().join("state"));
        let clock = ManualClock::default();
        let mut allowed = ChangeOptions::new(Allowed::all());
        allowed.clock = Arc::new(clock.clone());
        allowed.backup_folder = Some(folder.path().to_owned());
        let changes = Changes::new(Operations::new(options), allowed);
        Self { server, changes, clock, folder }
    }

    async fn write(&self, index: u32, key: &str) {
        let reply = self.server.command_in(index, &["SET", key, "value"]).await;
        assert!(!reply.is_error(), "{reply:?}");
    }

    async fn plan(&self, change: Change) -> PlannedChange {
        self.changes.plan(change, &actor()).await.unwrap()
    }

    async fn act(&self, plan: &PlannedChange) -> Result<ChangeDone, ChangeError> {
        self.changes.act(&plan.id, &actor()).await
    }

    /// Each key of each database with its serialised value, but for the log of changes.
    async fn data(&self) -> BTreeMap<(u32, Vec<u8>), String> {
        let mut data = BTreeMap::new();
        for index in 0..6 {
            let names = self.server.command_in(index, &["KEYS", "*"]).await;
            for name in names.array() {
                let name = name.text().into_bytes();
                if name.starts_with(b"compartment:") {
                    continue;
                }
                let dump = [b"DUMP".as_slice(), &name];
                let value = format!("{:?}", self.server.command_in(index, &dump).await);
                data.insert((index, name), value);
            }
        }
        data
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn flush(database: &str, pattern: Option<&str>) -> Change {
    let (database, pattern) = (database.to_owned(), pattern.map(str::to_owned));
    Change::FlushDatabase { database, pattern, yes_really: None }
}

/// Asserts that an act was refused because something moved.
fn assert_moved(result: Result<ChangeDone, ChangeError>) {
    assert!(matches!(result, Err(ChangeError::Moved(_))), "{result:?}");
}
