//! QR codes, read back by a reader that was written by others.

use proptest::prelude::*;
use resvg::{tiny_skia, usvg};
use tributary_identifiers::MeetingId;
use tributary_share_link::{PUBLIC_URL_LENGTH_MAX, QrCode, ShareLink, ShareSecret};

use crate::link;

/// An image of grey levels.
struct Picture {
    width: usize,
    grey: Vec<u8>,
}

impl Picture {
    /// The text of the one QR code in it.
    fn read(&self) -> String {
        let height = self.grey.len() / self.width;
        let level = |x: usize, y: usize| *self.grey.get(y * self.width + x).unwrap();
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.width, height, level);
        let codes = image.detect_grids();
        assert_eq!(codes.len(), 1, "codes found");
        codes.first().unwrap().decode().unwrap().1
    }
}

fn of_png(png: &[u8]) -> Picture {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut grey = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut grey).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Grayscale);
    Picture { width: frame.width as usize, grey }
}

/// As a browser draws it, on a black page, which shows whether the code brings its own white.
fn of_svg(svg: &str, side: u32) -> Picture {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default()).unwrap();
    let mut canvas = tiny_skia::Pixmap::new(side, side).unwrap();
    canvas.fill(tiny_skia::Color::BLACK);
    let scale = side as f32 / tree.size().width();
    let transform = tiny_skia::Transform::from_scale(scale, scale);
    resvg::render(&tree, transform, &mut canvas.as_mut());
    let grey = canvas.pixels().iter().map(|pixel| pixel.green()).collect();
    Picture { width: side as usize, grey }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_images_hold_the_link(secret: [u8; 16], side in 200..800_u32) {
        let link = link(secret);
        let code = link.qr_code().unwrap();
        prop_assert_eq!(of_png(&code.png().unwrap()).read(), link.expose());
        prop_assert_eq!(of_svg(&code.svg(), side).read(), link.expose());
    }
}

#[test]
fn the_longest_link_fits() {
    let start = "https://h/";
    let path = "a".repeat(PUBLIC_URL_LENGTH_MAX - start.len());
    let url = format!("{start}{path}").parse().unwrap();
    let meeting = MeetingId::try_from((1 << 63) - 1).unwrap();
    let link = ShareLink::new(&url, meeting, &ShareSecret::new([255; 16]));
    let code = link.qr_code().unwrap();
    assert_eq!(of_png(&code.png().unwrap()).read(), link.expose());
    assert_eq!(of_svg(&code.svg(), 600).read(), link.expose());
}

#[test]
fn too_much_for_a_code_is_an_error() {
    QrCode::new(&[b'x'; 2_331]).unwrap();
    let error = QrCode::new(&[b'x'; 2_332]).unwrap_err();
    assert_eq!(error.to_string(), "the text is too long for a QR code");
}

#[test]
fn an_svg_is_nothing_but_shapes_and_its_code_shows_in_no_debug() {
    let code = link([7; 16]).qr_code().unwrap();
    let svg = code.svg();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "));
    assert_eq!(svg.matches('<').count(), 4, "two paths in an svg");
    assert!(format!("{code:?}").len() < 40);
}
