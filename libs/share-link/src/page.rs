//! An invitation as a page that every mail program shows: no style sheet, nothing from elsewhere.

use crate::{Language, invitation::Words};

/// The side of the QR code on the page, in CSS pixels.
const QR_SIDE: u32 = 240;

pub(crate) fn html(
    words: &Words,
    link: &str,
    language: Language,
    qr_content_id: Option<&str>,
) -> String {
    let mut page = vec![
        "<!doctype html>".to_owned(),
        format!("<html lang=\"{}\">", language.tag()),
        "<head><meta charset=\"utf-8\"></head>".to_owned(),
        "<body style=\"font-family: sans-serif\">".to_owned(),
        format!("<p>{}</p>", escaped(&words.opening)),
        "<table cellpadding=\"4\">".to_owned(),
    ];
    for (label, fact) in &words.facts {
        page.push(format!("<tr><td>{label}</td><td><b>{}</b></td></tr>", escaped(fact)));
    }
    let link = escaped(link);
    page.push("</table>".to_owned());
    page.push(format!("<p>{}<br><a href=\"{link}\">{link}</a></p>", words.link_label));
    if let Some(id) = qr_content_id {
        let (id, alternative) = (escaped(id), words.qr_alternative);
        page.push(format!(
            "<p><img src=\"cid:{id}\" width=\"{QR_SIDE}\" height=\"{QR_SIDE}\" alt=\"{alternative}\"></p>"
        ));
    }
    for line in &words.advice {
        page.push(format!("<p>{}</p>", escaped(line)));
    }
    page.push("</body></html>\n".to_owned());
    page.join("\n")
}

/// As text or as a quoted attribute of HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
