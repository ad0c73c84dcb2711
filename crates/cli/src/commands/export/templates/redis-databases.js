// The Redis databases of this installation by name: `compartment config export --format node`.
//
// Change compartment.toml and export again instead of editing this file. It needs ioredis 5.
// Passwords come from the environment.
'use strict';
@@REQUIRES@@
const { Redis } = require('ioredis');

const INSTANCES = {
@@INSTANCES@@};

// TTLs are in seconds. Where needsTtl is true, every key has to expire.
const DATABASES = new Map([
@@DATABASES@@]);

// Templates of keys with the database they belong in, and their TTL in environment @@ENVIRONMENT@@.
const KEYS = new Map([
@@KEYS@@]);

const clients = new Map();

/** The client of a database; all callers share it. ioredis puts the database's prefix before each key. */
function getRedisClient(database = @@DEFAULT@@) {
  if (!clients.has(database)) clients.set(database, new Redis(getOptions(database)));
  return clients.get(database);
}

/** The options of a client of one's own, for blocking commands and subscriptions. */
function getOptions(database = @@DEFAULT@@) {
  const { instance, index, prefix } = placeOf(database);
  const { passwordVariable, ...options } = INSTANCES[instance];
  if (passwordVariable !== undefined) {
    options.password = process.env[passwordVariable];
    if (options.password === undefined) {
      throw new Error(`set ${passwordVariable}: it is the password of instance ${instance}`);
    }
  }
  return { ...options, db: index, keyPrefix: prefix };
}

/** The seconds that a key lives, or null where it may stay for ever. */
function getTtl(database, template) {
  const { needsTtl, ttl } = placeOf(database);
  if (template !== undefined) {
    const rule = KEYS.get(template);
    if (rule === undefined || rule.database !== database) {
      throw new Error(`database ${database} has no key template ${template}`);
    }
    if (rule.ttl !== null) return rule.ttl;
  }
  if (ttl === null && needsTtl) {
    throw new Error(`database ${database} has no default TTL, and every key needs one: choose it`);
  }
  return ttl;
}

function placeOf(database) {
  const place = DATABASES.get(database);
  if (place === undefined) {
    throw new Error(`there is no database ${database}; there are ${[...DATABASES.keys()].join(', ')}`);
  }
  return place;
}

module.exports = { getRedisClient, getOptions, getTtl, DATABASES, KEYS };
