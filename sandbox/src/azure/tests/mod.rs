//! The stand-in as its clients meet it: over HTTPS, through the proxy, and by its control endpoint.

mod control;
mod federation;
mod groups;
mod login;
mod parameters;
mod servers;
mod support;
