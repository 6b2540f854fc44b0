//! Bytes of one connection, in clear text or over TLS, without ever waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::cli::failure::Failure;

/// How a target's TLS is spoken.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// As browsers offer it: AES-128 first, X25519. Every connection shakes hands anew, for each stands for another person.
    /// With `is_trusting` any certificate will do: one made for a test.
    ///
    /// # Errors
    /// [`Failure::Usage`] when `host` is no name that a certificate could have.
    pub fn new(host: &str, is_trusting: bool) -> Result<Self, Failure> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::Usage(format!("{host} is no name of a TLS server")))?;
        let provider = Arc::new(provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let mut config = if is_trusting {
            let trusting = Trusting(provider.signature_verification_algorithms);
            let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(trusting));
            builder.with_no_client_auth()
        } else {
            let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
            builder.with_root_certificates(roots).with_no_client_auth()
        };
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }
}

fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
        ..aws_lc_rs::default_provider()
    }
}

/// Takes any certificate. For servers under test, whose certificates nobody has signed; signatures are checked all the same,
/// for that is work which a real client has too.
#[derive(Debug)]
struct Trusting(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// A connection that is being made, or is there.
#[derive(Debug)]
pub struct Transport {
    socket: TcpStream,
    session: Option<Box<ClientConnection>>,
}

impl Transport {
    /// Speaks over `socket`, whose connection may still be on its way.
    ///
    /// # Errors
    /// When no TLS session can be made.
    pub fn new(socket: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        let session = match tls {
            Some(tls) => {
                let session =
                    ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).map_err(io::Error::other)?;
                Some(Box::new(session))
            }
            None => None,
        };
        Ok(Self { socket, session })
    }

    /// The socket, to be registered.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Whether more may lie here than the socket shows: TLS reads ahead.
    pub fn is_buffered(&self) -> bool {
        self.session.is_some()
    }

    /// Sends what it can of `bytes` and says how much that was; [`Self::flush`] sends the rest of what it took.
    ///
    /// # Errors
    /// When the connection is broken; not when it is only busy.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => busy_is_zero(self.socket.write(bytes)),
            Some(session) => {
                let taken = session.writer().write(bytes)?;
                self.flush()?;
                Ok(taken)
            }
        }
    }

    /// Sends what TLS has ready.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        while session.wants_write() {
            if busy_is_zero(session.write_tls(&mut self.socket))? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Receives into `buffer`: nothing while there is nothing, 0 at the end.
    ///
    /// # Errors
    /// When the connection is broken, or what came is no TLS.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(session) = &mut self.session else {
            return nothing_yet(self.socket.read(buffer));
        };
        loop {
            match session.reader().read(buffer) {
                Ok(read) => return Ok(Some(read)),
                // Many servers close without a word; that an answer was cut off is seen from its framing.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match nothing_yet(session.read_tls(&mut self.socket))? {
                None => return Ok(None),
                // The end shows up in the reader.
                Some(_) => {
                    let processed = session.process_new_packets();
                    processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
                }
            }
            while session.wants_write() {
                if busy_is_zero(session.write_tls(&mut self.socket))? == 0 {
                    break;
                }
            }
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    // A connection that is still on its way says either.
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted
    )
}

fn busy_is_zero(done: io::Result<usize>) -> io::Result<usize> {
    match done {
        Err(error) if is_busy(&error) => Ok(0),
        other => other,
    }
}

fn nothing_yet(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Err(error) if is_busy(&error) => Ok(None),
        other => other.map(Some),
    }
}
