//! Client, waits, exec, forward, lease and SQL sessions against the lab's API and a real PostgreSQL server.
mod ground;
mod objects;
mod pods;
mod sql;
