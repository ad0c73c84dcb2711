# frozen_string_literal: true

# The Redis databases of this installation by name: `compartment config export --format ruby`.
#
# Change compartment.toml and export again instead of editing this file. It needs redis-rb 5.
# Passwords come from the environment.
require "redis"

module RedisDatabases
  INSTANCES = {
@@INSTANCES@@  }.freeze

  # TTLs are in seconds. Where needs_ttl is true, every key has to expire.
  DATABASES = {
@@DATABASES@@  }.freeze

  # Templates of keys with the database they belong in, and their TTL in environment @@ENVIRONMENT@@.
  KEYS = {
@@KEYS@@  }.freeze

  @clients = {}
  @lock = Mutex.new

  # The client of a database; all callers share it.
  def self.client(database = @@DEFAULT@@)
    settings = options(database)
    @lock.synchronize { @clients[database] ||= Redis.new(**settings) }
  end

  # The options of a client, for Redis.new and for Sidekiq.
  def self.options(database = @@DEFAULT@@)
    place = place_of(database)
    settings = INSTANCES.fetch(place[:instance]).merge(db: place[:index])
    variable = settings.delete(:password_variable)
    variable ? settings.merge(password: ENV.fetch(variable)) : settings
  end

  # The key with the prefix of its database; databases with an index of their own have none.
  def self.key(database, name)
    place_of(database)[:prefix] + name
  end

  # The seconds that a key lives, or nil where it may stay for ever.
  def self.ttl(database, template = nil)
    place = place_of(database)
    if template
      rule = KEYS[template]
      unless rule && rule[:database] == database
        raise ArgumentError, "database #{database} has no key template #{template}"
      end
      return rule[:ttl] if rule[:ttl]
    end
    if place[:ttl].nil? && place[:needs_ttl]
      raise ArgumentError, "database #{database} has no default TTL, and every key needs one: choose it"
    end
    place[:ttl]
  end

  def self.place_of(database)
    DATABASES.fetch(database) do
      raise ArgumentError, "there is no database #{database}; there are #{DATABASES.keys.join(', ')}"
    end
  end
  private_class_method :place_of
end
@@SIDEKIQ@@
