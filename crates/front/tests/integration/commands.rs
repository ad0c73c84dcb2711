//! The command table of every server, beside what that server itself says of keys.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;

use bytes::BytesMut;
use compartment_front::commands::{Access, Command, CommandTable, KeyAt};
use compartment_front::resp::{Arguments, Resp, Tree};
use compartment_testkit::{ServerProgram, TestRedis, run_test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Call = Vec<Vec<u8>>;

struct Connection {
    stream: TcpStream,
    bytes: BytesMut,
}

impl Connection {
    async fn open(server: &TestRedis) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        Self { stream, bytes: BytesMut::new() }
    }

    /// Sends calls together, and reads their answers.
    async fn send(&mut self, calls: &[Call]) -> Vec<Tree> {
        let mut answers = Vec::new();
        // Few enough for the answers to lie in the buffers of both sides until all calls are written.
        for calls in calls.chunks(100) {
            answers.extend(self.send_few(calls).await);
        }
        answers
    }

    async fn send_few(&mut self, calls: &[Call]) -> Vec<Tree> {
        let mut request = BytesMut::new();
        for call in calls {
            Tree::Array(call.iter().map(Tree::bulk).collect()).write(Resp::Two, &mut request);
        }
        self.stream.write_all(&request).await.unwrap();
        let mut answers = Vec::new();
        while answers.len() < calls.len() {
            match Tree::parse(&self.bytes).unwrap() {
                Some((tree, taken)) => {
                    answers.push(tree);
                    let _ = self.bytes.split_to(taken);
                }
                None => assert_ne!(
                    self.stream.read_buf(&mut self.bytes).await.unwrap(),
                    0,
                    "the server hung up"
                ),
            }
        }
        answers
    }

    async fn table(&mut self, hello: u8) -> CommandTable {
        let calls = [call(&["HELLO", &hello.to_string()]), call(&["COMMAND"])];
        CommandTable::read(&self.send(&calls).await[1]).unwrap()
    }
}

fn call(words: &[&str]) -> Call {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// A call in the form of a parsed request.
fn with_arguments<T>(call: &Call, then: impl FnOnce(&Arguments<'_>) -> T) -> T {
    let mut ranges = Vec::new();
    let mut bytes = Vec::new();
    for word in call {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(word);
        ranges.push((start, bytes.len() as u32));
    }
    then(&Arguments::new(&bytes, &ranges))
}

/// Numbers without order, but the same ones in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Words that mean something to some command, numbers of keys, and keys.
const WORDS: &[&str] = &[
    "store",
    "STOREDIST",
    "get",
    "BY",
    "limit",
    "keys",
    "KEYS",
    "STREAMS",
    "streams",
    "count",
    "BLOCK",
    "GROUP",
    "NOACK",
    "DB",
    "auth",
    "AUTH2",
    "SET",
    "incrby",
    "OVERFLOW",
    "copy",
    "",
    "0",
    "1",
    "1",
    "2",
    "2",
    "3",
    "-1",
    "x",
    "99999999999999999999",
    "a",
    "b",
    "c",
    "d",
    "key:1",
    "key:2",
    "key:3",
    "IFEQ",
    "NX",
    "#",
];

/// Calls of a command that the server counts as complete, with arguments of every kind.
fn calls(command: &Command, numbers: &mut Numbers) -> Vec<Call> {
    let names: Vec<&str> = command.name.split('|').collect();
    let least = command.arity.unsigned_abs() as usize;
    let extra = if command.arity < 0 { 9 } else { 1 };
    let random = (0..150).map(|_| {
        let count = (least + numbers.below(extra)).max(2) - names.len();
        let words = (0..count).map(|_| WORDS[numbers.below(WORDS.len())]);
        call(&names.iter().copied().chain(words).collect::<Vec<_>>())
    });
    random.filter(|call| command.takes(call.len())).collect()
}

/// Valid calls that random ones seldom make.
const EXAMPLES: &[&str] = &[
    "SORT a BY w_* GET # GET o_* LIMIT 0 5 STORE dest",
    "SORT a STORE x STORE y",
    "SORT a LIMIT store 1 GET store",
    "SORT_RO a BY w_* GET o_*",
    "MIGRATE host 1 key 0 10 COPY REPLACE",
    "MIGRATE host 1  0 10 COPY AUTH keys KEYS a b c",
    "MIGRATE host 1  0 10 AUTH2 keys keys REPLACE KEYS a",
    "GEORADIUS a 1 2 3 km STORE d STOREDIST e",
    "GEORADIUSBYMEMBER a m 3 km COUNT 5 STOREDIST e",
    "GEOSEARCHSTORE d s FROMMEMBER m BYRADIUS 3 km",
    "XREAD COUNT 5 BLOCK 0 STREAMS a b 0 0",
    "XREADGROUP GROUP streams c COUNT 1 NOACK STREAMS a b c > > >",
    "EVAL script 2 a b c",
    "EVALSHA_RO 0123 0 a",
    "FCALL f 1 a x",
    "LMPOP 2 a b LEFT COUNT 2",
    "BLMPOP 0 2 a b LEFT",
    "BZMPOP 0 1 a MIN",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
    "ZINTERSTORE d 1 a AGGREGATE MAX",
    "ZDIFFSTORE d 2 a b",
    "ZUNION 2 a b WITHSCORES",
    "ZINTERCARD 2 a b LIMIT 1",
    "SINTERCARD 3 a b c LIMIT 1",
    "ZRANGESTORE d s 0 -1",
    "MSET a 1 b 2",
    "MSETNX a 1 b 2",
    "MSETEX 2 a 1 b 2 EX 5",
    "BITOP AND d a b",
    "BITOP NOT d a",
    "BITFIELD a GET u8 0 OVERFLOW SAT GET u4 1",
    "BITFIELD a GET u8 0 SET u4 1 1",
    "BITFIELD a",
    "SET a b GET",
    "SET a b EX 10 NX",
    "SET a get",
    "SET a b IFEQ c",
    "COPY a b DB 3 REPLACE",
    "BLPOP a b c 0",
    "BZPOPMIN a b 0",
    "BLMOVE a b LEFT RIGHT 0",
    "LCS a b LEN",
    "OBJECT ENCODING a",
    "MEMORY USAGE a SAMPLES 3",
    "XGROUP CREATE a g $ MKSTREAM",
    "XINFO STREAM a FULL",
    "PFCOUNT a b",
    "PFMERGE d a b",
    "RESTORE a 0 x REPLACE",
    "RENAME a b",
    "SMOVE a b m",
];

/// Calls for which the server names other keys than those that it uses.
fn may_differ(call: &Call, major: u32) -> bool {
    let name = call[0].to_ascii_lowercase();
    let stores = call.iter().filter(|word| word.to_ascii_lowercase().starts_with(b"store")).count();
    match &*name {
        // The last one counts; the server names each.
        b"georadius" if call[5].to_ascii_lowercase().starts_with(b"store") => true,
        b"georadius" | b"georadiusbymember" | b"sort" => stores > 1,
        // A key without a value: the request is wrong, but the server names the keys.
        b"mset" | b"msetnx" => call.len().is_multiple_of(2),
        // Of no keys the server makes an error before it looks at the target.
        b"zunionstore" | b"zinterstore" | b"zdiffstore" => call[2] == b"0",
        // A call with the word twice is not valid, and what the server finds depends on where they are.
        b"migrate" if call.iter().filter(|word| word.eq_ignore_ascii_case(b"keys")).count() > 1 => {
            true
        }
        // Before 7.0 options were told from values by their place only.
        b"xread" | b"xreadgroup" | b"migrate" if major < 7 => true,
        // Without its first word it is not valid, but the server looks for keys.
        b"xreadgroup" => !call[1].eq_ignore_ascii_case(b"group"),
        // Before 7.0 keys of subcommands are not told.
        b"memory" => major < 7,
        _ => false,
    }
}

/// What the server says: the keys, and their access where it tells. Nothing if the call has no keys or is not valid.
fn told(answer: &Tree) -> Vec<(Vec<u8>, Option<Access>)> {
    let access = |flags: &Tree| {
        flags.items().unwrap().iter().find_map(|flag| match flag.text().unwrap() {
            b"RO" => Some(Access::Read),
            b"RW" => Some(Access::Change),
            b"OW" => Some(Access::Overwrite),
            b"RM" => Some(Access::Remove),
            _ => None,
        })
    };
    let keys = answer.items().unwrap_or_default().iter();
    keys.map(|key| match key.items() {
        Some([name, flags]) => (name.text().unwrap().to_vec(), access(flags)),
        _ => (key.text().unwrap().to_vec(), None),
    })
    .collect()
}

/// Compares the keys of calls with the server's answers, and says which differ.
async fn differences(
    program: &ServerProgram,
    connection: &mut Connection,
    calls: &[Call],
) -> Vec<String> {
    let table = connection.table(2).await;
    let major = program.major();
    let getkeys = if major < 7 { "GETKEYS" } else { "GETKEYSANDFLAGS" };
    let asked: Vec<Call> = calls
        .iter()
        .map(|call_| [self::call(&["COMMAND", getkeys]), call_.clone()].concat())
        .collect();
    let answers = connection.send(&asked).await;
    let mut differences = Vec::new();
    let mut keys = vec![KeyAt { at: 9, access: Access::Remove, may_insert: true }];
    for (call, answer) in calls.iter().zip(&answers).filter(|(call, _)| !may_differ(call, major)) {
        let mut expected = told(answer);
        let found = with_arguments(call, |arguments| {
            let command = table.find(arguments)?;
            let _ = command.keys(arguments, &mut keys);
            Some(
                keys.iter()
                    .map(|key| (arguments.get(key.at as usize).to_vec(), key.access))
                    .collect::<Vec<_>>(),
            )
        });
        let Some(mut found) = found else { continue };
        if major < 7 {
            // The target came last.
            found.sort_by(|one, other| one.0.cmp(&other.0));
            expected.sort_by(|one, other| one.0.cmp(&other.0));
        }
        let same = found.len() == expected.len()
            && found.iter().zip(&expected).all(|(found, expected)| {
                found.0 == expected.0 && expected.1.is_none_or(|access| access == found.1)
            });
        if !same {
            let text: Vec<_> = call.iter().map(|word| String::from_utf8_lossy(word)).collect();
            let said = answer.error().map(String::from_utf8_lossy);
            differences.push(format!(
                "{}: {text:?}: {found:?}, the server: {expected:?} {said:?}",
                program.name()
            ));
        }
    }
    differences
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn keys_are_found_where_every_server_finds_them() {
    run_test(async {
        let mut all = Vec::new();
        let mut compared = 0;
        for program in ServerProgram::all() {
            let server = TestRedis::builder().program(&program).start().await;
            let mut connection = Connection::open(&server).await;
            let mut numbers = Numbers(program.name().len() as u64);
            let table = connection.table(2).await;
            let with_keys = table
                .iter()
                .filter(|command| command.may_have_keys() && !command.name.contains('|'));
            let mut calls: Vec<Call> =
                with_keys.flat_map(|command| calls(command, &mut numbers)).collect();
            if program.major() >= 7 {
                let subs = table
                    .iter()
                    .filter(|command| command.may_have_keys() && command.name.contains('|'));
                calls.extend(subs.flat_map(|command| self::calls(command, &mut numbers)));
            }
            let examples =
                EXAMPLES.iter().map(|example| call(&example.split(' ').collect::<Vec<_>>()));
            calls.extend(examples.filter(|call| {
                let command = with_arguments(call, |arguments| table.find(arguments).cloned());
                command.is_some_and(|command| command.takes(call.len()))
            }));
            compared += calls.len();
            all.extend(differences(&program, &mut connection, &calls).await);
        }
        assert!(compared > 100_000, "{compared} calls compared");
        assert!(all.is_empty(), "{} of {compared} differ:\n{}", all.len(), all.join("\n"));
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn both_versions_of_the_protocol_give_one_table() {
    run_test(async {
        for program in ServerProgram::all() {
            let server = TestRedis::builder().program(&program).start().await;
            let mut connection = Connection::open(&server).await;
            let (two, three) = (connection.table(2).await, connection.table(3).await);
            // The server's own order is that of a hash table, which is another after each start only.
            assert_eq!(format!("{two:?}"), format!("{three:?}"), "{}", program.name());
            assert!(two.iter().enumerate().all(|(at, command)| usize::from(command.id) == at));
        }
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn every_command_of_every_server_is_treated_as_the_list_says() {
    run_test(async {
        let listed: BTreeMap<&str, &str> =
            include_str!("kinds.txt").lines().filter_map(|line| line.split_once(": ")).collect();
        let mut wrong = BTreeMap::new();
        for program in ServerProgram::all() {
            let server = TestRedis::builder().program(&program).start().await;
            let table = Connection::open(&server).await.table(2).await;
            for command in table.iter() {
                let first = if command.first_key_only() { ", first argument" } else { "" };
                let kind = format!("{:?}{first}", command.kind);
                if listed.get(&*command.name) != Some(&kind.as_str()) {
                    wrong.insert(format!("{}: {kind}", command.name), program.name().to_owned());
                }
            }
        }
        let lines: Vec<_> = wrong.into_keys().collect();
        assert!(lines.is_empty(), "not as in kinds.txt:\n{}", lines.join("\n"));
    });
}
