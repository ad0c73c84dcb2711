//! How a server tells at which instant a key expires.

use compartment_core::Result;
use compartment_redis::{Connection, ServerInfo};
use redis::{Pipeline, Value};

use crate::question::about;

/// How a server tells at which instant a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpiryBy {
    /// `PEXPIRETIME`: since 7.0.
    Instant,
    /// A script that adds the time left to the clock. Asked apart, the two would be off by whatever happens in between:
    /// up to 150 ms were measured.
    Script,
}

const SCRIPT: &str = include_str!("lua/expires_at.lua");

/// Answer for a key that never expires.
#[cfg(test)]
pub(crate) const NEVER: i64 = -1;
/// Answer for a missing key.
pub(crate) const MISSING: i64 = -2;

impl ExpiryBy {
    pub(crate) fn of(server: &ServerInfo) -> Self {
        let major = server.version.split('.').next().and_then(|part| part.parse::<u32>().ok());
        if major.is_some_and(|major| major >= 7) { Self::Instant } else { Self::Script }
    }

    /// Adds the question for a key, by its name on the server. The answer is the instant in milliseconds since 1970,
    /// −1 for a key that never expires, or [`MISSING`].
    pub(crate) fn ask(self, pipeline: &mut Pipeline, name: &[u8]) {
        match self {
            Self::Instant => about(pipeline, &["PEXPIRETIME"], name),
            Self::Script => {
                pipeline.cmd("EVAL").arg(SCRIPT).arg(1).arg(name);
            }
        }
    }

    /// Asks for the instant of each key, and another question about it: see [`Connection::ask_about`].
    ///
    /// # Errors
    /// The connection's.
    pub(crate) async fn ask_with(
        self,
        connection: &mut Connection,
        operation: &'static str,
        question: &[&str],
        names: &[Vec<u8>],
    ) -> Result<Vec<Value>> {
        if self == Self::Instant {
            return connection.ask_about(operation, &[&["PEXPIRETIME"], question], names).await;
        }
        let mut pipeline = Pipeline::with_capacity(names.len() * 2);
        for name in names {
            self.ask(&mut pipeline, name);
            about(&mut pipeline, question, name);
        }
        connection.ask_each(operation, &pipeline).await
    }

    /// Whether both are the same instant, within the accuracy of this way.
    pub(crate) fn is_same(self, one: Option<u64>, two: Option<u64>) -> bool {
        match (self, one, two) {
            (Self::Script, Some(one), Some(two)) => one.abs_diff(two) <= ROUNDED_MS,
            _ => one == two,
        }
    }
}

/// Each answer of the script may be rounded by a millisecond.
const ROUNDED_MS: u64 = 2;

#[cfg(test)]
mod tests {
    use compartment_core::Instance;
    use compartment_redis::{RedisConfig, Server};
    use compartment_testkit::{TestRedis, run_test};

    use super::*;
    use crate::Place;

    #[test]
    #[ignore = "needs redis-server"]
    fn the_script_gives_the_instants_of_pexpiretime() {
        run_test(async {
            let redis = TestRedis::start().await;
            redis.command(&["SET", "never", "1"]).await;
            redis.command(&["SET", "later", "1", "PXAT", "4102444800123"]).await;
            let instance = Instance::new(&redis.url()).unwrap();
            let server = Server::connect(RedisConfig::for_instance(&instance, 1)).await.unwrap();
            let mut connection = Place::new("zero", server, 0).open("test").await.unwrap();
            let mut pipeline = Pipeline::new();
            for name in ["never", "later", "gone"] {
                ExpiryBy::Script.ask(&mut pipeline, name.as_bytes());
            }
            let answers = connection.ask_each("ask", &pipeline).await.unwrap().into_iter();
            let read = |answer| compartment_redis::read_answer::<i64>("ask", answer).unwrap();
            let answers: Vec<i64> = answers.map(read).collect();
            assert_eq!((answers[0], answers[2]), (NEVER, MISSING));
            assert!(answers[1].abs_diff(4_102_444_800_123) <= ROUNDED_MS, "{answers:?}");
        });
    }
}
