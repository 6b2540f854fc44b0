//! Packs drawn pages with gzip (RFC 1952). What all pages of a language begin with is packed once for all; what is
//! packed for each page is the short rest.
//!
//! Never fails a request: a page that cannot be packed goes out as it is.

use std::cell::RefCell;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::web::pages::{Language, opening};

/// Magic, deflate, no flags, no time, no hint, system unknown (RFC 1952 section 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A page's beginning as deflate blocks that end on a byte and are not the last.
struct Opening {
    language: Language,
    text: &'static str,
    packed: Vec<u8>,
}

static OPENINGS: LazyLock<Vec<Opening>> = LazyLock::new(|| {
    let pack = |language: Language| {
        let text = opening(language);
        let mut packer = Compress::new(Compression::best(), false);
        let mut packed = Vec::with_capacity(text.len() + 64);
        let done = packer.compress_vec(text.as_bytes(), &mut packed, FlushCompress::Full);
        let is_whole = done.is_ok() && packer.total_in() == text.len() as u64;
        is_whole.then_some(Opening { language, text, packed })
    };
    Language::ALL.into_iter().filter_map(pack).collect()
});

thread_local! {
    // Setting a packer up costs more than packing a page. Level 1: a page is short, and each is sent once.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// `page` as one gzip member; `None` for a page that does not begin as those of `language` do.
pub(super) fn gzip(page: &str, language: Language) -> Option<Bytes> {
    let opening = OPENINGS.iter().find(|opening| opening.language == language)?;
    let rest = page.strip_prefix(opening.text)?.as_bytes();
    // Fixed codes have 9 bits for half of all bytes: what cannot be packed grows by an eighth at most.
    let longest = rest.len() + rest.len() / 8 + 64;
    let mut out = Vec::with_capacity(HEADER.len() + opening.packed.len() + longest);
    out.extend(HEADER);
    out.extend(&opening.packed);
    let packed = PACKER.with_borrow_mut(|packer| {
        packer.reset();
        packer.compress_vec(rest, &mut out, FlushCompress::Finish)
    });
    if packed.ok()? != Status::StreamEnd {
        return None;
    }
    let mut crc = Crc::new();
    crc.update(page.as_bytes());
    out.extend(crc.sum().to_le_bytes());
    out.extend((page.len() as u32).to_le_bytes());
    Some(out.into())
}

/// Whether `accept_encoding` takes gzip (RFC 9110 section 12.5.3): named, and not with a weight of 0.
pub(super) fn takes_gzip(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|entry| {
        let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && weight.bytes().any(|digit| (b'1'..=b'9').contains(&digit))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use proptest::prelude::*;

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        let mut reader = flate2::read::GzDecoder::new(bytes);
        reader.read_to_string(&mut text).expect("a gzip member");
        assert_eq!(reader.into_inner().len(), 0, "nothing behind the member");
        text
    }

    proptest! {
        #[test]
        fn pages_come_out_as_they_went_in(rest in "\\PC{0,4000}") {
            for language in Language::ALL {
                let page = format!("{}{rest}", opening(language));
                let packed = gzip(&page, language).expect("a page of that language");
                prop_assert_eq!(unpacked(&packed), page);
            }
        }
    }

    #[test]
    fn only_pages_that_begin_so_are_packed() {
        let german = opening(Language::German).to_owned() + "<body></body>";
        assert!(gzip(&german, Language::English).is_none());
        assert!(gzip("<p>", Language::German).is_none());
        assert!(gzip(&german, Language::German).expect("packed").len() * 2 < german.len());
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (header, takes) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.2", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("deflate, br", false),
            ("x-gzip", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(header), takes, "{header}");
        }
    }
}
