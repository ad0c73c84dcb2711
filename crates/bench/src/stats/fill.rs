//! Servers with mixed keys of skewed sizes, by a seed, and the exact sums of their databases.

use compartment_testkit::TestRedis;
use redis::Pipeline;
use redis::aio::MultiplexedConnection;

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of a big key.
const BIG: usize = 10 << 20;
/// Keys in one round trip.
const BATCH: u64 = 500;
/// The longest value of the rest.
const LONGEST: f64 = 5e6;

/// What a server is filled with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    seed: u64,
    keys: u64,
    pub(super) databases: u32,
    /// The standard deviation of the logarithm of the sizes.
    pub(super) spread: f64,
    big: u64,
    /// Whether the big keys are in the first database only.
    is_first_only: bool,
}

/// A database that was filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled {
    pub(super) keys: u64,
    /// The sum of `MEMORY USAGE key SAMPLES 0`.
    pub(super) exact: u64,
}

impl Scenario {
    pub(super) fn of(seed: u64, keys: u64, databases: Option<u32>, big: u64) -> Self {
        let databases = databases.unwrap_or(1 + (seed % 4) as u32);
        let spread = [1.0, 1.5, 2.0][(seed / 4 % 3) as usize];
        Self { seed, keys, databases, spread, big, is_first_only: seed / 12 % 2 == 1 }
    }
}

/// Fills the server, and sums its databases up.
pub(super) async fn fill(server: &TestRedis, scenario: &Scenario) -> Result<Vec<Filled>, Failure> {
    let mut random = Random(scenario.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut filled = Vec::new();
    // Each database has half the keys of the one before it.
    let parts: u64 =
        (0..scenario.databases).map(|index| 1 << (scenario.databases - 1 - index)).sum();
    for index in 0..scenario.databases {
        let keys = scenario.keys * (1 << (scenario.databases - 1 - index)) / parts;
        let mut connection = connect(server, index).await?;
        let mut at = 0;
        while at < keys {
            let mut pipeline = Pipeline::new();
            for number in at..keys.min(at + BATCH) {
                let is_big = number % scenario.big == scenario.big / 2
                    && (index == 0 || !scenario.is_first_only);
                match is_big {
                    true => add_big(&mut pipeline, number, &mut random),
                    false => add(&mut pipeline, number, scenario.spread, &mut random),
                }
            }
            pipeline.exec_async(&mut connection).await?;
            at += BATCH;
        }
        filled.push(Filled { keys, exact: exact(&mut connection).await? });
    }
    Ok(filled)
}

async fn connect(server: &TestRedis, index: u32) -> Result<MultiplexedConnection, Failure> {
    let client = redis::Client::open(format!("{}/{index}", server.url()))?;
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

async fn exact(connection: &mut MultiplexedConnection) -> Result<u64, Failure> {
    let (mut sum, mut cursor) = (0, 0_u64);
    let mut seen = std::collections::HashSet::new();
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(1_000);
        let (next, mut names): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        names.retain(|name| seen.insert(name.clone()));
        let mut pipeline = Pipeline::new();
        for name in &names {
            pipeline.cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0);
        }
        if !names.is_empty() {
            let sizes: Vec<u64> = pipeline.query_async(connection).await?;
            sum += sizes.iter().sum::<u64>();
        }
        cursor = next;
        if cursor == 0 {
            return Ok(sum);
        }
    }
}

fn add_big(pipeline: &mut Pipeline, number: u64, random: &mut Random) {
    if random.unit() < 0.7 {
        pipeline.cmd("SETRANGE").arg(format!("file:{number}")).arg(BIG - 1).arg("x").ignore();
        return;
    }
    const ELEMENT: usize = 1_000;
    let element = "e".repeat(ELEMENT);
    let elements = vec![element.as_str(); BIG / ELEMENT];
    pipeline.cmd("RPUSH").arg(format!("archive:{number}")).arg(&elements).ignore();
}

fn add(pipeline: &mut Pipeline, number: u64, spread: f64, random: &mut Random) {
    let bytes = (200.0_f64.ln() + spread * random.normal()).exp().min(LONGEST) as usize + 1;
    let kind = random.unit();
    let many = |each: usize| (bytes / each).clamp(1, 3_000);
    if kind < 0.6 {
        let set = pipeline.cmd("SET").arg(format!("page:{number}:body")).arg("x".repeat(bytes));
        if number.is_multiple_of(2) {
            set.arg("EX").arg(86_400);
        }
    } else if kind < 0.8 {
        let hash = pipeline.cmd("HSET").arg(format!("user:{number}"));
        for field in 0..many(20) {
            hash.arg(format!("field{field}")).arg("twelve bytes");
        }
    } else if kind < 0.9 {
        let list = pipeline.cmd("RPUSH").arg(format!("queue:{number}"));
        (0..many(40)).for_each(|_| {
            list.arg("an element of a list that has forty byte");
        });
    } else if kind < 0.95 {
        let set = pipeline.cmd("SADD").arg(format!("tags:{number}"));
        for member in 0..many(20) {
            set.arg(format!("member-{number}-{member}"));
        }
    } else {
        let sorted = pipeline.cmd("ZADD").arg(format!("rank:{number}"));
        for member in 0..many(20) {
            sorted.arg(member).arg(format!("member-{member}"));
        }
    }
    pipeline.ignore();
}

/// splitmix64: the same keys for the same seed.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// By Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().max(f64::MIN_POSITIVE).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
