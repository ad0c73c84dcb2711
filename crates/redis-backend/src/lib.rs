//! The stores on Redis: standalone, Sentinel, Cluster.
