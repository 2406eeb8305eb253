//! The stand-in as its clients meet it: over HTTPS, through the proxy, and by its control endpoint.

mod control;
mod federation;
mod gateway;
mod groups;
mod logging_in;
mod login;
mod parameters;
mod postgres;
mod restoring;
mod servers;
mod support;
mod tokens;
mod vaults;
