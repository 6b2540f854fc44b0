//! The PROXY protocol, version 2: a load balancer that passes bytes on says first whose bytes they are.
//!
//! Read only where the socket's peer is a trusted proxy, and optional there: a connection that does not begin with the
//! signature is served as it is. Version 1 is not spoken.

use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use ppp::v2::{Addresses, Command, Header, PROTOCOL_PREFIX, Type};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::rewind::Rewind;

/// Bytes of the fixed part: signature, version and command, family, length.
const FIXED_BYTES: usize = 16;
/// Most bytes after the fixed part. Addresses take at most 216, and TLVs (a TLS session's description, an authority) a
/// few hundred.
const PAYLOAD_BYTES_MAX: usize = 4096;

/// What a header said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proxied {
    /// The client behind the proxy.
    pub address: IpAddr,
    /// Whether the client spoke TLS to the proxy; `None` when the header does not tell.
    pub is_secure: Option<bool>,
}

/// Reads a header from the front of `stream`. Returns the stream to serve and what was said: `None` without a header, or
/// when the proxy speaks for itself (LOCAL) or for something without an IP address.
///
/// # Errors
/// `InvalidData` for a header that is malformed or too long, else the stream's own error.
pub(super) async fn read_header<T: AsyncRead + Unpin>(mut stream: T) -> io::Result<(Rewind<T>, Option<Proxied>)> {
    let mut head = [0; FIXED_BYTES];
    let mut length = 0;
    while length < head.len() {
        let read = stream.read(&mut head[length..]).await?;
        length += read;
        let compared = length.min(PROTOCOL_PREFIX.len());
        if head[..compared] != PROTOCOL_PREFIX[..compared] || read == 0 {
            return Ok((Rewind::new(Bytes::copy_from_slice(&head[..length]), stream), None));
        }
    }
    let payload_length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if payload_length > PAYLOAD_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "PROXY header too long"));
    }
    let mut bytes = vec![0; FIXED_BYTES + payload_length];
    bytes[..FIXED_BYTES].copy_from_slice(&head);
    stream.read_exact(&mut bytes[FIXED_BYTES..]).await?;
    let proxied = parse(&bytes)?;
    Ok((Rewind::new(Bytes::new(), stream), proxied))
}

/// What a complete header says.
fn parse(bytes: &[u8]) -> io::Result<Option<Proxied>> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed PROXY header");
    let header = Header::try_from(bytes).map_err(|_| malformed())?;
    if header.command == Command::Local {
        return Ok(None);
    }
    let address = match header.addresses {
        Addresses::IPv4(addresses) => IpAddr::V4(addresses.source_address),
        Addresses::IPv6(addresses) => IpAddr::V6(addresses.source_address),
        Addresses::Unspecified | Addresses::Unix(_) => return Ok(None),
    };
    let mut is_secure = None;
    for tlv in header.tlvs() {
        let tlv = tlv.map_err(|_| malformed())?;
        if tlv.kind == Type::SSL as u8 {
            // The lowest bit of the first byte: the client connected over TLS.
            is_secure = Some(tlv.value.first().is_some_and(|flags| flags & 1 == 1));
        }
    }
    Ok(Some(Proxied {
        address: address.to_canonical(),
        is_secure,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::proxy_header;
    use proptest::prelude::*;

    async fn read(bytes: &[u8]) -> io::Result<(Vec<u8>, Option<Proxied>)> {
        let (mut stream, proxied) = read_header(bytes).await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        Ok((rest, proxied))
    }

    #[tokio::test]
    async fn the_address_is_taken_and_the_rest_left() {
        let mut bytes = proxy_header("203.0.113.7", 0x21, &[]);
        bytes.extend_from_slice(b"GET / HTTP/1.1\r\n");
        let (rest, proxied) = read(&bytes).await.unwrap();
        assert_eq!(rest, b"GET / HTTP/1.1\r\n");
        assert_eq!(
            proxied,
            Some(Proxied {
                address: "203.0.113.7".parse().unwrap(),
                is_secure: None
            })
        );
    }

    #[tokio::test]
    async fn a_tls_note_makes_it_secure() {
        let tlv = [0x20, 0, 5, 1, 0, 0, 0, 0];
        let (_, proxied) = read(&proxy_header("203.0.113.7", 0x21, &tlv)).await.unwrap();
        assert_eq!(proxied.and_then(|p| p.is_secure), Some(true));
    }

    #[tokio::test]
    async fn local_keeps_the_sockets_address() {
        let (rest, proxied) = read(&proxy_header("203.0.113.7", 0x20, &[])).await.unwrap();
        assert_eq!((rest.len(), proxied), (0, None));
    }

    #[tokio::test]
    async fn other_bytes_are_put_back() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\r\n\r\nGET /",
            b"\r",
            b"",
            b"\r\n\r\n\0\r\nQUIT",
        ] {
            assert_eq!(read(bytes).await.unwrap(), (bytes.to_vec(), None));
        }
    }

    #[tokio::test]
    async fn malformed_headers_are_errors() {
        let good = proxy_header("203.0.113.7", 0x21, &[]);
        let mut version = good.clone();
        version[12] = 0x31;
        let mut long = good.clone();
        long[14] = 0xff;
        let mut cut_tlv = proxy_header("203.0.113.7", 0x21, &[0x20, 0, 9, 1]);
        cut_tlv[13] = 0x11;
        let truncated = &good[..20];
        for bytes in [&version[..], &long, &cut_tlv, truncated] {
            assert!(read(bytes).await.is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut bytes = PROTOCOL_PREFIX.to_vec();
            bytes.extend_from_slice(&tail);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok((rest, proxied)) = runtime.block_on(read(&bytes)) {
                prop_assert!(rest.len() <= bytes.len());
                prop_assert!(proxied.is_none() || tail[0] & 0x0f == 1);
            }
        }
    }
}
