import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import org.springframework.beans.factory.DisposableBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.redis.cache.RedisCacheConfiguration;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

/**
 * The Redis databases of this installation by name: {@code compartment config export --format spring}.
 *
 * <p>Change compartment.toml and export again instead of editing this file; set its package only. It needs
 * Spring Data Redis 3 with Lettuce. Passwords come from the environment.
 */
@Configuration
public class RedisDatabases implements DisposableBean {
    /** Where a database's server is. A null password variable means that there is no login. */
    public record Instance(String host, int port, boolean tls, String user, String passwordVariable) {}

    /** A database. Where {@code needsTtl} is true, every key has to expire; a null {@code ttl} means no default. */
    public record Database(String instance, int index, String prefix, boolean needsTtl, Duration ttl) {}

    private static final Map<String, Instance> INSTANCES = new LinkedHashMap<>();
    private static final Map<String, Database> DATABASES = new LinkedHashMap<>();

    static {
@@INSTANCES@@@@DATABASES@@    }

    private final Map<String, LettuceConnectionFactory> factories = new ConcurrentHashMap<>();

    /** The factory that programs get without naming a database. */
    @Bean
    public LettuceConnectionFactory redisConnectionFactory() {
        return connectionFactory(@@DEFAULT@@);
    }

    /** The factory of a database's connections; all callers share it. */
    public LettuceConnectionFactory connectionFactory(String database) {
        Database place = database(database);
        return factories.computeIfAbsent(database, name -> connect(place));
    }

    /** A cache's settings: the default TTL of its database, and the prefix before its name. */
    public RedisCacheConfiguration cacheConfiguration(String database) {
        Database place = database(database);
        if (place.ttl() == null && place.needsTtl()) {
            throw new IllegalArgumentException(
                "database " + database + " has no default TTL, and every key needs one: choose it");
        }
        RedisCacheConfiguration settings =
            RedisCacheConfiguration.defaultCacheConfig().prefixCacheNameWith(place.prefix());
        return place.ttl() == null ? settings : settings.entryTtl(place.ttl());
    }

    /** A database by its name. */
    public static Database database(String name) {
        Database found = DATABASES.get(name);
        if (found == null) {
            throw new IllegalArgumentException(
                "there is no database " + name + "; there are " + String.join(", ", DATABASES.keySet()));
        }
        return found;
    }

    private static LettuceConnectionFactory connect(Database place) {
        Instance at = INSTANCES.get(place.instance());
        RedisStandaloneConfiguration server = new RedisStandaloneConfiguration(at.host(), at.port());
        server.setDatabase(place.index());
        if (at.user() != null) {
            server.setUsername(at.user());
        }
        if (at.passwordVariable() != null) {
            String password = System.getenv(at.passwordVariable());
            if (password == null) {
                throw new IllegalStateException(
                    "set " + at.passwordVariable() + ": it is the password of instance " + place.instance());
            }
            server.setPassword(password);
        }
        LettuceClientConfiguration.LettuceClientConfigurationBuilder client = LettuceClientConfiguration.builder();
        if (at.tls()) {
            client.useSsl();
        }
        LettuceConnectionFactory factory = new LettuceConnectionFactory(server, client.build());
        factory.afterPropertiesSet();
        return factory;
    }

    @Override
    public void destroy() {
        factories.values().forEach(LettuceConnectionFactory::destroy);
    }
}
