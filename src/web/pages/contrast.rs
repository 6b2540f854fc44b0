//! Contrast as WCAG 2.2 measures it, for the tests of sheets and colours. Test code: floats are fine here.

/// The colours of one theme: `--name: #rrggbb;` lines of a block of a sheet.
pub fn colours(block: &str) -> Vec<(&str, [u8; 3])> {
    let mut found = Vec::new();
    for line in block.lines() {
        let Some((name, value)) = line.trim().strip_prefix("--").and_then(|line| line.split_once(": #")) else {
            continue;
        };
        let value = u32::from_str_radix(value.trim_end_matches(';'), 16).expect("a six-digit colour");
        let [_, red, green, blue] = value.to_be_bytes();
        found.push((name, [red, green, blue]));
    }
    found
}

/// WCAG 2.2 relative luminance, 0 to 1.
pub fn luminance(colour: [u8; 3]) -> f64 {
    let linear = colour.map(|channel| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.04045 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

/// WCAG 2.2 contrast ratio, 1 to 21.
pub fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Asserts that in both themes of `sheet` each pair (front, back, least ratio) of named colours stands out enough.
pub fn assert_pairs(sheet: &str, pairs: &[(&str, &str, f64)]) {
    let (light, dark) = sheet
        .split_once("@media (prefers-color-scheme: dark)")
        .expect("two themes");
    let light = light.split_once('}').expect("a block").0;
    let dark = dark.split_once('}').expect("a block").0;
    for (theme, block) in [("light", light), ("dark", dark)] {
        let colours = colours(block);
        let named = |wanted: &str| {
            let found = colours.iter().find(|(name, _)| *name == wanted);
            found.unwrap_or_else(|| panic!("{theme} has no {wanted}")).1
        };
        for (front, back, least) in pairs {
            let actual = contrast(named(front), named(back));
            assert!(
                actual >= *least,
                "{theme}: {front} on {back} is {actual:.2}, wanted {least}"
            );
        }
    }
}
