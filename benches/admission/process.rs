//! A server's process: started, asked what it takes, and ended.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::usage::{self, Memory};

/// The argument that makes this program a server.
pub const SERVE: &str = "--serve";

#[derive(Debug)]
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// Starts this program anew as the server of that name.
    pub fn start(name: &str, pem: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([SERVE, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Kept open: its end is the end of the server, even when this process is killed.
        child.stdin.as_mut().unwrap().write_all(pem.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    pub fn memory(&self) -> Memory {
        usage::memory(self.child.id())
    }

    pub fn processor(&self) -> Duration {
        usage::processor(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
