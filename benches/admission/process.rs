//! A server's process: started, asked what it takes, and ended.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The argument that makes this program a server.
pub const SERVE: &str = "--serve";

#[derive(Debug)]
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// What is resident, with the parts of the program's file that were read.
    pub resident: u64,
    /// Of that, what belongs to no file.
    pub anonymous: u64,
    /// The most that ever was resident.
    pub peak: u64,
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
        };
        Memory { resident: field("VmRSS:"), anonymous: field("RssAnon:"), peak: field("VmHWM:") }
    }

    /// Time on a processor so far, to a hundredth of a second, which is the unit of the kernel's interface.
    pub fn processor(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The second field is a name in brackets; the first one after it is the third.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks: u64 = fields[11..13].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
