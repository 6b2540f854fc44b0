//! The real program, started on a data directory and ended without a word.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// How it is started.
#[derive(Debug, Clone)]
pub struct Program {
    pub data: PathBuf,
    pub config: PathBuf,
    /// What it says on its way goes to the end of this file.
    pub log: PathBuf,
    pub click_ack: &'static str,
    pub admin_key: &'static str,
}

impl Program {
    pub fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(&self.log);
        Command::new(env!("CARGO_BIN_EXE_hopcart"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--click-ack", self.click_ack, "--config"])
            .arg(&self.config)
            .arg("--data")
            .arg(&self.data)
            .env_clear()
            .env("HOPCART_ADMIN_KEY", self.admin_key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("the program runs")
    }

    /// Starts it, and waits until it tells where it listens.
    pub fn start(&self) -> Server {
        let mut child = self.spawn();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (mut public, mut admin) = (None, None);
        let mut line = String::new();
        while public.is_none() || admin.is_none() {
            line.clear();
            if stdout.read_line(&mut line).expect("text") == 0 {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                panic!("the server did not start: {:?}\n{log}", child.wait());
            }
            let address = |prefix| line.trim().strip_prefix(prefix)?.parse::<SocketAddr>().ok();
            public = public.or(address("listening public http://"));
            admin = admin.or(address("listening admin http://"));
        }
        Server {
            child,
            public: public.expect("told"),
            admin: admin.expect("told"),
            _stdout: stdout,
        }
    }
}

/// A running program.
pub struct Server {
    child: Child,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it is gone");
    }
}

impl Drop for Server {
    /// A failed test leaves no server behind.
    fn drop(&mut self) {
        // It is gone already after a kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
