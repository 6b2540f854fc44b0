//! TLS as the server under test speaks it: the same suites in the same order, one stateless ticket.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use crate::serve::{Speech, nothing_yet};

pub fn config(cert: &str, key: &str) -> Arc<ServerConfig> {
    let provider = CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
        ],
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
        ..aws_lc_rs::default_provider()
    };
    let chain = CertificateDer::pem_file_iter(cert).expect("a chain");
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the suites are of TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a key of the certificate");
    config.ignore_client_order = true;
    config.send_tls13_tickets = 1;
    config.ticketer = aws_lc_rs::Ticketer::new().expect("randomness");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

pub struct Session(ServerConnection);

impl Session {
    pub fn new(config: &Arc<ServerConfig>) -> Self {
        Self(ServerConnection::new(Arc::clone(config)).expect("a good configuration"))
    }

    fn flush(&mut self, mut socket: &TcpStream) -> io::Result<()> {
        while self.0.wants_write() {
            if nothing_yet(self.0.write_tls(&mut socket))?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

impl Speech for Session {
    fn read(&mut self, mut socket: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match nothing_yet(io::Read::read(&mut self.0.reader(), buffer))? {
                Some(read) => return Ok(Some(read)),
                None => match nothing_yet(self.0.read_tls(&mut socket))? {
                    None => return Ok(None),
                    Some(_) => self.0.process_new_packets().map(drop).map_err(io::Error::other)?,
                },
            }
            self.flush(socket)?;
        }
    }

    fn write(&mut self, socket: &TcpStream, bytes: &[u8], is_last: bool) -> io::Result<()> {
        io::Write::write_all(&mut self.0.writer(), bytes)?;
        if is_last {
            self.0.send_close_notify();
        }
        self.flush(socket)
    }
}
