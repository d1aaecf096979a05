//! A link as a QR code (ISO/IEC 18004), as SVG and as PNG.

use std::fmt::{self, Write as _};

use qrcode::{Color, EcLevel};

/// White around the code, in modules, without which readers don't find it.
const QUIET_ZONE: usize = 4;
/// The side of a module in the PNG, in pixels.
const PIXELS_PER_MODULE: usize = 8;

/// A QR code. Its content is a secret, as the link is.
#[derive(Clone)]
pub struct QrCode {
    /// Modules on a side, quiet zone included.
    side: usize,
    /// Row by row, true where it is dark.
    dark: Vec<bool>,
}

impl QrCode {
    /// Encodes `content` so that it is still read with 15 % of it covered (level M).
    ///
    /// # Errors
    /// If there is more than a code can hold, at least 2,331 bytes.
    pub fn new(content: &[u8]) -> Result<Self, QrError> {
        let code = qrcode::QrCode::with_error_correction_level(content, EcLevel::M)
            .map_err(|_| QrError::TooLong)?;
        let width = code.width();
        let side = width + 2 * QUIET_ZONE;
        let inside = QUIET_ZONE..QUIET_ZONE + width;
        let colours = code.to_colors();
        let mut colours = colours.iter();
        let mut dark = Vec::with_capacity(side * side);
        for row in 0..side {
            for column in 0..side {
                let module = inside.contains(&row) && inside.contains(&column);
                dark.push(module && colours.next() == Some(&Color::Dark));
            }
        }
        Ok(Self { side, dark })
    }

    fn rows(&self) -> impl Iterator<Item = &[bool]> {
        self.dark.chunks_exact(self.side)
    }

    /// An SVG document (SVG 1.1) without a prologue, so that it can also stand in a page. It has no
    /// size of its own, and white beneath, so that it is read on a dark page too.
    #[must_use]
    pub fn svg(&self) -> String {
        let side = self.side;
        let mut path = String::new();
        for (y, row) in self.rows().enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|left, right| left == right) {
                let length = run.len();
                if run.first() == Some(&true) {
                    // Writing to a string does not fail.
                    let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
                }
                x += length;
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
             <path fill=\"#000\" d=\"{path}\"/></svg>"
        )
    }

    /// A PNG image, black on white, 8 pixels to a module.
    ///
    /// # Errors
    /// None that the content can cause.
    pub fn png(&self) -> Result<Vec<u8>, QrError> {
        let width = self.side * PIXELS_PER_MODULE;
        let pixels = u32::try_from(width).map_err(|_| QrError::TooLong)?;
        let mut image = Vec::with_capacity(width * width / 8);
        for row in self.rows() {
            // A module is 8 pixels wide, and 8 pixels of one bit are a byte.
            let line: Vec<u8> = row.iter().map(|dark| if *dark { 0x00 } else { 0xff }).collect();
            for _ in 0..PIXELS_PER_MODULE {
                image.extend_from_slice(&line);
            }
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&image)?;
        writer.finish()?;
        Ok(file)
    }
}

impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QrCode({0} × {0} modules)", self.side)
    }
}

/// Why there is no QR code.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// No code is large enough.
    #[error("the text is too long for a QR code")]
    TooLong,
    /// The image could not be written.
    #[error("the QR code's image could not be written: {0}")]
    Image(#[from] png::EncodingError),
}
