//! The ground that the demo stands on: a directory that is gone afterwards, two ports, settings.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::config::Config;

/// Ports that are taken when they are free: those of `hopcart serve`.
const PUBLIC_PORT: u16 = 8080;
const ADMIN_PORT: u16 = 8081;

/// A directory below the system's temporary one; removed with everything in it when this is dropped.
pub struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// Makes a new one that only this user can look into.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self, Failure> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| Failure::Failed(format!("no random numbers: {error}")))?;
        let name = format!("hopcart-demo-{:016x}", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        // Never an existing one: somebody else may have laid it there.
        make_private(&path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean: there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The demo's settings: its own directory, loopback only, and this machine is believed as a proxy, so that traffic
/// can come from many addresses.
///
/// # Errors
/// Never in practice: the one network in it is well-formed.
pub fn config(data: &Path, port: Option<u16>, admin_port: Option<u16>) -> Result<Config, Failure> {
    let mut config = Config {
        data: data.to_owned(),
        listen: loopback(port.unwrap_or_else(|| free_or_any(PUBLIC_PORT))),
        admin_listen: loopback(admin_port.unwrap_or_else(|| free_or_any(ADMIN_PORT))),
        trusted_proxies: vec![
            "127.0.0.1/32"
                .parse()
                .map_err(|_| Failure::Failed("127.0.0.1/32 is not a network".to_owned()))?,
        ],
        ..Config::default()
    };
    config.destinations.allow_private = true;
    // What a demo that is killed leaves goes with its directory, instead of staying in the machine's memory.
    config.clicks.ring_dir = Some(data.join("rings"));
    // The demo forges some deliveries on purpose: warnings of them would stand between its own lines.
    config.log.level = "error".to_owned();
    Ok(config)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// `port` when it is free, else 0: the system chooses.
fn free_or_any(port: u16) -> u16 {
    TcpListener::bind(loopback(port)).map_or(0, |_| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_goes_when_it_is_dropped() {
        let directory = TemporaryDirectory::new().expect("a directory");
        let path = directory.path().to_owned();
        fs::write(path.join("file"), "x").expect("a file");
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn taken_ports_are_left_alone() {
        let taken = TcpListener::bind(loopback(0)).expect("a port");
        let port = taken.local_addr().expect("an address").port();
        assert_eq!(free_or_any(port), 0);
        drop(taken);
        assert_eq!(free_or_any(port), port);
        let config = config(Path::new("/d"), Some(1), Some(2)).expect("settings");
        assert_eq!((config.listen.port(), config.admin_listen.port()), (1, 2));
        assert!(config.destinations.allow_private && config.trusted_proxies.len() == 1);
    }
}
