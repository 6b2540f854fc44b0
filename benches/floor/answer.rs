//! What the floor reads and says: as much as a redirect of Hopcart's, byte for byte the same to everybody.

/// A redirect with a click id, a cookie and what goes with them.
pub const ANSWER: &[u8] = b"HTTP/1.1 302 Found\r\n\
    location: https://shop.example/products/0000001?hop_id=28YWojFvk1S2PNXE00000OsY0saeNL8M&utm_source=instagram\r\n\
    cache-control: private, no-store\r\n\
    referrer-policy: strict-origin-when-cross-origin\r\n\
    x-robots-tag: noindex\r\n\
    set-cookie: hop_v=AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax\r\n\
    content-length: 0\r\n\
    date: Sat, 21 Nov 2026 09:53:00 GMT\r\n\r\n";

/// Whether the head of a request is whole, and asks for the connection's end.
pub fn is_whole(head: &[u8]) -> Option<bool> {
    if !head.ends_with(b"\r\n\r\n") {
        return None;
    }
    Some(memchr::memmem::find(head, b"\r\nConnection: close\r\n").is_some())
}
