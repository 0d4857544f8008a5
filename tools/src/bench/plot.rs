//! The picture: for each case, runsk's median as a multiple of native, on a logarithmic
//! scale, with the other runtimes beside it.

use std::fmt::Write;

use super::report::{Report, Row};

const LEFT: f64 = 250.0;
const WIDTH: f64 = 700.0;
const TOP: f64 = 70.0;
const ROW: f64 = 20.0;
const COLORS: [&str; 6] = [
    "#888888", "#d1495b", "#00798c", "#edae49", "#30638e", "#66a182",
];

/// An SVG document.
pub(super) fn svg(report: &Report) -> String {
    let rows = report.parts.iter().flat_map(|part| &part.rows);
    let rows: Vec<(&Row, Vec<Option<f64>>)> = rows
        .map(|row| (row, ratios(row)))
        .filter(|(_, ratios)| ratios.iter().flatten().count() > 0)
        .collect();
    let all = rows.iter().flat_map(|(_, ratios)| ratios.iter().flatten());
    let (least, most) = all.fold((0.5_f64, 10.0_f64), |(least, most), &ratio| {
        (least.min(ratio), most.max(ratio))
    });
    let scale = Scale {
        from: least.log10().floor(),
        to: most.log10().ceil(),
    };
    let height = rows.iter().fold(TOP, |at, _| at + ROW);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + 30.0,
        height + 30.0
    );
    legend(&mut text, report);
    axis(&mut text, &scale, height);
    let mut y = TOP;
    for (row, ratios) in rows {
        y += ROW;
        label(&mut text, LEFT - 10.0, y + 4.0, "end", row.case.title);
        for (ratio, color) in ratios.iter().zip(COLORS.iter().cycle()) {
            if let Some(ratio) = ratio {
                let x = scale.place(*ratio);
                let _ = writeln!(
                    text,
                    "<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"5\" fill=\"{color}\"/>"
                );
            }
        }
    }
    text + "</svg>\n"
}

/// How many times what native took each system took; nothing for native itself.
fn ratios(row: &Row) -> Vec<Option<f64>> {
    let mut medians = row.cells.iter().map(|cell| cell.samples.median());
    let native = medians.next().flatten().filter(|&native| native > 0.0);
    let ratio = |median: Option<f64>| median.zip(native).map(|(median, native)| median / native);
    std::iter::once(None).chain(medians.map(ratio)).collect()
}

/// Powers of ten from left to right.
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn place(&self, ratio: f64) -> f64 {
        let span = (self.to - self.from).max(1.0);
        LEFT + WIDTH * (ratio.log10() - self.from) / span
    }
}

fn legend(text: &mut String, report: &Report) {
    label(text, LEFT, 20.0, "start", "times native (the line is 1)");
    let mut x = LEFT;
    for (name, color) in report.systems.iter().zip(COLORS.iter().cycle()).skip(1) {
        let _ = writeln!(
            text,
            "<circle cx=\"{x}\" cy=\"36\" r=\"5\" fill=\"{color}\"/>"
        );
        label(text, x + 10.0, 40.0, "start", name);
        x += 120.0;
    }
}

fn axis(text: &mut String, scale: &Scale, height: f64) {
    let mut power = scale.from;
    while power <= scale.to {
        let ratio = 10_f64.powf(power);
        let x = scale.place(ratio);
        let color = if ratio == 1.0 { "black" } else { "#dddddd" };
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"{color}\"/>",
            height + 10.0
        );
        label(text, x, TOP - 4.0, "middle", &format!("{ratio}"));
        power += 1.0;
    }
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        text,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}
