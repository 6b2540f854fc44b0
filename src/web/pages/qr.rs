//! QR codes as pictures: SVG for print, PNG for everything else. Pure: a text in, a picture out.

use std::fmt::Write;

use fast_qr::{ECL, QRBuilder, QRCode};

/// Largest side of a picture in pixels: a poster's SVG needs none, a PNG of this side is some 50 kB.
pub const SIZE_MAX: u32 = 4096;
/// Smallest side of a picture in pixels.
pub const SIZE_MIN: u32 = 32;
/// Widest margin in modules; the standard asks for 4 (ISO/IEC 18004 section 6.3.8).
pub const MARGIN_MAX: u32 = 32;

/// A colour without transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub [u8; 3]);

/// How much of a code may be damaged or covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// 7 %
    L,
    /// 15 %
    M,
    /// 25 %
    Q,
    /// 30 %
    H,
}

/// How a code is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Side in pixels.
    pub size: u32,
    /// Light border in modules.
    pub margin: u32,
    pub level: Level,
    pub foreground: Rgb,
    pub background: Rgb,
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QrError {
    /// More text than a code of this level holds.
    TooLong,
    /// The picture could not be written.
    Picture,
}

impl Rgb {
    /// Reads `#a1b2c3`, `a1b2c3` or `#abc`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(digits, 16).ok()?;
        let part = |shift: u32| (number >> shift & 0xff) as u8;
        let half = |shift: u32| (number >> shift & 0xf) as u8 * 17;
        match digits.len() {
            6 => Some(Self([part(16), part(8), part(0)])),
            3 => Some(Self([half(8), half(4), half(0)])),
            _ => None,
        }
    }
}

/// `text` as an SVG picture.
pub fn svg(text: &str, look: &Look) -> Result<String, QrError> {
    let code = encode(text, look.level)?;
    let side = code.size + 2 * look.margin as usize;
    let colour = |Rgb([r, g, b]): Rgb| format!("#{r:02x}{g:02x}{b:02x}");
    let mut path = String::new();
    for y in 0..code.size {
        let mut x = 0;
        while x < code.size {
            let run = (x..code.size).take_while(|column| is_dark(&code, *column, y)).count();
            if run > 0 {
                let margin = look.margin as usize;
                // Writing to a text cannot fail.
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + margin, y + margin);
            }
            x += run.max(1);
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size}\" height=\"{size}\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><path fill=\"{}\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"{}\" d=\"{path}\"/></svg>",
        colour(look.background),
        colour(look.foreground),
        size = look.size,
    ))
}

/// `text` as a PNG picture of exactly `look.size` pixels: modules are whole pixels, what is left widens the margin.
pub fn png(text: &str, look: &Look) -> Result<Vec<u8>, QrError> {
    let code = encode(text, look.level)?;
    let side = code.size + 2 * look.margin as usize;
    let size = (look.size as usize).max(side);
    let scale = size / side;
    let border = (size - code.size * scale) / 2;
    let mut pixels = vec![0u8; size * size];
    for y in 0..code.size {
        for x in (0..code.size).filter(|x| is_dark(&code, *x, y)) {
            for row in 0..scale {
                let start = (border + y * scale + row) * size + border + x * scale;
                pixels[start..start + scale].fill(1);
            }
        }
    }
    let (mut picture, side) = (Vec::new(), u32::try_from(size).map_err(|_| QrError::Picture)?);
    let mut encoder = png::Encoder::new(&mut picture, side, side);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette([look.background.0, look.foreground.0].concat());
    let mut writer = encoder.write_header().map_err(|_| QrError::Picture)?;
    writer.write_image_data(&pixels).map_err(|_| QrError::Picture)?;
    writer.finish().map_err(|_| QrError::Picture)?;
    Ok(picture)
}

fn encode(text: &str, level: Level) -> Result<QRCode, QrError> {
    let level = match level {
        Level::L => ECL::L,
        Level::M => ECL::M,
        Level::Q => ECL::Q,
        Level::H => ECL::H,
    };
    QRBuilder::new(text).ecl(level).build().map_err(|_| QrError::TooLong)
}

fn is_dark(code: &QRCode, x: usize, y: usize) -> bool {
    code[y][x].value()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(size: u32) -> Look {
        Look {
            size,
            margin: 2,
            level: Level::L,
            foreground: Rgb([0, 0, 0]),
            background: Rgb([255, 255, 255]),
        }
    }

    #[test]
    fn colours_are_read() {
        for (text, colour) in [
            ("#a1B2c3", Some(Rgb([0xa1, 0xb2, 0xc3]))),
            ("fff", Some(Rgb([255, 255, 255]))),
            ("#ffff", None),
            ("red", None),
            ("#+12345", None),
            ("", None),
        ] {
            assert_eq!(Rgb::parse(text), colour, "{text}");
        }
    }

    #[test]
    fn a_png_has_its_size_and_shows_the_code() {
        let text = "https://go.brand.example/mia?qr=1";
        let picture = png(text, &look(300)).expect("a picture");
        let mut reader = png::Decoder::new(std::io::Cursor::new(&picture))
            .read_info()
            .expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("a frame");
        assert_eq!((info.width, info.height), (300, 300));
        let code = encode(text, Level::L).expect("a code");
        let scale = 300 / (code.size + 4);
        let border = (300 - code.size * scale) / 2;
        for y in 0..code.size {
            for x in 0..code.size {
                let pixel = pixels[(border + y * scale + scale / 2) * 300 + border + x * scale + scale / 2];
                assert_eq!(pixel == 1, is_dark(&code, x, y), "module {x} {y}");
            }
        }
        assert_eq!(pixels[0], 0, "the margin is light");
    }

    #[test]
    fn an_svg_draws_every_dark_module() {
        let text = "https://go.brand.example/mia";
        let picture = svg(text, &look(600)).expect("a picture");
        let code = encode(text, Level::L).expect("a code");
        let dark = (0..code.size)
            .flat_map(|y| (0..code.size).map(move |x| (x, y)))
            .filter(|(x, y)| is_dark(&code, *x, *y))
            .count();
        let path = picture.rsplit("d=\"").next().expect("a path");
        let drawn: usize = path
            .split('h')
            .skip(1)
            .filter_map(|part| part.split('v').next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(drawn, dark);
        assert!(picture.contains("width=\"600\"") && !picture.contains("go.brand"));
    }

    #[test]
    fn too_much_text_is_refused() {
        assert_eq!(svg(&"x".repeat(3000), &look(600)), Err(QrError::TooLong));
    }
}
