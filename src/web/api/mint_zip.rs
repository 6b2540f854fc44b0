//! Minted links as a ZIP: a table to open in a spreadsheet, and a QR picture a link to print. Pure: rows in, bytes out.
//!
//! Made in memory. 1,000 links at most: their pictures are 600 pixels wide, some 10 kB as SVG before packing and 4 kB as
//! PNG, so that a whole ZIP stays below [`ZIP_BYTES_MAX`].

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::domain::spreadsheet;
use crate::web::pages::qr::{self, Level, Look, Rgb};

/// Largest ZIP, in bytes. 32 MiB: three times what 1,000 of the densest codes take.
const ZIP_BYTES_MAX: usize = 32 << 20;
/// Longest part of a file's name that is taken from the key, in characters.
const FILE_NAME_MAX: usize = 60;

/// What pictures are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Picture {
    Svg,
    Png,
}

/// One creator's link; texts are empty where there is nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct ZipRow {
    pub partner_id: String,
    pub name: String,
    pub key: String,
    pub short_link: String,
    pub code: String,
    pub error: String,
}

/// The ZIP: `links.csv`, and `qr/…` for each row with a link.
///
/// # Errors
/// What could not be drawn or packed, for the log.
pub(super) fn pack(rows: Vec<ZipRow>, picture: Picture) -> Result<Vec<u8>, String> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |error: &dyn std::fmt::Display| format!("a ZIP of links could not be made: {error}");
    let mut table = String::new();
    spreadsheet::push_row(
        &mut table,
        &["partnerId", "name", "shortLink", "key", "discountCode", "qr", "error"],
    );
    let mut bytes = 0;
    for (place, row) in rows.iter().enumerate() {
        let file = match row.short_link.is_empty() {
            true => String::new(),
            false => file_name(place, row, picture),
        };
        if !file.is_empty() {
            let drawn = draw(&format!("{}?qr=1", row.short_link), picture).map_err(|error| failed(&error))?;
            bytes += drawn.len();
            if bytes > ZIP_BYTES_MAX {
                return Err(failed(&"it would be too large"));
            }
            zip.start_file(&file, options(picture))
                .map_err(|error| failed(&error))?;
            zip.write_all(&drawn).map_err(|error| failed(&error))?;
        }
        let cells = [
            &row.partner_id,
            &row.name,
            &row.short_link,
            &row.key,
            &row.code,
            &file,
            &row.error,
        ];
        spreadsheet::push_row(&mut table, &cells.map(String::as_str));
    }
    zip.start_file("links.csv", options(Picture::Svg))
        .map_err(|error| failed(&error))?;
    zip.write_all(table.as_bytes()).map_err(|error| failed(&error))?;
    let packed = zip.finish().map_err(|error| failed(&error))?;
    Ok(packed.into_inner())
}

/// PNG is packed already.
fn options(picture: Picture) -> SimpleFileOptions {
    let method = match picture {
        Picture::Svg => CompressionMethod::Deflated,
        Picture::Png => CompressionMethod::Stored,
    };
    SimpleFileOptions::default().compression_method(method)
}

/// A name that every system can hold; the number in front keeps two of one key apart.
fn file_name(place: usize, row: &ZipRow, picture: Picture) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let key: String = row.key.chars().take(FILE_NAME_MAX).map(plain).collect();
    let ending = match picture {
        Picture::Svg => "svg",
        Picture::Png => "png",
    };
    format!("qr/{:04}-{key}.{ending}", place + 1)
}

fn draw(text: &str, picture: Picture) -> Result<Vec<u8>, &'static str> {
    let look = Look {
        size: 600,
        // What the standard asks for: these are printed (ISO/IEC 18004 section 6.3.8).
        margin: 4,
        level: Level::M,
        foreground: Rgb([0; 3]),
        background: Rgb([255; 3]),
    };
    let drawn = match picture {
        Picture::Svg => qr::svg(text, &look).map(String::into_bytes),
        Picture::Png => qr::png(text, &look),
    };
    drawn.map_err(|_| "a code could not be drawn")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_zip_holds_a_table_and_a_picture_a_link() {
        let row = |key: &str, name: &str| ZipRow {
            partner_id: "pn_1".to_owned(),
            name: name.to_owned(),
            key: key.to_owned(),
            short_link: format!("https://go.test/{key}"),
            code: "MIA10".to_owned(),
            error: String::new(),
        };
        let lost = ZipRow {
            name: "Ben".to_owned(),
            error: "key: is taken".to_owned(),
            ..ZipRow::default()
        };
        for (picture, ending, magic) in [(Picture::Svg, "svg", &b"<svg"[..]), (Picture::Png, "png", b"\x89PNG")] {
            let rows = vec![row("mia/../spring", "=Mia()"), lost.clone(), row("mia", "Mia")];
            let zip = pack(rows, picture).expect("a ZIP");
            let mut zip = zip::ZipArchive::new(Cursor::new(zip)).expect("a ZIP");
            let first = format!("qr/0001-mia----spring.{ending}");
            assert_eq!(zip.len(), 3);
            let mut bytes = Vec::new();
            let mut file = zip.by_name(&first).expect("a picture");
            file.read_to_end(&mut bytes).expect("its bytes");
            drop(file);
            assert!(bytes.starts_with(magic));
            let mut table = String::new();
            let mut file = zip.by_name("links.csv").expect("a table");
            file.read_to_string(&mut table).expect("text");
            let lines: Vec<&str> = table.lines().collect();
            assert_eq!(lines.len(), 4);
            assert!(
                lines[1].starts_with("pn_1,'=Mia(),https://go.test/"),
                "no formula: {table}"
            );
            assert!(lines[2].ends_with(",Ben,,,,,\"key: is taken\""), "{table}");
        }
    }

    #[test]
    fn the_largest_zip_fits() {
        let row = ZipRow {
            key: "x".repeat(190),
            short_link: format!("https://go.test/{}", "x".repeat(190)),
            ..ZipRow::default()
        };
        let drawn = draw(&row.short_link, Picture::Svg).expect("a picture").len();
        let most = crate::domain::campaign::CREATORS_MAX;
        assert!(drawn * most <= ZIP_BYTES_MAX, "{drawn} bytes a picture");
    }
}
