//! Fills a server with keys of every type, and reads them back by value, so that versions can be compared.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use compartment_testkit::{Reply, RespConnection, TestRedis};

use crate::data::{connection, names, tell};

/// What is held under a name, without anything that depends on the server's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    kind: String,
    /// Of the value's elements in a fixed order.
    digest: String,
    /// Milliseconds since 1970.
    expires_at: Option<i64>,
}

pub(super) type Content = BTreeMap<Vec<u8>, Held>;

/// Milliseconds by which the life of a key may be off: what the issue of time on two sides allows.
const LIFE_SLACK_MS: i64 = 50;

/// Keys of each kind in [`fill`].
const EACH: usize = 625;

/// Adds about 5,000 keys: strings, numbers, hashes, lists, sets, sorted sets and streams, small and large, some with a
/// life, and streams with groups, consumers and pending entries.
pub(super) async fn fill(server: &TestRedis, index: u32) {
    let mut c = connection(server, index).await;
    let filled = c.send(&["EVAL", FILL, "0", &EACH.to_string()]).await.unwrap();
    assert!(!filled.is_error(), "{filled:?}");
    let binary: &[&[u8]] =
        &[b"", b"\x00\xff", b"with space", b"line\r\nbreak", b"rk\x06\x16p", "ключ".as_bytes()];
    for name in binary {
        let reply = c.send(&[b"SET".as_slice(), name, b"\x80\x02binary\x00"]).await.unwrap();
        assert!(!reply.is_error());
    }
    for group in ["XGROUP CREATE jobs workers 0", "XGROUP CREATE jobs idle $"] {
        tell(&mut c, group).await;
    }
    tell(&mut c, "XREADGROUP GROUP workers one COUNT 20 STREAMS jobs >").await;
    tell(&mut c, "XREADGROUP GROUP workers two COUNT 10 STREAMS jobs >").await;
    tell(&mut c, "XACK jobs workers 1-1 2-1").await;
    tell(&mut c, "XDEL jobs 300-1 7-1").await;
    // A stream that has been emptied keeps its last id, and a group its place in it.
    tell(&mut c, "XADD emptied 5-1 a b").await;
    tell(&mut c, "XGROUP CREATE emptied readers 5-1").await;
    tell(&mut c, "XDEL emptied 5-1").await;
    // A third expire: some at an exact time far off, some within an hour.
    let soon = (now_ms() + 3_600_123).to_string();
    for (at, name) in names(&mut c).await.iter().enumerate().filter(|(at, _)| at % 3 == 0) {
        let when = if at % 2 == 0 { "4102444800123" } else { &soon };
        let reply = c.send(&[b"PEXPIREAT".as_slice(), name, when.as_bytes()]).await.unwrap();
        assert!(!reply.is_error());
    }
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

const FILL: &str = "
local count = tonumber(ARGV[1])
for i = 1, count do
  redis.call('SET', 'text:' .. i, 'value-' .. i .. string.rep('x', i % 300))
  redis.call('SET', 'number:' .. i, i * 7919)
  redis.call('HSET', 'hash:' .. i, 'a', i, 'b', 'x', 'c' .. i, string.rep('y', i % 100))
  redis.call('RPUSH', 'list:' .. i, 'a', i, string.rep('z', i % 90))
  redis.call('SADD', 'ints:' .. i, 1, 2, i)
  redis.call('SADD', 'words:' .. i, 'a', 'b', i)
  redis.call('ZADD', 'scores:' .. i, 1.5, 'a', '-inf', 'b', i / 3, 'c', '1e300', 'd')
  redis.call('XADD', 'events:' .. i, i .. '-1', 'kind', 'a', 'number', i)
end
for i = 1, 3000 do
  redis.call('HSET', 'large:hash', 'field-' .. i, 'value-' .. i)
  redis.call('SADD', 'large:set', 'member-' .. i)
  redis.call('SADD', 'large:ints', i * 65537)
  redis.call('ZADD', 'large:scores', i + 0.25, 'member-' .. i)
  redis.call('RPUSH', 'large:list', 'element-' .. i .. string.rep('x', 100))
end
for i = 1, 300 do redis.call('XADD', 'jobs', i .. '-1', 'field', 'value-' .. i) end
redis.call('SET', 'long', string.rep('x', 300000))
redis.call('PFADD', 'visitors', 'a', 'b', 'c')
return count";

/// Reads some keys within one script: type, expiry by the server's clock, digest of the value. Expiries of hash fields
/// are part of it with ARGV[1] = '1'; ARGV[2] = '1' says that the server has `PEXPIRETIME`. A stream's count of entries
/// is left out, since servers before 7.0 have none.
const READ: &str = "
local found = {}
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  local at
  if ARGV[2] == '1' then at = redis.call('PEXPIRETIME', key)
  else
    local t, left = redis.call('TIME'), redis.call('PTTL', key)
    at = left
    if left >= 0 then at = t[1] * 1000 + math.floor(t[2] / 1000) + left end
  end
  local value = {}
  if kind == 'string' then value = {redis.call('GET', key)}
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key); table.sort(value)
  elseif kind == 'zset' then
    local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #all, 2 do
      value[#value + 1] = all[i] .. ' ' .. string.format('%.17g', tonumber(all[i + 1]))
    end
    table.sort(value)
  elseif kind == 'hash' then
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      local life = ''
      if ARGV[1] == '1' then
        life = ' ' .. redis.call('HPEXPIRETIME', key, 'FIELDS', 1, all[i])[1]
      end
      value[#value + 1] = #all[i] .. ' ' .. all[i] .. all[i + 1] .. life
    end
    table.sort(value)
  elseif kind == 'stream' then
    value = {redis.call('XRANGE', key, '-', '+')}
    local info = redis.call('XINFO', 'STREAM', key)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then value[#value + 1] = info[i + 1] end
    end
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
      local about = {}
      for i = 1, #group, 2 do
        local name = group[i]
        if name == 'name' or name == 'pending' or name == 'consumers' or name == 'last-delivered-id' then
          about[#about + 1] = group[i + 1]
        end
      end
      value[#value + 1] = about
      for _, one in ipairs(redis.call('XPENDING', key, group[2], '-', '+', 100000)) do
        value[#value + 1] = {one[1], one[2], one[4]}
      end
    end
  end
  found[#found + 1] = {kind, redis.sha1hex(cmsgpack.pack(value)), string.format('%.0f', at)}
end
return found";

/// What a database holds.
pub(super) async fn content(server: &TestRedis, index: u32, with_field_lives: bool) -> Content {
    let mut c = connection(server, index).await;
    let mut content = Content::new();
    let all = names(&mut c).await;
    let tells_expiry = !c.send(&["PEXPIRETIME", "none"]).await.unwrap().is_error();
    let flags = [with_field_lives, tells_expiry];
    for some in all.chunks(200) {
        for (name, held) in some.iter().zip(read(&mut c, some, flags).await) {
            content.insert(name.clone(), held);
        }
    }
    content
}

async fn read(c: &mut RespConnection, names: &[Vec<u8>], flags: [bool; 2]) -> Vec<Held> {
    let mut command = vec![b"EVAL".to_vec(), READ.into(), names.len().to_string().into()];
    command.extend_from_slice(names);
    command.extend(flags.map(|flag| u8::from(flag).to_string().into_bytes()));
    let answer = c.send(&command).await.unwrap();
    assert!(!answer.is_error(), "{answer:?}");
    let held = answer.array().iter().map(|one| {
        let parts: Vec<String> = one.array().iter().map(Reply::text).collect();
        let at: i64 = parts[2].parse().unwrap();
        let expires_at = (at >= 0).then_some(at);
        Held { kind: parts[0].clone(), digest: parts[1].clone(), expires_at }
    });
    held.collect()
}

/// Asserts that both hold the same, with lives that differ by at most [`LIFE_SLACK_MS`].
pub(super) fn assert_same(there: &Content, here: &Content, what: &str) {
    let missing: Vec<_> = here.keys().filter(|name| !there.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{what}: {} are missing: {}", missing.len(), shown(&missing));
    let added: Vec<_> = there.keys().filter(|name| !here.contains_key(*name)).collect();
    assert!(added.is_empty(), "{what}: {} were added: {}", added.len(), shown(&added));
    let differ: Vec<_> = here.keys().filter(|name| !is_same(&there[*name], &here[*name])).collect();
    let first = differ.first().map(|name| (&there[*name], &here[*name]));
    assert!(differ.is_empty(), "{what}: {} differ: {} {first:?}", differ.len(), shown(&differ));
}

fn is_same(one: &Held, other: &Held) -> bool {
    let together = match (one.expires_at, other.expires_at) {
        (None, None) => true,
        (Some(one), Some(other)) => one.abs_diff(other) <= LIFE_SLACK_MS.unsigned_abs(),
        _ => false,
    };
    together && (&one.kind, &one.digest) == (&other.kind, &other.digest)
}

fn shown(names: &[&Vec<u8>]) -> String {
    let some = names.iter().take(5).map(|name| name.escape_ascii().to_string());
    some.collect::<Vec<_>>().join(", ")
}
